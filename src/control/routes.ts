/** The table of everything that the control API serves: one row per operation. */
import type { Action } from "./actions.js";
import type { ControlApi } from "./api.js";
import { captureRequest } from "./capture.js";
import { diagnosisReport } from "./diagnosis.js";
import { explainReport, whyReport } from "./explain-model.js";
import { noTunnel, RequestError } from "./request-error.js";
import { type JsonReply, jsonRoute, type Route, streamRoute } from "./route.js";
import { type ActionResult, actionResult, rekeyRequest, statusReport } from "./status-model.js";

async function acted(api: ControlApi, name: string, action: Action): Promise<JsonReply<ActionResult>> {
  const result = await api.act(name, action);
  if (result === undefined) throw noTunnel(name);
  return { body: result };
}

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
];
