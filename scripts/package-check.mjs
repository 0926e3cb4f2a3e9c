/**
 * Proves the Debian package: builds it twice, asks lintian and systemd-analyze, and lives its life (packaging/life.sh) in a minimal
 * Debian 12 without a running systemd. Writes the result into docs/test-report.md. Needs root.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDebianMachine } from "./debian-machine.mjs";
import { installPackages } from "./peers.mjs";
import { ask, find, isRoot, must, root } from "./process.mjs";
import { writeSection } from "./test-report.mjs";

/** strongSwan with userspace ESP, which needs nothing of the kernel; the tools that the life uses. */
const PACKAGES =
  "iproute2,iputils-ping,adduser,charon-systemd,strongswan-swanctl,libcharon-extra-plugins,libstrongswan-standard-plugins,libstrongswan-extra-plugins,nftables".split(
    ",",
  );

if (!isRoot) fail("root is needed: a Debian system is made, and entered", 2);
const missing = ["lintian", "systemd-analyze"].filter((tool) => !find(tool));
if (missing.length > 0) installPackages(missing.map((tool) => (tool === "lintian" ? "lintian" : "systemd")));

const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const work = mkdtempSync(join(tmpdir(), "causeway-package-check-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));
const editions = [version, `${version}+upgrade`];
for (const edition of editions)
  must(process.execPath, [join(root, "scripts", "package.mjs"), "--out", join(work, edition), "--version", edition]);

const packages = readdirSync(join(work, version)).map((file) => join(work, version, file));
const lintian = ask("lintian", ["--allow-root", "--fail-on", "error", ...packages], { seconds: 300 });
console.log(`lintian: ${lintian.stdout.trim() || "nothing to say"}`);
if (lintian.status !== 0) fail(`lintian found errors:\n${lintian.stdout}${lintian.stderr}`);

const unit = judgeUnit();
const machine = createDebianMachine("causeway-package", PACKAGES);
for (const edition of editions) cpSync(join(work, edition), join(machine.folder, "srv", edition), { recursive: true });
cpSync(join(root, "packaging", "life.sh"), join(machine.folder, "srv", "life.sh"));
const started = new Date();
const inside = `cd /srv && apt-get -qq update && unshare --net sh ./life.sh ${editions.map((edition) => `/srv/${edition}`).join(" ")}`;
const { status, text } = await machine.run(["sh", "-c", inside], { seconds: 900 });
if (machine.stopped) fail("stopped");
if (status !== 0) fail(`the life of the package failed with status ${status}`);

writeSection("package", [
  `\`node scripts/package-check.mjs\` passed on ${started.toISOString().slice(0, 10)}: causeway ${version} and causeway-node ${version} ` +
    "(amd64) in Debian 12 (debootstrap, minbase) without a running systemd, against strongSwan with userspace ESP.",
  "",
  `lintian: no errors${lintian.stdout.trim() === "" ? ", no warnings" : ""}. \`systemd-analyze verify\`: ${unit.verdict}. \`systemd-analyze security --offline\`: ${unit.score}.`,
  "",
  "```",
  ...text.trimEnd().split("\n").slice(-60),
  "```",
]);

/** The unit as this host's systemd reads it; the program that it starts is the launcher of this folder. */
function judgeUnit() {
  const file = join(work, "causeway.service");
  const unit = readFileSync(join(root, "packaging", "causeway.service"), "utf8");
  writeFileSync(file, unit.replace("/usr/bin/causeway", join(root, "packaging", "causeway.sh")));
  const verify = ask("systemd-analyze", ["verify", "--man=no", file]);
  const complaints = `${verify.stdout}${verify.stderr}`.split("\n").filter((line) => line.includes("causeway"));
  if (verify.status !== 0 || complaints.length > 0) fail(`systemd-analyze verify:\n${complaints.join("\n")}`);
  const security = ask("systemd-analyze", ["security", "--offline=true", "--no-pager", file]);
  const score = /Overall exposure level for causeway\.service: (\S+ \w+)/.exec(security.stdout)?.[1];
  if (score === undefined) fail(`systemd-analyze security:\n${security.stdout}${security.stderr}`);
  return { verdict: "no complaints", score };
}

function fail(message, status = 1) {
  console.error(`causeway package check: ${message}`);
  process.exit(status);
}
