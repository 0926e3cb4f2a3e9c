import assert from "node:assert/strict";
import { test } from "node:test";
import { createPair, disagreement, type Pair, type PairOptions, remains, runUntilSound, SECOND } from "./pair.js";
import { seededRandom } from "./random.js";

const ENTRIES = [["10.1.0.0/16 10.2.0.0/16"], ["10.1.0.0/16 10.3.0.0/16"]];
const LOSSY = { loss: 0.1, duplicate: 0.1, shortestDelay: 10, longestDelay: 60 };

/** Runs a pair that cannot come to terms; then both go down, and nothing may be left. */
function quarrel(seed: number, options: Omit<PairOptions, "entries">, look: (pair: Pair) => void): void {
  const pair = createPair({ entries: ENTRIES, ...options }, seededRandom(seed));
  const { clock, a, b } = pair;
  clock.runUntil(300 * SECOND);
  look(pair);
  a.wish({ do: "shutdown" });
  b.wish({ do: "shutdown" });
  runUntilSound(clock, 60 * SECOND, () => remains(pair), `nothing is left of schedule ${seed}`);
}

const failures = (side: Pair["a"], code: string) =>
  side.reports.filter((report) => report.kind === "failed" && report.code === code).length;

test("a wrong pre-shared key is AUTHENTICATION_FAILED at both ends, installs nothing and is tried again with pauses", () => {
  for (let seed = 1; seed <= 30; seed++)
    quarrel(seed, { conditions: seed % 2 === 0 ? LOSSY : {}, b: { psk: "another one" } }, ({ a, b }) => {
      for (const side of [a, b]) {
        const count = failures(side, "AUTHENTICATION_FAILED");
        assert(count >= 3 && count < 40, `${side.name} in schedule ${seed}: ${count} failures`);
        assert.equal(side.dataPlane.children.size, 0);
      }
      assert.equal(a.views()[0]!.state, "connecting");
    });
});

test("an identity that the peer does not expect is AUTHENTICATION_FAILED, and installs nothing", () => {
  for (let seed = 1; seed <= 10; seed++)
    quarrel(seed, { a: { localId: "mallory.example" } }, ({ a, b }) => {
      assert(failures(a, "AUTHENTICATION_FAILED") > 0 && failures(b, "AUTHENTICATION_FAILED") > 0);
      assert.equal(a.dataPlane.children.size + b.dataPlane.children.size, 0);
    });
});

test("IKE proposals without a common member are NO_PROPOSAL_CHOSEN, with both sides' algorithms", () => {
  for (let seed = 1; seed <= 10; seed++)
    quarrel(seed, { b: { ikeProposals: ["aes256-sha384-ecp384"] } }, ({ a, b }) => {
      assert(failures(a, "NO_PROPOSAL_CHOSEN") > 0);
      const told = b.reports.find((report) => report.kind === "failed" && report.code === "NO_PROPOSAL_CHOSEN");
      assert(told?.kind === "failed");
      assert.match(told.detail, /theirs aes256gcm16, ours aes256,/);
    });
});

test("another group than the first one offered costs a round trip and no more", () => {
  for (let seed = 1; seed <= 30; seed++)
    quarrel(
      seed,
      {
        conditions: seed % 2 === 0 ? LOSSY : {},
        ikeProposals: ["aes256-sha256-x25519-ecp256-modp2048"],
        b: { ikeProposals: ["aes256-sha256-modp2048"] },
      },
      (pair) => assert.equal(disagreement(pair), undefined, `schedule ${seed}`),
    );
});

test("ESP proposals without a common member leave an IKE SA without that child, which is asked for again", () => {
  for (let seed = 1; seed <= 10; seed++)
    quarrel(seed, { b: { espProposals: ["aes128-sha1"] } }, ({ a, b }) => {
      assert(failures(a, "NO_PROPOSAL_CHOSEN") > 0 && failures(b, "NO_PROPOSAL_CHOSEN") > 0);
      assert.equal(a.dataPlane.children.size + b.dataPlane.children.size, 0);
      assert.equal(a.dataPlane.reserved.size + b.dataPlane.reserved.size, 0);
    });
});

test("PFS on one side alone refuses the further mappings, and the first one, which needs none, stands", () => {
  for (let seed = 1; seed <= 10; seed++)
    quarrel(seed, { b: { espProposals: ["aes256gcm16-x25519"] } }, ({ a, b }) => {
      assert(failures(a, "NO_PROPOSAL_CHOSEN") > 0);
      for (const { dataPlane, name } of [a, b]) {
        assert.equal(dataPlane.children.size, 1, name);
        assert.equal(dataPlane.reserved.size, 0, name);
      }
      assert.equal(a.views()[0]!.state, "degraded");
    });
});

test("a mapping that the peer lacks is TS_UNACCEPTABLE, and the other one stands", () => {
  for (let seed = 1; seed <= 30; seed++)
    quarrel(
      seed,
      { conditions: seed % 2 === 0 ? LOSSY : {}, b: { entries: [["10.2.0.0/16 10.1.0.0/16"]] } },
      ({ a, b }) => {
        assert(failures(a, "TS_UNACCEPTABLE") > 0, `schedule ${seed}`);
        for (const { dataPlane } of [a, b]) assert.equal(dataPlane.children.size, 1);
        assert.equal(a.dataPlane.reserved.size + b.dataPlane.reserved.size, 0, `schedule ${seed}`);
        assert.equal(a.views()[0]!.state, "degraded");
        assert.equal(b.views()[0]!.state, "established");
      },
    );
});

test("a peer with narrower selectors carries what both have", () => {
  quarrel(1, { b: { entries: [["10.2.0.0/16 10.1.5.0/24"], ["10.3.7.0/24 10.1.0.0/16"]] } }, ({ a, b }) => {
    for (const { dataPlane } of [a, b]) assert.equal(dataPlane.children.size, 2);
    assert(a.sendTraffic(0) && a.sendTraffic(1) && b.sendTraffic(0) && b.sendTraffic(1));
  });
});
