/** What a probe with the key learns of child SAs, against our own endpoint as the peer: all of its configuration, and nothing is left behind. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../crypto/bytes.js";
import { systemRandom } from "../../crypto/random.js";
import { parseEspProposal, parseIkeProposal } from "../../crypto/registry/proposal.js";
import { secret } from "../../crypto/secret.js";
import { parseAddress, parsePrefix } from "../../esp/address.js";
import { anySelector, selectorFromPrefix } from "../../esp/selector.js";
import { createEndpoint, type Endpoint, step, tunnelViews } from "../../ike/core/endpoint.js";
import type { Event } from "../../ike/core/types.js";
import { answerWith, policyOf } from "../../ike/embedding.js";
import { childCatalogueOf } from "../../ike/probe/catalogue.js";
import { acceptedChildWords, askChild } from "../../ike/probe/child-questions.js";
import type { End } from "../../src/probe/exchange.js";
import { openSession, SessionError } from "../../src/probe/session.js";
import type { ProbeSocket } from "../../src/probe/udp.js";

const OURS = parseAddress("192.0.2.1");
const THEIRS = parseAddress("192.0.2.2");
const KEY = "a key of thirty-two octets, or so";
const IKE = "aes128-sha256-modp2048";

/** A peer with these algorithms, and the two sockets that lead to it. */
function peer(version: 1 | 2, esp: readonly string[], key = KEY) {
  const policy = policyOf({ local: "192.0.2.2", peer: "192.0.2.1", mappings: ["10.2.0.0/16 10.1.0.0/16"] });
  const [tunnel] = policy.tunnels;
  const ike = {
    ...tunnel!.ike,
    version,
    proposals: [parseIkeProposal(IKE)],
    ...(version === 1 && { exchange: "main" as const }),
  };
  const tunnels = [{ ...tunnel!, ike, esp: { ...tunnel!.esp, proposals: esp.map(parseEspProposal) } }];
  let endpoint: Endpoint = createEndpoint({ ...policy, tunnels }, performance.now());
  const heard: ((bytes: Uint8Array) => void)[] = [];
  const feed = (event: Event): void => {
    const result = step(endpoint, event, { now: performance.now(), random: systemRandom });
    endpoint = result.endpoint;
    for (const effect of result.effects) {
      if (effect.kind === "send") heard[0]?.(effect.bytes);
      if (effect.kind === "ask") feed({ kind: "answer", ask: effect.ask, answer: answerWith(key, effect.question) });
    }
  };
  const end = (port: number): End => {
    const remote = { address: THEIRS, port };
    const local = { address: OURS, port: 40_000 + port };
    const queue: Uint8Array[] = [];
    let wake: (() => void) | undefined;
    if (port === 500)
      heard[0] = (bytes) => {
        queue.push(bytes);
        wake?.();
      };
    const socket: ProbeSocket = {
      local,
      send(bytes) {
        if (port === 500) feed({ kind: "datagram", path: { local: remote, remote: local }, bytes: bytes.slice() });
        return undefined;
      },
      async receive(milliseconds) {
        if (queue.length === 0)
          await new Promise<void>((resolve) => {
            const late = setTimeout(resolve, milliseconds);
            wake = () => {
              clearTimeout(late);
              resolve();
            };
          });
        return queue.shift();
      },
      close: () => {},
    };
    return { socket, port, remote };
  };
  return {
    ports: { ike: end(500), natT: end(4500), random: systemRandom, pace: async () => {} },
    view: () => tunnelViews(endpoint, { now: performance.now() })[0]!,
  };
}

async function learn(version: 1 | 2, esp: readonly string[]) {
  const { ports, view } = peer(version, esp);
  const session = openSession(wish(version), ports);
  let asked = 0;
  try {
    const questions = askChild(version, childCatalogueOf(version, []));
    let next = questions.next();
    if (version === 2 && !next.done) await session.ask(next.value);
    for (; !next.done; asked++) next = questions.next((await session.ask(next.value))?.suite);
    const { value: found } = next;
    return { found: found && acceptedChildWords(found), works: found?.works, asked, view };
  } finally {
    await session.close();
  }
}

function wish(version: 1 | 2) {
  return {
    version,
    ike: parseIkeProposal(IKE),
    psk: secret(utf8(KEY)),
    local: selectorFromPrefix(parsePrefix("10.1.0.0/16")),
    remote: selectorFromPrefix(parsePrefix("10.2.0.0/16")),
  };
}

const ROWS = [
  {
    version: 2,
    most: 20,
    esp: ["aes256gcm16-aes128gcm16-x25519-ecp256", "aes128-sha256-sha1-noesn"],
    found: {
      encryption: ["aes256gcm16", "aes128gcm16", "aes128"],
      integrity: ["sha256", "sha1"],
      pfs: ["ecp256", "off", "x25519"],
      sequence: ["esn", "noesn"],
    },
  },
  {
    version: 1,
    // Every group is a question of its own, and so is every part of the transforms.
    most: 90,
    esp: ["aes256-3des-sha1-md5-modp1024"],
    found: {
      encryption: ["3des", "aes256"],
      integrity: ["md5", "sha1"],
      pfs: ["modp1024"],
      sequence: ["esn", "noesn"],
    },
  },
] as const;

for (const { version, esp, most, found: expected } of ROWS)
  test(`the probe learns every algorithm that a peer of IKEv${version} accepts for children (${esp.join(", ")}), and leaves nothing there`, async () => {
    const { found, asked, view } = await learn(version, esp);
    const sorted = Object.fromEntries(Object.entries(found ?? {}).map(([type, words]) => [type, [...words].sort()]));
    assert.deepEqual(
      sorted,
      Object.fromEntries(Object.entries(expected).map(([type, words]) => [type, [...words].sort()])),
    );
    assert.ok(asked <= most, `${asked} questions`);
    const { ike, children } = view();
    assert.deepEqual([ike, children.filter(({ id }) => id !== undefined)], [undefined, []]);
  });

test("a wrong key ends the session with the peer's word for it", async () => {
  const { ports } = peer(2, ["aes128-sha256"], "another key of thirty-two octets");
  const session = openSession(wish(2), ports);
  await assert.rejects(session.ask([parseEspProposal("aes128-sha256")]), (error) => {
    assert.ok(error instanceof SessionError);
    assert.match(error.message, /AUTHENTICATION_FAILED/);
    return true;
  });
  await session.close();
});

test("a peer narrows all networks to its own", async () => {
  const { ports } = peer(2, ["aes128-sha256"]);
  const session = openSession({ ...wish(2), local: anySelector(4), remote: anySelector(4) }, ports);
  const taken = await session.ask([parseEspProposal("aes128-sha256")]);
  await session.close();
  assert.deepEqual([taken?.local, taken?.remote], [["10.1.0.0/16"], ["10.2.0.0/16"]]);
});
