import assert from "node:assert/strict";
import { test } from "node:test";
import { allocateFlow, createFlow } from "../../src/dataplane/flow.js";
import { createIkeGate } from "../../src/dataplane/ike-gate.js";

/** An IKE header that claims `claimed` octets; `fresh`: the responder's SPI is zero. */
function message(claimed: number, fresh = false): DataView {
  const bytes = new Uint8Array(65536);
  if (!fresh) bytes.fill(1, 8, 16);
  const view = new DataView(bytes.buffer);
  view.setUint32(24, claimed);
  return view;
}

test("what is shorter than an IKE header, or claims to be longer than it is, is malformed", () => {
  const gate = createIkeGate(createFlow(allocateFlow()));
  assert.equal(gate.check(message(28), 0, 27, 0), "malformed");
  assert.equal(gate.check(message(29), 0, 28, 0), "malformed");
  assert.equal(gate.check(message(27), 0, 28, 0), "malformed");
  assert.equal(gate.check(message(28), 0, 28, 0), undefined);
  assert.equal(gate.check(message(28), 0, 32, 0), undefined);
});

test("requests for new SAs have a smaller share, so that established SAs keep theirs", () => {
  const flow = createFlow(allocateFlow());
  const gate = createIkeGate(flow);
  const admitted = (fresh: boolean, count: number, now: number) => {
    let passed = 0;
    for (let i = 0; i < count; i++)
      if (gate.check(message(28, fresh), 0, 28, now) === undefined) {
        flow.leave();
        passed++;
      }
    return passed;
  };
  assert.equal(admitted(true, 5000, 1), 1000);
  assert.equal(admitted(false, 5000, 1), 3000);
  assert.equal(admitted(true, 5000, 101), 100);
  assert.equal(admitted(true, 5000, 1_000_000), 1000);
});

test("a large message counts as several", () => {
  const flow = createFlow(allocateFlow());
  const gate = createIkeGate(flow);
  let passed = 0;
  while (gate.check(message(65536), 0, 65536, 1) === undefined) {
    flow.leave();
    passed++;
  }
  assert.equal(passed, Math.floor(4000 / 33));
});

test("nothing is handed over while the main thread has not taken what waits", () => {
  const shared = allocateFlow();
  const gate = createIkeGate(createFlow(shared));
  let passed = 0;
  while (gate.check(message(28), 0, 28, 1) === undefined) passed++;
  assert.equal(passed, 512);
  createFlow(shared).leave();
  assert.equal(gate.check(message(28), 0, 28, 1), undefined);
});
