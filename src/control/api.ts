/** What the control API asks of the running gateway. */
import type { CaptureWish } from "../capture/session.js";
import type { PlanRequest, ReloadPlan, ReloadRequest, ReloadResult } from "../reload/plan-model.js";
import type { TunnelEditor } from "../reload/tunnel-editor.js";
import type { Action } from "./actions.js";
import type { DiagnosisReport } from "./diagnosis.js";
import type { EventStreams } from "./event-stream.js";
import type { ExplainReport, WhyReport } from "./explain-model.js";
import type { StreamReply } from "./route.js";
import type { ActionResult, StatusReport } from "./status-model.js";

export interface ControlApi {
  /** All tunnels, or one; undefined: there is no tunnel of that name. */
  status(tunnel?: string): Promise<StatusReport | undefined>;
  /** Undefined: there is no tunnel of that name. */
  explain(tunnel: string): Promise<ExplainReport | undefined>;
  why(tunnel: string): Promise<WhyReport | undefined>;
  /** Resolves when it is decided; undefined: there is no tunnel of that name. */
  act(tunnel: string, action: Action): Promise<ActionResult | undefined>;
  diagnosis(): Promise<DiagnosisReport>;
  /** Undefined: there is no tunnel of that name. "busy": another recording runs. */
  capture(wish: CaptureWish): StreamReply | "busy" | undefined;
  /** What a configuration would change; the daemon's own file where none is given. */
  plan(request: PlanRequest): Promise<ReloadPlan>;
  reload(request: ReloadRequest): Promise<ReloadResult>;
  readonly tunnels: TunnelEditor;
  readonly events: EventStreams;
}
