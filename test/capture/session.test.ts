import assert from "node:assert/strict";
import { test } from "node:test";
import { secret } from "../../crypto/secret.js";
import { parseAddress } from "../../esp/address.js";
import type { TunnelView } from "../../ike/core/view.js";
import type { CaptureRecord } from "../../src/capture/records.js";
import { createCapture } from "../../src/capture/session.js";
import type { ToWorker } from "../../src/dataplane/protocol.js";
import { manualClock } from "../daemon/manual-clock.js";

const PATH = {
  local: { address: parseAddress("192.0.2.1"), port: 500 },
  remote: { address: parseAddress("192.0.2.2"), port: 500 },
};
const SEND: ToWorker = { kind: "send", path: PATH, bytes: new Uint8Array(40) };
const TUNNEL = { name: "site", ike: { version: 2, spiI: "01", remote: "192.0.2.2:500" } } as unknown as TunnelView;

/** A driver that sends the first message of a rekey while it is asked for it. */
function recorder() {
  const time = manualClock(0);
  const posted: ToWorker[] = [];
  const allowed: (string | null)[] = [];
  const capture = createCapture({
    driver: {
      views: () => [TUNNEL],
      secrets: () => [{ version: 1, initiatorSpi: 1n, responderSpi: 2n, key: secret(new Uint8Array([0xab])) }],
      allowSecrets: (tunnel) => void allowed.push(tunnel),
      onChange: () => () => undefined,
      wish: () => capture.posted(SEND),
    },
    post: (message) => void posted.push(message),
    clock: time.clock,
    natTPort: 4500,
    peersOf: () => ["192.0.2.2"],
  });
  return { capture, time, posted, allowed };
}

test("a recording has what is sent at once, ends by itself, and lets keys out for no longer", () => {
  const { capture, time, posted, allowed } = recorder();
  const records: CaptureRecord[] = [];
  capture.posted(SEND);
  assert.ok(capture.start({ tunnel: "site", seconds: 5, renew: true }, (record) => void records.push(record)));
  assert.equal(
    capture.start({ tunnel: "site", seconds: 5, renew: true }, () => undefined),
    undefined,
    "one at a time",
  );
  assert.deepEqual(
    records.map(({ kind }) => kind),
    ["started", "key", "packet"],
  );
  time.advance(5_000);
  capture.received({ kind: "tapClosed", missed: 3 });
  assert.deepEqual(records.at(-1), { kind: "ended", missed: 3 });
  assert.deepEqual(allowed, ["site", null]);
  assert.deepEqual(
    posted.map((message) => message.kind === "tap" && message.tunnel),
    ["site", null],
  );
  const before = records.length;
  capture.posted(SEND);
  assert.equal(records.length, before, "nothing is recorded behind its end");
  assert.equal(capture.isRunning(), false);
});
