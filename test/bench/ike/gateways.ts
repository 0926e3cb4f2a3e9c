/** The two gateways whose handshakes are compared: each with one tunnel for every peer. */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Running, start, until } from "../../child.js";
import { namespacePlace } from "../../interop/place.js";
import { charonAnswers } from "../../interop/stage.js";
import { strongswanConf } from "../../interop/strongswan.js";
import { type GatewayProcess, gatewayProcess } from "../gateway-process.js";
import { strongswan } from "../strongswan.js";
import { type Caller, GATEWAY, type IkeBed, INNER, PSK, peerAddress, peerNetwork, type Suite } from "./plan.js";

export interface IkeGateway {
  readonly process: GatewayProcess;
  stop(): Promise<void>;
}

export interface IkeContender {
  readonly name: string;
  readonly title: string;
  whyNot(): string | undefined;
  version(): Promise<string>;
  /** Starts it and returns when it knows its tunnels: it waits to be called, or has begun to call. `folder` is its own. */
  start(bed: IkeBed, folder: string, wanted: IkeSetup): Promise<IkeGateway>;
}

export interface IkeSetup {
  readonly suite: Suite;
  readonly peers: number;
  readonly caller: Caller;
  /** Where a contender that can leaves the profile of its gateway. */
  readonly profileFolder?: string;
}

const MAIN = join(import.meta.dirname, "..", "..", "..", "src", "main.js");
const CHARON = "/usr/sbin/charon-systemd";
const SECONDS = 600;

export const causeway: IkeContender = {
  name: "ours",
  title: "Causeway",
  whyNot: () => undefined,
  version: async () => `Causeway (Node.js ${process.versions.node}, OpenSSL ${process.versions.openssl})`,
  async start(bed, folder, { suite, peers, caller, profileFolder }) {
    const profile = profileFolder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileFolder}`];
    const file = join(folder, "gateway.yaml");
    const socket = join(folder, "control.sock");
    await writeFile(file, causewayYaml(suite, peers, caller, socket), { mode: 0o600 });
    const running = start(bed.gateway(process.execPath, ...profile, MAIN, "run", "-c", file), {
      seconds: SECONDS,
      logFile: join(folder, "gateway.log"),
    });
    const found = await gatewayProcess(bed.gateway, running, /\/node$/, "causeway0");
    await until(`the control socket\n${running.output()}`, 30, async () => (existsSync(socket) ? true : undefined));
    return { process: found, stop: async () => void (await running.stop()) };
  },
};

function causewayYaml({ ike, esp }: Suite, peers: number, caller: Caller, socket: string): string {
  const tunnels = Array.from(
    { length: peers },
    (_, i) => `  - name: peer-${i}
    peer: ${peerAddress(i)}
    policies:
      - { local: [${INNER}], peer: [${peerNetwork(i)}] }
`,
  );
  return `version: 1
gateway:
  name: bench
  address: ${GATEWAY}
  control: { socket: ${socket} }
  tun: { name: causeway0 }
  limits: { tunnels: 10000, mappings: 10000 }
defaults:
  psk: "${PSK}"
  start: ${caller === "gateway" ? "active" : "passive"}
  encapsulation: udp
  dpd: off
  ike: { proposals: [${ike}] }
  esp: { proposals: [${esp}], pfs: off }
tunnels:
${tunnels.join("")}`;
}

export const charon: IkeContender = {
  name: "charon",
  title: "charon",
  whyNot: strongswan.whyNot,
  version: strongswan.version,
  async start(bed, folder, { suite, peers, caller }) {
    const place = namespacePlace(bed.namespaces, bed.gatewayName, folder);
    // The level of logs that strongSwan has by itself, as ours has its own.
    const usualLog = "charon-systemd { filelog { file { ike = 1\n flush_line = no } } }\n";
    const conf = await place.file("charon.conf", strongswanConf(place, "charon", true) + usualLog);
    const running: Running = start(bed.gateway(CHARON), {
      env: { ...process.env, STRONGSWAN_CONF: conf },
      seconds: SECONDS,
    });
    await charonAnswers(place, "charon", running);
    const file = await place.file("swanctl.conf", swanctlConf(suite, peers, caller));
    const swanctl = (words: string) =>
      place.shell(`STRONGSWAN_CONF=${conf} swanctl ${words} --uri unix://${place.path("charon.vici")}`, 120);
    await swanctl(`--load-all --file ${file}`);
    return {
      process: await gatewayProcess(bed.gateway, running, /charon-systemd$/, "ipsec0"),
      stop: async () => void (await running.stop()),
    };
  },
};

function swanctlConf({ ike, esp }: Suite, peers: number, caller: Caller): string {
  const connections = Array.from(
    { length: peers },
    (_, i) => `  peer-${i} {
    version = 2
    local_addrs = ${GATEWAY}
    remote_addrs = ${peerAddress(i)}
    proposals = ${ike}
    encap = yes
    mobike = no
    local {
      auth = psk
      id = ${GATEWAY}
    }
    remote {
      auth = psk
      id = ${peerAddress(i)}
    }
    children {
      peer-${i} {
        local_ts = ${INNER}
        remote_ts = ${peerNetwork(i)}
        esp_proposals = ${esp}
        start_action = ${caller === "gateway" ? "start" : "none"}
      }
    }
  }
`,
  );
  return `connections {
${connections.join("")}}
secrets {
  ike-bench {
    secret = "${PSK}"
  }
}
`;
}
