/** What the control API asks of the running gateway. */

import type { CaptureWish } from "../capture/session.js";
import type { Action } from "./actions.js";
import type { DiagnosisReport } from "./diagnosis.js";
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
}
