/** strongSwan as a peer: its configuration from a scenario, and its control by swanctl. */

import { pairsOf, partsOf } from "./grid.js";
import type { Place } from "./place.js";
import { identity, PSK, renewalAfter, type Scenario, type Who, WRONG_PSK } from "./scenario.js";
import type { Side, SideView } from "./side.js";
import type { SiteAddresses, Topology } from "./topology.js";

const PLUGINS =
  `random nonce aes sha1 sha2 md5 hmac kdf openssl gmp curve25519 chapoly gcm ccm ctr cmac xcbc pem pkcs1 pkcs8
  x509 pubkey revocation constraints socket-default`.replace(/\s+/g, " ");

/**
 * strongswan.conf. `userspace` handles ESP in charon itself, through a TUN device; it must be loaded before kernel-netlink.
 * `secrets`: charon is started by strongSwan's starter, which reads ipsec.conf, and this is the path of ipsec.secrets.
 */
export function strongswanConf(place: Place, name: string, userspace: boolean, secrets?: string): string {
  return `
${secrets === undefined ? "charon-systemd" : "charon"} {
  load_modular = no
  load = ${PLUGINS} ${userspace ? "kernel-libipsec " : ""}kernel-netlink vici ${secrets === undefined ? "" : "stroke "}updown counters
  retransmit_timeout = 1.0
  retransmit_base = 1.5
  install_virtual_ip = no
  i_dont_care_about_security_and_use_aggressive_mode_psk = yes
  plugins {
    openssl {
      load_legacy = yes
    }
    vici {
      socket = unix://${place.path(`${name}.vici`)}
    }
    ${secrets === undefined ? "" : `stroke {\n      secrets_file = ${secrets}\n    }`}
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
  const swanctl = (words: string, seconds = 60): Promise<string> =>
    place.shell(
      `STRONGSWAN_CONF=${place.path(`${name}.conf`)} swanctl ${words} --uri unix://${place.path(`${name}.vici`)}`,
      seconds,
    );
  let logStart = 0;
  let dropsStart = new Map<string, number>();
  let children: readonly string[] = [];
  let patience = 15;
  return {
    async load(scenario) {
      patience = scenario.wrongPsk ? 3 : 15;
      children = selectorsOf(topology.addresses, who, scenario).map((_, index) => childName(index));
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
    async initiate() {
      // Several in one shell, which costs a guest less than one for each, and not so many that it is given up on.
      const uri = `--uri unix://${place.path(`${name}.vici`)} --timeout ${patience}`;
      for (let i = 0; i < children.length; i += IN_ONE_SHELL)
        await place.shell(
          `export STRONGSWAN_CONF=${place.path(`${name}.conf`)}
          for child in ${children.slice(i, i + IN_ONE_SHELL).join(" ")}; do swanctl --initiate --child $child ${uri} || exit 1; done`,
          40,
        );
    },
    async rekey(what) {
      // By number: in IKEv1 what a rekey replaced stays for a while under the same name.
      const { ike, children } = newestOf(await swanctl("--list-sas"));
      const numbers = (what === "ike" ? [ike] : children).map((found) => found?.number ?? 0);
      for (const number of numbers) await swanctl(`--rekey --${what}-id ${number}`);
    },
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
  const { outer = 4 } = scenario;
  const own = addresses[who];
  const other = addresses[who === "ours" ? "peer" : "ours"];
  // A side behind a translation cannot be named by the address that it sees itself.
  const remoteAddress = scenario.behindNat !== undefined && scenario.behindNat !== who ? "%any" : other.outer[outer];
  const seconds = (lifetime: number | undefined, otherwise: string): string =>
    lifetime === undefined ? otherwise : `${renewalAfter(scenario, who, lifetime)}s`;
  const children = selectorsOf(addresses, who, scenario).map(
    (between, index) => `
      ${childName(index)} {
        local_ts = ${between.own}
        remote_ts = ${between.other}
        esp_proposals = ${scenario.esp}
        rekey_time = ${seconds(scenario.lifetimes?.esp, "1h")}
        ${scenario.lifetimes ? `life_time = ${scenario.lifetimes.esp}s\n        rand_time = 0s` : ""}
        close_action = ${who === "ours" && scenario.role === "initiator" ? "start" : "none"}
        ${(who === "peer" ? (scenario.theirChild ?? []) : []).join("\n        ")}
      }`,
  );
  return `
connections {
  site {
    version = ${scenario.version ?? 2}
    ${scenario.exchange === "aggressive" ? "aggressive = yes" : ""}
    local_addrs = ${own.outer[outer]}
    remote_addrs = ${remoteAddress}
    proposals = ${scenario.ike}
    dpd_delay = 30s
    mobike = no
    rekey_time = ${seconds(scenario.lifetimes?.ike, "4h")}
    ${scenario.lifetimes ? `rand_time = 0s\n    over_time = ${scenario.lifetimes.ike - renewalAfter(scenario, who, scenario.lifetimes.ike)}s` : ""}
    ${(who === "peer" ? (scenario.theirs ?? []) : []).join("\n    ")}
    local {
      auth = psk
      id = ${identity(scenario, who, own)}
    }
    remote {
      auth = psk
      id = ${identity(scenario, who === "ours" ? "peer" : "ours", other)}
    }
    children {${children.join("")}
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

/** The selectors of each child, of the side `who` first. */
function selectorsOf(
  addresses: Readonly<Record<Who, SiteAddresses>>,
  who: Who,
  { grid, mappings, inner = 4 }: Scenario,
): readonly { readonly own: string; readonly other: string }[] {
  const far = who === "ours" ? "peer" : "ours";
  if (grid?.peerHas === "one child") {
    const all = (side: Who) =>
      partsOf(grid, side)
        .map(({ net }) => net)
        .join(",");
    return [{ own: all(who), other: all(far) }];
  }
  if (grid) return pairsOf(grid).map((pair) => ({ own: pair[who].net, other: pair[far].net }));
  if (mappings === undefined) return [{ own: addresses[who].net[inner], other: addresses[far].net[inner] }];
  return Array.from({ length: mappings }, (_, part) => ({
    own: addresses[who].parts[part]!.net,
    other: addresses[far].parts[part]!.net,
  }));
}

const IN_ONE_SHELL = 20;

function childName(index: number): string {
  return index === 0 ? "net" : `net${index + 1}`;
}

interface Listed<Sa> {
  readonly number: number;
  readonly sa: Sa;
}

/** The IKE SA and the children of `swanctl --list-sas` that count, with strongSwan's numbers for them. */
function newestOf(text: string): {
  readonly ike: Listed<string> | undefined;
  readonly children: readonly Listed<SideView["children"][number]>[];
} {
  const sas = [
    ...text.matchAll(/^site(?:-1)?: #(\d+), ESTABLISHED, IKEv([12]), ([0-9a-f]{16})_i\*? ([0-9a-f]{16})_r\*?/gm),
  ];
  const newest = sas.sort((a, b) => Number(a[1]) - Number(b[1])).at(-1);
  const all = [
    ...text.matchAll(
      /^ {2}(net\d*|site-\d+): #(\d+), reqid \d+, (?:INSTALLED|REKEYING|REKEYED|DELETING), TUNNEL(-in-UDP)?,[\s\S]*?^ {4}in +([0-9a-f]{8}),[\s\S]*?^ {4}out +([0-9a-f]{8}),/gm,
    ),
  ];
  const outlived = (name: string, number: number): boolean =>
    newest?.[2] === "1" && all.some((match) => match[1] === name && Number(match[2]) > number);
  return {
    ike: newest && { number: Number(newest[1]), sa: `${newest[3]}_${newest[4]}` },
    children: all
      .map(([, name = "", number, inUdp, spiIn = "", spiOut = ""]) => ({
        name,
        number: Number(number),
        sa: { spiIn, spiOut, encapsulation: inUdp ? ("udp" as const) : ("esp" as const) },
      }))
      .filter(({ name, number }) => !outlived(name, number)),
  };
}

/**
 * `swanctl --list-sas` as a view. In IKEv2 a child that was replaced counts until its Delete has been exchanged: only then is a
 * rekey over. In IKEv1 it stays until its lifetime ends, so there the newest of each name counts alone, as does the newest IKE SA.
 */
export function parseSas(text: string): SideView {
  const { ike, children } = newestOf(text);
  return { ...(ike && { ike: ike.sa }), children: children.map(({ sa }) => sa) };
}
