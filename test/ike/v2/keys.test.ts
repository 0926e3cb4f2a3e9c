import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createPrf } from "../../../crypto/backends.js";
import { concat, hex, octets, utf8 } from "../../../crypto/bytes.js";
import type { Ikev2KeysCase, Ikev2SessionCase } from "../../../crypto/proof/vector-file.js";
import { rowByName } from "../../../crypto/registry/lookup.js";
import { PRF_AES128_CMAC, PRF_AES128_XCBC } from "../../../crypto/registry/prf.js";
import { parseEspProposal, parseIkeProposal } from "../../../crypto/registry/proposal.js";
import type { SealerSpec } from "../../../crypto/registry/row.js";
import type { EspProposal, IkeProposal } from "../../../crypto/registry/suite.js";
import { type Secret, secret } from "../../../crypto/secret.js";
import { childKeys, ikeKeys, isPskAuth, pskAuth, rekeySkeyseed, skeyseed } from "../../../ike/v2/keys.js";
import { openMessage } from "../../../ike/wire/encrypted.js";
import { bodiesOf, decodeMessage } from "../../../ike/wire/message.js";

const VECTORS = join(import.meta.dirname, "../../../../vectors");
const spi = (text: string) => BigInt(`0x${text}`);
const shown = (...keys: readonly Secret[]) => keys.map((key) => hex(key.reveal())).join("");

test("SKEYSEED, SK_*, KEYMAT and the next SKEYSEED are those of NIST's figures", () => {
  const { cases } = JSON.parse(readFileSync(join(VECTORS, "nist-ikev2-kdf.json"), "utf8")) as {
    cases: Ikev2KeysCase[];
  };
  assert(cases.length > 0);
  for (const v of cases) {
    const prf = createPrf(rowByName("prf", v.row));
    const nonces = { ni: octets(v.ni), nr: octets(v.nr) };
    const seed = skeyseed(prf, nonces, secret(octets(v.gIr)));
    assert.equal(shown(seed), v.skeyseed, v.source);

    const spec = specOf(parseIkeProposal("aes128-sha1-modp2048"));
    const keys = ikeKeys(prf, spec, seed, { ...nonces, initiatorSpi: spi(v.spiI), responderSpi: spi(v.spiR) });
    const { initiator, responder } = keys;
    const material = shown(
      ...[keys.skD, initiator.integrity, responder.integrity, initiator.encryption, responder.encryption],
      ...[keys.skPi, keys.skPr],
    );
    assert(startTogether(material, v.keymat), v.source);

    const child = specOf(parseEspProposal("aes256gcm16"));
    const without = childKeys(prf, child, keys.skD, nonces);
    assert(startTogether(shown(without.initiator.encryption, without.responder.encryption), v.childKeymat), v.source);
    const withGroup = childKeys(prf, child, keys.skD, nonces, secret(octets(v.gIrNew)));
    const both = shown(withGroup.initiator.encryption, withGroup.responder.encryption);
    assert(startTogether(both, v.childKeymatNewGroup), v.source);

    assert.equal(shown(rekeySkeyseed(prf, keys.skD, nonces, secret(octets(v.gIrNew)))), v.skeyseedRekey, v.source);
  }
});

const [session] = (
  JSON.parse(readFileSync(join(VECTORS, "aosp-ikev2-session.json"), "utf8")) as { cases: Ikev2SessionCase[] }
).cases as [Ikev2SessionCase];
const [request, auth] = session.messages.map(({ message }) => octets(message)) as [Uint8Array, Uint8Array];
const prf = createPrf(rowByName("prf", "PRF_HMAC_SHA1"));
const spec = specOf(parseIkeProposal("aes128-sha1-modp2048"));
const nonces = { ni: octets(session.ni), nr: octets(session.nr) };
const seed = skeyseed(prf, nonces, secret(octets(session.gIr)));
const keys = ikeKeys(prf, spec, seed, {
  ...nonces,
  initiatorSpi: spi(session.spiI),
  responderSpi: spi(session.spiR),
});

test("a PRF made of AES-128 takes eight octets of each nonce for SKEYSEED, and whole nonces behind it", () => {
  for (const row of [PRF_AES128_XCBC, PRF_AES128_CMAC]) {
    const prf = createPrf(row);
    const [ni, nr, shared] = [octets("11".repeat(32)), octets("22".repeat(20)), octets("33".repeat(32))];
    const expected = prf.compute(octets("11".repeat(8) + "22".repeat(8)), shared);
    assert.equal(hex(skeyseed(prf, { ni, nr }, secret(shared)).reveal()), hex(expected));
    const next = prf.compute(expected, concat(shared, ni, nr));
    assert.equal(hex(rekeySkeyseed(prf, secret(expected), { ni, nr }, secret(shared)).reveal()), hex(next));
  }
});

test("the recorded IKE_AUTH request opens, and its AUTH proves the pre-shared key and no other", () => {
  const message = openMessage(auth, decodeMessage(auth), spec, keys.initiator);
  assert(message !== undefined);
  assert.deepEqual(
    message.payloads.map(({ kind, body }) => (kind === "N" ? body.notify : kind)),
    ["IDi", "IDr", "AUTH", "SA", "TSi", "TSr", "INITIAL_CONTACT", "SET_WINDOW_SIZE"],
  );
  const [id] = bodiesOf(message.payloads, "IDi");
  const [proof] = bodiesOf(message.payloads, "AUTH");
  const inputs = { message: request, nonce: nonces.nr, id: id!, skP: keys.skPi };
  const psk = secret(octets(session.psk));
  assert.equal(proof!.method, 2);
  assert.equal(hex(pskAuth(prf, psk, inputs)), hex(proof!.data));
  assert(isPskAuth(prf, psk, inputs, proof!.data));
  assert(!isPskAuth(prf, secret(utf8("another key")), inputs, proof!.data));
});

test("the recorded IKE_SA_INIT request decodes", () => {
  const { header, payloads } = decodeMessage(request);
  assert.equal(header.exchange, "IKE_SA_INIT");
  assert.equal(header.initiatorSpi, spi(session.spiI));
  assert(header.fromInitiator && !header.response);
  const [sa] = bodiesOf(payloads, "SA");
  assert.deepEqual(sa!.proposals[0]!.transforms[0], { type: 1, id: 12, keyBits: 128, attributes: [] });
  assert.equal(bodiesOf(payloads, "KE")[0]!.group, 2);
  assert.equal(hex(bodiesOf(payloads, "Nonce")[0]!.nonce), session.ni);
  assert.deepEqual(
    bodiesOf(payloads, "N").map(({ notify }) => notify),
    ["NAT_DETECTION_SOURCE_IP", "NAT_DETECTION_DESTINATION_IP"],
  );
});

/** NIST cuts its output elsewhere than we do: the shorter of both must be the start of the other. */
function startTogether(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a);
}

function specOf({ encryption, integrity }: IkeProposal | EspProposal): SealerSpec {
  const { row, keyBits } = encryption[0]!;
  return { encryption: row, keyBits, ...(integrity[0] && { integrity: integrity[0] }) };
}
