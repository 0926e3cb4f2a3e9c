/** The vector kinds about IKEv1, run through the code that serves the exchanges. */
import { createHash, createPrf } from "../../crypto/backends.js";
import { octets } from "../../crypto/bytes.js";
import type { KeyedCipher } from "../../crypto/cbc.js";
import type { Hash, Prf } from "../../crypto/interfaces.js";
import type { Ikev1KeysCase, Ikev1SessionCase, SessionMessage } from "../../crypto/proof/vector-file.js";
import { ikeSuiteName, parseIkeProposal } from "../../crypto/registry/proposal.js";
import type { BackendName, PrfRow } from "../../crypto/registry/row.js";
import { secret } from "../../crypto/secret.js";
import { decryptMessage } from "../../ike/v1/encrypted.js";
import { hash1, hash2, hash3, hashI, hashR, isHash, type Phase1HashInputs } from "../../ike/v1/hashes.js";
import { exchangeIv, phase1Iv } from "../../ike/v1/iv.js";
import {
  type Cookies,
  espKeys,
  type Nonces,
  type Phase1Keys,
  phase1Cipher,
  phase1Keys,
  preSharedSkeyid,
  signatureSkeyid,
} from "../../ike/v1/keys.js";
import { choosePhase1 } from "../../ike/v1/proposals.js";
import {
  bodiesOfV1,
  type ChainV1,
  decodeMessageV1,
  encodeChainV1,
  encodeMessageV1,
  type MessageV1,
  type ReceivedPayloadV1,
} from "../../ike/wire/message-v1.js";
import type { PayloadBodiesV1, PayloadKindV1 } from "../../ike/wire/payload-table.js";
import { Difference, same, sameChild } from "./vector-figures.js";

/** SKEYID and the keys behind it. */
export function runIkev1Keys(row: PrfRow, backend: BackendName, vector: Ikev1KeysCase): void {
  const prf = createPrf(row, backend);
  const nonces = { ni: octets(vector.ni), nr: octets(vector.nr) };
  const shared = secret(octets(vector.gIr));
  const skeyid =
    vector.auth === "psk"
      ? preSharedSkeyid(prf, secret(octets(vector.psk)), nonces)
      : signatureSkeyid(prf, nonces, shared);
  const keys = phase1Keys(prf, skeyid, shared, {
    initiatorCookie: BigInt(`0x${vector.cookieI}`),
    responderCookie: BigInt(`0x${vector.cookieR}`),
  });
  for (const name of ["skeyid", "skeyidD", "skeyidA", "skeyidE"] as const) same(name, keys[name], vector[name]);
}

/**
 * A recorded session in main mode: every message in the clear encodes to itself, every other one decrypts under the IV of its place.
 * With the pre-shared key and g^ir the cipher's key follows from them, every HASH must hold, and the first child's keys come out.
 */
export function runIkev1Session(row: PrfRow, backend: BackendName, vector: Ikev1SessionCase): void {
  const messages = vector.messages.map((recorded) => ({
    recorded,
    message: decodeMessageV1(octets(recorded.message)),
  }));
  const session = sessionOf(row, backend, vector, messages);
  for (const { recorded, message } of messages) {
    const { header, encrypted } = message;
    if (encrypted === undefined) {
      same("a message encoded again", encodeMessageV1(header, message.payloads), recorded.message);
      continue;
    }
    const { messageId } = header;
    const chain = session.chains.get(messageId);
    const first =
      chain?.next ?? exchangeIv(session.hash, session.cipher.encryption, session.chains.get(0)!.next, messageId);
    const iv = recorded.repeated ? chain?.used : first;
    if (iv === undefined || (recorded.repeated && !isRepetition(recorded, vector)))
      throw new Difference("a repeated message that was not sent before");
    if (recorded.iv !== undefined) same("the IV", iv, recorded.iv);
    const opened = decryptMessage(encrypted, session.cipher, iv);
    if (recorded.plain !== undefined) same("the payloads", encodeChainV1(opened.payloads), recorded.plain);
    if (recorded.repeated) continue;
    session.chains.set(messageId, { used: iv, next: opened.iv });
    if (session.proof === undefined) continue;
    const right = rightHash(session, session.proof, recorded, message, opened);
    if (right !== undefined && !isHash(right, need(opened.payloads, "HASH").body.hash))
      throw new Difference(`the HASH of a message in ${header.exchange} does not hold`);
  }
  const { proof, quick } = session;
  if (vector.child === undefined || proof === undefined) return;
  const { gIr } = vector.child;
  sameChild(vector.child, (from, spec) => {
    const spi = from === "initiator" ? quick.spiR : quick.spiI;
    if (quick.nonces === undefined || spi === undefined) throw new Difference("the session has no quick mode");
    const shared = gIr === "" ? {} : { sharedSecret: secret(octets(gIr)) };
    return espKeys(proof.prf, proof.keys.skeyidD, spec, { ...quick.nonces, spi, ...shared });
  });
}

/** The secrets of a session that are known. */
interface Proof {
  readonly prf: Prf;
  readonly keys: Phase1Keys;
  readonly inputs: Phase1HashInputs;
}

interface Session {
  readonly cipher: KeyedCipher;
  readonly hash: Hash;
  readonly proof?: Proof;
  /** By message ID: the IV of the last message, and that of the next one. */
  readonly chains: Map<number, { readonly used?: Uint8Array; readonly next: Uint8Array }>;
  /** What the first quick mode has told so far. */
  readonly quick: { messageId?: number; ni?: Uint8Array; nonces?: Nonces; spiI?: number; spiR?: number };
}

interface Recorded {
  readonly recorded: SessionMessage;
  readonly message: MessageV1;
}

function sessionOf(
  row: PrfRow,
  backend: BackendName,
  vector: Ikev1SessionCase,
  messages: readonly Recorded[],
): Session {
  const find = <Kind extends PayloadKindV1>(from: SessionMessage["from"], kind: Kind) => {
    const sent = messages.filter(({ recorded }) => recorded.from === from).flatMap(({ message }) => message.payloads);
    return need(sent, kind);
  };
  const hash = createHash(row, backend);
  const prf = createPrf(row, backend);
  const proposal = parseIkeProposal(vector.suite);
  const { row: encryption, keyBits } = proposal.encryption[0]!;
  const [publicI, publicR] = (["initiator", "responder"] as const).map((from) => find(from, "KE").body.data);
  const chains: Session["chains"] = new Map([[0, { next: phase1Iv(hash, encryption, publicI!, publicR!) }]]);
  const known = { hash, chains, quick: {} };
  if (vector.psk === "" || vector.gIr === "")
    return { ...known, cipher: { encryption, keyBits, key: secret(octets(vector.key)) } };

  const chosen = choosePhase1(find("responder", "SA").body, [proposal]);
  if (chosen.kind === "mismatch" || ikeSuiteName(chosen.suite) !== vector.suite)
    throw new Difference(`the session does not negotiate ${vector.suite}`);
  const cookies: Cookies = messages.at(-1)!.message.header;
  const nonces = { ni: find("initiator", "NONCE").body.nonce, nr: find("responder", "NONCE").body.nonce };
  const shared = secret(octets(vector.gIr));
  const keys = phase1Keys(prf, preSharedSkeyid(prf, secret(octets(vector.psk)), nonces), shared, cookies);
  const cipher = phase1Cipher(prf, keys.skeyidE, encryption, keyBits);
  if (vector.key !== "") same("the cipher's key", cipher.key, vector.key);
  const { initiatorCookie, responderCookie } = cookies;
  const sa = find("initiator", "SA").octets;
  const inputs = { initiatorCookie, responderCookie, publicI: publicI!, publicR: publicR!, sa };
  return { ...known, cipher, proof: { prf, keys, inputs } };
}

/** What the HASH payload of an encrypted message must be; undefined for a quick mode behind the first one. */
function rightHash(
  { quick }: Session,
  { prf, keys, inputs }: Proof,
  { from }: SessionMessage,
  { header }: MessageV1,
  { payloads, behindFirst }: ChainV1,
): Uint8Array | undefined {
  const { messageId } = header;
  if (messageId === 0) {
    const id = need(payloads, "ID").octets;
    return (from === "initiator" ? hashI : hashR)(prf, keys.skeyid, inputs, id);
  }
  if (header.exchange !== "QUICK_MODE") return hash1(prf, keys.skeyidA, messageId, behindFirst);
  quick.messageId ??= messageId;
  if (quick.messageId !== messageId) return undefined;
  const [nonce] = bodiesOfV1(payloads, "NONCE");
  if (from === "initiator" && nonce !== undefined) {
    quick.ni = nonce.nonce;
    quick.spiI = spiOf(payloads);
    return hash1(prf, keys.skeyidA, messageId, behindFirst);
  }
  if (from === "responder" && nonce !== undefined && quick.ni !== undefined) {
    quick.nonces = { ni: quick.ni, nr: nonce.nonce };
    quick.spiR = spiOf(payloads);
    return hash2(prf, keys.skeyidA, messageId, quick.ni, behindFirst);
  }
  if (quick.nonces === undefined) throw new Difference("a quick mode in disorder");
  return hash3(prf, keys.skeyidA, messageId, quick.nonces);
}

function isRepetition({ from, message }: SessionMessage, { messages }: Ikev1SessionCase): boolean {
  return messages.some((each) => !each.repeated && each.from === from && each.message === message);
}

function spiOf(payloads: readonly ReceivedPayloadV1[]): number {
  const spi = need(payloads, "SA").body.proposals[0]!.spi;
  return new DataView(spi.buffer, spi.byteOffset, 4).getUint32(0);
}

type Found<Kind extends PayloadKindV1> = { readonly body: PayloadBodiesV1[Kind]; readonly octets: Uint8Array };

function need<Kind extends PayloadKindV1>(payloads: readonly ReceivedPayloadV1[], kind: Kind): Found<Kind> {
  const found = payloads.find((each) => each.kind === kind);
  if (found === undefined) throw new Difference(`the session lacks a ${kind} payload`);
  return found as unknown as Found<Kind>;
}
