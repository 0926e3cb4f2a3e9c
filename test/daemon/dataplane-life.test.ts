import assert from "node:assert/strict";
import { test } from "node:test";
import type { FromWorker, ToWorker } from "../../src/dataplane/protocol.js";
import type { Dataplane } from "../../src/dataplane/start.js";
import { startDataplaneLife } from "../../src/dataplane-life.js";
import { createLog } from "../../src/log.js";
import { manualClock } from "./manual-clock.js";

const READY: FromWorker = { kind: "ready", tunName: "t", tunIndex: 1, sockets: [], rawEsp: true, backend: "b" };
const SETTINGS = { tunName: "t", sockets: [], natTPort: 4500, mark: 1, rawEsp: true };

function scene() {
  const started: { tell: (message: FromWorker) => void; posted: ToWorker[] }[] = [];
  const start = (_settings: unknown, tell: (message: FromWorker) => void): Dataplane => {
    const posted: ToWorker[] = [];
    started.push({ tell, posted });
    return {
      post: (message) => void posted.push(message),
      counters: () => new Promise(() => undefined),
      stop: async () => undefined,
    };
  };
  const lines: string[] = [];
  const log = createLog({ level: "debug", format: "text" }, { write: (line) => void lines.push(line) });
  const manual = manualClock();
  const replaced: number[] = [];
  const received: FromWorker[] = [];
  const listener = {
    received: (message: FromWorker) => void received.push(message),
    replaced: () => void replaced.push(1),
  };
  const device = { index: 1 };
  const deviceIndex = () => device.index;
  const life = startDataplaneLife(SETTINGS, listener, { clock: manual.clock, log, start, deviceIndex });
  return { started, lines, manual, replaced, received, life, device };
}

test("a data plane that cannot start ends the start with its reason", async () => {
  const { started, life } = scene();
  started[0]!.tell({ kind: "failed", reason: "CAP_NET_ADMIN is missing" });
  await assert.rejects(life, /CAP_NET_ADMIN is missing/);
});

test("a lost data plane is replaced after a pause that grows, and the log tells why", async () => {
  const { started, life, manual, replaced, lines } = scene();
  started[0]!.tell(READY);
  const running = await life;
  started[0]!.tell({ kind: "failed", reason: "it crashed" });
  running.life.post({ kind: "releaseSpi", spi: 1 });
  assert.match(lines.at(-1)!, /every SA is negotiated anew: it crashed/);
  manual.advance(500);
  assert.equal(started.length, 2);
  started[1]!.tell({ kind: "failed", reason: "the device is busy" });
  assert.match(lines.at(-1)!, /the device is busy/);
  manual.advance(999);
  assert.equal(started.length, 2);
  manual.advance(1);
  started[2]!.tell(READY);
  assert.equal(replaced.length, 1);
  running.life.post({ kind: "releaseSpi", spi: 2 });
  assert.deepEqual(started[2]!.posted, [{ kind: "releaseSpi", spi: 2 }]);
  assert.deepEqual(started[0]!.posted, []);
});

test("a device that somebody deleted is noticed, and its data plane is replaced", async () => {
  const { started, life, manual, device, lines } = scene();
  started[0]!.tell(READY);
  await life;
  manual.advance(60_000);
  assert.equal(started.length, 1);
  device.index = 0;
  manual.advance(5_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.match(lines.at(-1)!, /somebody deleted the device t/);
  manual.advance(500);
  assert.equal(started.length, 2);
});

test("after the end no data plane is started any more", async () => {
  const { started, life, manual } = scene();
  started[0]!.tell(READY);
  const running = await life;
  started[0]!.tell({ kind: "failed", reason: "it crashed" });
  await running.life.stop();
  manual.advance(60_000);
  assert.equal(started.length, 1);
});

test("a data plane that does not answer is told apart from one that does", async () => {
  const { started, life, manual } = scene();
  started[0]!.tell(READY);
  const running = await life;
  const counters = running.life.counters();
  manual.advance(2_000);
  await assert.rejects(counters, /does not answer/);
});
