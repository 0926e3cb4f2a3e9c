/**
 * When and how much V8 optimizes.
 *
 * A handshake runs through thousands of functions a few times each: with V8's own setting its compiler threads are busy for hundreds of
 * handshakes, and need as much time for them as the handshakes themselves. What carries packets is called so often that it is optimized
 * within a fraction of a second all the same. There a packet passes a dozen small functions of as many modules, and V8's own bounds put only
 * the first few of them into one piece of code: the calls between the others are a seventh of what a packet costs, its cipher included.
 */
import { setFlagsFromString } from "node:v8";

const FLAGS = {
  /** Octets of bytecode that a function runs through before it is optimized; V8's own: 67584. */
  "interrupt-budget": 400_000,
  /** Octets of bytecode of all callees that one function takes in, as long as they are called often (920), and at most (4600). */
  "max-inlined-bytecode-size-cumulative": 8_000,
  "max-inlined-bytecode-size-absolute": 9_000,
};

/** For this thread and those that it starts, from now on. Call it before there is anything to optimize. */
export function tuneEngine(): void {
  for (const [flag, value] of Object.entries(FLAGS)) setFlagsFromString(`--${flag}=${value}`);
}
