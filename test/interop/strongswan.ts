/** strongSwan as a peer: its configuration from a scenario, and its control by swanctl. */

import type { Place } from "./place.js";
import { identity, PSK, type Scenario, type Who, WRONG_PSK } from "./scenario.js";
import type { Side, SideView } from "./side.js";
import type { SiteAddresses, Topology } from "./topology.js";

const PLUGINS =
  `random nonce aes sha1 sha2 md5 hmac kdf openssl gmp curve25519 chapoly gcm ccm ctr cmac xcbc pem pkcs1 pkcs8
  x509 pubkey revocation constraints socket-default`.replace(/\s+/g, " ");

/** strongswan.conf. `userspace` handles ESP in charon itself, through a TUN device; it must be loaded before kernel-netlink. */
export function strongswanConf(place: Place, name: string, userspace: boolean): string {
  return `
charon-systemd {
  load_modular = no
  load = ${PLUGINS} ${userspace ? "kernel-libipsec " : ""}kernel-netlink vici updown counters
  retransmit_timeout = 1.0
  retransmit_base = 1.5
  install_virtual_ip = no
  plugins {
    openssl {
      load_legacy = yes
    }
    vici {
      socket = unix://${place.path(`${name}.vici`)}
    }
  }
  filelog {
    file {
      path = ${place.path(`${name}.log`)}
      default = 1
      ike = 2
      flush_line = yes
      time_format = %H:%M:%S
      time_add_ms = yes
    }
  }
  journal {
    default = -1
  }
}
`;
}

/** Control of a charon that runs in `place` with \`strongswanConf(place, name)\`. `who` is the site that it serves. */
export function strongSwan(place: Place, name: string, topology: Topology, who: Who, userspace: boolean): Side {
  const swanctl = (words: string, seconds = 20): Promise<string> =>
    place.shell(
      `STRONGSWAN_CONF=${place.path(`${name}.conf`)} swanctl ${words} --uri unix://${place.path(`${name}.vici`)}`,
      seconds,
    );
  let logStart = 0;
  let dropsStart = new Map<string, number>();
  return {
    async load(scenario) {
      const file = await place.file(`${name}-swanctl.conf`, swanctlConf(topology.addresses, who, scenario));
      await swanctl(`--load-all --clear --file ${file}`);
      logStart = (await place.read(`${name}.log`)).length;
      dropsStart = userspace ? new Map() : await xfrmStatistics(place);
    },
    async unload() {
      const file = await place.file(`${name}-swanctl.conf`, "connections {\n}\nsecrets {\n}\n");
      await swanctl(`--load-all --clear --file ${file}`);
      await swanctl("--terminate --ike site --force --timeout 2").catch(() => {}); // there may be none
    },
    initiate: async () => void (await swanctl("--initiate --child net --timeout 15")),
    rekey: async (what) => void (await swanctl(what === "ike" ? "--rekey --ike site" : "--rekey --child net")),
    terminate: async () => void (await swanctl("--terminate --ike site --timeout 10")),
    view: async () => parseSas(await swanctl("--list-sas")),
    log: async () => (await place.read(`${name}.log`)).slice(logStart),
    async drops() {
      if (userspace) return new Map();
      const now = await xfrmStatistics(place);
      return new Map(
        [...now].map(([key, value]) => [key, value - (dropsStart.get(key) ?? 0)] as const).filter(([, n]) => n > 0),
      );
    },
  };
}

/** What the kernel of `place` says that it dropped. */
export async function xfrmStatistics(place: Place): Promise<Map<string, number>> {
  const lines = (await place.shell("cat /proc/net/xfrm_stat")).trim().split("\n");
  return new Map(lines.map((line) => line.trim().split(/\s+/)).map(([key, value]) => [key!, Number(value)] as const));
}

function swanctlConf(addresses: Readonly<Record<Who, SiteAddresses>>, who: Who, scenario: Scenario): string {
  const { outer = 4, inner = 4 } = scenario;
  const own = addresses[who];
  const other = addresses[who === "ours" ? "peer" : "ours"];
  // A side behind a translation cannot be named by the address that it sees itself.
  const remoteAddress = scenario.behindNat !== undefined && scenario.behindNat !== who ? "%any" : other.outer[outer];
  return `
connections {
  site {
    version = 2
    local_addrs = ${own.outer[outer]}
    remote_addrs = ${remoteAddress}
    proposals = ${scenario.ike}
    dpd_delay = 30s
    mobike = no
    rekey_time = 4h
    ${(who === "peer" ? (scenario.theirs ?? []) : []).join("\n    ")}
    local {
      auth = psk
      id = ${identity(scenario, who, own)}
    }
    remote {
      auth = psk
      id = ${identity(scenario, who === "ours" ? "peer" : "ours", other)}
    }
    children {
      net {
        local_ts = ${own.net[inner]}
        remote_ts = ${other.net[inner]}
        esp_proposals = ${scenario.esp}
        rekey_time = 1h
        close_action = ${who === "ours" && scenario.role === "initiator" ? "start" : "none"}
        ${(who === "peer" ? (scenario.theirChild ?? []) : []).join("\n        ")}
      }
    }
  }
}
secrets {
  ike-site {
    secret = "${scenario.wrongPsk && who === "peer" ? WRONG_PSK : PSK}"
  }
}
`;
}

/** `swanctl --list-sas` as a view. A child that was replaced counts until its Delete has been exchanged: only then is a rekey over. */
export function parseSas(text: string): SideView {
  const ike = /^site: #\d+, ESTABLISHED, IKEv2, ([0-9a-f]{16})_i\*? ([0-9a-f]{16})_r\*?/m.exec(text);
  const children = [
    ...text.matchAll(
      /^ {2}net: #\d+, reqid \d+, (?:INSTALLED|REKEYING|REKEYED|DELETING), TUNNEL(-in-UDP)?,[\s\S]*?^ {4}in +([0-9a-f]{8}),[\s\S]*?^ {4}out +([0-9a-f]{8}),/gm,
    ),
  ].map((match) => ({
    spiIn: match[2]!,
    spiOut: match[3]!,
    encapsulation: match[1] ? ("udp" as const) : ("esp" as const),
  }));
  return ike ? { ike: `${ike[1]}_${ike[2]}`, children } : { children };
}
