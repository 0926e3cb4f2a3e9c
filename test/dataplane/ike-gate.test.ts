import assert from "node:assert/strict";
import { test } from "node:test";
import { allocateFlow, createFlow } from "../../src/dataplane/flow.js";
import { createIkeGate } from "../../src/dataplane/ike-gate.js";

const KNOWN = 0x0123456789abcdefn;
const KINDS = { known: KNOWN, fresh: 0n, unknown: 0x0101010101010101n } as const;
type Kind = keyof typeof KINDS;

/** An IKE header that claims `claimed` octets; its responder's SPI is known, unknown or (for a new IKE SA) zero. */
function message(claimed: number, kind: Kind = "known"): DataView {
  const view = new DataView(new ArrayBuffer(65536));
  view.setBigUint64(0, 0x7777777777777777n);
  view.setBigUint64(8, KINDS[kind]);
  view.setUint32(24, claimed);
  return view;
}

function gateOn(shared = allocateFlow()) {
  const flow = createFlow(shared);
  const gate = createIkeGate(flow);
  gate.note([KNOWN], []);
  const admitted = (kind: Kind, count: number, now: number) => {
    let passed = 0;
    for (let i = 0; i < count; i++)
      if (gate.check(message(28, kind), 0, 28, now) === undefined) {
        flow.leave();
        passed++;
      }
    return passed;
  };
  return { gate, flow, admitted };
}

test("what is shorter than an IKE header, or claims to be longer than it is, is malformed", () => {
  const { gate } = gateOn();
  assert.equal(gate.check(message(28), 0, 27, 0), "malformed");
  assert.equal(gate.check(message(29), 0, 28, 0), "malformed");
  assert.equal(gate.check(message(27), 0, 28, 0), "malformed");
  assert.equal(gate.check(message(28), 0, 28, 0), undefined);
  assert.equal(gate.check(message(28), 0, 32, 0), undefined);
});

test("IKE SAs that are known, requests for new ones and noise have shares of their own", () => {
  const { admitted } = gateOn();
  assert.equal(admitted("unknown", 50_000, 1), 200);
  assert.equal(admitted("fresh", 50_000, 1), 1000);
  assert.equal(admitted("known", 3000, 1), 3000);
  assert.equal(admitted("fresh", 5000, 101), 100);
  assert.equal(admitted("unknown", 5000, 101), 20);
  assert.equal(admitted("known", 5000, 101), 1400);
  assert.equal(admitted("fresh", 5000, 1_000_000), 1000);
});

test("an IKE SA is known by our SPI, whichever of the two it is, until it is gone", () => {
  const { gate, flow } = gateOn();
  const passes = (initiatorSpi: bigint, responderSpi: bigint) => {
    const view = message(28);
    view.setBigUint64(0, initiatorSpi);
    view.setBigUint64(8, responderSpi);
    let passed = 0;
    while (passed < 300 && gate.check(view, 0, 28, 1) === undefined) {
      flow.leave();
      passed++;
    }
    return passed;
  };
  assert.equal(passes(KNOWN, 5n), 300);
  assert.equal(passes(5n, KNOWN), 300);
  gate.note([], [KNOWN]);
  assert.equal(passes(KNOWN, 5n), 200);
});

test("a large message counts as several", () => {
  const { gate, flow } = gateOn();
  let passed = 0;
  while (gate.check(message(65536), 0, 65536, 1) === undefined) {
    flow.leave();
    passed++;
  }
  assert.equal(passed, Math.floor(4000 / 33));
});

test("nothing is handed over while the main thread has not taken what waits, and strangers leave half of the room", () => {
  const shared = allocateFlow();
  const { gate } = gateOn(shared);
  const fill = (kind: Kind) => {
    let passed = 0;
    while (gate.check(message(28, kind), 0, 28, 1) === undefined) passed++;
    return passed;
  };
  assert.equal(fill("fresh"), 256);
  assert.equal(fill("known"), 256);
  createFlow(shared).leave();
  assert.equal(gate.check(message(28), 0, 28, 1), undefined);
});
