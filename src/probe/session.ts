/**
 * An IKE SA with a peer for the sake of its answers: the daemon's own negotiator on two sockets of the probe, without a data plane. Each question is a
 * child with an offer of its own, and is deleted with the next one; nothing is ever left half-open, and the end tells the peer that all is over.
 */
import { equal } from "../../crypto/bytes.js";
import type { Random } from "../../crypto/interfaces.js";
import { parseEspProposal } from "../../crypto/registry/proposal.js";
import { SEQUENCE_32 } from "../../crypto/registry/sequence.js";
import type { EspProposal, EspSuite, IkeProposal } from "../../crypto/registry/suite.js";
import type { Secret } from "../../crypto/secret.js";
import type { TrafficSelector } from "../../esp/selector.js";
import type { Identity } from "../../ike/core/identity.js";
import type { Policy, TunnelPolicy } from "../../ike/core/policy.js";
import type { Report } from "../../ike/core/report.js";
import { datagramOf, messageIn } from "../../ike/embedding.js";
import { createDriver } from "../driver.js";
import { createKeyExchangeService } from "../key-exchange/service.js";
import { systemClock } from "../scheduler.js";
import type { End, Pace } from "./exchange.js";

export interface SessionWish {
  readonly version: 1 | 2;
  /** Of version 1. */
  readonly exchange?: "main" | "aggressive";
  /** What the peer is known to accept for the IKE SA. */
  readonly ike: IkeProposal;
  readonly psk: Secret;
  readonly localId?: Identity;
  readonly peerId?: Identity;
  readonly local: TrafficSelector;
  readonly remote: TrafficSelector;
}

export interface SessionPorts {
  /** To port 500 of the peer, and to port 4500. */
  readonly ike: End;
  readonly natT: End;
  readonly random: Random;
  readonly pace: Pace;
}

/** What came of one child. */
export interface Taken {
  readonly suite: EspSuite;
  /** The networks that the peer left of ours. */
  readonly local: readonly string[];
  readonly remote: readonly string[];
}

export interface Session {
  /** Undefined: the peer refuses the offer. Throws `SessionError`. */
  ask(proposals: readonly EspProposal[]): Promise<Taken | undefined>;
  /** Deletes everything at the peer. */
  close(): Promise<void>;
}

/** The peer refuses something else than the offer, or says nothing. */
export class SessionError extends Error {
  /** Of `CAUSES`; undefined: it is silent. */
  readonly code: string | undefined;

  constructor(message: string, code?: string) {
    super(message);
    this.code = code;
  }
}

const NAME = "probe";
/** Milliseconds for an answer to a first message with all its repetitions, and then for one about a child: some refuse a quick mode by silence. */
const FIRST_PATIENCE = 20_000;
const PATIENCE = 7_000;
/** Milliseconds for the peer to confirm the end. */
const LAST_PATIENCE = 3_000;
const LISTEN = 200;
const LONG = 86_400;

export function openSession(wish: SessionWish, ports: SessionPorts): Session {
  const ends = [ports.ike, ports.natT] as const;
  const { local } = ports.ike.socket;
  const keyExchange = createKeyExchangeService();
  const told: { listener?: (report: Report) => void } = {};
  let open = true;
  let leaving: Promise<void> = Promise.resolve();
  let listening: Promise<unknown> = Promise.resolve();
  const waiting: Uint8Array[] = [];

  const policyWith = (proposals: readonly EspProposal[], children: 0 | 1): Policy => ({
    tunnels: [tunnelOf(wish, ports, proposals, children)],
    ports: { ike: local.port, natT: ports.natT.socket.local.port },
    limits: { halfOpen: 1, halfOpenPerAddress: 1 },
  });
  const psk = new Map([[NAME, wish.psk]]);
  let driver: ReturnType<typeof createDriver> | undefined;
  let connected = false;

  function begin(proposals: readonly EspProposal[]): void {
    driver = createDriver(policyWith(proposals, 1), {
      clock: systemClock,
      random: ports.random,
      keyExchange,
      psk,
      post: (message) => {
        const end =
          message.kind === "send"
            ? ends.find(({ socket }) => socket.local.port === message.path.local.port)
            : undefined;
        if (message.kind !== "send" || end === undefined) return;
        // Repeated by the negotiator's clock while the first one still waits for its turn.
        if (waiting.some((bytes) => equal(bytes, message.bytes))) return;
        waiting.push(message.bytes);
        leaving = leaving.then(ports.pace).then(() => {
          waiting.shift();
          if (open) end.socket.send(datagramOf(message.bytes, end.port));
        });
      },
      resolve: () => Promise.reject(new Error("names are not looked up here")),
      setTunnels: () => {},
      report: (report) => told.listener?.(report),
      bug: (error) => {
        throw error;
      },
    });
    listening = Promise.all(ends.map(listen));
    driver.start();
  }

  async function listen({ socket, port, remote }: End): Promise<void> {
    while (open) {
      const heard = await socket.receive(LISTEN);
      const bytes = heard === undefined || typeof heard === "string" ? undefined : messageIn(heard, port);
      const path = { local: socket.local, remote: { ...remote, port: port === NAT_T_PORT ? port : IKE_PORT } };
      if (bytes !== undefined && open) driver!.received({ kind: "datagram", path, bytes });
    }
  }

  function outcome(patience: number): Promise<Taken | undefined> {
    return new Promise((resolve, reject) => {
      const done = (finish: () => void): void => {
        clearTimeout(late);
        delete told.listener;
        finish();
      };
      let hint = new SessionError("the peer does not answer");
      const late = setTimeout(() => done(() => (connected ? resolve(undefined) : reject(hint))), patience);
      told.listener = (report) => {
        if (report.kind === "ikeEstablished") connected = true;
        else if (report.kind === "childEstablished") {
          const { proposal, local: ours, remote } = report;
          done(() => resolve({ suite: suiteOf(proposal), local: ours, remote }));
        } else if (report.kind === "failed") {
          const { code, detail, exchange = "", unproven } = report;
          const refusal = new SessionError(`${code}: ${detail}`, code);
          if (unproven) hint = refusal;
          else if (REFUSALS.includes(code) && CHILD_EXCHANGES.includes(exchange)) {
            connected = true;
            done(() => resolve(undefined));
          } else done(() => reject(refusal));
        }
      };
    });
  }

  return {
    ask(proposals) {
      const answer = outcome(connected ? PATIENCE : FIRST_PATIENCE);
      if (driver === undefined) begin(proposals);
      else {
        driver.reconfigure(policyWith(proposals, 0), psk, new Set());
        driver.reconfigure(policyWith(proposals, 1), psk, new Set());
        // Without an IKE SA, which some peers end over a refused child, and after a refusal there would be a pause.
        driver.wish({ do: "up", tunnel: NAME });
      }
      return answer;
    },
    async close() {
      if (driver !== undefined) {
        const { isEmpty, onChange, wish: want, stop } = driver;
        const over = new Promise<void>((resolve) => {
          const late = setTimeout(resolve, LAST_PATIENCE);
          const look = (): void => {
            if (!isEmpty()) return;
            clearTimeout(late);
            resolve();
          };
          onChange(look);
          want({ do: "shutdown" });
          look();
        });
        await over;
        await leaving;
        stop();
      }
      open = false;
      // A socket is watched by one alone, and the next session may want it.
      await listening;
      await keyExchange.close();
    },
  };
}

const IKE_PORT = 500;
const NAT_T_PORT = 4500;
/** What is said of an offer, and where it is one for a child. */
const REFUSALS: readonly string[] = ["NO_PROPOSAL_CHOSEN", "INVALID_KE_PAYLOAD"];
const CHILD_EXCHANGES: readonly string[] = ["IKE_AUTH", "CREATE_CHILD_SA", "QUICK_MODE"];

function tunnelOf(
  wish: SessionWish,
  { ike: { socket, remote } }: SessionPorts,
  proposals: readonly EspProposal[],
  children: 0 | 1,
): TunnelPolicy {
  const { version, exchange = "main", ike, localId, peerId } = wish;
  return {
    name: NAME,
    peer: { kind: "address", address: remote.address },
    localAddress: socket.local.address,
    ...(localId && { localId }),
    ...(peerId && { peerId }),
    start: "active",
    close: "none",
    duplicates: "keep",
    encapsulation: "auto",
    split: "auto",
    mappings: children === 0 ? [] : [{ local: wish.local, peer: wish.remote }],
    entries: children === 0 ? [] : [{ first: 0, count: 1 }],
    ike: {
      version,
      ...(version === 1 && { exchange }),
      proposals: [ike],
      lifetimeSeconds: LONG,
      keepaliveSeconds: LONG,
      fragmentation: "auto",
      mobike: false,
    },
    esp: { proposals, lifetimeSeconds: LONG, volumeOctets: 0, replayWindow: 64 },
  };
}

/** As reports write it: without a word about sequence numbers they have 32 bits. */
function suiteOf(words: string): EspSuite {
  const { encryption, integrity, keyExchange, sequence } = parseEspProposal(words);
  return {
    encryption: encryption[0]!.row,
    keyBits: encryption[0]!.keyBits,
    ...(integrity[0] && { integrity: integrity[0] }),
    ...(keyExchange[0] && { keyExchange: keyExchange[0] }),
    sequence: sequence.length === 1 ? sequence[0]! : SEQUENCE_32,
  };
}
