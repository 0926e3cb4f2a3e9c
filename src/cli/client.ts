/** Talks to a running daemon: HTTP with JSON over its control socket (the shapes stand in `control/status-model.ts`). */
import { request } from "node:http";
import type { CaptureRecord } from "../capture/records.js";
import type { DiagnosisReport } from "../control/diagnosis.js";
import type { ExplainReport, WhyReport } from "../control/explain-model.js";
import type { ActionResult, ControlError, RekeyRequest, StatusReport } from "../control/status-model.js";
import type { PlanRequest, ReloadPlan, ReloadRequest, ReloadResult } from "../reload/plan-model.js";
import { CommandError, EXIT } from "./exit.js";

/** Milliseconds. An action answers once it is decided, which takes the daemon up to half a minute. */
const STATUS_TIMEOUT = 10_000;
const ACTION_TIMEOUT = 60_000;

/** Everything, or one tunnel. Throws `CommandError`, also when there is no such tunnel. */
export function fetchStatus(socket: string, tunnel?: string): Promise<StatusReport> {
  const path = tunnel === undefined ? "/v1/status" : `/v1/status/${encodeURIComponent(tunnel)}`;
  return exchange<StatusReport>(socket, "GET", path, STATUS_TIMEOUT);
}

export function fetchExplanation(socket: string, tunnel: string): Promise<ExplainReport> {
  return exchange<ExplainReport>(socket, "GET", `/v1/tunnels/${encodeURIComponent(tunnel)}/explain`, STATUS_TIMEOUT);
}

export function fetchHistory(socket: string, tunnel: string): Promise<WhyReport> {
  return exchange<WhyReport>(socket, "GET", `/v1/tunnels/${encodeURIComponent(tunnel)}/why`, STATUS_TIMEOUT);
}

export function fetchDiagnosis(socket: string): Promise<DiagnosisReport> {
  return exchange<DiagnosisReport>(socket, "GET", "/v1/diagnosis", STATUS_TIMEOUT);
}

export function act(
  socket: string,
  tunnel: string,
  action: "up" | "down" | "rekey",
  body: RekeyRequest = {},
): Promise<ActionResult> {
  const path = `/v1/tunnels/${encodeURIComponent(tunnel)}/${action}`;
  return exchange<ActionResult>(socket, "POST", path, ACTION_TIMEOUT, body);
}

/**
 * Records a tunnel: `take` gets each record as it comes. Resolves when the recording is over, or when `stop` ends it. Throws `CommandError`
 * when it cannot begin, or breaks off.
 */
export function followCapture(
  socketPath: string,
  tunnel: string,
  wish: { readonly seconds: number; readonly renew: boolean },
  take: (record: CaptureRecord) => void,
  stop: AbortSignal,
): Promise<void> {
  const path = `/v1/tunnels/${encodeURIComponent(tunnel)}/capture`;
  const payload = JSON.stringify(wish);
  const headers = { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(payload) };
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void =>
      stop.aborted
        ? resolve()
        : reject(new CommandError(EXIT.failed, connectionFailure(socketPath, error.code ?? error.message)));
    const sent = request({ socketPath, method: "POST", path, headers, agent: false }, (response) => {
      let text = "";
      let ended = false;
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
        if (response.statusCode !== 200) return;
        const lines = text.split("\n");
        text = lines.pop() ?? "";
        for (const line of lines) {
          const record = JSON.parse(line) as CaptureRecord;
          if (record.kind === "ended") ended = true;
          take(record);
        }
      });
      response.once("error", fail);
      response.once("end", () => {
        if (response.statusCode !== 200) reject(refusal(response.statusCode ?? 0, text));
        else if (ended) resolve();
        else fail(Object.assign(new Error(), { code: "ECONNRESET" }));
      });
    });
    stop.addEventListener("abort", () => sent.destroy(), { once: true });
    sent.once("error", fail);
    sent.once("close", () => stop.aborted && resolve());
    sent.end(payload);
  });
}

function refusal(status: number, text: string): CommandError {
  try {
    const { error } = JSON.parse(text) as Partial<ControlError>;
    if (error !== undefined) return new CommandError(EXIT.failed, error);
  } catch {
    // Told below.
  }
  return new CommandError(EXIT.failed, `the daemon answered with status ${status}`);
}

export function fetchPlan(socket: string, request: PlanRequest): Promise<ReloadPlan> {
  return exchange<ReloadPlan>(socket, "POST", "/v1/plan", ACTION_TIMEOUT, request);
}

export function requestReload(socket: string, request: ReloadRequest): Promise<ReloadResult> {
  return exchange<ReloadResult>(socket, "POST", "/v1/reload", ACTION_TIMEOUT, request);
}

async function exchange<Answer>(
  socketPath: string,
  method: "GET" | "POST",
  path: string,
  timeout: number,
  body?: object,
): Promise<Answer> {
  const { status, text } = await roundTrip(socketPath, method, path, timeout, body);
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new CommandError(EXIT.failed, `what answers on ${socketPath} is no causeway daemon: its answer is not JSON`);
  }
  if (status >= 400) {
    const { error } = answer as Partial<ControlError>;
    throw new CommandError(EXIT.failed, error ?? `the daemon answered with status ${status}`);
  }
  return answer as Answer;
}

function roundTrip(
  socketPath: string,
  method: string,
  path: string,
  timeout: number,
  body?: object,
): Promise<{ status: number; text: string }> {
  const payload = body === undefined ? "" : JSON.stringify(body);
  const headers = payload === "" ? {} : { "Content-Type": "application/json" };
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void =>
      reject(new CommandError(EXIT.failed, connectionFailure(socketPath, error.code ?? error.message)));
    const sent = request(
      { socketPath, method, path, headers: { ...headers, "Content-Length": Buffer.byteLength(payload) }, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.once("error", fail);
        response.once("end", () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") }),
        );
      },
    );
    // Over the whole exchange, not only over its silences.
    const late = setTimeout(() => sent.destroy(Object.assign(new Error(), { code: "ETIMEDOUT" })), timeout);
    sent.once("close", () => clearTimeout(late));
    sent.once("error", fail);
    sent.end(payload);
  });
}

function connectionFailure(socket: string, code: string): string {
  switch (code) {
    case "ENOENT":
    case "ECONNREFUSED":
      return (
        `no causeway daemon answers on ${socket}; start one with "causeway run -c FILE", ` +
        "or name its socket with --socket PATH or CAUSEWAY_SOCKET"
      );
    case "EACCES":
    case "EPERM":
      return `no permission to use ${socket}; run this as root or as a member of the socket's group`;
    case "ETIMEDOUT":
      return `the daemon behind ${socket} does not answer in time; its log may say why`;
    case "ECONNRESET":
    case "EPIPE":
      return `the daemon behind ${socket} closed the connection before it answered; is it ending?`;
    default:
      return `cannot talk to ${socket}: ${code}`;
  }
}
