import assert from "node:assert/strict";
import { test } from "node:test";
import { createPair } from "./pair.js";
import { seededRandom } from "./random.js";

test("a quick mode that overtakes the responder's key exchange of aggressive mode waits for it, and is not sent again", () => {
  let overtaking = 0;
  for (let seed = 1; seed <= 20; seed++) {
    const lines: string[] = [];
    const { clock, a } = createPair(
      {
        entries: [["10.1.0.0/16 10.2.0.0/16"]],
        ikeProposals: ["aes128-sha256-modp2048"],
        espProposals: ["aes128-sha256"],
        a: { exchange: "aggressive" },
        b: { exchange: "aggressive" },
        slowestAnswer: 200,
        trace: (line) => void lines.push(line),
      },
      seededRandom(seed),
    );
    clock.runUntil(2_000);
    assert(a.dataPlane.sender(0) !== undefined, `seed ${seed}: not up`);
    const sent = lines.filter((line) => /A -> send QUICK_MODE/.test(line)).map((line) => line.replace(/^\S+ /, ""));
    assert.equal(new Set(sent).size, sent.length, `seed ${seed}: sent again: ${sent}`);
    const came = lines.findIndex((line) => /B <- datagram QUICK_MODE/.test(line));
    const through = lines.findIndex((line) => /B -> report ikeEstablished/.test(line));
    if (came < through) overtaking++;
  }
  assert(overtaking > 0, "no quick mode came early");
});
