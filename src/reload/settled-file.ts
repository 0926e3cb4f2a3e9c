/** Whether a file is being written right now: what a copy or an editor has begun is no decision of the operator's yet. */
import { stat } from "node:fs/promises";

/** Milliseconds between two looks. */
const PAUSE = 50;
/** Milliseconds for which a file may go on changing. */
const PATIENCE = 3_000;

/** False: it is still changing. One that cannot be looked at is settled; reading it will say why. */
export async function isSettled(file: string): Promise<boolean> {
  let before = await looksOf(file);
  for (let waited = 0; waited < PATIENCE; waited += PAUSE) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    const now = await looksOf(file);
    if (now === before) return true;
    before = now;
  }
  return false;
}

async function looksOf(file: string): Promise<string> {
  try {
    const { size, mtimeMs, ino } = await stat(file);
    return `${ino} ${size} ${mtimeMs}`;
  } catch {
    return "";
  }
}
