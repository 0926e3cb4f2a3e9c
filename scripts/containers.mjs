/**
 * The container engine of the interoperability suites, and the images of packaging/: made once, and again when what is in them
 * changes. Nothing is pulled where the base can be made with debootstrap.
 */
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { debootstrap } from "./debian-machine.mjs";
import { installPackages } from "./peers.mjs";
import { ask, find, isRoot, must, root } from "./process.mjs";

/** Debian's podman with what it needs to run as root without systemd, and what the suites need beside it. */
const PODMAN_PACKAGES = { podman: "podman", runc: "runc", conmon: "conmon", ip: "iproute2", ping: "iputils-ping" };
const SUITE_PACKAGES = { nft: "nftables", conntrack: "conntrack" };

/**
 * Storage of its own, so that nobody's images and containers are touched, and the choices that work as root everywhere: in a virtual
 * machine without systemd, with either version of cgroups, and on file systems that overlay cannot stand on.
 */
const PODMAN = [
  "podman",
  ...["--runtime=runc", "--cgroup-manager=cgroupfs", "--storage-driver=vfs"],
  ...["--root=/var/lib/causeway-interop", "--runroot=/run/causeway-interop"],
];

/** What the image of Causeway is made from. */
const INGREDIENTS = [
  ...["crypto", "esp", "ike", "src", "vectors", "package-lock.json", "scripts/package.mjs", "packaging/debian"],
  ...["Dockerfile", "container-entry.sh", "causeway.sh", "causeway.service", "gateway.yaml"].map(
    (file) => `packaging/${file}`,
  ),
];
const BASE = "localhost/causeway-debian:bookworm";
const PULLED_BASE = "docker.io/library/debian:bookworm-slim";

/** The command line of the engine. Ends this process, with the reason, where it cannot run here. */
export function findEngine(driver) {
  if (!isRoot) refuse("not root: namespaces, TUN devices and containers with CAP_NET_ADMIN need it");
  if (!existsSync("/dev/net/tun")) refuse("no /dev/net/tun on this host");
  const programs = {
    ...(driver === "podman" ? PODMAN_PACKAGES : { ip: "iproute2", ping: "iputils-ping" }),
    ...SUITE_PACKAGES,
  };
  const missing = Object.keys(programs).filter((program) => !find(program));
  if (missing.length > 0) {
    if (!find("apt-get")) refuse(`not installed, and no apt-get to do it: ${missing.join(", ")}`);
    installPackages(missing.map((program) => programs[program]));
  }
  const argv = driver === "podman" ? PODMAN : ["docker"];
  const info = ask(argv[0], [...argv.slice(1), "info"], { seconds: 60 });
  if (info.status !== 0) refuse(`${driver} does not work here: ${info.stderr.trim().split("\n").at(-1)}`);
  return argv;
}

/** The names of both images, which are there afterwards. */
export function prepareImages(driver, argv) {
  const base = prepareBase(argv);
  const image = (name, file, ingredients, before = () => {}) => {
    const tag = `localhost/${name}:${contentOf([base.id, ...ingredients.map((path) => join(root, path))])}`;
    if (has(argv, tag)) return tag;
    before();
    console.log(`causeway interop: making the image ${tag}`);
    // The cache of layers does not see what a mount of the build holds.
    const own = driver === "podman" ? ["--isolation=chroot", "--layers=false"] : [];
    const words = ["--no-cache", "--network=host", "--build-arg", `BASE=${base.name}`, ...lentProxies()];
    must(argv[0], [...argv.slice(1), "build", "--quiet", ...own, ...words, "-f", file, "-t", tag, root], {
      seconds: 600,
    });
    removeOlder(argv, tag);
    return tag;
  };
  const strongswan = image("causeway-strongswan", "packaging/strongswan.Dockerfile", [
    "packaging/strongswan.Dockerfile",
  ]);
  const causeway = image("causeway", "packaging/Dockerfile", INGREDIENTS, () => {
    rmSync(join(root, "dist", "packages"), { recursive: true, force: true });
    // To be unpacked in a minute: time is worth more than size.
    const env = { ...process.env, DPKG_DEB_COMPRESSOR_TYPE: "gzip", DPKG_DEB_COMPRESSOR_LEVEL: "1" };
    must(process.execPath, [join(root, "scripts", "package.mjs")], { seconds: 900, env });
  });
  return { causeway, strongswan };
}

/** Debian 12 from the packages of this host's mirror; pulled where there is no apt to get debootstrap with. */
function prepareBase(argv) {
  if (!find("apt-get")) {
    must(argv[0], [...argv.slice(1), "pull", "--quiet", PULLED_BASE], { seconds: 300 });
    return { name: PULLED_BASE, id: idOf(argv, PULLED_BASE) };
  }
  if (!has(argv, BASE)) {
    const folder = mkdtempSync("/var/tmp/causeway-base-");
    const remove = () => ask("rm", ["-rf", "--one-file-system", folder], { seconds: 120 });
    process.on("exit", remove);
    chmodSync(folder, 0o755); // it becomes the root folder of users that are not root
    debootstrap(folder, []);
    console.log(`causeway interop: making the image ${BASE}`);
    const engine = argv.map((word) => `'${word}'`).join(" ");
    const script = `tar -C ${folder} -c . | ${engine} import - ${BASE} > /dev/null`;
    must("sh", ["-c", script], { seconds: 300 });
    remove();
    process.off("exit", remove);
  }
  return { name: BASE, id: idOf(argv, BASE) };
}

function has(argv, image) {
  return idOf(argv, image) !== undefined;
}

function idOf(argv, image) {
  const { status, stdout } = ask(argv[0], [...argv.slice(1), "image", "inspect", "--format", "{{.Id}}", image]);
  return status === 0 ? stdout.trim() : undefined;
}

/** Images of the same name from before; one that a container of another run uses stays. */
function removeOlder(argv, image) {
  const name = image.slice(0, image.lastIndexOf(":"));
  const { stdout } = ask(argv[0], [...argv.slice(1), "images", "--format", "{{.Repository}}:{{.Tag}}"]);
  for (const other of stdout.split("\n").filter((line) => line.startsWith(`${name}:`) && line !== image))
    ask(argv[0], [...argv.slice(1), "rmi", other]);
}

/** Twelve digits that change with any of the files, the files of the folders, or the words that are no path. */
function contentOf(paths) {
  const hash = createHash("sha256");
  for (const path of paths) {
    const files = existsSync(path) && statSync(path).isDirectory() ? filesBelow(path) : [path];
    for (const file of files) hash.update(`${file}\0`).update(existsSync(file) ? readFileSync(file) : "");
  }
  return hash.digest("hex").slice(0, 12);
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** apt's proxies of this host, as arguments that builds know and images do not keep. */
function lentProxies() {
  const found = ask("apt-config", ["dump", "Acquire"]).stdout.matchAll(/^Acquire::(https?)::proxy "([^"]+)"/gim);
  return [...found].flatMap(([, scheme, url]) => ["--build-arg", `${scheme.toLowerCase()}_proxy=${url}`]);
}

function refuse(why) {
  console.error(`causeway interop: containers cannot run here: ${why}`);
  process.exit(1);
}
