import assert from "node:assert/strict";
import { test } from "node:test";
import { type Monitor, watchAddresses } from "../../src/host/address-watch.js";
import type { Log } from "../../src/log.js";
import { manualClock } from "./manual-clock.js";

function watched() {
  const time = manualClock();
  const warnings: string[] = [];
  const monitors: { line: (text: string) => void; ended: (reason: string) => void; stopped: boolean }[] = [];
  const monitor: Monitor = (line, ended) => {
    const one = { line, ended, stopped: false };
    monitors.push(one);
    return {
      stop() {
        one.stopped = true;
      },
    };
  };
  let told = 0;
  const watch = watchAddresses({
    clock: time.clock,
    log: { warn: (words: string) => void warnings.push(words) } as unknown as Log,
    isOurs: (line) => line.includes("dev causeway0"),
    changed: () => void told++,
    monitor,
  });
  return { time, warnings, monitors, watch, told: () => told };
}

test("a burst of lines is one change, told half a second later, and changes are told at most every five seconds", () => {
  const { time, monitors, told } = watched();
  for (let i = 0; i < 20; i++) monitors[0]!.line("2: eth0    inet 192.0.2.7/24 scope global eth0");
  assert.equal(told(), 0);
  time.advance(500);
  assert.equal(told(), 1);
  for (let i = 0; i < 100; i++) {
    monitors[0]!.line("default via 192.0.2.254 dev eth0");
    time.advance(100);
  }
  assert.equal(told(), 3);
});

test("what the gateway changed itself, and empty lines, are no news", () => {
  const { time, monitors, told } = watched();
  monitors[0]!.line("10.2.0.0/16 dev causeway0 table 437595");
  monitors[0]!.line("");
  time.advance(60_000);
  assert.equal(told(), 0);
});

test("a monitor that ends is told and started again, ever later up to a minute, and the host is looked at afresh", () => {
  const { time, monitors, warnings, told } = watched();
  for (const [i, seconds] of [1, 2, 4, 8, 16, 32, 60, 60].entries()) {
    monitors[i]!.ended("status 1");
    assert.match(warnings.at(-1)!, new RegExp(`not seen for ${seconds} s: status 1$`));
    time.advance(seconds * 1000 - 1);
    assert.equal(monitors.length, i + 1, "not sooner");
    time.advance(1);
    assert.equal(monitors.length, i + 2);
  }
  time.advance(60_000);
  assert(told() > 5);
  monitors.at(-1)!.ended("status 1");
  assert.match(warnings.at(-1)!, /not seen for 1 s/, "it was sound in between");
});

test("after its stop nothing is told and nothing started", () => {
  const { time, monitors, watch, told } = watched();
  monitors[0]!.line("2: eth0    inet 192.0.2.7/24");
  watch.stop();
  monitors[0]!.ended("SIGKILL");
  time.advance(600_000);
  assert.deepEqual([told(), monitors.length, monitors[0]!.stopped], [0, 1, true]);
});
