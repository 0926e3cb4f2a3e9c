/** A daemon's control socket with prepared answers, and the requests that it got. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Prepared {
  readonly status?: number;
  /** JSON; a string is sent as it is. */
  readonly body: unknown;
}

export interface ControlServer {
  readonly path: string;
  /** "POST /v1/tunnels/a/rekey {"ike":true}" */
  readonly requests: string[];
}

/** Serves `answers` by "METHOD path" while `use` runs. */
export async function withControlServer(
  answers: Readonly<Record<string, Prepared>>,
  use: (server: ControlServer) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "causeway-cli-"));
  const path = join(folder, "control.sock");
  const requests: string[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      const line = `${request.method} ${request.url}`;
      requests.push(body === "" ? line : `${line} ${body}`);
      const answer = answers[line] ?? { status: 404, body: { error: `there is no ${request.url} here` } };
      response.writeHead(answer.status ?? 200, { "Content-Type": "application/json" });
      response.end(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    await use({ path, requests });
  } finally {
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true });
  }
}
