/**
 * Brings a clean clone to the point where it builds, runs and tests. Built-ins only, safe to repeat, silent when nothing is missing.
 *
 *   setup.mjs              the npm packages, and as root the Debian packages of the interoperability peers
 *   setup.mjs --run-only   the npm packages, and as root iproute2 where it is missing
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { installPackages, installPeers, peersMissing } from "./peers.mjs";
import { find, isRoot, must, root } from "./process.mjs";

const runOnly = process.argv.includes("--run-only");

checkNode();
if (!packagesAreCurrent()) {
  console.log("causeway setup: installing the npm packages of package-lock.json");
  must("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { seconds: 600 });
}
if (runOnly) setUpRun();
else setUpPeers();

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  console.error(`causeway setup: Node.js ${process.versions.node} is too old: 20.19 or later is needed`);
  process.exit(2);
}

/**
 * Whether node_modules holds what the lock file names. npm's own record of what it installed is compared, not dates:
 * a clone, a copy and a checkout all change dates. Packages for other platforms are in the lock but never installed.
 */
function packagesAreCurrent() {
  const recordFile = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(recordFile)) return false;
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const installed = JSON.parse(readFileSync(recordFile, "utf8")).packages;
  const wanted = Object.entries(lock).filter(([path]) => path !== "");
  return (
    wanted.every(
      ([path, entry]) => installed[path]?.version === entry.version || (entry.optional && !installed[path]),
    ) && Object.keys(installed).every((path) => path in lock)
  );
}

function setUpRun() {
  if (find("ip")) return;
  if (isRoot && find("apt-get")) installPackages(["iproute2"]);
  else console.log("causeway setup: the program `ip` is missing: install the package iproute2");
}

function setUpPeers() {
  const missing = peersMissing();
  if (missing.length === 0) return;
  if (!isRoot) {
    console.log(
      "causeway setup: not root: the interoperability suites will be skipped (they need namespaces and peers)",
    );
    return;
  }
  if (!find("apt-get")) {
    console.log(
      `causeway setup: no apt-get: the interoperability suites will be skipped; missing: ${missing.join(", ")}`,
    );
    return;
  }
  installPeers(missing);
}
