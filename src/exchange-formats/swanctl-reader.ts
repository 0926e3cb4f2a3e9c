/** swanctl.conf of strongSwan as connections. */
import { rowByKeyword } from "../../crypto/registry/lookup.js";
import { parseEspProposal, parseIkeProposal } from "../../crypto/registry/proposal.js";
import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";
import type { Mapping } from "../../ike/core/policy.js";
import { parseBraces, type Section, type Value } from "./braces.js";
import type { Connection, End, Start } from "./connection.js";
import { collectNotes, type Notes, quote, quoteSetting } from "./notes.js";
import { identityOfWords, octetsOf, placeOf, secondsOf, selectorOfWords } from "./peer-words.js";
import { readProposals } from "./proposal-words.js";
import { type ChildSettings, commonSettings, type OwnedSecret, type Readout, secretFor } from "./readout.js";
import { secretOf } from "./secret-words.js";

/** Throws `UnreadableFile` when it is no such file at all. */
export function readSwanctl(text: string): Readout {
  const notes = collectNotes();
  const top = parseBraces(text, (line, what) =>
    notes.add(line, `include ${quote(what)} is not followed; import that file, too, or put its text here`),
  );
  const secrets = readSecrets(top.sections.get("secrets"), notes);
  const connections = [...(top.sections.get("connections")?.sections.values() ?? [])].flatMap(
    (section) => readConnection(section, secrets, notes) ?? [],
  );
  for (const [name, { line }] of top.sections)
    if (!["connections", "secrets"].includes(name)) notes.add(line, `section ${quote(name)} is left out`);
  return { kind: "swanctl.conf", describes: "its own gateway", connections, notes: notes.list() };
}

/** Local matters of that gateway, or what our side does by itself: nothing is lost with them. */
const SILENT = new Set([
  ...["unique", "keyingtries", "send_certreq", "send_cert", "rand_time", "reauth_time", "over_time", "rekey_time"],
  ...[
    "dpd_delay",
    "dpd_timeout",
    "dpd_action",
    "updown",
    "hostaccess",
    "reqid",
    "priority",
    "policies",
    "close_action",
  ],
  ...["life_time", "rekey_bytes", "life_bytes", "rand_bytes", "rekey_packets", "life_packets", "copy_df", "copy_ecn"],
  ...["copy_dscp", "hw_offload", "inactivity", "sha256_96", "start_action", "policies_fwd_out", "round", "local_port"],
  ...["remote_port"],
]);

/** A section's values, with what nobody asked for noted at the end. */
function reader(section: Section, notes: Notes) {
  const seen = new Set<string>();
  return {
    value(key: string) {
      seen.add(key);
      return section.values.get(key);
    },
    seconds(key: string): number | undefined {
      seen.add(key);
      const found = section.values.get(key);
      const seconds = found && secondsOf(found.text);
      if (found !== undefined && seconds === undefined)
        notes.add(found.line, `${key}: ${quote(found.text)} is no duration; it is left out`);
      return seconds;
    },
    rest(): void {
      for (const [key, { line, text }] of section.values)
        if (!seen.has(key) && !SILENT.has(key))
          notes.add(line, `${quoteSetting(key, text)} has no counterpart; it is left out`);
    },
  };
}

function readConnection(section: Section, secrets: readonly OwnedSecret[], notes: Notes): Connection | undefined {
  if (section.sections.size === 0) {
    notes.add(section.line, `connection ${section.name} has no ends and no children; it is left out`);
    return undefined;
  }
  const from = reader(section, notes);
  const version = versionOf(from.value("version"), notes);
  const localAt = firstPlace(from.value("local_addrs"), notes);
  const remoteAt = firstPlace(from.value("remote_addrs"), notes);
  const local = readEnd(section, "local", localAt, notes);
  const remote = readEnd(section, "remote", remoteAt, notes);
  if (local === undefined || remote === undefined) return undefined;
  const proposals = from.value("proposals");
  const ike = proposals && strongswanProposals(parseIkeProposal, proposals, notes);
  const lifetime = from.seconds("rekey_time") || from.seconds("reauth_time");
  const over = from.seconds("over_time");
  const children = [...(section.sections.get("children")?.sections.values() ?? [])].flatMap(
    (child) => readChild(child, local, remote, notes) ?? [],
  );
  const psk = secretFor(secrets, local, remote);
  const aggressive = isYes(from.value("aggressive")?.text);
  const fragmentation = from.value("fragmentation")?.text;
  const mobike = from.value("mobike")?.text;
  for (const key of ["pools", "vips", "childless", "ppk_id"])
    if (from.value(key) !== undefined && from.value(key)!.text !== "allow")
      notes.add(section.values.get(key)!.line, `${key} is left out: it is not supported`);
  const connection: Connection = {
    name: section.name,
    ...(version && { version }),
    ...((version === 1 || aggressive) && { exchange: aggressive ? "aggressive" : "main" }),
    local,
    remote,
    ...(psk && { psk }),
    ...startOf(children.map(({ start }) => start)),
    encapsulation: isYes(from.value("encap")?.text) ? "udp" : "auto",
    ...dpdOf(from.seconds("dpd_delay"), from.seconds("dpd_timeout")),
    ike: {
      ...(ike && ike.length > 0 && { proposals: ike }),
      ...(lifetime && { lifetimeSeconds: lifetime + (over ?? Math.round(lifetime / 10)) }),
      fragmentation: fragmentation === "no" ? "off" : "auto",
      ...(version !== 1 && { mobike: mobike !== "no" }),
    },
    esp: commonSettings(children, notes),
    mappings: children.flatMap(({ mappings }) => mappings),
  };
  from.rest();
  return connection;
}

function versionOf(found: Value | undefined, notes: Notes): 1 | 2 | undefined {
  if (found === undefined || found.text === "0") return undefined;
  if (found.text === "1" || found.text === "2") return Number(found.text) as 1 | 2;
  notes.add(found.line, `version = ${quote(found.text)} is none; both are assumed`);
  return undefined;
}

function firstPlace(found: Value | undefined, notes: Notes): End["at"] {
  const [first = "", ...others] = found?.text.split(/\s*,\s*/) ?? [];
  if (found === undefined || first === "") return undefined;
  if (others.length > 0) notes.add(found.line, `of several addresses the first is taken: ${quote(first)}`);
  const at = placeOf(first);
  if (at === undefined) notes.add(found.line, `${quote(first)} is no address of a host; it is left out`);
  return at;
}

/** Undefined when it does not authenticate by a pre-shared key. */
function readEnd(section: Section, side: "local" | "remote", at: End["at"], notes: Notes): End | undefined {
  const rounds = [...section.sections.values()].filter(({ name }) => name.startsWith(side));
  const [first, ...more] = rounds;
  const auth = first?.values.get("auth");
  if (auth?.text !== "psk") {
    const what = auth === undefined ? `${side} has no "auth", which means a certificate` : `auth = ${quote(auth.text)}`;
    notes.add(
      auth?.line ?? first?.line ?? section.line,
      `connection ${section.name} is left out: ${what}; only pre-shared keys are supported`,
    );
    return undefined;
  }
  for (const { line, name } of more) notes.add(line, `${name}, a further round of authentication, is left out`);
  for (const [key, { line }] of first!.values)
    if (!["auth", "id", "round"].includes(key)) notes.add(line, `${key} of ${side} has no counterpart; it is left out`);
  const id = first!.values.get("id");
  const identity = id === undefined ? "any" : identityOfWords(id.text);
  if (typeof identity === "object" && "problem" in identity) {
    notes.add(id!.line, `id ${quote(id!.text)} is left out: ${identity.problem}`);
    return at ? { at } : {};
  }
  return { ...(at && { at }), ...(identity !== "any" && { id: identity }) };
}

interface Child extends ChildSettings {
  readonly mappings: readonly Mapping[];
  readonly start: Start | undefined;
}

function readChild(section: Section, local: End, remote: End, notes: Notes): Child | undefined {
  const from = reader(section, notes);
  const mode = from.value("mode");
  if (mode !== undefined && mode.text !== "tunnel") {
    notes.add(
      mode.line,
      `child ${section.name} is left out: mode = ${quote(mode.text)}; tunnel mode alone is supported`,
    );
    return undefined;
  }
  const ah = from.value("ah_proposals");
  if (ah !== undefined) {
    notes.add(ah.line, `child ${section.name} is left out: AH is not supported`);
    return undefined;
  }
  const written = from.value("esp_proposals");
  const proposals = written && strongswanEspProposals(written, notes);
  const life = from.seconds("life_time");
  const rekey = from.seconds("rekey_time");
  const lifetime = life || (rekey && Math.round(rekey * 1.1));
  const volume = volumeOf(from.value("life_bytes"), from.value("rekey_bytes"), notes);
  const window = from.value("replay_window");
  const start = from.value("start_action")?.text ?? "none";
  const child: Child = {
    name: section.name,
    line: section.line,
    esp: {
      ...(proposals && proposals.length > 0 && { proposals }),
      ...(lifetime && { lifetimeSeconds: lifetime }),
      volumeOctets: volume ?? 0,
      ...(window !== undefined && /^\d{1,5}$/.test(window.text) && { replayWindow: Number(window.text) }),
    },
    mappings: pairs(selectorsOf(section, "local_ts", local, notes), selectorsOf(section, "remote_ts", remote, notes)),
    start: /start/.test(start) ? "active" : start === "trap" ? "on-traffic" : "passive",
  };
  for (const key of ["local_ts", "remote_ts"]) from.value(key);
  from.rest();
  return child;
}

function volumeOf(life: Value | undefined, rekey: Value | undefined, notes: Notes): number | undefined {
  const found = life ?? rekey;
  if (found === undefined) return undefined;
  const size = octetsOf(found.text);
  if (size === undefined) notes.add(found.line, `${quote(found.text)} is no size; it is left out`);
  return size === undefined || life !== undefined ? size : Math.round(size * 1.1);
}

function selectorsOf(section: Section, key: "local_ts" | "remote_ts", end: End, notes: Notes) {
  const found = section.values.get(key) ?? { text: "dynamic", line: section.line };
  const own = end.at?.kind === "address" ? end.at.address : undefined;
  return found.text.split(",").flatMap((words) => {
    const selector = selectorOfWords(words, own);
    if (selector === undefined)
      notes.add(found.line, `${key}: ${quote(words.trim())} cannot be taken over: name the address range`);
    return selector ?? [];
  });
}

/** Each local with each peer selector of its family. */
export function pairs(locals: readonly Mapping["local"][], peers: readonly Mapping["peer"][]): readonly Mapping[] {
  return locals.flatMap((local) =>
    peers.filter(({ family }) => family === local.family).map((peer) => ({ local, peer })),
  );
}

/** Comma-separated proposals of words joined by "-"; `default` and a closing "!" are known. */
export function strongswanProposals<P extends IkeProposal | EspProposal>(
  parse: (text: string) => P,
  { text, line }: Value,
  notes: Notes,
): readonly P[] {
  const written = text
    .replace(/!\s*$/, "")
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");
  if (written.includes("default"))
    notes.add(
      line,
      `"default" stands for what that version of strongSwan offers by itself; our own defaults take its place`,
    );
  const listed = written.filter((each) => each !== "default").map((each) => each.split("-"));
  return readProposals(parse, listed, (word) => (rowByKeyword(word) === undefined ? undefined : [word]), line, notes);
}

/** Without `esn` or `noesn` nothing is said of sequence numbers, which means 32 bits there. */
export function strongswanEspProposals(value: Value, notes: Notes): readonly EspProposal[] {
  return strongswanProposals(
    (text) => {
      const proposal = parseEspProposal(text);
      return /(^|-)(no)?esn(-|$)/.test(text) ? proposal : { ...proposal, sequence: [] };
    },
    value,
    notes,
  );
}

export function isYes(words: string | undefined): boolean {
  return words !== undefined && /^(yes|true|1|enabled)$/i.test(words);
}

function startOf(starts: readonly (Start | undefined)[]): { start?: Start } {
  if (starts.length === 0) return {};
  return { start: starts.includes("active") ? "active" : starts.includes("on-traffic") ? "on-traffic" : "passive" };
}

/** strongSwan's IKEv2 declares a peer dead by retransmission; three delays are near that. */
function dpdOf(delay: number | undefined, timeout: number | undefined): Pick<Connection, "dpd"> {
  if (delay === undefined || delay === 0) return { dpd: "off" };
  return { dpd: { timeoutSeconds: timeout || delay * 3 } };
}

function readSecrets(section: Section | undefined, notes: Notes): readonly OwnedSecret[] {
  return [...(section?.sections.values() ?? [])].flatMap((entry) => {
    if (!/^ike/.test(entry.name)) {
      notes.add(entry.line, `secret ${quote(entry.name)} is left out: it is no pre-shared key`);
      return [];
    }
    const written = entry.values.get("secret");
    if (written === undefined) return [];
    const secret = secretOf(written.text);
    if (secret === undefined) {
      notes.add(written.line, "the secret begins with 0x or 0s, but its digits are wrong; it is left out");
      return [];
    }
    const owners = [...entry.values].flatMap(([key, { text, line }]) => {
      if (!key.startsWith("id")) return [];
      const identity = identityOfWords(text);
      if (identity === "any") return [];
      if ("problem" in identity) {
        notes.add(line, `${quote(text)} is left out: ${identity.problem}`);
        return [];
      }
      return [identity];
    });
    return [{ owners, secret }];
  });
}
