/** How fast a backend carries a row: for the operator's eye in `causeway vectors`, never a gate. */
import type { Arena } from "../../crypto/interfaces.js";
import { messageArena } from "../../crypto/message-arena.js";
import type { BackendName, TransformRow } from "../../crypto/registry/row.js";
import { secret } from "../../crypto/secret.js";

/** Whole blocks of every cipher. */
const PACKET_BYTES = 1408;
const MEASURE_MILLISECONDS = 15;

export interface Speed {
  readonly microseconds: number;
  readonly per: "packet of 1408 octets" | "call" | "exchange";
}

/** Microseconds per operation; for encryption with the longest key. Undefined where a row has nothing to run. */
export function measure(row: TransformRow, backend: BackendName): Speed | undefined {
  const { arena, start } = messageArena(0);
  switch (row.kind) {
    case "encryption":
      return { microseconds: timeSeal(row, backend, arena, start), per: "packet of 1408 octets" };
    case "integrity": {
      const mac = row.implementations[backend]!(arena, row, octets(row.keyBytes));
      const microseconds = time(() => mac.signAt(start, PACKET_BYTES, -1, start + PACKET_BYTES));
      mac.free();
      return { microseconds, per: "packet of 1408 octets" };
    }
    case "prf": {
      const prf = row.implementations[backend]!(row);
      const data = octets(64).reveal();
      return { microseconds: time(() => prf.compute(data, data)), per: "call" };
    }
    case "keyExchange": {
      const method = row.implementations[backend]!(row);
      const ours = octets(row.privateBytes);
      const theirs = method.publicValue(
        secret(
          octets(row.privateBytes)
            .reveal()
            .map((octet) => octet ^ 1),
        ),
      );
      const microseconds = time(() => {
        method.publicValue(ours);
        method.sharedSecret(ours, theirs);
      });
      return { microseconds, per: "exchange" };
    }
    case "sequence":
      return undefined;
  }
}

function timeSeal(
  row: TransformRow & { readonly kind: "encryption" },
  backend: BackendName,
  arena: Arena,
  start: number,
): number {
  const keyBits = row.keyBits.at(-1)!;
  const key = octets(keyBits / 8 + row.saltBytes);
  if (row.aead) {
    const sealer = row.implementations[backend]!(arena, row, keyBits, key);
    const microseconds = time(() => sealer.sealAt(start, 8, start + 8, PACKET_BYTES, -1));
    sealer.free();
    return microseconds;
  }
  const cipher = row.implementations[backend]!(arena, row, keyBits, key);
  const microseconds = time(() => cipher.encryptAt(start, start + row.ivBytes, PACKET_BYTES));
  cipher.free();
  return microseconds;
}

/** Doubles the rounds until they fill the time; the last batch counts. */
function time(work: () => void): number {
  for (let rounds = 1; ; rounds *= 2) {
    const begin = performance.now();
    for (let i = 0; i < rounds; i++) work();
    const milliseconds = performance.now() - begin;
    if (milliseconds >= MEASURE_MILLISECONDS) return (1000 * milliseconds) / rounds;
  }
}

function octets(length: number) {
  return secret(new Uint8Array(length).map((_, i) => 1 + i * 7));
}
