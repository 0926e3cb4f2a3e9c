/** The table of everything that the control API serves: one row per operation. */

import { z } from "zod";
import { tunnelSchema } from "../config/schema.js";
import { planRequest, reloadPlan, reloadRequest, reloadResult } from "../reload/plan-model.js";
import type { TunnelWordsAndTag } from "../reload/tunnel-editor.js";
import { packageVersion } from "../version.js";
import type { Action } from "./actions.js";
import type { ControlApi } from "./api.js";
import { captureRequest } from "./capture.js";
import { diagnosisReport } from "./diagnosis.js";
import { eventsQuery } from "./event-stream.js";
import { explainReport, whyReport } from "./explain-model.js";
import { openApiDocument } from "./openapi.js";
import { noTunnel, RequestError } from "./request-error.js";
import { type JsonReply, jsonRoute, type Route, streamRoute } from "./route.js";
import { type ActionResult, actionResult, rekeyRequest, statusReport } from "./status-model.js";
import { type TunnelDetail, type TunnelList, tunnelDetail, tunnelList } from "./tunnel-model.js";

/** Octets, as JSON text. */
const LARGEST_CONFIGURATION = 4 * 2 ** 20;

async function acted(api: ControlApi, name: string, action: Action): Promise<JsonReply<ActionResult>> {
  const result = await api.act(name, action);
  if (result === undefined) throw noTunnel(name);
  return { body: result };
}

async function detailed(
  api: ControlApi,
  words: TunnelWordsAndTag | undefined,
  name: string,
): Promise<JsonReply<TunnelDetail>> {
  const status = (await api.status(name))?.tunnels[0];
  if (words === undefined || status === undefined) throw noTunnel(name);
  const detail: TunnelDetail = { ...words, status };
  return { body: detail, ...(words.etag !== null && { headers: { ETag: words.etag } }) };
}

/** Checked with the rest of the configuration, which tells more than this could. */
const anyBlock = z.record(z.string(), z.unknown());

const IF_MATCH = { "If-Match": "The ETag of the tunnel as it is known, or *." };
const CONFLICTS = {
  409: "The tunnel is there already, or stands in the configuration file, or there is no gateway.state_dir.",
  412: "The tunnel has changed since: its ETag is another one.",
} as const;

export const ROUTES: readonly Route<ControlApi>[] = [
  jsonRoute({
    method: "GET",
    path: "/v1/diagnosis",
    operation: "diagnosis",
    summary: "What a diagnosis has to know: settings, status, capabilities, the last failures.",
    response: diagnosisReport,
    handle: async (api: ControlApi) => ({ body: await api.diagnosis() }),
  }),
  jsonRoute({
    method: "GET",
    path: "/v1/status",
    operation: "status",
    summary: "How every tunnel is.",
    response: statusReport,
    handle: async (api: ControlApi) => ({ body: await api.status() }),
  }),
  jsonRoute({
    method: "GET",
    path: "/v1/status/{name}",
    operation: "tunnelStatus",
    summary: "How one tunnel is.",
    response: statusReport,
    async handle(api: ControlApi, { parameters: { name } }) {
      const status = await api.status(name);
      if (status === undefined) throw noTunnel(name);
      return { body: status };
    },
  }),
  jsonRoute({
    method: "GET",
    path: "/v1/tunnels/{name}/explain",
    operation: "explain",
    summary: "Why a tunnel is up or down, attribute by attribute: theirs, ours, the fix on either side.",
    response: explainReport,
    async handle(api: ControlApi, { parameters: { name } }) {
      const report = await api.explain(name);
      if (report === undefined) throw noTunnel(name);
      return { body: report };
    },
  }),
  jsonRoute({
    method: "GET",
    path: "/v1/tunnels/{name}/why",
    operation: "why",
    summary: "The last events that led to a tunnel's present state.",
    response: whyReport,
    async handle(api: ControlApi, { parameters: { name } }) {
      const report = await api.why(name);
      if (report === undefined) throw noTunnel(name);
      return { body: report };
    },
  }),
  jsonRoute({
    method: "GET",
    path: "/v1/tunnels",
    operation: "listTunnels",
    summary: "Every tunnel, with its state.",
    response: tunnelList,
    async handle(api: ControlApi): Promise<JsonReply<TunnelList>> {
      const status = await api.status();
      const views = new Map(status?.tunnels.map((tunnel) => [tunnel.name, tunnel]));
      const tunnels = api.tunnels.list().flatMap(({ name, origin }) => {
        const view = views.get(name);
        return view === undefined ? [] : { name, origin, state: view.state, reason: view.reason, peer: view.peer };
      });
      return { body: { tunnels } };
    },
  }),
  jsonRoute({
    method: "POST",
    path: "/v1/tunnels",
    operation: "createTunnel",
    summary: "Creates a tunnel; it runs at once, and is there after a restart.",
    body: anyBlock,
    documentedBody: tunnelSchema,
    needsBody: true,
    response: tunnelDetail,
    success: 201,
    errors: { 409: CONFLICTS[409] },
    async handle(api: ControlApi, { body }) {
      const made = await api.tunnels.create(body);
      const { headers, ...reply } = await detailed(api, made, made.name);
      return { ...reply, headers: { ...headers, Location: `/v1/tunnels/${encodeURIComponent(made.name)}` } };
    },
  }),
  jsonRoute({
    method: "GET",
    path: "/v1/tunnels/{name}",
    operation: "describeTunnel",
    summary: "One tunnel: how it is configured, and how it is.",
    response: tunnelDetail,
    handle: (api: ControlApi, { parameters: { name } }) => detailed(api, api.tunnels.describe(name), name),
  }),
  jsonRoute({
    method: "PUT",
    path: "/v1/tunnels/{name}",
    operation: "changeTunnel",
    summary: "Describes a created tunnel otherwise; what that means for its SAs is what plan would say.",
    description: "A body without psk leaves the key as it is.",
    body: anyBlock,
    documentedBody: tunnelSchema.partial({ name: true }),
    needsBody: true,
    takesHeaders: IF_MATCH,
    response: tunnelDetail,
    errors: { ...CONFLICTS, 428: "If-Match is missing." },
    handle: async (api: ControlApi, { parameters: { name }, body, headers }) =>
      detailed(api, await api.tunnels.replace(name, body, headers["if-match"]), name),
  }),
  jsonRoute({
    method: "DELETE",
    path: "/v1/tunnels/{name}",
    operation: "deleteTunnel",
    summary: "Deletes a created tunnel, and its SAs at the peer.",
    takesHeaders: IF_MATCH,
    response: actionResult,
    errors: CONFLICTS,
    async handle(api: ControlApi, { parameters: { name }, headers }) {
      await api.tunnels.remove(name, headers["if-match"]);
      return { body: { ok: true, result: `tunnel ${name} is deleted` } };
    },
  }),
  jsonRoute({
    method: "POST",
    path: "/v1/tunnels/{name}/up",
    operation: "bringUp",
    summary: "Brings a tunnel up; answers once it is decided.",
    response: actionResult,
    handle: (api: ControlApi, { parameters: { name } }) => acted(api, name, "up"),
  }),
  jsonRoute({
    method: "POST",
    path: "/v1/tunnels/{name}/down",
    operation: "takeDown",
    summary: "Deletes a tunnel's SAs at the peer; it stays down until the next up.",
    response: actionResult,
    handle: (api: ControlApi, { parameters: { name } }) => acted(api, name, "down"),
  }),
  streamRoute({
    method: "POST",
    path: "/v1/tunnels/{name}/capture",
    operation: "capture",
    summary: "Records a tunnel: packets outside and inside, and the keys to open them, one JSON value a line.",
    privileged: true,
    errors: { 409: "another recording runs" },
    body: captureRequest,
    streams: "application/x-ndjson",
    async handle(api: ControlApi, { parameters: { name }, body }) {
      const { seconds, renew } = body;
      const reply = api.capture({ tunnel: name, seconds, renew });
      if (reply === undefined) throw noTunnel(name);
      if (reply === "busy") throw new RequestError(409, "another recording runs; there is one at a time");
      return reply;
    },
  }),
  jsonRoute({
    method: "POST",
    path: "/v1/tunnels/{name}/rekey",
    operation: "rekey",
    summary: "Renews a tunnel's child SAs, or its IKE SA.",
    body: rekeyRequest,
    response: actionResult,
    handle: (api: ControlApi, { parameters: { name }, body }) =>
      acted(api, name, body.ike === true ? "rekeyIke" : "rekeyChildren"),
  }),
  jsonRoute({
    method: "POST",
    path: "/v1/plan",
    operation: "plan",
    summary: "What a configuration would change, tunnel by tunnel; nothing is changed.",
    body: planRequest,
    mostBody: LARGEST_CONFIGURATION,
    response: reloadPlan,
    handle: async (api: ControlApi, { body }) => ({ body: await api.plan(body) }),
  }),
  jsonRoute({
    method: "POST",
    path: "/v1/reload",
    operation: "reload",
    summary: "Applies the daemon's configuration file, or confirms what was applied on trial.",
    body: reloadRequest,
    response: reloadResult,
    handle: async (api: ControlApi, { body }) => ({ body: await api.reload(body) }),
  }),
  streamRoute({
    method: "GET",
    path: "/v1/events",
    operation: "events",
    summary: "What happens from now on, or since an event that is known, as server-sent events.",
    description:
      "Each event has an id; a reader that was cut off sends the last one as Last-Event-ID, and misses nothing. " +
      "What is not there any more is told by an event of the type gap.",
    query: eventsQuery,
    takesHeaders: { "Last-Event-ID": "The last event that is known." },
    streams: "text/event-stream",
    errors: { 503: "There are too many readers." },
    handle: async (api: ControlApi, { query, headers }) => api.events.open(query, headers["last-event-id"]?.toString()),
  }),
  jsonRoute({
    method: "GET",
    path: "/v1/openapi.json",
    operation: "openapi",
    summary: "This description.",
    response: z.record(z.string(), z.unknown()),
    handle: async () => ({ body: openApiDocument(ROUTES, packageVersion) }),
  }),
];
