/** A connection as swanctl.conf of strongSwan. */
import { sameIdentity } from "../../ike/core/identity.js";
import { type CompleteConnection, type End, identityAt } from "./connection.js";
import { comment, type Exported, type ExportOptions } from "./export-options.js";
import { identityWords, placeWords, plainName, selectorWords } from "./peer-words.js";
import { quotedSecret } from "./secret-words.js";
import { deathAction, renewalAt, STRONGSWAN_START, strongswanProposalText } from "./strongswan-words.js";

export function writeSwanctl(connection: CompleteConnection, options: ExportOptions): Exported {
  const { version, exchange, local, remote, ike, esp, dpd, encapsulation, start = "passive" } = connection;
  const name = plainName(connection.name);
  const ikeWords = strongswanProposalText(connection, "ike", options);
  const espWords = strongswanProposalText(connection, "esp", options);
  const remarks = remarksOf(connection, [...ikeWords.leftOut, ...espWords.leftOut], options);
  const seconds = dpd === undefined || dpd === "off" ? undefined : dpd.timeoutSeconds;
  const aggressive = exchange === "aggressive";
  const head = [
    `version = ${version}`,
    ...(aggressive ? ["aggressive = yes"] : []),
    `local_addrs = ${placeWords(local.at)}`,
    `remote_addrs = ${placeWords(remote.at)}`,
    `proposals = ${ikeWords.text}`,
    `rekey_time = ${renewalAt(ike.lifetimeSeconds)}s`,
    `over_time = ${ike.lifetimeSeconds - renewalAt(ike.lifetimeSeconds)}s`,
    ...(seconds === undefined
      ? ["dpd_delay = 0s"]
      : [`dpd_delay = ${Math.floor(seconds / 3)}s`, `dpd_timeout = ${seconds}s`]),
    ...(encapsulation === "udp" ? ["encap = yes"] : []),
    ...(version === 2 ? [`mobike = ${ike.mobike === false ? "no" : "yes"}`] : []),
    ...(ike.fragmentation === "off" ? ["fragmentation = no"] : []),
  ];
  const volume = esp.volumeOctets ?? 0;
  const action = STRONGSWAN_START[start].swanctl;
  const child = [
    `esp_proposals = ${espWords.text}`,
    `rekey_time = ${renewalAt(esp.lifetimeSeconds)}s`,
    `life_time = ${esp.lifetimeSeconds}s`,
    ...(volume > 0 ? [`rekey_bytes = ${Math.floor(volume * 0.9)}`, `life_bytes = ${volume}`] : []),
    ...(seconds === undefined ? [] : [`dpd_action = ${deathAction(connection)}`]),
    ...(action === "none" ? [] : [`start_action = ${action}`]),
    ...(action === "start" ? ["close_action = start"] : []),
  ];
  const children = connection.mappings.map(({ local: own, peer }, index) => [
    `${name}-${index + 1} {`,
    ...indent([`local_ts = ${selectorWords(own)}`, `remote_ts = ${selectorWords(peer)}`, ...child]),
    "}",
  ]);
  const lines = [
    "connections {",
    ...indent([
      `${name} {`,
      ...indent([
        ...head,
        ...auth("local", local),
        ...auth("remote", remote),
        "children {",
        ...indent(children.flat()),
        "}",
      ]),
      "}",
    ]),
    "}",
    "secrets {",
    ...indent([`ike-${name} {`, ...indent(secretLines(connection, options)), "}"]),
    "}",
  ];
  return { files: [{ name: "swanctl.conf", text: `${comment(remarks)}${lines.join("\n")}\n` }], remarks };
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

function auth(side: "local" | "remote", end: End): string[] {
  const id = end.id && [`id = ${quoted(identityWords(end.id, "keyid:#"))}`];
  return [`${side} {`, ...indent(["auth = psk", ...(id ?? [])]), "}"];
}

/** A hash begins a comment outside of quotes. */
function quoted(words: string): string {
  return /^[\w.@:-]+$/.test(words) ? words : `"${words}"`;
}

function secretLines(
  { local, remote, psk, version, exchange }: CompleteConnection,
  { withSecrets }: ExportOptions,
): string[] {
  const ends = [identityAt(local), identityAt(remote)].filter((id) => id !== undefined);
  // Main mode looks for the key by address, before it knows an identity.
  const addresses =
    version === 1 && exchange === "main"
      ? [local, remote].flatMap(({ at }) => (at?.kind === "address" ? (identityAt({ at }) ?? []) : []))
      : [];
  const owners = [...ends, ...addresses].filter((id, i, all) => all.findIndex((each) => sameIdentity(each, id)) === i);
  const ids = owners.map((id, index) => `id-${index + 1} = ${quoted(identityWords(id, "keyid:#"))}`);
  const key = psk !== undefined && withSecrets ? quotedSecret(psk) : undefined;
  return [
    ...ids,
    key === undefined ? "# secret = the key of this tunnel, as 0s… (base64) or in quotes" : `secret = ${key}`,
  ];
}

function remarksOf(
  connection: CompleteConnection,
  leftOut: readonly string[],
  { withSecrets }: ExportOptions,
): readonly string[] {
  return [
    `The other end of tunnel ${plainName(connection.name)}, for strongSwan: a file for /etc/swanctl/conf.d, then "swanctl --load-all"`,
    ...(leftOut.length > 0 ? [`left out, because strongSwan lacks it: ${leftOut.join(", ")}`] : []),
    ...(withSecrets ? [] : ["the key is not in here: put it behind secret"]),
    ...(connection.exchange === "aggressive"
      ? [
          "as a responder strongSwan takes aggressive mode with a key only with charon.i_dont_care_about_security_and_use_aggressive_mode_psk = yes",
        ]
      : []),
  ];
}
