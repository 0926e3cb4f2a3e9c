/** Pre-shared keys as words of files: octets as they stand where that is unmistakable, else base64 or hex. */
import { octets, text, utf8 } from "../../crypto/bytes.js";
import { Secret } from "../../crypto/secret.js";

/** Whether the octets are printable ASCII that no reader takes for anything else. */
function isPlain(key: Uint8Array, forbidden: RegExp): boolean {
  const words = key.every((octet) => octet >= 0x20 && octet < 0x7f) ? text(key) : "";
  return words !== "" && !/^0[xst]|^\s|\s$/i.test(words) && !forbidden.test(words);
}

/** `"…"` of strongSwan's and libreswan's files, else `0s…` (base64), which both read as `psk` of our own file does. */
export function quotedSecret(psk: Secret): string {
  const key = psk.reveal();
  return isPlain(key, /["\\#{}]/) ? `"${text(key)}"` : `0s${Buffer.from(key).toString("base64")}`;
}

/** As `psk` of our own file reads it. */
export function ownSecret(psk: Secret): string {
  const key = psk.reveal();
  return isPlain(key, /$^/) ? text(key) : `0s${Buffer.from(key).toString("base64")}`;
}

/** The key as a word of a command line of a device; undefined where it cannot be typed there. */
export function typedSecret(psk: Secret, longest: number, forbidden: RegExp = /[\s"?\\]/): string | undefined {
  const key = psk.reveal();
  return key.length <= longest && isPlain(key, forbidden) ? text(key) : undefined;
}

/** What `0x…`, `0s…` or plain text means; undefined when the digits are wrong or nothing is left. */
export function secretOf(words: string): Secret | undefined {
  const prefix = words.slice(0, 2).toLowerCase();
  const digits = words.slice(2);
  let key: Uint8Array | undefined = utf8(words);
  if (prefix === "0x") key = /^(?:[0-9a-f]{2})+$/i.test(digits) ? octets(digits) : undefined;
  if (prefix === "0s")
    key = /^[a-z0-9+/]+={0,2}$/i.test(digits) ? new Uint8Array(Buffer.from(digits, "base64")) : undefined;
  return key === undefined || key.length === 0 ? undefined : new Secret(key);
}
