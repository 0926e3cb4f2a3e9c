/** A peer with the many tunnels of a batch. */
import type { BatchTunnel } from "./batch.js";
import { ENVIRONMENT, parseStates } from "./libreswan.js";
import { libreswanProposal } from "./libreswan-words.js";
import type { Place } from "./place.js";
import { type PeerKind, PSK } from "./scenario.js";
import type { SideView } from "./side.js";
import { parseSas } from "./strongswan.js";
import type { Topology } from "./topology.js";

type Tunnels = readonly BatchTunnel[];

export interface BatchPeer {
  load(tunnels: Tunnels): Promise<void>;
  unload(tunnels: Tunnels): Promise<void>;
  /** Begins every tunnel; some may be up only after it has returned. */
  initiate(tunnels: Tunnels): Promise<void>;
  rekey(tunnels: Tunnels, what: "child" | "ike"): Promise<void>;
  /** In the order of `tunnels`. */
  views(tunnels: Tunnels): Promise<readonly SideView[]>;
}

/** Control of the peer that runs in `place`. */
export function batchPeer(kind: PeerKind, place: Place, topology: Topology): BatchPeer {
  return kind === "libreswan-kernel" ? libreswanBatch(place, topology) : strongSwanBatch(place, topology);
}

/** Each command with a tunnel's name in it, one after the other. */
function forEach({ shell }: Place, tunnels: Tunnels, script: (name: string) => string): Promise<string> {
  return shell(tunnels.map(({ name }) => script(name)).join("\n"), 60);
}

function strongSwanBatch(place: Place, { addresses }: Topology): BatchPeer {
  const environment = `export STRONGSWAN_CONF=${place.path("charon.conf")}`;
  const swanctl = (words: string) => `swanctl ${words} --uri unix://${place.path("charon.vici")}`;
  const load = async (text: string): Promise<void> => {
    const file = await place.file("batch-swanctl.conf", text);
    await place.shell(`${environment}\n${swanctl(`--load-all --clear --file ${file}`)}`);
  };
  const connection = ({ name, scenario, id, net }: BatchTunnel): string => `
  ${name} {
    version = 2
    local_addrs = ${addresses.peer.outer[4]}
    remote_addrs = ${addresses.ours.outer[4]}
    proposals = ${scenario.ike}
    mobike = no
    local {
      auth = psk
      id = ${id.peer}
    }
    remote {
      auth = psk
      id = ${id.ours}
    }
    children {
      net {
        local_ts = ${net.peer}
        remote_ts = ${net.ours}
        esp_proposals = ${scenario.esp}
      }
    }
  }`;
  return {
    load: (tunnels) =>
      load(
        `connections {${tunnels.map(connection).join("")}\n}\nsecrets {\n  ike-all {\n    secret = "${PSK}"\n  }\n}\n`,
      ),
    async unload(tunnels) {
      await load("connections {\n}\nsecrets {\n}\n");
      const sas = await place.shell(`${environment}\n${swanctl("--list-sas")}`);
      const left = tunnels.filter(({ name }) => sas.includes(`${name}: #`));
      await forEach(
        place,
        left,
        (name) => `${environment}\n${swanctl(`--terminate --ike ${name} --force --timeout 1`)} || true`,
      );
    },
    initiate: async (tunnels) =>
      void (await forEach(
        place,
        tunnels,
        (name) => `${environment}\n${swanctl(`--initiate --ike ${name} --child net --timeout 15`)} || true`,
      )),
    rekey: async (tunnels, what) =>
      void (await forEach(
        place,
        tunnels,
        (name) => `${environment}\n${swanctl(`--rekey --${what === "ike" ? "ike" : "child net --ike"} ${name}`)}`,
      )),
    async views(tunnels) {
      const text = await place.shell(`${environment}\n${swanctl("--list-sas")}`);
      const sas = text.split(/^(?=\S)/m);
      return tunnels.map(({ name }) => {
        const own = sas.filter((each) => each.startsWith(`${name}: #`));
        return parseSas(own.map((each) => each.replace(name, "site")).join(""));
      });
    },
  };
}

function libreswanBatch(place: Place, { addresses }: Topology): BatchPeer {
  const whack = (words: string) => `whack --ctlsocket /run/pluto/pluto.ctl ${words}`;
  const shell = (script: string): Promise<string> => place.shell(`${ENVIRONMENT}\n${script}`, 60);
  const withEnvironment: Place = { ...place, shell };
  const connection = ({ name, scenario, id, net }: BatchTunnel, ike: string): string => `
conn ${name}
  ikev2=insist
  authby=secret
  left=${addresses.peer.outer[4]}
  leftid=@${id.peer}
  leftsubnet=${net.peer}
  leftupdown=/bin/true
  right=${addresses.ours.outer[4]}
  rightid=@${id.ours}
  rightsubnet=${net.ours}
  ike=${ike}
  esp=${libreswanProposal(scenario.esp)}
  pfs=${scenario.esp.includes("-modp") || /-(ecp|x25519)/.test(scenario.esp) ? "yes" : "no"}
  auto=add
`;
  return {
    async load(tunnels) {
      // pluto answers IKE_SA_INIT by the first connection between two addresses: each must know what all of them propose.
      const all = [...new Set(tunnels.map(({ scenario }) => libreswanProposal(scenario.ike)))].join(",");
      const ike = ({ scenario }: BatchTunnel) =>
        scenario.role === "initiator" ? all : libreswanProposal(scenario.ike);
      await place.file("pluto.secrets", `: PSK "${PSK}"\n`);
      const conf = await place.file(
        "batch.conf",
        `config setup\n${tunnels.map((each) => connection(each, ike(each))).join("")}`,
      );
      const names = tunnels.map(({ name }) => name).join(" ");
      await shell(`${whack("--rereadsecrets")}\naddconn --config ${conf} --ctlsocket /run/pluto/pluto.ctl ${names}`);
    },
    unload: async (tunnels) =>
      void (await forEach(withEnvironment, tunnels, (name) => `${whack(`--delete --name ${name}`)} || true`)),
    initiate: async (tunnels) =>
      void (await forEach(withEnvironment, tunnels, (name) => whack(`--initiate --name ${name} --asynchronous`))),
    rekey: async (tunnels, what) =>
      void (await forEach(withEnvironment, tunnels, (name) =>
        whack(`--rekey-${what === "ike" ? "ike" : "ipsec"} --name ${name}`),
      )),
    async views(tunnels) {
      const [states, kernel] = await Promise.all([shell(whack("--showstates")), shell("ip xfrm state")]);
      const lines = states.split("\n");
      return tunnels.map(({ name }) => {
        const own = lines.filter((line) => line.includes(`"${name}"`));
        return parseStates(own.join("\n").replaceAll(`"${name}"`, '"site"'), kernel);
      });
    },
  };
}
