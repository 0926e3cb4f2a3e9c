/**
 * The control API on a TCP port (`gateway.http`): what only reads, for whoever reaches the port; what changes something, for whoever has
 * the token, where one is configured. A page in somebody's browser is kept out: by the name that it believes to talk to (DNS rebinding),
 * and by what browsers say of requests from other sites.
 */
import { timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { utf8 } from "../../crypto/bytes.js";
import { sha256 } from "../../crypto/hash.js";
import type { Secret } from "../../crypto/secret.js";
import { formatAddress, formatSocketAddress, type SocketAddress } from "../../esp/address.js";
import { HostError } from "../host/command.js";
import type { Log } from "../log.js";
import type { ControlApi } from "./api.js";
import { createHandler } from "./handler.js";
import { RequestError } from "./request-error.js";
import { isReadOnly } from "./route.js";
import { type ControlServer, closeServer, TIMEOUTS } from "./server.js";

const MAXIMUM_CONNECTIONS = 128;

export interface HttpSettings {
  readonly listen: SocketAddress;
  /** Absent: nothing can be changed over this port. */
  readonly token?: Secret;
}

/** Throws `HostError` when the port cannot be had. */
export async function startHttpServer(settings: HttpSettings, api: ControlApi, log: Log): Promise<ControlServer> {
  const { listen, token } = settings;
  const place = formatSocketAddress(listen);
  const server = createServer(
    TIMEOUTS,
    createHandler(api, log, (request, route) => {
      if (route === undefined) refuseForeignPages(request);
      else if (!isReadOnly(route)) {
        checkToken(request, token);
        log.info(`control: ${route.operation}, asked for by ${request.socket.remoteAddress} with the token`);
      }
    }),
  );
  server.maxConnections = MAXIMUM_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(new HostError(`gateway.http.listen: ${place} cannot be had: ${error.code ?? error.message}`)),
    );
    server.listen(listen.port, formatAddress(listen.address), () => resolve());
  });
  server.on("error", (error) => log.error(`the HTTP server on ${place} failed`, { error: error.message }));
  return { close: () => closeServer(server) };
}

/**
 * A page that got its own name to lead here is not talked to: what is asked for must be an address or "localhost". Nor is a page of
 * another site, where the browser says so.
 */
function refuseForeignPages({ headers }: IncomingMessage): void {
  const host = hostName(headers.host ?? "");
  if (host !== "localhost" && isIP(host) === 0)
    throw new RequestError(421, "ask for this gateway by its address or as localhost, not by a name");
  const { origin, "sec-fetch-site": site } = headers;
  const foreign = origin !== undefined && origin !== `http://${headers.host}`;
  if (foreign || (site !== undefined && site !== "same-origin" && site !== "none"))
    throw new RequestError(403, "requests from the pages of other sites are not answered");
}

/** Without its port, and without the brackets of an IPv6 address. */
function hostName(host: string): string {
  return host
    .replace(/:\d+$/, "")
    .replace(/^\[(.*)\]$/, "$1")
    .toLowerCase();
}

function checkToken({ headers }: IncomingMessage, token: Secret | undefined): void {
  if (token === undefined)
    throw new RequestError(403, "this port is read-only: gateway.http.token permits more, as does the control socket");
  const [, given = ""] = /^Bearer ([\x21-\x7e]+)$/.exec(headers.authorization ?? "") ?? [];
  // Digests have one length, whatever was given.
  if (!timingSafeEqual(sha256(utf8(given)), sha256(token.reveal())))
    throw new RequestError(401, "this needs the token of gateway.http.token", { "WWW-Authenticate": "Bearer" });
}
