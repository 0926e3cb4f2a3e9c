/** Takes the secrets out of what leaves this host. Pure. */
import { parseDocument } from "yaml";
import { hex } from "../../crypto/bytes.js";

export const REDACTED = "[secret]";

/** Keys whose values are nobody's business; `psk` may say where the key is, which is none. */
const SECRET_KEY = /psk|secret|password|token|webhook|private/i;

/** The text of a configuration without its keys. What is no YAML is left out as a whole: nobody knows what stands in it. */
export function redactConfiguration(text: string): string {
  const document = parseDocument(text);
  if (document.errors.length > 0) return `# left out: it is no YAML (${document.errors[0]?.code})\n`;
  // As values: a comment may hold an old key, and an alias repeats one elsewhere.
  const told = new Set<string>();
  const clean = withoutSecrets(document.toJS({ maxAliasCount: 100 }), false, told);
  return redact(`${JSON.stringify(clean, null, 2)}\n`, [...told]);
}

function withoutSecrets(value: unknown, secret: boolean, told: Set<string>): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutSecrets(item, secret, told));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => {
        // { file: … } and { env: … } say where a key is.
        const place = secret && (name === "file" || name === "env");
        return [name, withoutSecrets(item, place ? false : secret || SECRET_KEY.test(name), told)];
      }),
    );
  if (!secret || value === null || value === undefined) return value;
  told.add(String(value));
  return REDACTED;
}

/** Every secret that is known, in every spelling in which it may have got into a text. */
export function redact(text: string, secrets: readonly (string | Uint8Array)[]): string {
  let clean = text;
  for (const one of secrets) {
    const octets = typeof one === "string" ? new TextEncoder().encode(one) : one;
    // Shorter ones would blot out half of the text, and are guessed sooner than found.
    if (octets.length < 4) continue;
    const plain = new TextDecoder().decode(octets);
    for (const spelling of [
      plain,
      JSON.stringify(plain).slice(1, -1),
      hex(octets),
      Buffer.from(octets).toString("base64"),
    ])
      clean = clean.replaceAll(spelling, REDACTED);
  }
  return clean;
}
