/**
 * Many peers in one process, each an endpoint of its own with one tunnel to the gateway and sockets at its own address. It goes on until it is
 * stopped, so that the gateway keeps what it has.
 *
 *   peers-program.js SOCKET call FIRST COUNT AT-ONCE IKE ESP     each calls the gateway, at most AT-ONCE at a time
 *   peers-program.js SOCKET answer FIRST COUNT 0 IKE ESP         each waits to be called
 *
 * Listens on the Unix socket SOCKET when all of its own are open. Who connects to it starts those that call, and gets one line of JSON when
 * each has its child: `Outcome`.
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import { systemRandom } from "../../../crypto/random.js";
import { parseEspProposal, parseIkeProposal } from "../../../crypto/registry/proposal.js";
import { formatAddress, parseAddress } from "../../../esp/address.js";
import { answerWith, datagramOf, messageIn, policyOf } from "../../../ike/embedding.js";
import { createEndpoint, deadline, type Effect, type Event, step } from "../../../ike/index.js";
import { GATEWAY, INNER, PSK, peerAddress, peerNetwork } from "./plan.js";

export interface Outcome {
  /** From the first call to the last child. */
  readonly seconds: number;
  /** Of each, from its own call (of a peer that was called: from the first datagram of all) to its child, in milliseconds, sorted. */
  readonly waits: readonly number[];
  /** Handshakes that failed on the way and were begun anew. */
  readonly failures: number;
  /** Reasons, the first few. */
  readonly reasons: readonly string[];
}

interface Peer {
  call(): void;
}

const [control, action, ...rest] = process.argv.slice(2);
const [first = 0, count = 0, atOnce = 0] = rest.slice(0, 3).map(Number);
const [ike, esp] = rest.slice(3);
if (control === undefined || (action !== "call" && action !== "answer") || ike === undefined || esp === undefined)
  throw new Error("usage: peers-program.js SOCKET call|answer FIRST COUNT AT-ONCE IKE ESP");

const gateway = parseAddress(GATEWAY);
const waits: number[] = [];
const reasons: string[] = [];
let failures = 0;
let begun: number | undefined;

const peers: Peer[] = [];
for (let i = 0; i < count; i++) peers.push(await createPeer(first + i));
let next = 0;
let allServed: (outcome: Outcome) => void;
const outcome = new Promise<Outcome>((resolve) => {
  allServed = resolve;
});
createServer((asking) => {
  void outcome.then((found) => asking.end(JSON.stringify(found)));
  if (action === "answer") return;
  begun = performance.now();
  while (next < Math.min(atOnce, count)) peers[next++]!.call();
}).listen(control);

function served(since: number): void {
  waits.push(performance.now() - since);
  if (next < count && action === "call") peers[next++]!.call();
  if (waits.length < count) return;
  const seconds = (performance.now() - begun!) / 1000;
  allServed({ seconds, waits: waits.sort((a, b) => a - b), failures, reasons });
}

async function createPeer(index: number): Promise<Peer> {
  const own = peerAddress(index);
  const here = parseAddress(own);
  const words = { local: own, peer: GATEWAY, mappings: [`${peerNetwork(index)} ${INNER}`] };
  const usual = policyOf(words).tunnels[0]!;
  const policy = policyOf({
    ...words,
    tunnel: {
      start: action === "call" ? "active" : "passive",
      ike: { ...usual.ike, proposals: [parseIkeProposal(ike!)] },
      esp: { ...usual.esp, proposals: [parseEspProposal(esp!)] },
    },
  });
  const sockets = new Map<number, Socket>();
  let endpoint = createEndpoint(policy, 0);
  let called = false;
  let since: number | undefined;
  let timer: NodeJS.Timeout | undefined;

  const perform = (effect: Effect): void => {
    switch (effect.kind) {
      case "send": {
        const { local, remote } = effect.path;
        for (const bytes of [effect.bytes, ...(effect.rest ?? [])])
          sockets.get(local.port)?.send(datagramOf(bytes, local.port), remote.port, formatAddress(remote.address));
        return;
      }
      case "ask":
        queueMicrotask(() => handle({ kind: "answer", ask: effect.ask, answer: answerWith(PSK, effect.question) }));
        return;
      case "report":
        if (effect.report.kind === "childEstablished" && since !== undefined) {
          const from = since;
          since = undefined;
          served(from);
        }
        if (effect.report.kind === "failed") {
          failures++;
          if (reasons.length < 5) reasons.push(`${effect.report.code}: ${effect.report.detail}`);
        }
        return;
      default: // there is no data plane
        return;
    }
  };
  const handle = (event: Event): void => {
    const done = step(endpoint, event, { now: performance.now(), random: systemRandom });
    endpoint = done.endpoint;
    for (const effect of done.effects) perform(effect);
    clearTimeout(timer);
    const at = deadline(endpoint);
    if (at !== undefined)
      timer = setTimeout(() => handle({ kind: "tick" }), Math.min(Math.max(1, at - performance.now()), 1 << 30));
  };
  for (const port of [500, 4500]) {
    const socket = createSocket("udp4");
    socket.bind(port, own);
    await once(socket, "listening");
    socket.on("message", (datagram, from) => {
      if (action === "answer" && !called) {
        called = true;
        begun ??= performance.now();
        since = begun;
      }
      const bytes = messageIn(datagram, port);
      const path = { local: { address: here, port }, remote: { address: gateway, port: from.port } };
      if (bytes !== undefined) handle({ kind: "datagram", path, bytes });
    });
    sockets.set(port, socket);
  }
  if (action === "answer") handle({ kind: "tick" });
  return {
    call() {
      since = performance.now();
      handle({ kind: "tick" });
    },
  };
}
