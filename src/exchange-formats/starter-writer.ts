/** A connection as ipsec.conf and ipsec.secrets of strongSwan (its starter). `left` is the peer itself, `right` is us. */
import type { CompleteConnection, End } from "./connection.js";
import { comment, type Exported, type ExportOptions } from "./export-options.js";
import { secretsFile } from "./ipsec-secrets.js";
import { identityWords, placeWords, plainName, selectorWords } from "./peer-words.js";
import { deathAction, renewalAt, STRONGSWAN_START, strongswanProposalText } from "./strongswan-words.js";

export function writeStarter(connection: CompleteConnection, options: ExportOptions): Exported {
  const { version, exchange, local, remote, ike, esp, dpd, encapsulation, start = "passive" } = connection;
  const name = plainName(connection.name);
  const ikeWords = strongswanProposalText(connection, "ike", options);
  const espWords = strongswanProposalText(connection, "esp", options);
  const volume = esp.volumeOctets ?? 0;
  const auto = STRONGSWAN_START[start].starter;
  const death = deathAction(connection);
  const common = [
    `keyexchange=ikev${version}`,
    ...(exchange === "aggressive" ? ["aggressive=yes"] : []),
    "type=tunnel",
    "leftauth=psk",
    "rightauth=psk",
    ...endLines("left", local),
    ...endLines("right", remote),
    // The exclamation mark: nothing but these.
    `ike=${ikeWords.text.replaceAll(", ", ",")}!`,
    `esp=${espWords.text.replaceAll(", ", ",")}!`,
    `ikelifetime=${ike.lifetimeSeconds}s`,
    `lifetime=${esp.lifetimeSeconds}s`,
    `margintime=${Math.max(1, esp.lifetimeSeconds - renewalAt(esp.lifetimeSeconds))}s`,
    "rekeyfuzz=0%",
    "reauth=no",
    ...(volume > 0 ? [`lifebytes=${volume}`, `marginbytes=${volume - Math.floor(volume * 0.9)}`] : []),
    ...(dpd === undefined || dpd === "off"
      ? ["dpdaction=none"]
      : [
          `dpdaction=${death === "trap" ? "hold" : death}`,
          `dpddelay=${Math.floor(dpd.timeoutSeconds / 3)}s`,
          `dpdtimeout=${dpd.timeoutSeconds}s`,
        ]),
    ...(auto === "start" ? ["closeaction=restart"] : []),
    ...(encapsulation === "udp" ? ["forceencaps=yes"] : []),
    ...(version === 2 ? [`mobike=${ike.mobike === false ? "no" : "yes"}`] : []),
    ...(ike.fragmentation === "off" ? ["fragmentation=no"] : []),
  ];
  const conns = connection.mappings.map(({ local: own, peer }, index) => [
    `conn ${name}-${index + 1}`,
    `    also=${name}`,
    `    leftsubnet=${selectorWords(own)}`,
    `    rightsubnet=${selectorWords(peer)}`,
    `    auto=${auto}`,
    "",
  ]);
  const remarks = [
    `The other end of tunnel ${name}, for strongSwan's ipsec.conf`,
    ...[...ikeWords.leftOut, ...espWords.leftOut].map((what) => `left out, because strongSwan lacks it: ${what}`),
    ...(options.withSecrets ? [] : ["the key is not in here: put it into ipsec.secrets"]),
    ...(exchange === "aggressive"
      ? [
          "as a responder strongSwan takes aggressive mode with a key only with charon.i_dont_care_about_security_and_use_aggressive_mode_psk = yes",
        ]
      : []),
  ];
  const text = `${comment(remarks)}\nconn ${name}\n${common.map((line) => `    ${line}\n`).join("")}\n${conns.flat().join("\n")}`;
  return { files: [{ name: "ipsec.conf", text }, secretsFile("ipsec.secrets", connection, options)], remarks };
}

function endLines(side: "left" | "right", { at, id }: End): string[] {
  return [`${side}=${placeWords(at)}`, ...(id ? [`${side}id=${identityWords(id, "@#")}`] : [])];
}
