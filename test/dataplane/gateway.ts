/** The parent's side of `gateway-program.ts`, and the children that two gateways share. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { keyLengths } from "../../crypto/backends.js";
import { sealerSpecByName } from "../../crypto/registry/lookup.js";
import { parseAddress, parsePrefix, type SocketAddress } from "../../esp/address.js";
import type { ChildId, Encapsulation } from "../../esp/sa.js";
import { selectorFromPrefix } from "../../esp/selector.js";
import type { ChildMessage, DataplaneSettings, FromWorker, SuiteName, ToWorker } from "../../src/dataplane/protocol.js";
import type { Counters } from "../../src/dataplane/start.js";
import type { Command, Told } from "./gateway-program.js";

const PROGRAM = fileURLToPath(new URL("./gateway-program.js", import.meta.url));
const SECONDS = "120";

export interface Gateway {
  readonly messages: readonly FromWorker[];
  /** The first message of this kind, come or to come. */
  next<K extends FromWorker["kind"]>(kind: K): Promise<Extract<FromWorker, { kind: K }>>;
  start(settings: DataplaneSettings): void;
  post(...messages: readonly ToWorker[]): void;
  counters(): Promise<Counters>;
  usage(): Promise<Extract<Told, { kind: "usage" }>>;
  stop(): Promise<void>;
  /** Ends the process. */
  end(): Promise<void>;
}

/** Starts the program in a namespace, for at most two minutes. */
export function startGateway(namespace: string): Gateway {
  const wrapped = ["-k", "1", SECONDS, "ip", "netns", "exec", namespace, process.execPath, PROGRAM];
  const child: ChildProcess = spawn("timeout", wrapped, {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    serialization: "advanced",
  });
  const messages: FromWorker[] = [];
  const waiting = new Set<(told: Told) => void>();
  let ended = false;
  const exit = new Promise<void>((resolve) =>
    child.once("exit", () => {
      ended = true;
      resolve();
    }),
  );
  child.on("message", (told: Told) => {
    if (told.kind === "message") messages.push(told.message);
    for (const one of [...waiting]) one(told);
  });

  /** The first thing told that `pick` wants. */
  function heard<T>(what: string, pick: (told: Told) => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const done = () => {
        clearTimeout(late);
        waiting.delete(one);
      };
      const one = (told: Told) => {
        const picked = pick(told);
        if (picked === undefined) return;
        done();
        resolve(picked);
      };
      const late = setTimeout(() => {
        done();
        reject(
          new Error(
            `${namespace}: no ${what} within 10 s; got ${JSON.stringify(messages, (_, value) => (typeof value === "bigint" ? `${value}` : value))}`,
          ),
        );
      }, 10_000);
      waiting.add(one);
    });
  }
  const command = (one: Command) => void child.send(one);

  return {
    messages,
    next<K extends FromWorker["kind"]>(kind: K) {
      type Wanted = Extract<FromWorker, { kind: K }>;
      const found = messages.find((message): message is Wanted => message.kind === kind);
      if (found !== undefined) return Promise.resolve(found);
      return heard(kind, (told) =>
        told.kind === "message" && told.message.kind === kind ? (told.message as Wanted) : undefined,
      );
    },
    start: (settings) => command({ do: "start", settings }),
    post(...posted) {
      for (const message of posted) command({ do: "post", message });
    },
    counters() {
      const answer = heard("counters", (told) => (told.kind === "counters" ? told.counters : undefined));
      command({ do: "counters" });
      return answer;
    },
    usage() {
      const answer = heard("usage", (told) => (told.kind === "usage" ? told : undefined));
      command({ do: "usage" });
      return answer;
    },
    async stop() {
      const answer = heard("end", (told) => (told.kind === "stopped" ? true : undefined));
      command({ do: "stop" });
      await answer;
    },
    async end() {
      if (!ended && child.connected) child.disconnect();
      await exit;
    },
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
    clampMss: true,
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

/** The SPD of one gateway. */
export function tunnels(own: 0 | 1): ToWorker {
  const other = own === 0 ? 1 : 0;
  const mappings = [0, 1].map((family) => ({
    local: selectorFromPrefix(parsePrefix(INNER[own][family]!)),
    peer: selectorFromPrefix(parsePrefix(INNER[other][family]!)),
  }));
  return { kind: "tunnels", tunnels: [{ name: "test", mappings }] };
}

/** Runs a program in a namespace to its end; its output. Throws when it fails or takes longer than 30 s. */
export async function inside(namespace: string, ...argv: readonly string[]): Promise<string> {
  const wrapped = ["-k", "1", "30", "ip", "netns", "exec", namespace, ...argv];
  const { stdout } = await promisify(execFile)("timeout", wrapped, { encoding: "utf8" });
  return stdout;
}
