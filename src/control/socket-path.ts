/** Takes possession of the control socket's path: what a crashed run left is replaced, a living daemon is not. */
import { lstat, mkdir, unlink } from "node:fs/promises";
import { connect } from "node:net";
import { dirname } from "node:path";
import { HostError } from "../host/command.js";

/** sun_path, with its closing zero (unix(7)). */
const MAXIMUM_PATH = 107;

/** Throws `HostError` when the path cannot be used, or when a daemon answers there. */
export async function claimSocketPath(path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAXIMUM_PATH)
    throw new HostError(`gateway.control.socket: "${path}" is longer than ${MAXIMUM_PATH} octets`);
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  } catch (error) {
    throw new HostError(
      `the folder of the control socket, ${dirname(path)}, cannot be made: ${code(error)}. ` +
        "Make it beforehand (RuntimeDirectory= in a systemd unit), or set gateway.control.socket",
    );
  }
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw new HostError(`${path} exists and is not a socket: move it away, or set another path`);
  if (await answers(path))
    throw new HostError(
      `another daemon answers on ${path}: stop it, or give this gateway its own gateway.control.socket`,
    );
  await unlink(path).catch((error: unknown) => {
    throw new HostError(`the socket ${path} of an earlier run cannot be removed: ${code(error)}`);
  });
}

/** A socket nobody listens on refuses at once; no permission means that somebody else's daemon may be there. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "EACCES" || error.code === "EAGAIN"));
  });
}

function code(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
