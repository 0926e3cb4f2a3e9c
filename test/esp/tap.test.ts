import assert from "node:assert/strict";
import { test } from "node:test";
import { hex } from "../../crypto/bytes.js";
import { childParameters, createBench, mirrored, sealers, selector } from "./bench.js";
import { counting, udpPacket } from "./packets.js";

const IN = { source: "10.2.0.9", destination: "10.1.0.5", sourcePort: 1000, destinationPort: 2000 };
const LOCAL = selector("10.1.0.0/16");
const PEER = selector("10.2.0.0/16");

test("a tap sees both sides of the cipher of its tunnel's packets, also of a child that comes later, and nothing once it is closed", () => {
  const near = createBench();
  const far = createBench();
  const child = childParameters();
  near.sad.setTunnels([{ name: "office", mappings: [{ local: LOCAL, peer: PEER }] }]);
  near.sad.install(child, sealers(near.arena), "path", 0);
  far.sad.install(mirrored(child), sealers(far.arena), "path", 0);
  const seen: string[] = [];
  const tapOf = (side: string) => ({
    sealed: (_child: unknown, inner: Uint8Array, esp: Uint8Array) =>
      void seen.push(`${side} out ${hex(inner)} ${hex(esp)}`),
    opened: (_child: unknown, esp: Uint8Array, inner: Uint8Array | undefined) =>
      void seen.push(`${side} in ${inner ? hex(inner) : "dropped"} ${hex(esp)}`),
  });
  near.sad.setTap("office", tapOf("near"));
  far.sad.setTap("elsewhere", tapOf("far"));
  const inner = udpPacket({ ...IN, payload: counting(40) });
  const packet = far.seal(1, inner);
  assert.equal(hex(near.open(packet) as Uint8Array), hex(inner));
  assert.deepEqual(seen, [`near in ${hex(inner)} ${hex(packet)}`]);
  const forged = far.seal(1, inner);
  forged[forged.length - 1]! ^= 1;
  near.open(forged);
  assert.match(seen[1]!, /^near in dropped/);
  far.sad.setTap("office", tapOf("far"));
  const later = childParameters({ id: 2, spiIn: 0xc000_0101, spiOut: 0xc000_0102 });
  far.sad.install(later, sealers(far.arena), "path", 0);
  const sealed = far.seal(2, inner);
  assert.equal(seen[2], `far out ${hex(inner)} ${hex(sealed)}`);
  for (const { sad } of [near, far]) sad.setTap("", undefined);
  near.open(far.seal(1, inner));
  assert.equal(seen.length, 3);
});
