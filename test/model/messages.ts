/** What stands in the messages of the model, whose octets are sealed: read when they are sent, with their sender's keys. */
import type { Endpoint } from "../../ike/core/endpoint.js";
import { isV1 } from "../../ike/core/sas.js";
import { outboundKeys } from "../../ike/v2/keys.js";
import { hasKeys } from "../../ike/v2/state.js";
import { openMessage } from "../../ike/wire/encrypted.js";
import { decodeMessage, type Message } from "../../ike/wire/message.js";

/** The header and the payloads. */
type Content = Pick<Message, "header" | "payloads">;

const contents = new WeakMap<Uint8Array, Content>();

/** Undefined for octets that are no message. */
export function contentOf(bytes: Uint8Array): Content | undefined {
  return contents.get(bytes);
}

export function note(bytes: Uint8Array, sender: Endpoint): void {
  if (contents.has(bytes)) return;
  const message = decodeMessage(bytes);
  const { header, payloads, encrypted } = message;
  if (encrypted === undefined) {
    contents.set(bytes, { header, payloads });
    return;
  }
  for (const sa of sender.sas.values()) {
    if (isV1(sa) || !hasKeys(sa) || sa.initiatorSpi !== header.initiatorSpi || sa.responderSpi !== header.responderSpi)
      continue;
    const opened = openMessage(bytes, message, sa.negotiated.suite, outboundKeys(sa.keys, sa.role))!;
    contents.set(bytes, { header, payloads: opened.payloads });
    return;
  }
  throw new Error("a message of an IKE SA that its sender does not have");
}

/** The question whether the peer is alive. */
export function isProbe(bytes: Uint8Array): boolean {
  const { header, payloads } = contents.get(bytes)!;
  return header.exchange === "INFORMATIONAL" && !header.response && payloads.length === 0;
}
