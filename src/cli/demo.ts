/** `causeway demo`: two gateways on this host, in namespaces, and a tunnel between them. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../package-root.js";
import { CommandError, EXIT, type ExitStatus } from "./exit.js";

export async function runDemo(args: readonly string[]): Promise<ExitStatus> {
  const script = join(packageRoot(), "scripts", "demo.mjs");
  if (!existsSync(script))
    throw new CommandError(
      EXIT.failed,
      "the demo comes with the source code, not with the installed package: in a clone of the repository, run npm run demo",
    );
  const child = spawn(process.execPath, [script, ...args], { stdio: "inherit" });
  // Ctrl-C reaches both; this one waits until the demo has cleaned up.
  const ignore = () => undefined;
  const pass = () => void child.kill("SIGTERM");
  process.on("SIGINT", ignore).on("SIGTERM", pass);
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => resolve(code === 0 ? EXIT.done : EXIT.failed));
    });
  } finally {
    process.off("SIGINT", ignore).off("SIGTERM", pass);
  }
}
