/** The vector kind about a whole IKEv2 session, run through the code that serves the exchanges. */
import { createPrf } from "../../crypto/backends.js";
import { octets } from "../../crypto/bytes.js";
import type { Ikev2SessionCase } from "../../crypto/proof/vector-file.js";
import { parseIkeProposal } from "../../crypto/registry/proposal.js";
import type { BackendName, PrfRow } from "../../crypto/registry/row.js";
import { secret } from "../../crypto/secret.js";
import { childKeys, ikeKeys, isPskAuth, skeyseed } from "../../ike/v2/keys.js";
import { openMessage } from "../../ike/wire/encrypted.js";
import { bodiesOf, decodeMessage, encodeChain, encodeMessage } from "../../ike/wire/message.js";
import { Writer } from "../../ike/wire/writer.js";
import { Difference, same, sameChild, specOf } from "./vector-figures.js";

/**
 * A recorded session with a pre-shared key: all keys follow from g^ir, nonces and SPIs, every protected message opens under the key of
 * its sender, AUTH holds where the message that it signs was recorded, and the child's keys come out.
 */
export function runIkev2Session(row: PrfRow, backend: BackendName, vector: Ikev2SessionCase): void {
  const prf = createPrf(row, backend);
  const spec = specOf(parseIkeProposal(vector.suite));
  const nonces = { ni: octets(vector.ni), nr: octets(vector.nr) };
  const seed = skeyseed(prf, nonces, secret(octets(vector.gIr)));
  const spis = { initiatorSpi: BigInt(`0x${vector.spiI}`), responderSpi: BigInt(`0x${vector.spiR}`) };
  const keys = ikeKeys(prf, spec, seed, { ...nonces, ...spis });
  same("SKEYSEED", seed, vector.skeyseed);
  same("SK_d", keys.skD, vector.skD);
  same("SK_ai", keys.initiator.integrity, vector.skAi);
  same("SK_ar", keys.responder.integrity, vector.skAr);
  same("SK_ei", keys.initiator.encryption, vector.skEi);
  same("SK_er", keys.responder.encryption, vector.skEr);
  same("SK_pi", keys.skPi, vector.skPi);
  same("SK_pr", keys.skPr, vector.skPr);

  const firsts = new Map<string, Uint8Array>();
  for (const { from, message, plain } of vector.messages) {
    const bytes = octets(message);
    const decoded = decodeMessage(bytes);
    if (decoded.encrypted === undefined) {
      same("a message encoded again", encodeMessage(decoded.header, decoded.payloads), message);
      const [nonce] = bodiesOf(decoded.payloads, "Nonce");
      if (nonce !== undefined) same("the nonce", nonce.nonce, from === "initiator" ? vector.ni : vector.nr);
      firsts.set(from, bytes);
      continue;
    }
    const opened = openMessage(bytes, decoded, spec, keys[from]);
    if (opened === undefined) throw new Difference("the integrity of a message does not hold");
    const chain = new Writer();
    encodeChain(chain, opened.payloads);
    if (plain !== undefined) same("the payloads", chain.done(), plain);
    const [auth] = bodiesOf(opened.payloads, "AUTH");
    const [id] = bodiesOf(opened.payloads, from === "initiator" ? "IDi" : "IDr");
    const signed = firsts.get(from);
    if (auth === undefined || id === undefined || signed === undefined) continue;
    const inputs =
      from === "initiator"
        ? { message: signed, nonce: nonces.nr, id, skP: keys.skPi }
        : { message: signed, nonce: nonces.ni, id, skP: keys.skPr };
    if (!isPskAuth(prf, secret(octets(vector.psk)), inputs, auth.data)) throw new Difference("AUTH does not hold");
  }
  const gIr = vector.child?.gIr ?? "";
  sameChild(vector.child, (from, childSpec) =>
    gIr === ""
      ? childKeys(prf, childSpec, keys.skD, nonces)[from]
      : childKeys(prf, childSpec, keys.skD, nonces, secret(octets(gIr)))[from],
  );
}
