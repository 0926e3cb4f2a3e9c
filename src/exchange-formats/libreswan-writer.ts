/** A connection as ipsec.conf and ipsec.secrets of libreswan. `left` is the peer itself, `right` is us. */
import type { EspProposal } from "../../crypto/registry/suite.js";
import { formatPrefix } from "../../esp/address.js";
import { type TrafficSelector, toPrefixes } from "../../esp/selector.js";
import type { CompleteConnection, End, Start } from "./connection.js";
import { comment, type Exported, type ExportOptions } from "./export-options.js";
import { secretsFile } from "./ipsec-secrets.js";
import { libreswanProposalText, libreswanSpelling } from "./libreswan-words.js";
import { identityWords, placeWords, plainName } from "./peer-words.js";
import { fitting, refuseLacking, singleChoices } from "./spelling.js";
import { renewalAt } from "./strongswan-words.js";

/** ipsec.conf(5): no lifetime is longer. */
const LONGEST_LIFETIME = 86400;

const AUTO: Readonly<Record<Start, string>> = { active: "start", passive: "add", "on-traffic": "ondemand" };

export function writeLibreswan(connection: CompleteConnection, options: ExportOptions): Exported {
  const { version, exchange, local, remote, dpd, encapsulation, start = "passive", mappings } = connection;
  const ike = fitting(connection.ike.proposals, "ike", libreswanSpelling, options.reduce);
  const esp = fitting(connection.esp.proposals, "esp", libreswanSpelling, options.reduce);
  const pfs = esp.proposals.some(({ keyExchange }) => keyExchange.length > 0);
  refuseLacking([
    ike.proposals.some(
      ({ integrity, prf }) =>
        integrity.length > 0 && !prf.every((row) => integrity.some(({ ownPrf }) => ownPrf.name === row.name)),
    ) && "a PRF other than that of the integrity algorithm in ike.proposals",
    pfs && esp.proposals.some(({ keyExchange }) => keyExchange.length === 0) && "PFS in some of esp.proposals only",
    mappings.some(({ local: own, peer }) => isPortRange(own) || isPortRange(peer)) && "ranges of ports in policies",
    mappings.some(({ local: own, peer }) => toPrefixes(own).length > 1 || toPrefixes(peer).length > 1) &&
      "address ranges that are no prefix in policies",
  ]);
  const name = plainName(connection.name);
  const sequence = sequenceLine(esp.proposals);
  const lifetimes = [connection.ike.lifetimeSeconds, connection.esp.lifetimeSeconds].map((each) =>
    Math.min(each, LONGEST_LIFETIME),
  );
  const volume = connection.esp.volumeOctets ?? 0;
  const list = (proposals: Parameters<typeof libreswanProposalText>[0][]) =>
    (version === 1 ? singleChoices(proposals) : proposals).map(libreswanProposalText).join(",");
  const common = [
    `ikev2=${version === 1 ? "no" : "insist"}`,
    ...(exchange === "aggressive" ? ["aggressive=yes"] : []),
    "type=tunnel",
    "authby=secret",
    ...endLines("left", local),
    ...endLines("right", remote),
    `ike=${list([...ike.proposals])}`,
    `esp=${list([...esp.proposals])}`,
    `pfs=${pfs ? "yes" : "no"}`,
    ...(version === 2 && sequence !== undefined ? [sequence] : []),
    `ikelifetime=${lifetimes[0]}s`,
    `salifetime=${lifetimes[1]}s`,
    `rekeymargin=${Math.max(1, lifetimes[1]! - renewalAt(lifetimes[1]!))}s`,
    "rekeyfuzz=0%",
    ...(volume > 0 ? [`ipsec-max-bytes=${volume}`] : []),
    ...(dpd === undefined || dpd === "off"
      ? []
      : [
          `dpddelay=${Math.max(1, Math.floor(dpd.timeoutSeconds / 3))}`,
          `dpdtimeout=${dpd.timeoutSeconds}`,
          `dpdaction=${dpd.action === "restart" ? "restart" : dpd.action === "on-traffic" ? "hold" : "clear"}`,
        ]),
    ...(encapsulation === "udp" ? ["encapsulation=yes"] : []),
    ...(version === 2 ? [`mobike=${connection.ike.mobike === false ? "no" : "yes"}`] : []),
    ...(connection.ike.fragmentation === "off" ? ["fragmentation=no"] : []),
  ];
  const conns = mappings.map(({ local: own, peer }, index) => [
    `conn ${name}-${index + 1}`,
    `    also=${name}`,
    `    leftsubnet=${formatPrefix(toPrefixes(own)[0]!)}`,
    `    rightsubnet=${formatPrefix(toPrefixes(peer)[0]!)}`,
    ...protocolLines(own, peer),
    `    auto=${AUTO[start]}`,
    "",
  ]);
  const remarks = [
    `The other end of tunnel ${name}, for libreswan: files for /etc/ipsec.d`,
    ...[...ike.leftOut, ...esp.leftOut].map((what) => `left out, because libreswan lacks it: ${what}`),
    ...(lifetimes[0] === connection.ike.lifetimeSeconds && lifetimes[1] === connection.esp.lifetimeSeconds
      ? []
      : ["libreswan allows no lifetime over one day; it renews earlier than we do"]),
    ...(version === 1 ? ['IKEv1 needs "ikev1-policy=accept" in "config setup" of /etc/ipsec.conf'] : []),
    ...(options.withSecrets ? [] : [`the key is not in here: put it into ${name}.secrets`]),
  ];
  const text = `${comment(remarks)}\nconn ${name}\n${common.map((line) => `    ${line}\n`).join("")}\n${conns.flat().join("\n")}`;
  return { files: [{ name: `${name}.conf`, text }, secretsFile(`${name}.secrets`, connection, options)], remarks };
}

function endLines(side: "left" | "right", { at, id }: End): string[] {
  return [`${side}=${placeWords(at)}`, ...(id ? [`${side}id=${identityWords(id, "@#")}`] : [])];
}

function isPortRange({ startPort, endPort }: TrafficSelector): boolean {
  return startPort !== endPort && !(startPort === 0 && endPort === 65535);
}

function protocolLines(own: TrafficSelector, peer: TrafficSelector): string[] {
  const protocol = own.protocol || peer.protocol;
  if (protocol === 0) return [];
  const port = ({ startPort, endPort }: TrafficSelector) => (startPort === endPort ? String(startPort) : "%any");
  return [`    leftprotoport=${protocol}/${port(own)}`, `    rightprotoport=${protocol}/${port(peer)}`];
}

/** Both is its default. */
function sequenceLine(proposals: readonly EspProposal[]): string | undefined {
  const extended = new Set(proposals.flatMap(({ sequence }) => sequence.map((row) => row.extended)));
  if (extended.size !== 1) return undefined;
  return extended.has(true) ? "esn=yes" : "esn=no";
}
