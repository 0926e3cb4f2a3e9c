import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { utf8 } from "../../crypto/bytes.js";
import { secret } from "../../crypto/secret.js";
import { parseAddress } from "../../esp/address.js";
import type { ControlApi } from "../../src/control/api.js";
import { createEventStreams } from "../../src/control/event-stream.js";
import { startHttpServer } from "../../src/control/http-server.js";
import { ROUTES } from "../../src/control/routes.js";
import { type ControlServer, startControlServer } from "../../src/control/server.js";
import { statusReport } from "../../src/control/status.js";
import { createLog } from "../../src/log.js";
import { createReloader } from "../../src/reload/reloader.js";
import { loadStart } from "../../src/reload/start.js";
import { createReports } from "../../src/reports.js";
import { until } from "../child.js";
import { manualClock } from "../daemon/manual-clock.js";
import { readEvents } from "./event-reader.js";
import { type Client, clientOf, type Document, fetchDocument } from "./generated-client.js";

const folder = mkdtempSync(join(tmpdir(), "cwapi-"));
const file = join(folder, "gateway.yaml");
const socketPath = join(folder, "control.sock");
const log = createLog({ level: "error", format: "text" }, { write: () => undefined });
const clock = manualClock().clock;
const reports = createReports(log, clock);
const PORT = 20_000 + (process.pid % 20_000);
const TOKEN = "the-token-of-this-test-4711";
const KEY = "a key that no answer may ever show";

let refusal: string | undefined;
let servers: ControlServer[] = [];
let document: Document;
let client: Client;

writeFileSync(
  file,
  `version: 1
gateway: { name: g, state_dir: ${folder}, control: { socket: ${socketPath} } }
tunnels:
  - { name: fixed, peer: 192.0.2.1, psk: "${KEY}", policies: [{ local: [10.1.0.0/24], peer: [10.2.0.0/24] }] }
`,
);

const block = (net: number, more: object = {}) => ({
  peer: "192.0.2.7",
  psk: KEY,
  policies: [{ local: [`10.1.${net}.0/24`], peer: [`10.2.${net}.0/24`] }],
  ...more,
});

/** The API of a gateway without a network, as it starts from the files. */
function api(): ControlApi {
  const start = loadStart(file);
  if ("errors" in start) throw start.errors[0]!;
  let current = start.configuration;
  const reloader = createReloader({
    gateway: {
      configuration: () => current,
      async apply(next) {
        if (refusal !== undefined) throw new Error(refusal);
        current = next;
      },
    },
    clock,
    log,
    ...start,
  });
  return {
    async status(tunnel) {
      const views = current.policy.tunnels
        .filter(({ name }) => tunnel === undefined || name === tunnel)
        .map(({ name }) => ({
          name,
          state: "down" as const,
          reason: "no network",
          next: "",
          peer: "192.0.2.1",
          children: [],
        }));
      if (tunnel !== undefined && views.length === 0) return undefined;
      return statusReport({ gateway: "g", version: "0", startedAt: 0, now: 0, views, tunOf: () => "causeway0" });
    },
    explain: async () => undefined,
    why: async () => undefined,
    diagnosis: () => Promise.reject(new Error("nobody asks for this")),
    capture: () => undefined,
    act: async (tunnel) => ({ ok: true, result: `${tunnel} is up` }),
    plan: reloader.plan,
    reload: reloader.reload,
    tunnels: reloader.tunnels,
    events: createEventStreams(reports.events, "0123456789abcdef"),
  };
}

async function begin(): Promise<void> {
  const served = api();
  const listen = { address: parseAddress("127.0.0.1"), port: PORT };
  servers = [
    await startControlServer(socketPath, served, log),
    await startHttpServer({ listen, token: secret(utf8(TOKEN)) }, served, log),
  ];
  document = await fetchDocument({ socketPath });
  client = clientOf(document, { socketPath });
}

async function end(): Promise<void> {
  for (const server of servers) await server.close();
}

before(begin);
after(async () => {
  await end();
  rmSync(folder, { recursive: true });
});

test("the description that is served is valid OpenAPI 3.1, and names every operation once", async () => {
  assert.equal(document.openapi, "3.1.0");
  const { valid, errors } = await new Validator().validate(
    structuredClone(document) as unknown as Parameters<Validator["validate"]>[0],
  );
  assert.ok(valid, JSON.stringify(errors)?.slice(0, 4000));
  assert.equal(Object.keys(client).length, ROUTES.length);
});

test("a client made from the description creates, changes and deletes a tunnel, and its key comes back from nowhere", async () => {
  const made = await client.createTunnel!({ body: { name: "büro/1", ...block(1) } });
  assert.deepEqual([made.status, made.described, made.headers.location], [201, true, "/v1/tunnels/b%C3%BCro%2F1"]);
  const tag = String(made.headers.etag);
  const parameters = { name: "büro/1" };
  const listed = await client.listTunnels!();
  assert.deepEqual(
    (listed.body.tunnels as { name: string; origin: string }[]).map(({ name, origin }) => `${name} ${origin}`),
    ["fixed file", "büro/1 api"],
  );
  const changed = await client.changeTunnel!({
    parameters: { ...parameters, "If-Match": tag },
    body: { ...block(1), psk: undefined, dpd: "off" },
  });
  assert.equal(changed.status, 200, JSON.stringify(changed.body));
  assert.notEqual(changed.headers.etag, tag);
  const stale = await client.changeTunnel!({ parameters: { ...parameters, "If-Match": tag }, body: block(2) });
  assert.deepEqual([stale.status, stale.described, stale.headers.etag], [412, true, changed.headers.etag]);
  assert.equal((await client.changeTunnel!({ parameters, body: block(2) })).status, 428);
  for (const answer of [made, listed, changed, await client.describeTunnel!({ parameters })])
    assert.ok(!JSON.stringify(answer.body).includes(KEY));
  assert.ok(readFileSync(join(folder, "tunnels.json"), "utf8").includes(KEY), "without psk the key stays as it was");
  assert.equal(statSync(join(folder, "tunnels.json")).mode & 0o777, 0o600);

  await end();
  await begin();
  const again = await client.describeTunnel!({ parameters });
  assert.equal(again.status, 200, "it is there after a restart");
  assert.equal(again.headers.etag, changed.headers.etag);
  assert.equal((await client.bringUp!({ parameters })).body.ok, true);
  assert.equal((await client.deleteTunnel!({ parameters })).status, 200);
  assert.equal((await client.describeTunnel!({ parameters })).status, 404);
});

test("of two writers who know the same state one is told to look again", async () => {
  const made = await client.createTunnel!({ body: { name: "shared", ...block(3) } });
  const parameters = { name: "shared", "If-Match": String(made.headers.etag) };
  const answers = await Promise.all(
    ["10s", "20s"].map((timeout) => client.changeTunnel!({ parameters, body: { ...block(3), dpd: { timeout } } })),
  );
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 412]);
  const twice = await Promise.all([1, 2].map(() => client.createTunnel!({ body: { name: "twice", ...block(4) } })));
  assert.deepEqual(twice.map(({ status }) => status).sort(), [201, 409]);
  for (const name of ["shared", "twice"]) await client.deleteTunnel!({ parameters: { name } });
});

test("what is wrong is told by its key, and neither the file nor the running state changes", async () => {
  const before = (await client.listTunnels!()).body;
  const wrong: readonly (readonly [body: object, status: number, words: RegExp])[] = [
    [block(5), 400, /name is missing/],
    [{ name: "x", ...block(5), esp: { lifetime: "soon" } }, 400, /^esp\.lifetime: /],
    [{ name: "x", ...block(5), colour: "red" }, 400, /colour/],
    [{ name: "x", ...block(0) }, 400, /overlaps/],
    [{ name: "fixed", ...block(5) }, 409, /already/],
  ];
  for (const [body, status, words] of wrong) {
    const answer = await client.createTunnel!({ body });
    assert.equal(answer.status, status, JSON.stringify(answer.body));
    assert.match(String(answer.body.error), words);
    assert.ok(!String(answer.body.error).includes(KEY));
  }
  refusal = "the host is full";
  const refused = await client.createTunnel!({ body: { name: "x", ...block(5) } });
  refusal = undefined;
  assert.equal(refused.status, 503);
  assert.deepEqual((await client.listTunnels!()).body, before);
  assert.deepEqual(JSON.parse(readFileSync(join(folder, "tunnels.json"), "utf8")).tunnels, []);
  const ofFile = await client.deleteTunnel!({ parameters: { name: "fixed" } });
  assert.equal(ofFile.status, 409);
  assert.match(String(ofFile.body.error), /gateway\.yaml/);
});

test("plan and reload are told in words and take tunnels of both origins", async () => {
  await client.createTunnel!({ body: { name: "made", ...block(6) } });
  const text = readFileSync(file, "utf8").replace("name: fixed", "name: other");
  const plan = await client.plan!({ body: { text } });
  assert.deepEqual(
    (plan.body.tunnels as { name: string; treatment: string }[]).map(({ name, treatment }) => `${name} ${treatment}`),
    ["other added", "made kept", "fixed removed"],
  );
  assert.equal((await client.reload!({ body: {} })).body.ok, true);
  await client.deleteTunnel!({ parameters: { name: "made" } });
});

function heard({ events }: { readonly events: readonly unknown[] }, count: number): Promise<true> {
  return until(`${count} events`, 30, async () => (events.length >= count ? true : undefined));
}

test("a stream of events that was cut goes on where it ended, whatever happened meanwhile", async () => {
  const tell = (n: number) => reports.take({ kind: "story", tunnel: "fixed", story: `step ${n}` });
  const steps = (events: readonly { readonly data: Readonly<Record<string, unknown>> }[]) =>
    events.map(({ data }) => String(data.message));
  const seen: string[] = [];
  let told = 0;
  let lastId: string | undefined;
  for (let turn = 0; turn < 5; turn++) {
    const reader = await readEvents({ socketPath }, lastId);
    assert.equal(reader.status, 200);
    for (let i = 0; i < 40; i++) tell(told++);
    await heard(reader, turn === 0 ? 40 : 60);
    reader.cut();
    lastId = reader.lastId;
    seen.push(...steps(reader.events));
    for (let i = 0; i < 20; i++) tell(told++);
  }
  const last = await readEvents({ socketPath }, lastId);
  await heard(last, 20);
  last.cut();
  seen.push(...steps(last.events));
  assert.deepEqual(
    seen,
    Array.from({ length: told }, (_, n) => `step ${n}`),
  );
});

test("a reader that comes too late, or from before a restart, is told of the gap", async () => {
  const first = await readEvents({ socketPath });
  reports.take({ kind: "story", tunnel: "fixed", story: "one" });
  await heard(first, 1);
  first.cut();
  for (let i = 0; i < 1_500; i++) reports.take({ kind: "story", tunnel: "fixed", story: `${i}` });
  const late = await readEvents({ socketPath }, first.lastId);
  const other = await readEvents({ socketPath }, "feedfeedfeedfeed-12");
  for (const reader of [late, other]) await heard(reader, 1_001);
  assert.deepEqual([late.events[0]!.type, late.events[0]!.data], ["gap", { missed: 500 }]);
  assert.deepEqual([other.events[0]!.type, other.events[0]!.data], ["gap", { missed: null }]);
  assert.equal(late.events.length, 1_001);
  for (const reader of [late, other]) reader.cut();
  const wrong = await readEvents({ socketPath }, "yesterday");
  assert.equal(wrong.status, 400);
});

test("the port over TCP is read-only without the token, and takes the token alone", async () => {
  const where = { host: "127.0.0.1", port: PORT };
  const reading = clientOf(document, where);
  assert.equal((await reading.status!()).status, 200);
  assert.equal((await reading.bringUp!({ parameters: { name: "fixed" } })).status, 401);
  const guessing = clientOf(document, where, { Authorization: `Bearer ${TOKEN}x` });
  assert.equal((await guessing.reload!({ body: {} })).status, 401);
  const writing = clientOf(document, where, { Authorization: `Bearer ${TOKEN}` });
  assert.equal((await writing.bringUp!({ parameters: { name: "fixed" } })).status, 200);
});

test("pages of other sites reach nothing, by whatever name they call this gateway", async () => {
  const ask = (headers: Readonly<Record<string, string>>) =>
    new Promise<{ status: number; allowed: string | undefined }>((resolve, reject) => {
      const sent = request({ host: "127.0.0.1", port: PORT, path: "/v1/status", headers, agent: false }, (response) => {
        response.resume();
        const allowed = response.headers["access-control-allow-origin"];
        resolve({ status: response.statusCode!, allowed });
      });
      sent.on("error", reject);
      sent.end();
    });
  assert.equal((await ask({ Host: `evil.example:${PORT}` })).status, 421);
  assert.equal((await ask({ Origin: "http://evil.example" })).status, 403);
  assert.equal((await ask({ "Sec-Fetch-Site": "cross-site" })).status, 403);
  const fine = await ask({ Host: `localhost:${PORT}`, "Sec-Fetch-Site": "same-origin" });
  assert.deepEqual(fine, { status: 200, allowed: undefined });
});
