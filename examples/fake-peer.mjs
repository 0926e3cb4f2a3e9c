// A peer for tests of other gateways: answers IKEv2 with a pre-shared key, and prints what happens. It runs on the gateway's own core;
// what it is to do wrong is a line in `effects`. Port 500 has to be free: PEER_ADDRESS=192.0.2.2 node fake-peer.mjs
import { createSocket } from "node:dgram";
import { systemRandom } from "causeway/crypto";
import { formatAddress, parseAddress } from "causeway/esp";
import { answerWith, createEndpoint, deadline, policyOf, step } from "causeway/ike";

const address = process.env.PEER_ADDRESS ?? "192.0.2.2";
const local = { address: parseAddress(address), port: 500 };
const policy = policyOf({ local: address, mappings: ["10.2.0.0/16 10.1.0.0/16"] });
const socket = createSocket("udp4").bind(local.port, address);
let endpoint = createEndpoint(policy, performance.now());
let timer;

const effects = {
  send: ({ path, bytes }) => socket.send(bytes, path.remote.port, formatAddress(path.remote.address)),
  ask: ({ ask, question }) => handle({ kind: "answer", ask, answer: answerWith("only this test knows", question) }),
  report: ({ report }) => console.log(JSON.stringify(report)),
};
function handle(event) {
  const next = step(endpoint, event, { now: performance.now(), random: systemRandom, policy });
  endpoint = next.endpoint;
  for (const effect of next.effects) effects[effect.kind]?.(effect);
  clearTimeout(timer);
  const at = deadline(endpoint);
  if (at !== undefined) timer = setTimeout(handle, Math.max(1, at - performance.now()), { kind: "tick" });
}
socket.on("message", (bytes, { address: from, port }) =>
  handle({ kind: "datagram", bytes, path: { local, remote: { address: parseAddress(from), port } } }),
);
