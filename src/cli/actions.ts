/** `causeway up`, `down` and `rekey`: act, wait, and tell the result. */
import { printable } from "../config/problem.js";
import { act } from "./client.js";
import { EXIT, type ExitStatus } from "./exit.js";
import { type SocketOptions, socketPath } from "./socket.js";

export interface ActionOptions extends SocketOptions {
  readonly json?: boolean;
  /** `rekey` alone: the IKE SA instead of the children. */
  readonly ike?: boolean;
}

export async function runAction(
  action: "up" | "down" | "rekey",
  tunnel: string,
  options: ActionOptions,
): Promise<ExitStatus> {
  const result = await act(socketPath(options), tunnel, action, options.ike ? { ike: true } : {});
  if (options.json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  else {
    const reason = result.reason ? `: ${result.reason}` : "";
    (result.ok ? process.stdout : process.stderr).write(`${printable(result.result + reason)}\n`);
  }
  return result.ok ? EXIT.done : EXIT.failed;
}
