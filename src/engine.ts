/**
 * How eagerly V8 optimizes. A handshake runs through thousands of functions a few times each: with V8's own setting its compiler threads
 * are busy for hundreds of handshakes, and need as much time for them as the handshakes themselves. What carries packets is called so
 * often that it is optimized within a fraction of a second all the same.
 */
import { setFlagsFromString } from "node:v8";

/** Octets of bytecode that a function runs through before it is optimized; V8's own: 67584. */
const INTERRUPT_BUDGET = 400_000;

/** For this thread and those that it starts, from now on. Call it before there is anything to optimize. */
export function optimizeLate(): void {
  setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET}`);
}
