/** ESP packets for a gateway under test, made by the SA of its peer. */
import { createSealer } from "../../crypto/backends.js";
import { createArena } from "../../crypto/openssl/arena.js";
import { sealerSpecByName } from "../../crypto/registry/lookup.js";
import { secret } from "../../crypto/secret.js";
import { createSad } from "../../esp/sad.js";
import type { ChildMessage } from "../../src/dataplane/protocol.js";

/** An ICMP echo request without a checksum that anybody looks at: the shortest packet that selectors can be asked about. */
export function innerPacket(source: string, destination: string): Uint8Array {
  const packet = new Uint8Array(28);
  packet.set([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1]);
  packet.set(source.split(".").map(Number), 12);
  packet.set(destination.split(".").map(Number), 16);
  packet[20] = 8;
  return packet;
}

/** Seals for as long as the test runs; `child` is the peer's end. */
export function createPeerSa(child: ChildMessage): (inner: Uint8Array) => Uint8Array {
  const arena = createArena(1 << 20);
  const spec = sealerSpecByName(child.suite);
  const sealerOf = (keys: ChildMessage["inboundKeys"]) =>
    createSealer(arena, spec, { encryption: secret(keys.encryption), integrity: secret(keys.integrity) });
  const sad = createSad<undefined, undefined>(arena, () => {}, { limit: () => {}, firstInbound: () => {} });
  const sealers = { inbound: sealerOf(child.inboundKeys), outbound: sealerOf(child.outboundKeys) };
  sad.install({ ...child, extendedSequence: child.suite.extendedSequence }, sealers, undefined, 0);
  const buffer = arena.alloc(2048);
  return (inner) => {
    const sa = sad.child(child.id)!;
    arena.bytes.set(inner, buffer + sa.innerOffset);
    const length = sa.sealAt(buffer, inner.length, 4);
    return arena.bytes.slice(buffer, buffer + length);
  };
}
