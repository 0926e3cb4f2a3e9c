/** ipsec.secrets, which strongSwan and libreswan share: `id id : PSK "…"`. */
import { sameIdentity } from "../../ike/core/identity.js";
import { type Connection, identityAt } from "./connection.js";
import type { ExportedFile, ExportOptions } from "./export-options.js";
import { type Notes, quote } from "./notes.js";
import { identityOfWords, identityWords } from "./peer-words.js";
import type { OwnedSecret } from "./readout.js";
import { quotedSecret, secretOf } from "./secret-words.js";

const MOST_SECRETS = 5_000;

export function readIpsecSecrets(text: string, notes: Notes): readonly OwnedSecret[] {
  const secrets: OwnedSecret[] = [];
  for (const { line, words } of entries(text)) {
    if (secrets.length >= MOST_SECRETS) {
      notes.add(line, `more than ${MOST_SECRETS} secrets; the rest is left out`);
      break;
    }
    if (/^include\b/i.test(words)) {
      notes.add(line, "include is not followed");
      continue;
    }
    const [, owners = "", kind = "", rest = ""] = /^(.*?)(?:^|\s):\s*([A-Za-z]+)\b\s*(.*)$/s.exec(words) ?? [];
    if (kind.toUpperCase() !== "PSK") {
      notes.add(line, kind === "" ? "it is no secret; it is left out" : `a secret of kind ${quote(kind)} is left out`);
      continue;
    }
    const secret = secretOf(unquoted(rest));
    if (secret === undefined)
      notes.add(line, "this secret is empty, or its digits after 0x or 0s are wrong; it is left out");
    else secrets.push({ owners: ownersOf(owners, line, notes), secret });
  }
  return secrets;
}

/** An entry goes on in lines that begin with a blank. */
function entries(text: string): readonly { readonly line: number; readonly words: string }[] {
  const found: { line: number; words: string }[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const words = raw.replace(/\r$/, "");
    if (/^\s*(#|$)/.test(words)) continue;
    const last = found.at(-1);
    if (/^\s/.test(words) && last !== undefined) last.words += `\n${words.trim()}`;
    else found.push({ line: index + 1, words: words.trim() });
  }
  return found;
}

/** A comment may follow what is not quoted. */
function unquoted(words: string): string {
  const quoted = /^(["'])(.*?)\1/s.exec(words);
  return quoted ? quoted[2]! : words.replace(/(?<!\s)\s+#.*$/s, "").trim();
}

function ownersOf(words: string, line: number, notes: Notes): OwnedSecret["owners"] {
  return words
    .split(/\s+/)
    .filter((word) => word !== "")
    .slice(0, 16)
    .flatMap((word) => {
      const identity = identityOfWords(word.replace(/^"(.*)"$/, "$1"));
      if (identity === "any") return [];
      if ("problem" in identity) {
        notes.add(line, `${quote(word)} is left out: ${identity.problem}`);
        return [];
      }
      return [identity];
    });
}

export function secretsFile(name: string, connection: Connection, { withSecrets }: ExportOptions): ExportedFile {
  const { local, remote, psk } = connection;
  const addresses = [local, remote].flatMap(({ at }) => (at?.kind === "address" ? (identityAt({ at }) ?? []) : []));
  const ends = [identityAt(local), identityAt(remote)].filter((id) => id !== undefined);
  // IKEv1 main mode looks for the key by address, before it knows an identity.
  const owners = [...ends, ...(connection.version === 1 ? addresses : [])]
    .filter((id, i, all) => all.findIndex((each) => sameIdentity(each, id)) === i)
    .map((id) => identityWords(id, "@#"))
    .join(" ");
  const key = withSecrets && psk ? quotedSecret(psk) : undefined;
  const text =
    key === undefined
      ? `# the key of this tunnel, as 0s… (base64) or in quotes:\n# ${owners} : PSK "…"\n`
      : `${owners} : PSK ${key}\n`;
  return { name, text };
}
