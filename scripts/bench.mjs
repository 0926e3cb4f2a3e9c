/**
 * `npm run bench`: compiles what changed, then measures our data plane beside others (test/bench). All arguments go on to it.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { installPackages } from "./peers.mjs";
import { find, isRoot, must, root } from "./process.mjs";

/** What stands beside our gateways: Debian package -> a file that shows that it is there. */
const CONTENDERS = {
  "wireguard-go": "/usr/bin/wireguard-go",
  "wireguard-tools": "/usr/bin/wg",
  gcc: "/usr/bin/cc",
  "libc6-dev": "/usr/include/elf.h",
  "libssl-dev": "/usr/include/openssl/evp.h",
};

const missing = Object.entries(CONTENDERS)
  .filter(([, file]) => !existsSync(file))
  .map(([name]) => name);
if (missing.length > 0 && isRoot && find("apt-get")) installPackages(missing);

must(process.execPath, [join(root, "scripts", "build.mjs"), "--keep"], { seconds: 300 });
const program = join(root, "dist", "test", "bench", "main.js");
process.on("SIGINT", () => {}); // the terminal tells both of us: the benchmark cleans up, and then we end
const argv = ["--pdeathsig", "TERM", "--", process.execPath, program, ...process.argv.slice(2)];
const done = spawnSync("setpriv", argv, { stdio: "inherit" });
process.exit(done.status ?? 130);
