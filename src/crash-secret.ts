/**
 * The secret behind the tokens of quick crash detection (RFC 6290), in `gateway.state_dir`: it has to be the same after a crash, or
 * nobody would believe that this gateway has forgotten an IKE SA. It protects nothing else.
 */
import { mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Random } from "../crypto/interfaces.js";
import { Secret } from "../crypto/secret.js";
import { HostError } from "./host/command.js";

const FILE = "crash-secret";
const SECRET_BYTES = 32;

/** Reads it, and makes it first where there is none. Throws `HostError` with the remedy. */
export async function crashSecret(stateDir: string, random: Random): Promise<Secret> {
  const path = join(stateDir, FILE);
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    await create(path, random(SECRET_BYTES));
    const octets = new Uint8Array(await readFile(path));
    if (octets.length === SECRET_BYTES) return new Secret(octets);
  } catch (error) {
    const { message } = error as NodeJS.ErrnoException;
    throw new HostError(`gateway.state_dir: ${message}; the folder must belong to the user of this daemon`);
  }
  throw new HostError(`${path} has not ${SECRET_BYTES} octets: remove it, and a new one is made`);
}

/** Leaves one that is there as it is. On the disk before its first use: a token must outlive the power. */
async function create(path: string, octets: Uint8Array): Promise<void> {
  try {
    const file = await open(path, "wx", 0o600);
    try {
      await file.writeFile(octets);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
