/**
 * Makes the Debian packages with Debian's own tools: causeway_*.deb, and causeway-node_*.deb with the Node.js that runs this, for
 * releases whose own is too old.
 *
 *   package.mjs [--out FOLDER] [--version VERSION] [--arch amd64|arm64]     default: dist/packages, package.json's, this host's
 *
 * For another architecture than this host's there is no Node.js to take: causeway alone is made.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { installPackages } from "./peers.mjs";
import { ask, find, isRoot, must, root } from "./process.mjs";

const HERE = { x64: "amd64", arm64: "arm64" }[process.arch];
const NPM_CPU = { amd64: "x64", arm64: "arm64" };
/** What runs, and what has to be said of it: neither types, nor maps, nor what only its makers need. */
const NEEDED = /\.(js|cjs|mjs|json|node)$|^(licen[cs]e|copying|notice)\b/i;
const NEEDLESS = /^(\..*|bin\.[cm]?js|(cnoke|trampolines)\.cjs|musl_.*)$/;
/** Folders at the top of a package that nobody loads. */
const NEEDLESS_AT_TOP = /\/node_modules\/(@[^/]+\/)?[^/@]+\/(tests?|docs?|bench(marks)?|examples?)$/;
/** Packages come from nobody in particular; who publishes them says so. */
const { DEBFULLNAME: name = "Causeway developers", DEBEMAIL: address = "causeway@localhost" } = process.env;

const { version: packageVersion } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const { values } = parseArgs({
  options: {
    out: { type: "string", default: join(root, "dist", "packages") },
    version: { type: "string", default: packageVersion },
    arch: { type: "string", default: HERE ?? "amd64" },
  },
});
if (!(values.arch in NPM_CPU)) fail(`there is no package for ${values.arch}: amd64 or arm64`, 2);
if (!/^[0-9][0-9A-Za-z.+~]*$/.test(values.version)) fail(`${values.version} is no version of a Debian package`, 2);

const tools = ["dpkg-buildpackage", "dh", "fakeroot"].filter((tool) => !find(tool));
if (tools.length > 0) {
  if (!isRoot || !find("apt-get")) fail(`missing: ${tools.join(", ")} (packages dpkg-dev, debhelper, fakeroot)`, 2);
  installPackages(["dpkg-dev", "debhelper", "fakeroot"]);
}
must(process.execPath, [join(root, "scripts", "build.mjs"), "--keep"], { seconds: 300 });

// The time of the last commit, so that the same commit makes the same packages.
const committed = ask("git", ["log", "-1", "--format=%ct"]).stdout.trim();
const epoch = committed === "" ? Math.floor(Date.now() / 1000) : Number(committed);
const date = new Date(epoch * 1000);

const work = mkdtempSync(join(tmpdir(), "causeway-package-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));
const tree = join(work, `causeway-${values.version}`);

copyProgram();
copyNode();
await writeDocuments();
writeDebian();
const foreign = values.arch === HERE ? [] : ["--host-arch", values.arch];
must("dpkg-buildpackage", ["--build=binary", "--no-sign", "--no-check-builddeps", ...foreign], {
  cwd: tree,
  seconds: 600,
  env: {
    ...process.env,
    SOURCE_DATE_EPOCH: String(epoch),
    ...(foreign.length > 0 && { DEB_BUILD_OPTIONS: "nocheck" }),
  },
});
mkdirSync(resolve(values.out), { recursive: true });
for (const name of readdirSync(work).filter((file) => file.endsWith(".deb"))) {
  cpSync(join(work, name), join(resolve(values.out), name));
  console.log(join(resolve(values.out), name));
}

function copyProgram() {
  const program = join(tree, "program");
  for (const folder of ["crypto", "esp", "ike", "src"])
    cpSync(join(root, "dist", folder), join(program, "dist", folder), {
      recursive: true,
      filter: (path) => statSync(path).isDirectory() || NEEDED.test(basename(path)),
    });
  // The launcher names the Node.js that runs it.
  const main = join(program, "dist", "src", "main.js");
  writeFileSync(main, readFileSync(main, "utf8").replace(/^#!.*\n/, ""));
  cpSync(join(root, "vectors"), join(program, "vectors"), { recursive: true });
  for (const file of ["package.json", "package-lock.json", ".npmrc", "gateway.schema.json"])
    cpSync(join(root, file), join(program, file));
  const platform = ["--os=linux", `--cpu=${NPM_CPU[values.arch]}`, "--libc=glibc"];
  must("npm", ["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", ...platform], {
    cwd: program,
    seconds: 600,
  });
  for (const file of ["package-lock.json", ".npmrc", "node_modules/.package-lock.json"]) rmSync(join(program, file));
  prune(join(program, "node_modules"));
}

/** Leaves what a program needs. Debian's C library is glibc. */
function prune(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (NEEDLESS.test(entry.name) || NEEDLESS_AT_TOP.test(path)) rmSync(path, { recursive: true });
    else if (entry.isDirectory()) prune(path);
    else if (!NEEDED.test(entry.name)) rmSync(path);
    if (entry.isDirectory() && existsSync(path) && readdirSync(path).length === 0) rmSync(path, { recursive: true });
  }
}

function copyNode() {
  if (values.arch !== HERE) return;
  cpSync(process.execPath, join(tree, "node"));
  must("strip", ["--strip-unneeded", join(tree, "node")]);
  const prefix = join(realpathSync(process.execPath), "..", "..");
  const licences = ["LICENSE", "share/doc/nodejs/LICENSE", "share/doc/node/LICENSE"].map((file) => join(prefix, file));
  const licence = licences.find((file) => existsSync(file));
  if (licence === undefined) fail(`Node.js has no licence beside it, which has to be packaged: ${licences.join(", ")}`);
  cpSync(licence, join(tree, "LICENSE.node"));
}

/** The manual pages and the completion come from the commands themselves. */
async function writeDocuments() {
  const { buildProgram } = await import("../dist/src/cli/program.js");
  const { commandManual, configurationManual } = await import("../dist/src/docs/manual.js");
  const { bashCompletion } = await import("../dist/src/docs/completion.js");
  const program = buildProgram(() => {});
  const edition = { version: values.version, date: date.toISOString().slice(0, 10) };
  const example = readFileSync(join(root, "gateway.example.yaml"), "utf8");
  write("manual/causeway.8", commandManual(program, edition));
  write("manual/gateway.yaml.5", configurationManual(example, edition));
  write("completion/causeway", bashCompletion(program));
  write("etc/gateway.yaml", readFileSync(join(root, "packaging", "gateway.yaml"), "utf8"));
  write("launcher/causeway", readFileSync(join(root, "packaging", "causeway.sh"), "utf8"));
  write("documents/gateway.example.yaml", example);
  for (const file of ["README.md", "SECURITY.md", "docs/operations.md", "gateway.schema.json"])
    write(`documents/${basename(file)}`, readFileSync(join(root, file)));
}

function writeDebian() {
  const debian = join(tree, "debian");
  cpSync(join(root, "packaging", "debian"), debian, { recursive: true });
  cpSync(join(root, "packaging", "causeway.service"), join(debian, "causeway.causeway.service"));
  const isMade = (name) => values.arch === HERE || name !== "causeway-node";
  for (const file of readdirSync(debian)) if (!isMade(file.split(".")[0])) rmSync(join(debian, file));
  const control = join(debian, "control");
  const paragraphs = readFileSync(control, "utf8")
    .replace(/^Maintainer: .*$/m, `Maintainer: ${name} <${address}>`)
    .split("\n\n")
    .filter((paragraph) => isMade(/^Package: (.*)$/m.exec(paragraph)?.[1]));
  writeFileSync(control, `${paragraphs.join("\n\n").trimEnd()}\n`);
  const day = ask("date", ["-u", "-R", "-d", `@${epoch}`]).stdout.trim();
  writeFileSync(
    join(debian, "changelog"),
    `causeway (${values.version}) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- ${name} <${address}>  ${day}\n`,
  );
}

function write(path, content) {
  const file = join(tree, path);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, content);
}

function fail(message, status = 1) {
  console.error(`causeway package: ${message}`);
  process.exit(status);
}
