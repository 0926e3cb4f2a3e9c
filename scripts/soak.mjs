/** `npm run soak`: compiles what changed, then puts tunnels with other people's gateways under load (test/soak). All arguments go on to it. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { must, root } from "./process.mjs";

must(process.execPath, [join(root, "scripts", "build.mjs"), "--keep"], { seconds: 300 });
const program = join(root, "dist", "test", "soak", "main.js");
process.on("SIGINT", () => {}); // the terminal tells both of us: the program cleans up, and then we end
const argv = ["--pdeathsig", "TERM", "--", process.execPath, program, ...process.argv.slice(2)];
const done = spawnSync("setpriv", argv, { stdio: "inherit" });
process.exit(done.status ?? 130);
