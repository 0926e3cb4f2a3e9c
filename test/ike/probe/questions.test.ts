/** The questions of a probe against our own responder: what it finds is what the responder is configured with, and what it leaves behind. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIkeProposal } from "../../../crypto/registry/proposal.js";
import { parseAddress } from "../../../esp/address.js";
import { createEndpoint, type Endpoint, step } from "../../../ike/core/endpoint.js";
import { answerWith, policyOf } from "../../../ike/embedding.js";
import { catalogueOf } from "../../../ike/probe/catalogue.js";
import { firstMessageV1, firstRequest, readFirstAnswer } from "../../../ike/probe/first-message.js";
import { type Accepted, acceptedWords, askV1, askV2, NOBODYS_GROUP } from "../../../ike/probe/questions.js";

const PATH = {
  local: { address: parseAddress("192.0.2.2"), port: 500 },
  remote: { address: parseAddress("192.0.2.1"), port: 40_000 },
};

/** Counts up: every SPI is another one. */
function counter(): (count: number) => Uint8Array {
  let calls = 0;
  return (count) => {
    calls++;
    return Uint8Array.from({ length: count }, (_, i) => (calls * 31 + i * 7) & 0xff);
  };
}

function responder(version: 1 | 2, proposals: readonly string[]) {
  const policy = policyOf({ local: "192.0.2.2", mappings: ["10.2.0.0/16 10.1.0.0/16"] });
  const [tunnel] = policy.tunnels;
  const ike = {
    ...tunnel!.ike,
    version,
    proposals: proposals.map(parseIkeProposal),
    ...(version === 1 && { exchange: "main" as const }),
  };
  const random = counter();
  const fresh = () => createEndpoint({ ...policy, tunnels: [{ ...tunnel!, ike }] }, 0);
  let endpoint: Endpoint = fresh();
  return {
    /** The first datagram that comes back. */
    answer(bytes: Uint8Array): Uint8Array | undefined {
      const context = { now: 0, random };
      const result = step(endpoint, { kind: "datagram", path: PATH, bytes }, context);
      endpoint = result.endpoint;
      const sent = result.effects.find((effect) => effect.kind === "send");
      for (const effect of result.effects) {
        if (effect.kind !== "ask") continue;
        const answer = answerWith("a key", effect.question);
        endpoint = step(endpoint, { kind: "answer", ask: effect.ask, answer }, context).endpoint;
      }
      return sent?.kind === "send" ? sent.bytes : undefined;
    },
    halfOpen: () => endpoint.sas.size,
    forget: () => {
      endpoint = fresh();
    },
  };
}

function probeV2(proposals: readonly string[]): { found: Accepted | undefined; asked: number; halfOpen: number } {
  const peer = responder(2, proposals);
  const random = counter();
  const questions = askV2(catalogueOf(2));
  let asked = 0;
  for (let next = questions.next(); ; asked++) {
    if (next.done) return { found: next.value, asked, halfOpen: peer.halfOpen() };
    const spi = BigInt(asked + 1);
    const wish = { spi, sa: next.value, group: NOBODYS_GROUP, publicValue: random(32), nonce: random(32) };
    const answer = readFirstAnswer(peer.answer(firstRequest(wish))!, spi);
    assert.ok(answer?.kind === "otherGroup" || answer?.kind === "refused", JSON.stringify(answer?.kind));
    next = questions.next(answer.kind === "otherGroup" ? { accepted: true, group: answer.group } : { accepted: false });
  }
}

const V2: readonly (readonly [proposals: readonly string[], found: Partial<ReturnType<typeof acceptedWords>>])[] = [
  [
    ["aes256gcm16-prfsha384-ecp384"],
    { encryption: ["aes256gcm16"], integrity: [], prf: ["prfsha384"], groups: ["ecp384"] },
  ],
  [
    ["aes128-aes256-sha1-sha256-modp2048-x25519", "3des-md5-modp1024"],
    {
      encryption: ["aes256", "aes128", "3des"],
      integrity: ["sha256", "sha1", "md5"],
      prf: ["prfsha256", "prfsha1", "prfmd5"],
      groups: ["modp2048", "x25519", "modp1024"],
    },
  ],
  [
    ["chacha20poly1305-aes128ccm12-prfsha512-prfaesxcbc-x448-ecp521", "aes192ctr-aesxcbc-prfsha256-modp4096"],
    {
      encryption: ["chacha20poly1305", "aes128ccm12", "aes192ctr"],
      integrity: ["aesxcbc"],
      prf: ["prfsha512", "prfaesxcbc", "prfsha256"],
      groups: ["x448", "ecp521", "modp4096"],
    },
  ],
];

const sorted = (words: ReturnType<typeof acceptedWords>) =>
  Object.fromEntries(Object.entries(words).map(([type, list]) => [type, [...list].sort()]));

for (const [proposals, found] of V2)
  test(`a probe of IKEv2 finds ${proposals.join(" and ")}, and leaves nothing half-open`, () => {
    const result = probeV2(proposals);
    assert.ok(result.found);
    assert.deepEqual(sorted(acceptedWords(result.found)), sorted(found as ReturnType<typeof acceptedWords>));
    assert.equal(result.halfOpen, 0);
    assert.ok(result.asked < 150, `${result.asked} questions`);
    const { works } = result.found;
    const alone = probeV2(proposals.filter((words) => allows(words, works)));
    assert.ok(alone.found, "the combination stands in one of the proposals");
  });

/** Whether one proposal of the responder has all of a combination. */
function allows(words: string, { encryption, prf, keyExchange, integrity }: Accepted["works"]): boolean {
  const proposal = parseIkeProposal(words);
  return (
    encryption.every((one) =>
      proposal.encryption.some((other) => other.row === one.row && other.keyBits === one.keyBits),
    ) &&
    prf.every((row) => proposal.prf.includes(row)) &&
    integrity.every((row) => proposal.integrity.includes(row)) &&
    keyExchange.every((row) => proposal.keyExchange.includes(row))
  );
}

test("a probe of IKEv2 that meets a tunnel of IKEv1 finds nothing", () => {
  const peer = responder(1, ["aes256-sha256-modp2048"]);
  const questions = askV2(catalogueOf(2));
  const first = questions.next();
  assert.ok(!first.done);
  const wish = {
    spi: 1n,
    sa: first.value,
    group: NOBODYS_GROUP,
    publicValue: new Uint8Array(32),
    nonce: new Uint8Array(32),
  };
  const bytes = peer.answer(firstRequest(wish));
  assert.notEqual(bytes && readFirstAnswer(bytes, 1n)?.kind, "otherGroup");
});

for (const [proposals, encryption, prf, groups] of [
  [["3des-md5-modp768"], ["3des"], ["prfmd5"], ["modp768"]],
  [
    ["aes128-sha1-modp1536", "aes256-sha256-modp2048"],
    ["aes128", "aes256"],
    ["prfsha1", "prfsha256"],
    ["modp1536", "modp2048"],
  ],
] as const)
  test(`a probe of IKEv1 finds ${proposals.join(" and ")}, with one choice of the peer for each find`, () => {
    const peer = responder(1, proposals);
    const questions = askV1(catalogueOf(1));
    let choices = 0;
    let asked = 0;
    for (let next = questions.next(); ; asked++) {
      if (next.done) {
        const found = next.value as Accepted | undefined;
        assert.ok(found);
        const words = sorted(acceptedWords(found));
        assert.deepEqual(words, { encryption, integrity: prf.map((word) => word.slice(3)), prf, groups });
        assert.ok(choices <= encryption.length + prf.length + groups.length, `${choices} choices`);
        assert.ok(proposals.some((text) => allows(text, found.works)));
        return;
      }
      const spi = BigInt(asked + 1);
      const bytes = peer.answer(firstMessageV1(spi, next.value));
      const answer = bytes && readFirstAnswer(bytes, spi);
      assert.ok(answer?.kind === "chosen" || answer?.kind === "refused", JSON.stringify(answer?.kind));
      if (answer.kind === "chosen") choices++;
      // A polite one waits until the peer has forgotten it.
      peer.forget();
      next = questions.next(
        answer.kind === "chosen" && answer.version === 1 ? { accepted: true, sa: answer.sa } : { accepted: false },
      );
    }
  });
