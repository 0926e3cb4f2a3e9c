/** libreswan as a peer: its configuration from a scenario, and its control by whack. */

import { until } from "../child.js";
import { childCount, partsOf } from "./grid.js";
import { LIBRESWAN } from "./guest.js";
import { libreswanProposal } from "./libreswan-words.js";
import type { Place } from "./place.js";
import { identity, namesGroup, PSK, renewalAfter, type Scenario, WRONG_PSK } from "./scenario.js";
import type { Side, SideView } from "./side.js";
import { xfrmStatistics } from "./strongswan.js";
import type { Topology } from "./topology.js";

const PROGRAMS = `${LIBRESWAN}/usr/libexec/ipsec`;
/** For a shell that is to call libreswan's programs. */
export const ENVIRONMENT = [
  `export LD_LIBRARY_PATH=${LIBRESWAN}/usr/lib/x86_64-linux-gnu:${LIBRESWAN}/lib/x86_64-linux-gnu`,
  `export IPSEC_EXECDIR=${PROGRAMS} EVENT_NOEPOLL=1`,
  `export PATH=${PROGRAMS}:$PATH`,
].join("\n");

/** Starts pluto in `place` and returns its control. */
export async function libreswan(place: Place, topology: Topology): Promise<Side> {
  const shell = (script: string, seconds = 20): Promise<string> => place.shell(`${ENVIRONMENT}\n${script}`, seconds);
  const whack = (words: string, seconds = 20): Promise<string> =>
    shell(`whack --ctlsocket /run/pluto/pluto.ctl ${words}`, seconds);
  const read = async (): Promise<string> => place.read("pluto.log");
  const established = async (): Promise<true | undefined> =>
    new RegExp(ESTABLISHED_CHILD).test(await whack("--showstates")) || undefined;
  let initiated = false;
  let hopeless = false;
  let many = false;
  let logStart = 0;
  let dropsStart = new Map<string, number>();

  await place.file("pluto.conf", "config setup\n  ikev1-policy=accept\n");
  await place.file("pluto.secrets", "");
  await shell(`set -e
    mkdir -p /run/pluto /run/nss
    ${LIBRESWAN}/usr/bin/certutil -N -d sql:/run/nss --empty-password
    setsid pluto --nofork --config ${place.path("pluto.conf")} --secretsfile ${place.path("pluto.secrets")} \\
      --nssdir /run/nss --stderrlog > ${place.path("pluto.log")} 2>&1 < /dev/null &
    for i in $(seq 100); do [ -S /run/pluto/pluto.ctl ] && break; sleep 0.1; done
    whack --ctlsocket /run/pluto/pluto.ctl --listen`);

  return {
    async load(scenario) {
      initiated = false;
      hopeless = scenario.wrongPsk === true;
      many = childCount(scenario) > MANY;
      logStart = (await read()).length;
      dropsStart = await xfrmStatistics(place);
      await place.file("pluto.secrets", `: PSK "${scenario.wrongPsk ? WRONG_PSK : PSK}"\n`);
      const conf = await place.file("site.conf", connection(topology, scenario));
      await whack("--rereadsecrets");
      await shell(`addconn --config ${conf} --ctlsocket /run/pluto/pluto.ctl site`);
    },
    async unload() {
      await whack("--delete --name site").catch(() => {}); // it may not have been loaded
    },
    async initiate() {
      // Once it has been told to initiate, it does so again by itself after a delete; a second child would be too many.
      const revived = initiated && (await until("it to come back", 8, established).catch(() => undefined));
      initiated = true;
      // It would go on trying for a minute, and many children take longer than a guest waits for a command.
      const later = hopeless || many;
      if (!revived) await whack(`--initiate ${later ? "--asynchronous " : ""}--name site`, 25);
    },
    rekey: async (what) => void (await whack(`--rekey-${what === "ike" ? "ike" : "ipsec"} --name site`)),
    terminate: async () => void (await whack("--terminate --name site")),
    view: async () => parseStates(await whack("--showstates"), await shell("ip xfrm state")),
    log: async () => (await read()).slice(logStart),
    async drops() {
      const now = await xfrmStatistics(place);
      return new Map(
        [...now].map(([key, n]) => [key, n - (dropsStart.get(key) ?? 0)] as const).filter(([, n]) => n > 0),
      );
    },
  };
}

function connection(topology: Topology, scenario: Scenario): string {
  const { outer = 4, inner = 4, grid } = scenario;
  const { ours, peer } = topology.addresses;
  const at = (name: string): string => (scenario.ids === "address" ? name : `@${name}`);
  return `
config setup
conn site
  ${scenario.version === 1 ? "ikev2=no" : "ikev2=insist"}
  ${scenario.exchange === "aggressive" ? "aggressive=yes" : ""}
  authby=secret
  left=${peer.outer[outer]}
  leftid=${at(identity(scenario, "peer", peer))}
  ${subnets("left", grid ? partsOf(grid, "peer").map(({ net }) => net) : [peer.net[inner]])}
  leftupdown=/bin/true
  right=${scenario.behindNat === "ours" ? "%any" : ours.outer[outer]}
  rightid=${at(identity(scenario, "ours", ours))}
  ${subnets("right", grid ? partsOf(grid, "ours").map(({ net }) => net) : [ours.net[inner]])}
  ike=${libreswanProposal(scenario.ike)}
  esp=${libreswanProposal(scenario.esp)}
  pfs=${namesGroup(scenario.esp) ? "yes" : "no"}
  ${lifetimes(scenario).join("\n  ")}
  ${(scenario.theirs ?? []).join("\n  ")}
  auto=add
`;
}

/**
 * It has one margin for both phases, so that of the child counts: it is the shorter one. Where it answered a negotiation, it renews
 * after half of the margin.
 */
function lifetimes(scenario: Scenario): readonly string[] {
  if (scenario.lifetimes === undefined) return [];
  const { ike, esp } = scenario.lifetimes;
  const margin = (esp - renewalAfter(scenario, "peer", esp)) * (scenario.role === "initiator" ? 2 : 1);
  return [`salifetime=${esp}s`, `ikelifetime=${ike}s`, `rekeymargin=${margin}s`, "rekeyfuzz=0%"];
}

const MANY = 20;

/** Several become a connection for each pair: site/1x1, site/1x2 and so on. */
function subnets(side: "left" | "right", nets: readonly string[]): string {
  return nets.length === 1 ? `${side}subnet=${nets[0]}` : `${side}subnets={${nets.join(" ")}}`;
}

/** Names of states in IKEv2; in IKEv1 of main, aggressive and quick mode, by the role in the exchange. */
const ESTABLISHED_IKE = "STATE_(?:V2_ESTABLISHED_IKE_SA|MAIN_I4|MAIN_R3|AGGR_I2|AGGR_R2)\\b";
const ESTABLISHED_CHILD = "STATE_(?:V2_ESTABLISHED_CHILD_SA|QUICK_I2|QUICK_R2)\\b";

/**
 * The established states of `whack --showstates`. It tells a child's SPIs, outbound first and behind `esp:` between IPv6 addresses,
 * but not those of the IKE SA, which goes by the number of its state; how ESP travels is in the kernel's list. In IKEv1 what was replaced stays until its end, so the
 * newest child counts.
 */
export function parseStates(states: string, kernel: string): SideView {
  const ike = [...states.matchAll(new RegExp(`#(\\d+): "site[^"]*"[^ ]* ${ESTABLISHED_IKE}`, "g"))].at(-1);
  const established = [
    ...states.matchAll(/#(\d+): "site[^"]*"[^ ]* esp[.:]([0-9a-f]+)@\S+ esp[.:]([0-9a-f]+)@/g),
  ].filter(([, state]) => new RegExp(`#${state}: "site[^"]*"[^ ]* ${ESTABLISHED_CHILD}`).test(states));
  const isV1 = /STATE_(MAIN|AGGR|QUICK)_/.test(states);
  const children = (isV1 ? established.slice(-1) : established).map(([, , spiOut, spiIn]) => ({
    spiIn: spiIn!.padStart(8, "0"),
    spiOut: spiOut!.padStart(8, "0"),
    encapsulation: kernel.includes("encap type espinudp") ? ("udp" as const) : ("esp" as const),
  }));
  return ike === undefined ? { children } : { ike: `#${ike[1]}`, children };
}
