/** `gateway.http`: where the control API listens beside its socket, and who may change something there. */
import { type Address, isUnspecified, type SocketAddress } from "../../esp/address.js";
import type { SourceDocument } from "./document.js";
import type { Findings } from "./findings.js";
import type { GatewaySettings } from "./model.js";
import { readPsk } from "./psk.js";
import type { GatewayBlock } from "./schema.js";
import type { Surroundings } from "./surroundings.js";

/** `folder`: where relative file names begin. */
export function httpOf(
  { http }: GatewayBlock,
  folder: string,
  host: Surroundings,
  source: SourceDocument,
  findings: Findings,
): Pick<GatewaySettings, "http"> {
  if (http === undefined || http === "off") return {};
  const { listen, token } = http;
  if (listen === undefined) {
    const path = ["gateway", "http", "listen"];
    // One that is there is a wrong one, which has been told.
    if (!source.has(path)) findings.complain(path, "is missing; allowed: an address with a port (127.0.0.1:9500)");
    return {};
  }
  if (!isLoopback(listen))
    findings.warn(
      ["gateway", "http", "listen"],
      "this is not encrypted, and everybody who reaches the port sees every tunnel; 127.0.0.1 keeps it on this host",
    );
  if (token === undefined) return { http: { listen } };
  const path = ["gateway", "http", "token"];
  const outcome = readPsk(token, folder, host);
  if ("problem" in outcome) {
    findings.complain(path, outcome.problem);
    return {};
  }
  for (const warning of outcome.warnings) findings.warn(path, warning);
  if (outcome.weak !== undefined)
    findings.warn(path, `the token is weak: ${outcome.weak}; "openssl rand -base64 32" makes a good one`);
  return { http: { listen, token: outcome.psk } };
}

function isLoopback({ address }: SocketAddress): boolean {
  return !isUnspecified(address) && (address.family === 4 ? address.value >> 24n === 127n : isOne(address));
}

function isOne({ value }: Address): boolean {
  return value === 1n;
}
