// A peer for tests of other gateways: answers IKEv2 with a pre-shared key, and prints what happens. It runs on the gateway's own core;
// what it is to do wrong is a line in `effects`. Ports 500 and 4500 have to be free: PEER_ADDRESS=192.0.2.2 node fake-peer.mjs
import { createSocket } from "node:dgram";
import { systemRandom } from "causeway/crypto";
import { formatAddress, parseAddress } from "causeway/esp";
import { answerWith, createEndpoint, datagramOf, deadline, messageIn, policyOf, step } from "causeway/ike";

const address = process.env.PEER_ADDRESS ?? "192.0.2.2";
const here = parseAddress(address);
const policy = policyOf({ local: address, mappings: ["10.2.0.0/16 10.1.0.0/16"] });
const sockets = Object.fromEntries([500, 4500].map((port) => [port, createSocket("udp4").bind(port, address)]));
let endpoint = createEndpoint(policy, performance.now());
let timer;

const effects = {
  send: ({ path: { local, remote }, bytes }) =>
    sockets[local.port].send(datagramOf(bytes, local.port), remote.port, formatAddress(remote.address)),
  ask: ({ ask, question }) => handle({ kind: "answer", ask, answer: answerWith("only this test knows", question) }),
  report: ({ report }) => console.log(JSON.stringify(report)),
};
function handle(event) {
  const next = step(endpoint, event, { now: performance.now(), random: systemRandom });
  endpoint = next.endpoint;
  for (const effect of next.effects) effects[effect.kind]?.(effect);
  clearTimeout(timer);
  const at = deadline(endpoint);
  if (at !== undefined) timer = setTimeout(handle, Math.max(1, at - performance.now()), { kind: "tick" });
}
for (const port of [500, 4500])
  sockets[port].on("message", (datagram, from) => {
    const path = { local: { address: here, port }, remote: { address: parseAddress(from.address), port: from.port } };
    const bytes = messageIn(datagram, port);
    if (bytes) handle({ kind: "datagram", path, bytes });
  });
