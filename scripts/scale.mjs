/** `npm run scale`: compiles what changed, then measures one gateway with a thousand tunnels (test/scale). All arguments go on to it. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { must, root } from "./process.mjs";

must(process.execPath, [join(root, "scripts", "build.mjs"), "--keep"], { seconds: 300 });
const program = join(root, "dist", "test", "scale", "main.js");
process.on("SIGINT", () => {}); // the terminal tells both of us: the program cleans up, and then we end
const argv = ["--pdeathsig", "TERM", "--", process.execPath, program, ...process.argv.slice(2)];
const done = spawnSync("setpriv", argv, { stdio: "inherit" });
process.exit(done.status ?? 130);
