/**
 * The configuration downloads of AWS Site-to-Site VPN, which describe the customer's side: the generic text, and the XML that the
 * API calls CustomerGatewayConfiguration. Neither has the ranges of the two sides.
 */

import { utf8 } from "../../crypto/bytes.js";
import { Secret } from "../../crypto/secret.js";
import { cloudEsp, cloudIke, type Word } from "./cloud-words.js";
import type { Connection } from "./connection.js";
import { below, type Element, parseElements } from "./elements.js";
import { collectNotes, type Notes, quote, UnreadableFile } from "./notes.js";
import { addressOf } from "./peer-words.js";
import type { Readout } from "./readout.js";

export function looksLikeAws(text: string): boolean {
  if (/^\s*</.test(text)) return text.slice(0, FRONT).includes("<vpn_connection");
  return /IPSec Tunnel #\d/.test(text) && text.includes("Internet Key Exchange Configuration");
}

/** Where the outermost element begins, behind a declaration and a comment. */
const FRONT = 4096;

export function readAwsDownload(text: string): Readout {
  const notes = collectNotes();
  const found = /^\s*</.test(text) ? readXml(text, notes) : readText(text, notes);
  if (found.length === 0) throw new UnreadableFile(1, "this download describes no tunnel");
  return {
    kind: "AWS download",
    describes: "the customer",
    connections: found.map((tunnel, i) => connectionOf(tunnel, i + 1, notes)),
    notes: notes.list(),
  };
}

/** By what they are, whichever form they were written in. */
interface Tunnel {
  readonly id: string;
  readonly line: number;
  readonly values: ReadonlyMap<Field, Word>;
}

type Field =
  | "version"
  | "psk"
  | "mode"
  | "authentication"
  | "ikeCipher"
  | "ikeHash"
  | "ikeGroup"
  | "ikeLifetime"
  | "espCipher"
  | "espHash"
  | "espGroup"
  | "espLifetime"
  | "espMode"
  | "protocol"
  | "dpdInterval"
  | "dpdRetries"
  | "customer"
  | "gateway";

function connectionOf({ id, line, values }: Tunnel, number: number, notes: Notes): Connection {
  const get = (field: Field) => values.get(field);
  const address = (field: Field) => {
    const word = get(field);
    const found = word && addressOf(word.text);
    if (found === undefined)
      notes.add(
        word?.line ?? line,
        `the outside address of the ${field === "customer" ? "customer gateway" : "virtual private gateway"} is missing or is none`,
      );
    return found;
  };
  const seconds = (field: Field) => {
    const [, digits] = /^(\d{1,9})/.exec(get(field)?.text ?? "") ?? [];
    return digits === undefined ? undefined : Number(digits);
  };
  const version = versionOf(get("version"), get("mode"), line, notes);
  const ike = cloudIke(get("ikeCipher"), get("ikeHash"), get("ikeGroup"), notes);
  const esp = cloudEsp(get("espCipher"), get("espHash"), get("espGroup") ?? { text: "", line }, notes);
  const [customer, gateway] = [address("customer"), address("gateway")];
  const authentication = get("authentication");
  if (authentication !== undefined && !/pre-?shared/i.test(authentication.text))
    notes.add(authentication.line, `${quote(authentication.text)}: only pre-shared keys are supported`);
  const mode = get("espMode");
  if (mode !== undefined && !/tunnel/i.test(mode.text))
    notes.add(mode.line, `mode ${quote(mode.text)}: tunnel mode alone is supported`);
  const psk = get("psk")?.text;
  const interval = seconds("dpdInterval");
  const lifetimes = [seconds("ikeLifetime"), seconds("espLifetime")];
  return {
    name: `${id}-${number}`,
    version,
    ...(version === 1 && { exchange: /aggressive/i.test(get("mode")?.text ?? "") ? "aggressive" : "main" }),
    local: customer ? { at: { kind: "address", address: customer } } : {},
    remote: gateway ? { at: { kind: "address", address: gateway } } : {},
    ...(psk && { psk: new Secret(utf8(psk)) }),
    start: "active",
    encapsulation: "auto",
    ...(interval && { dpd: { timeoutSeconds: interval * (seconds("dpdRetries") ?? 3) } }),
    ike: { ...(ike && { proposals: ike }), ...(lifetimes[0] && { lifetimeSeconds: lifetimes[0] }) },
    esp: { ...(esp && { proposals: esp }), ...(lifetimes[1] && { lifetimeSeconds: lifetimes[1] }), volumeOctets: 0 },
    mappings: [],
  };
}

function versionOf(said: Word | undefined, mode: Word | undefined, line: number, notes: Notes): 1 | 2 {
  if (said !== undefined) return /2/.test(said.text) ? 2 : 1;
  // The older downloads are about IKEv1 alone; the gateway speaks both.
  notes.add(mode?.line ?? line, "the download does not say the version; AWS speaks both, and version 2 is taken");
  return 2;
}

/** "- Pre-Shared Key : x" under "#1: Internet Key Exchange Configuration", and so on. */
function readText(text: string, notes: Notes): readonly Tunnel[] {
  const tunnels: { id: string; line: number; values: Map<Field, Word> }[] = [];
  const [, id = "aws"] = /VPN Connection ID\s*:\s*(vpn-[\w-]{1,40})/i.exec(text) ?? [];
  let part: "ike" | "esp" | "outside" | "other" = "other";
  for (const [index, raw] of text.split("\n").entries()) {
    const line = index + 1;
    const words = raw.replace(/^[\s!*#]*/, (blanks) => (blanks.includes("#") ? "#" : "")).trim();
    if (/^#?IPSec Tunnel #\d+/i.test(words)) {
      tunnels.push({ id, line, values: new Map() });
      part = "other";
    } else if (/^#?\d*:?\s*Internet Key Exchange/i.test(words)) part = "ike";
    else if (/^#?\d*:?\s*IPSec Configuration/i.test(words)) part = "esp";
    else if (/^Outside IP Addresses/i.test(words)) part = "outside";
    else if (/^(Inside IP Addresses|#?\d*:?\s*(Static Routing|Border Gateway))/i.test(words)) part = "other";
    const [, key = "", value = ""] = /^-([^:]*):(.*)$/.exec(words) ?? [];
    const field = fieldOf(part, key.trim().toLowerCase());
    const current = tunnels.at(-1);
    if (field !== undefined && current !== undefined) current.values.set(field, { text: value.trim(), line });
  }
  if (tunnels.length > 16) {
    notes.add(tunnels[16]!.line, "more than 16 tunnels; the rest is left out");
    return tunnels.slice(0, 16);
  }
  return tunnels;
}

function fieldOf(part: "ike" | "esp" | "outside" | "other", key: string): Field | undefined {
  if (/^dpd interval/.test(key)) return "dpdInterval";
  if (/^dpd retries/.test(key)) return "dpdRetries";
  if (part === "outside")
    return key.startsWith("customer") ? "customer" : /gateway|vgw|tgw|aws/.test(key) ? "gateway" : undefined;
  if (part === "other") return undefined;
  if (/^encryption algorithm/.test(key)) return part === "ike" ? "ikeCipher" : "espCipher";
  if (/^authentication algorithm/.test(key)) return part === "ike" ? "ikeHash" : "espHash";
  if (/^(diffie-hellman|perfect forward secrecy)/.test(key)) return part === "ike" ? "ikeGroup" : "espGroup";
  if (/^lifetime/.test(key)) return part === "ike" ? "ikeLifetime" : "espLifetime";
  if (part === "ike")
    return (
      {
        "ike version": "version",
        "pre-shared key": "psk",
        "authentication method": "authentication",
        "phase 1 negotiation mode": "mode",
      } as Record<string, Field>
    )[key];
  return ({ mode: "espMode", protocol: "protocol" } as Record<string, Field>)[key];
}

const PATHS: readonly (readonly [Field, ...string[]])[] = [
  ["version", "ike", "ike_version"],
  ["psk", "ike", "pre_shared_key"],
  ["mode", "ike", "mode"],
  ["ikeCipher", "ike", "encryption_protocol"],
  ["ikeHash", "ike", "authentication_protocol"],
  ["ikeGroup", "ike", "perfect_forward_secrecy"],
  ["ikeLifetime", "ike", "lifetime"],
  ["espCipher", "ipsec", "encryption_protocol"],
  ["espHash", "ipsec", "authentication_protocol"],
  ["espGroup", "ipsec", "perfect_forward_secrecy"],
  ["espLifetime", "ipsec", "lifetime"],
  ["espMode", "ipsec", "mode"],
  ["protocol", "ipsec", "protocol"],
  ["dpdInterval", "ipsec", "dead_peer_detection", "interval"],
  ["dpdRetries", "ipsec", "dead_peer_detection", "retries"],
  ["customer", "customer_gateway", "tunnel_outside_address", "ip_address"],
  ["gateway", "vpn_gateway", "tunnel_outside_address", "ip_address"],
];

function readXml(text: string, notes: Notes): readonly Tunnel[] {
  const root = parseElements(text);
  if (root.name !== "vpn_connection") throw new UnreadableFile(root.line, "the outermost element is no vpn_connection");
  const [, id = "aws"] = /<vpn_connection\s[^>]*\bid="(vpn-[\w-]{1,40})"/.exec(text) ?? [];
  const tunnels = root.children.filter(({ name }) => name === "ipsec_tunnel");
  if (tunnels.length > 16) notes.add(tunnels[16]!.line, "more than 16 tunnels; the rest is left out");
  return tunnels.slice(0, 16).map((tunnel: Element) => ({
    id,
    line: tunnel.line,
    values: new Map(
      PATHS.flatMap(([field, ...path]) => {
        const found = below(tunnel, ...path);
        return found === undefined ? [] : [[field, { text: found.text, line: found.line }] as const];
      }),
    ),
  }));
}
