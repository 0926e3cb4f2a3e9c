import assert from "node:assert/strict";
import { existsSync, linkSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Report } from "../../ike/core/report.js";
import type { TunnelView } from "../../ike/core/view.js";
import { act } from "../../src/control/actions.js";
import type { ControlApi } from "../../src/control/api.js";
import { type ControlServer, startControlServer } from "../../src/control/server.js";
import { statusReport } from "../../src/control/status.js";
import type { ActionResult } from "../../src/control/status-model.js";
import { explanation, history } from "../../src/explain/explanation.js";
import { createLog } from "../../src/log.js";
import { manualClock } from "./manual-clock.js";

const folder = mkdtempSync(join(tmpdir(), "cwdm-"));
const path = join(folder, "run", "control.sock");
const log = createLog({ level: "error", format: "text" }, { write: () => undefined });
const acted: string[] = [];
let server: ControlServer;

const VIEW: TunnelView = {
  name: "büro 1",
  state: "down",
  reason: "the peer does not answer",
  next: "",
  peer: "192.0.2.2",
  children: [],
};

const NOTHING_RECORDED = { events: [], evidence: {} };
const untouched = {
  tunnels: {
    list: () => [],
    describe: () => undefined,
    create: unexpected,
    replace: unexpected,
    remove: unexpected,
  },
  events: {
    open: () => {
      throw new Error("nobody follows the events here");
    },
  },
};

before(async () => {
  server = await startControlServer(
    path,
    {
      async status(tunnel) {
        if (tunnel === "broken") throw new Error("a bug");
        const views = [VIEW].filter(({ name }) => tunnel === undefined || name === tunnel);
        if (tunnel !== undefined && views.length === 0) return undefined;
        return statusReport({
          gateway: "edge",
          version: "0",
          startedAt: 0,
          now: 2_500,
          views,
          tunOf: () => "causeway0",
        });
      },
      async explain(tunnel) {
        return tunnel === VIEW.name ? explanation(VIEW, NOTHING_RECORDED) : undefined;
      },
      async why(tunnel) {
        return tunnel === VIEW.name ? history(VIEW, NOTHING_RECORDED) : undefined;
      },
      async act(tunnel, action) {
        acted.push(`${action} ${tunnel}`);
        return tunnel === VIEW.name ? { ok: true, result: "done" } : undefined;
      },
      diagnosis: unexpected,
      capture: () => undefined,
      plan: () => Promise.reject(new Error("nobody plans here")),
      reload: () => Promise.reject(new Error("nobody reloads here")),
      ...untouched,
    },
    log,
  );
});
after(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

interface Answer {
  readonly status: number;
  readonly allow: string | undefined;
  readonly body: Record<string, unknown>;
}

function ask(method: string, url: string, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath: path, method, path: url, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode!, allow: response.headers.allow, body: JSON.parse(text) }),
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

test("the socket is open for its owner and group alone", () => {
  assert.equal(statSync(path).mode & 0o777, 0o660);
});

test("GET /v1/status lists every tunnel, also one that is down, with its reason", async () => {
  const { status, body } = await ask("GET", "/v1/status");
  assert.equal(status, 200);
  assert.deepEqual(body, {
    gateway: { name: "edge", version: "0", uptime_s: 2, drops: {} },
    tunnels: [
      {
        name: "büro 1",
        state: "down",
        reason: "the peer does not answer",
        peer: "192.0.2.2",
        tun: "causeway0",
        ike: null,
        children: [],
        counters: { bytes_in: 0, bytes_out: 0, packets_in: 0, packets_out: 0, drops: {} },
      },
    ],
  });
});

test("a tunnel's name travels percent-encoded, and an unknown one is 404", async () => {
  assert.equal((await ask("GET", `/v1/status/${encodeURIComponent(VIEW.name)}`)).status, 200);
  const unknown = await ask("GET", "/v1/status/other");
  assert.equal(unknown.status, 404);
  assert.match(String(unknown.body.error), /"other"/);
  assert.equal((await ask("POST", "/v1/tunnels/other/up")).status, 404);
});

test("up, down and rekey reach the tunnel, and rekey takes the IKE SA when the body asks for it", async () => {
  acted.length = 0;
  const name = encodeURIComponent(VIEW.name);
  for (const [verb, body] of [["up"], ["down"], ["rekey"], ["rekey", '{"ike":true}'], ["rekey", '{"ike":false}']])
    assert.equal((await ask("POST", `/v1/tunnels/${name}/${verb}`, body)).status, 200);
  assert.deepEqual(
    acted.map((one) => one.split(" ")[0]),
    ["up", "down", "rekeyChildren", "rekeyIke", "rekeyChildren"],
  );
});

test("wrong methods, paths and bodies are refused by name", async () => {
  const wrong = await ask("POST", "/v1/status");
  assert.equal(wrong.status, 405);
  assert.equal(wrong.allow, "GET");
  assert.equal((await ask("GET", "/v1/tunnels/a/up")).status, 405);
  assert.equal((await ask("GET", "/v2/status")).status, 404);
  assert.equal((await ask("GET", "/v1/status/%ff")).status, 400);
  assert.equal((await ask("POST", "/v1/tunnels/a/rekey", "{")).status, 400);
  assert.equal((await ask("POST", "/v1/tunnels/a/rekey", "[]")).status, 400);
  assert.equal((await ask("POST", "/v1/tunnels/a/rekey", '{"ike":1}')).status, 400);
  const unknown = await ask("POST", "/v1/tunnels/a/up", '{"ike":true}');
  assert.equal(unknown.status, 400);
  assert.match(String(unknown.body.error), /"ike"/);
});

test("a body beyond the limit is 413", async () => {
  assert.equal((await ask("POST", "/v1/tunnels/a/rekey", " ".repeat(20_000))).status, 413);
});

test("what is not HTTP, and a handler that throws, leave the server serving", async () => {
  await new Promise<void>((resolve) => {
    const raw = connect(path, () => raw.end("\x16\x03\x01 nonsense\r\n\r\n"));
    raw.resume();
    raw.on("close", () => resolve());
  });
  assert.equal((await ask("GET", "/v1/status/broken")).status, 500);
  assert.equal((await ask("GET", "/v1/status")).status, 200);
});

test("a second daemon on the same socket is refused, and the first keeps it", async () => {
  await assert.rejects(startControlServer(path, neverAsked, log), /another daemon answers/);
  assert.equal((await ask("GET", "/v1/status")).status, 200);
});

test("a socket that nobody listens on is replaced, and removed at the end", async () => {
  const stale = join(folder, "stale.sock");
  await leaveSocket(stale);
  assert.ok(existsSync(stale));
  const fresh = await startControlServer(stale, neverAsked, log);
  await fresh.close();
  assert.ok(!existsSync(stale));
});

test("a file that is no socket is left alone", async () => {
  const file = join(folder, "file");
  writeFileSync(file, "precious");
  await assert.rejects(startControlServer(file, neverAsked, log), /not a socket/);
  assert.ok(existsSync(file));
});

test("a path beyond the kernel's limit is refused with its key", async () => {
  await assert.rejects(
    startControlServer(`/nonexistent/${"x".repeat(120)}`, neverAsked, log),
    /gateway\.control\.socket/,
  );
});

function unexpected(): Promise<never> {
  return Promise.reject(new Error("nobody asks for this"));
}

const neverAsked: ControlApi = {
  status: unexpected,
  explain: unexpected,
  why: unexpected,
  act: unexpected,
  diagnosis: unexpected,
  capture: () => undefined,
  plan: unexpected,
  reload: unexpected,
  ...untouched,
};

/** A socket file as a process leaves it that was killed: Node unlinks on close, so the file is linked aside first. */
async function leaveSocket(at: string): Promise<void> {
  const first = `${at}.first`;
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(first, resolve));
  linkSync(first, at);
  await new Promise<void>((resolve) => void listener.close(() => resolve()));
}

// Actions.

function scene(view: TunnelView) {
  const { clock, advance } = manualClock();
  const changes = new Set<() => void>();
  const told = new Set<(report: Report) => void>();
  const wishes: string[] = [];
  let current = view;
  return {
    ports: {
      driver: {
        wish: (wish: { do: string }) => void wishes.push(wish.do),
        views: () => [current],
        onChange: (listener: () => void) => {
          changes.add(listener);
          return () => void changes.delete(listener);
        },
      },
      reports: {
        onReport: (listener: (report: Report) => void) => {
          told.add(listener);
          return () => void told.delete(listener);
        },
      },
      clock,
    },
    wishes,
    advance,
    become(next: Partial<TunnelView>, whole = false) {
      current = whole ? { ...DOWN, ...next } : { ...current, ...next };
      for (const listener of [...changes]) listener();
    },
    report(report: Report) {
      for (const listener of [...told]) listener(report);
    },
    listening: () => changes.size + told.size,
  };
}

const DOWN: TunnelView = { name: "a", state: "down", reason: "", next: "", peer: "192.0.2.2", children: [] };
const IKE = {
  version: 2,
  role: "initiator",
  local: "192.0.2.1:500",
  remote: "192.0.2.2:500",
  localId: "192.0.2.1",
  peerId: "192.0.2.2",
  spiI: "0000000000000001",
  spiR: "0000000000000002",
  proposal: "p",
  nat: "none",
  establishedAt: 0,
  rekeyAt: 1,
} as const;
const child = (id: number) => ({ id, local: [], peer: [], state: "established", reason: "" }) as const;
const UP: TunnelView = { ...DOWN, state: "established", ike: IKE, children: [child(1)] };

test("up waits until the tunnel is established", async () => {
  const { ports, wishes, become, listening } = scene(DOWN);
  const result = act(ports, "a", "up");
  become({ state: "connecting" });
  become({ state: "established" });
  assert.deepEqual(await result, { ok: true, result: "tunnel a is established" });
  assert.deepEqual(wishes, ["up"]);
  assert.equal(listening(), 0);
});

test("up ends with the reason and the advice when the negotiation fails, but not for what nobody has proved", async () => {
  const { ports, report, listening } = scene(DOWN);
  const result = act(ports, "a", "up");
  report({ kind: "failed", tunnel: "b", code: "TIMEOUT", detail: "another tunnel" });
  report({ kind: "failed", tunnel: "a", code: "TIMEOUT", detail: "anybody may say so", unproven: true });
  report({ kind: "failed", tunnel: "a", code: "AUTHENTICATION_FAILED", detail: "wrong key." });
  assert.deepEqual(await result, {
    ok: false,
    result: "a: the tunnel did not come up",
    reason:
      "wrong key; compare the pre-shared key and both identities (local_id, peer_id) with the peer's, character by character",
  } satisfies ActionResult);
  assert.equal(listening(), 0);
});

test("up of an established tunnel says so without a wish", async () => {
  const { ports, wishes } = scene(UP);
  assert.equal((await act(ports, "a", "up"))?.ok, true);
  assert.deepEqual(wishes, []);
});

test("an action without an outcome answers with the state after its patience", async () => {
  const { ports, become, advance } = scene(DOWN);
  const result = act(ports, "a", "up");
  become({ state: "connecting", reason: "waits for an answer to IKE_SA_INIT" });
  advance(30_000);
  assert.deepEqual(await result, {
    ok: false,
    result: "tunnel a is connecting",
    reason: "waits for an answer to IKE_SA_INIT",
  });
});

test("rekey waits for other children, rekey --ike for another IKE SA, and both want a tunnel that is up", async () => {
  const children = scene(UP);
  const renewed = act(children.ports, "a", "rekeyChildren");
  children.become({ children: [child(1), child(2)] });
  children.become({ children: [child(2)] });
  assert.equal((await renewed)?.ok, true);
  const ike = scene(UP);
  const other = act(ike.ports, "a", "rekeyIke");
  ike.become({ ike: { ...IKE, spiI: "0000000000000003" } });
  assert.equal((await other)?.ok, true);
  assert.equal((await act(scene(DOWN).ports, "a", "rekeyIke"))?.ok, false);
  assert.equal((await act(scene(DOWN).ports, "a", "rekeyChildren"))?.ok, false);
  assert.equal(await act(scene(DOWN).ports, "b", "up"), undefined);
});

test("down waits until the SAs are gone", async () => {
  const { ports, become, listening } = scene(UP);
  const result = act(ports, "a", "down");
  become({ state: "down", children: [] });
  assert.ok(listening() > 0, "the IKE SA is still there");
  become(DOWN, true);
  assert.deepEqual(await result, { ok: true, result: "tunnel a is down" });
});
