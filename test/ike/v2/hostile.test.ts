import assert from "node:assert/strict";
import { test } from "node:test";
import { concat } from "../../../crypto/bytes.js";
import { seal } from "../../../crypto/seal.js";
import type { Endpoint } from "../../../ike/core/endpoint.js";
import type { ErrorNotify } from "../../../ike/core/errors.js";
import { isHalfOpen } from "../../../ike/core/sas.js";
import { inboundKeys, outboundKeys } from "../../../ike/v2/keys.js";
import { openMessage } from "../../../ike/wire/encrypted.js";
import { bodiesOf, decodeMessage, type Payload, payload } from "../../../ike/wire/message.js";
import { notification } from "../../../ike/wire/payloads/notify.js";
import { createPair, establishedPair, forge, ikeSa, type Pair, reportsOf, type Side, view } from "./pair.js";

/**
 * Everything of an endpoint that a datagram could have changed. Numbers that are merely used up do not count, and neither
 * does a half-open IKE SA: the first request of one that is gone is a first request (`decisions.md` 5).
 */
function essence({ sas, tunnels }: Endpoint) {
  return { sas: [...sas.values()].filter((sa) => !isHalfOpen(sa)), tunnels };
}

test("no old message changes anything when it comes again, at any later time", () => {
  const pair = establishedPair({ entries: [["10.1.0.0/16 10.2.0.0/16"], ["10.1.0.0/16 10.3.0.0/16"]] });
  pair.wish(pair.a, { do: "rekeyChildren", tunnel: "t" });
  pair.pass(3_000);
  pair.wish(pair.b, { do: "rekeyIke", tunnel: "t" });
  pair.pass(3_000);
  for (const { from, path, bytes } of [...pair.sent]) {
    const to = from === "A" ? pair.b : pair.a;
    const before = essence(to.endpoint);
    const effects = pair.handle(to, { kind: "datagram", path: { local: path.remote, remote: path.local }, bytes });
    assert.deepEqual(essence(to.endpoint), before);
    if (bytes[18] === 34) continue;
    for (const { kind } of effects) assert(kind === "send" || kind === "report", kind);
    for (const effect of effects)
      if (effect.kind === "send")
        assert(
          pair.sent.some((d) => d.bytes === effect.bytes || d.bytes.every((octet, i) => octet === effect.bytes[i])),
        );
  }
});

test("a request with the number of one that is answered but with other octets is passed over", () => {
  const pair = establishedPair();
  const first = forge(pair.a, "INFORMATIONAL", [], { messageId: 2 });
  pair.inject(pair.b, first);
  const before = essence(pair.b.endpoint);
  const other = forge(pair.a, "INFORMATIONAL", [payload("D", { protocol: "IKE", spis: [] })], { messageId: 2 });
  assert.deepEqual(
    pair.inject(pair.b, other).map(({ kind }) => kind),
    ["report"],
  );
  assert.deepEqual(essence(pair.b.endpoint), before);
});

test("every octet of every message of a handshake and of a rekey, altered, changes nothing that is protected and breaks nothing", () => {
  const script = (pair: Pair) => {
    pair.pass(500);
    pair.wish(pair.a, { do: "rekeyChildren", tunnel: "t" });
    pair.pass(100);
  };
  const clean = createPair();
  script(clean);
  const count = clean.sent.length;
  assert(count >= 6);
  for (let n = 0; n < count; n++) {
    const length = clean.sent[n]!.bytes.length;
    for (let at = 0; at < length; at++) {
      const pair = createPair();
      let index = 0;
      let spoilt: Uint8Array | undefined;
      pair.wire = ({ bytes }) => {
        if (index++ !== n) return [bytes];
        spoilt = bytes.slice();
        spoilt[at]! ^= 1 + (at % 255);
        return [spoilt, bytes]; // the good one follows
      };
      script(pair);
      pair.pass(5_000);
      assert(spoilt !== undefined);
      const protectedMessage = spoilt[18] !== 34 && n >= 2;
      // IKE_SA_INIT is not protected: the handshake may fail then, but never end in different keys.
      if (protectedMessage) assert.equal(view(pair.a).state, "established", `message ${n}, octet ${at}`);
    }
  }
});

test("random datagrams are counted and nothing else", () => {
  const pair = establishedPair();
  const before = essence(pair.b.endpoint);
  for (let length = 0; length < 200; length++) {
    const noise = new Uint8Array(length).map((_, i) => (i * 31 + length * 17) & 0xff);
    const effects = pair.inject(pair.b, noise);
    assert(
      effects.every(({ kind }) => kind === "report"),
      `${length} octets`,
    );
  }
  assert.deepEqual(essence(pair.b.endpoint), before);
});

test("a forged refusal of IKE_AUTH, unprotected, is not heard", () => {
  const pair = createPair();
  pair.wire = ({ from, bytes }) => {
    if (from === "A" && bytes[18] === 35) {
      const plain = bytes.slice(0, 28 + 8);
      plain.set([41], 16);
      plain.set([0x20], 19);
      plain.set([0, 0, 0, 36], 24);
      plain.set([0, 0, 0, 8, 0, 0, 0, 24], 28);
      pair.inject(pair.a, plain);
    }
    return [bytes];
  };
  pair.pass(1000);
  assert.equal(view(pair.a).state, "established");
});

test("a broken message behind a good integrity check ends the IKE SA with INVALID_SYNTAX, told to the peer", () => {
  const pair = establishedPair();
  const twice = [payload("Nonce", { nonce: new Uint8Array(32) }), payload("Nonce", { nonce: new Uint8Array(32) })];
  const ke = payload("KE", { group: 31, data: new Uint8Array(32) });
  const sa = payload("SA", {
    proposals: [
      {
        number: 1,
        protocol: "IKE",
        spi: new Uint8Array(8),
        transforms: [{ type: 1, id: 20, keyBits: 256, attributes: [] }],
      },
    ],
  });
  assert.deepEqual(refusal(pair, [sa, ke, ...twice], "CREATE_CHILD_SA"), ["INVALID_SYNTAX"]);
  assert.equal(pair.b.children.size, 0);
  assert.equal(reportsOf(pair.b, "failed")[0]!.code, "INVALID_SYNTAX");
});

test("every refusal of CREATE_CHILD_SA leaves the IKE SA and its child standing", () => {
  const nonce = payload("Nonce", { nonce: new Uint8Array(32) });
  const espSa = (id: number) =>
    payload("SA", {
      proposals: [
        {
          number: 1,
          protocol: "ESP",
          spi: new Uint8Array([9, 9, 9, 9]),
          transforms: [
            { type: 1, id, keyBits: 256, attributes: [] },
            { type: 5, id: 0, attributes: [] },
          ],
        },
      ],
    });
  const ts = (side: Side) => ({ selectors: [...side.children.values()][0]!.local, unknown: [] });
  const wide = {
    selectors: [{ family: 4, protocol: 0, startPort: 0, endPort: 65535, start: 1n, end: 2n } as const],
    unknown: [],
  };
  const cases: readonly [ErrorNotify, (pair: Pair) => readonly Payload[]][] = [
    ["NO_PROPOSAL_CHOSEN", (p) => [espSa(12), nonce, payload("TSi", ts(p.a)), payload("TSr", ts(p.b))]],
    ["TS_UNACCEPTABLE", () => [espSa(20), nonce, payload("TSi", wide), payload("TSr", wide)]],
    [
      "INVALID_KE_PAYLOAD",
      () => [
        payload("SA", {
          proposals: [
            {
              number: 1,
              protocol: "IKE",
              spi: new Uint8Array(8).fill(1),
              transforms: [
                { type: 1, id: 20, keyBits: 256, attributes: [] },
                { type: 2, id: 5, attributes: [] },
                { type: 4, id: 31, attributes: [] },
              ],
            },
          ],
        }),
        nonce,
        payload("KE", { group: 14, data: new Uint8Array(256) }),
      ],
    ],
  ];
  for (const [notify, payloads] of cases) {
    const pair = establishedPair();
    assert.deepEqual(refusal(pair, payloads(pair), "CREATE_CHILD_SA"), [notify]);
    assert.equal(ikeSa(pair.b).children.size, 1);
    assert.equal(pair.b.children.size, 1, "and no SPI is left reserved");
  }
});

test("an unknown payload inside a protected request is refused when it is critical, and passed over when not; the IKE SA stays", () => {
  for (const critical of [true, false]) {
    const pair = establishedPair();
    pair.inject(pair.b, rawRequest(pair.a, 201, new Uint8Array([0, critical ? 0x80 : 0, 0, 5, 1])));
    assert.deepEqual(lastNotifies(pair), critical ? ["UNSUPPORTED_CRITICAL_PAYLOAD"] : []);
    assert.equal(ikeSa(pair.b).children.size, 1);
  }
});

test("octets behind a good integrity check that are no payloads end the IKE SA with INVALID_SYNTAX", () => {
  const pair = establishedPair();
  pair.inject(pair.b, rawRequest(pair.a, 41, new Uint8Array([0, 0, 0, 200, 1])));
  assert.deepEqual(lastNotifies(pair), ["INVALID_SYNTAX"]);
  assert.equal(pair.b.children.size, 0);
});

/** An INFORMATIONAL request of A with any octets inside its Encrypted payload. */
function rawRequest(from: Side, firstPayload: number, inside: Uint8Array): Uint8Array {
  const { initiatorSpi, responderSpi, keys, role, negotiated } = ikeSa(from);
  const empty = forge(from, "INFORMATIONAL", [], { messageId: 2 });
  const prefix = empty.slice(0, 32);
  const body = empty.slice(32, 40);
  const plain = concat(inside, new Uint8Array(1));
  const view = new DataView(prefix.buffer);
  view.setBigUint64(0, initiatorSpi);
  view.setBigUint64(8, responderSpi);
  view.setUint32(24, 32 + 8 + plain.length + 16);
  view.setUint8(28, firstPayload);
  view.setUint16(30, 4 + 8 + plain.length + 16);
  return concat(prefix, seal(negotiated.suite, outboundKeys(keys, role), body, prefix, plain));
}

/** The notifications in B's last answer. */
function lastNotifies(pair: Pair) {
  const { negotiated, keys, role } = ikeSa(pair.a);
  const { from, bytes } = pair.sent.at(-1)!;
  assert.equal(from, "B");
  const opened = openMessage(bytes, decodeMessage(bytes), negotiated.suite, inboundKeys(keys, role));
  assert(opened !== undefined);
  return bodiesOf(opened.payloads, "N").map(({ notify }) => notify);
}

test("a request in an IKE SA that is being deleted gets TEMPORARY_FAILURE", () => {
  const pair = establishedPair();
  const nonce = payload("Nonce", { nonce: new Uint8Array(32) });
  const request = forge(pair.a, "CREATE_CHILD_SA", [nonce], { messageId: 2 });
  const keys = ikeSa(pair.a);
  pair.wire = () => [];
  pair.wish(pair.b, { do: "down", tunnel: "t" });
  pair.inject(pair.b, request);
  const { bytes } = pair.sent.at(-1)!;
  const opened = openMessage(bytes, decodeMessage(bytes), keys.negotiated.suite, inboundKeys(keys.keys, keys.role))!;
  assert.deepEqual(
    bodiesOf(opened.payloads, "N").map(({ notify }) => notify),
    ["TEMPORARY_FAILURE"],
  );
});

test("a status notification that we do not know is passed over", () => {
  const pair = establishedPair();
  assert.deepEqual(refusal(pair, [payload("N", notification(40_000))], "INFORMATIONAL"), []);
});

/** What B answers to a forged request of A: the notifications in its answer. */
function refusal(pair: Pair, payloads: readonly Payload[], exchange: "CREATE_CHILD_SA" | "INFORMATIONAL") {
  pair.wire = () => [];
  pair.inject(pair.b, forge(pair.a, exchange, payloads, { messageId: 2 }));
  return lastNotifies(pair);
}
