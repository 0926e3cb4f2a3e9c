/** The parent's side of `gateway-program.ts`, and the children that two gateways share. */
import { randomBytes } from "node:crypto";
import { keyLengths } from "../../crypto/backends.js";
import { sealerSpecByName } from "../../crypto/registry/lookup.js";
import { parseAddress, parsePrefix, type SocketAddress } from "../../esp/address.js";
import type { ChildId, Encapsulation } from "../../esp/sa.js";
import { selectorFromPrefix } from "../../esp/selector.js";
import type { ChildMessage, DataplaneSettings, FromWorker, SuiteName, ToWorker } from "../../src/dataplane/protocol.js";
import type { Counters } from "../../src/dataplane/start.js";
import type { Command, Told } from "./gateway-program.js";
import type { Link, Side } from "./namespaces.js";
import { startProgram } from "./program.js";

export interface Gateway {
  messages(): readonly FromWorker[];
  /** The first message of this kind (for which `which` holds), come or to come. */
  next<K extends FromWorker["kind"]>(
    kind: K,
    which?: (message: Extract<FromWorker, { kind: K }>) => boolean,
  ): Promise<Extract<FromWorker, { kind: K }>>;
  start(settings: DataplaneSettings): void;
  post(...messages: readonly ToWorker[]): void;
  counters(): Promise<Counters>;
  usage(): Promise<Extract<Told, { kind: "usage" }>>;
  stop(): Promise<void>;
  /** Ends the process. */
  end(): Promise<void>;
}

/** Starts the program in a namespace, for at most ten minutes. `wrapper`: a command line before it. */
export function startGateway(link: Link, side: Side, wrapper: readonly string[] = []): Gateway {
  const program = startProgram<Command, Told>(link, side, "./gateway-program.js", wrapper);
  const messages = () => program.told.flatMap((told) => (told.kind === "message" ? [told.message] : []));

  /** Sends a command and waits for what it is answered by. */
  function answered<K extends Told["kind"]>(command: Command, kind: K): Promise<Extract<Told, { kind: K }>> {
    const answer = program.heard(kind, (told) =>
      told.kind === kind ? (told as Extract<Told, { kind: K }>) : undefined,
    );
    program.send(command);
    return answer;
  }

  return {
    messages,
    next<K extends FromWorker["kind"]>(
      kind: K,
      which: (message: Extract<FromWorker, { kind: K }>) => boolean = () => true,
    ) {
      type Wanted = Extract<FromWorker, { kind: K }>;
      const wanted = (message: FromWorker): message is Wanted => message.kind === kind && which(message as Wanted);
      const found = messages().find(wanted);
      if (found !== undefined) return Promise.resolve(found);
      return program.heard(kind, (told) =>
        told.kind === "message" && wanted(told.message) ? told.message : undefined,
      );
    },
    start: (settings) => program.send({ do: "start", settings }),
    post(...posted) {
      for (const message of posted) program.send({ do: "post", message });
    },
    counters: async () => (await answered({ do: "counters" }, "counters")).counters,
    usage: () => answered({ do: "usage" }, "usage"),
    stop: async () => void (await answered({ do: "stop" }, "stopped")),
    end: program.end,
  };
}

export const IKE_PORT = 500;
export const NAT_T_PORT = 4500;

export function at(address: string, port: number): SocketAddress {
  return { address: parseAddress(address), port };
}

/** Sockets of one gateway, by its outer addresses. */
export function settingsFor(addresses: readonly string[], more: Partial<DataplaneSettings> = {}): DataplaneSettings {
  return {
    tunName: "causeway0",
    sockets: addresses.flatMap((address) => [at(address, IKE_PORT), at(address, NAT_T_PORT)]),
    natTPort: NAT_T_PORT,
    mark: 0x4341,
    rawEsp: true,
    ...more,
  };
}

export interface SharedChild {
  readonly id: ChildId;
  readonly suite: SuiteName;
  readonly encapsulation: Encapsulation;
  /** Outer addresses of the left and the right gateway. */
  readonly outer: readonly [string, string];
  readonly spis: readonly [number, number];
  readonly volume?: ChildMessage["volume"];
}

const UNLIMITED = { softOctets: 0, hardOctets: 0, softPackets: 0, hardPackets: 0 };
const INNER = [
  ["10.1.0.0/24", "fd01::/64"],
  ["10.2.0.0/24", "fd02::/64"],
] as const;

/** The two ends of one child, with fresh keys: what IKE would have made. Both inner families. */
export function bothEnds(shared: SharedChild): readonly [ChildMessage, ChildMessage] {
  const lengths = keyLengths(sealerSpecByName(shared.suite));
  const fresh = () => ({
    encryption: new Uint8Array(randomBytes(lengths.encryptionBytes)),
    integrity: new Uint8Array(randomBytes(lengths.integrityBytes)),
  });
  const keys = [fresh(), fresh()] as const; // towards left, towards right
  const port = shared.encapsulation === "udp" ? NAT_T_PORT : IKE_PORT;
  const end = (own: 0 | 1): ChildMessage => {
    const other = own === 0 ? 1 : 0;
    return {
      id: shared.id,
      tunnel: "test",
      spiIn: shared.spis[own],
      spiOut: shared.spis[other],
      suite: shared.suite,
      inboundKeys: keys[own],
      outboundKeys: keys[other],
      local: INNER[own].map((prefix) => selectorFromPrefix(parsePrefix(prefix))),
      remote: INNER[other].map((prefix) => selectorFromPrefix(parsePrefix(prefix))),
      mappings: [0, 1],
      path: { local: at(shared.outer[own], port), remote: at(shared.outer[other], port) },
      encapsulation: shared.encapsulation,
      replayWindow: 1024,
      volume: shared.volume ?? UNLIMITED,
    };
  };
  return [end(0), end(1)];
}

/** The SPD of one gateway. `onTraffic`: packets wait for their SA. */
export function tunnels(own: 0 | 1, onTraffic = false): ToWorker {
  const other = own === 0 ? 1 : 0;
  const mappings = [0, 1].map((family) => ({
    local: selectorFromPrefix(parsePrefix(INNER[own][family]!)),
    peer: selectorFromPrefix(parsePrefix(INNER[other][family]!)),
  }));
  return { kind: "tunnels", tunnels: [{ name: "test", mappings, onTraffic }] };
}
