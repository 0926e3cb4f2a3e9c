/** Which daemon a command talks to. */
import { controlSocketOf, DEFAULT_CONTROL_SOCKET } from "../config/control-socket.js";
import { CommandError, EXIT } from "./exit.js";

export interface SocketOptions {
  readonly socket?: string;
  readonly config?: string;
}

/** `--socket` before `-c FILE` before CAUSEWAY_SOCKET before the default. */
export function socketPath(options: SocketOptions): string {
  if (options.socket !== undefined) return options.socket;
  if (options.config !== undefined) {
    const found = controlSocketOf(options.config);
    if ("problem" in found) throw new CommandError(EXIT.usage, `${options.config}: ${found.problem}`);
    return found.path;
  }
  return process.env.CAUSEWAY_SOCKET || DEFAULT_CONTROL_SOCKET;
}
