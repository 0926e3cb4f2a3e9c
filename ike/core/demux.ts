/** The first station: which IKE SA a datagram is for, by SPIs, version and flags alone. Nothing changes here. */

import { type Path, sameAddress } from "../../esp/address.js";
import type { V1Sa } from "../v1/state.js";
import type { IkeSa } from "../v2/state.js";
import { decodeRawHeader, type IkeHeader, ikeHeader, type RawHeader } from "../wire/header.js";
import { spiHex } from "./context.js";
import { ProtocolError } from "./errors.js";
import type { SaTable } from "./sa-table.js";
import { type AnySa, isV1 } from "./sas.js";

export type Destination =
  | { readonly to: "sa"; readonly sa: IkeSa; readonly raw: RawHeader }
  /** A first request that is known: its IKE SA exists. */
  | { readonly to: "repeated"; readonly sa: IkeSa; readonly raw: RawHeader }
  | { readonly to: "stranger"; readonly raw: RawHeader; readonly header: IkeHeader }
  /** Answered without any state. */
  | { readonly to: "refuse"; readonly header: IkeHeader; readonly error: ProtocolError }
  /** IKEv1: for one that has these cookies, or of a stranger. */
  | { readonly to: "v1"; readonly sa: V1Sa | undefined; readonly raw: RawHeader }
  /** A request for an IKE SA neither of whose SPIs is in use here. */
  | { readonly to: "forgotten"; readonly header: IkeHeader; readonly detail: string }
  | { readonly to: "nobody"; readonly code: string; readonly detail: string };

export const UNKNOWN = "unknown SPI";

export function demux(bytes: Uint8Array, path: Path, sas: SaTable): Destination {
  let raw: RawHeader;
  try {
    raw = decodeRawHeader(bytes);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return nobody("malformed", error.detail);
  }
  if (raw.majorVersion === 1) return demuxV1(raw, bytes, path, sas);
  const header = ikeHeader(raw);
  if (raw.majorVersion < 1) return nobody("version", `IKEv${raw.majorVersion} is not spoken here`);
  if (raw.length !== bytes.length)
    return nobody("length", `its header says ${raw.length} octets, ${bytes.length} came`);
  if (raw.majorVersion > 2)
    return header.response
      ? nobody("version", `an answer of IKEv${raw.majorVersion}`)
      : {
          to: "refuse",
          header,
          error: new ProtocolError("INVALID_MAJOR_VERSION", `IKEv${raw.majorVersion}, version 2 is the highest here`),
        };
  const { initiatorSpi, responderSpi } = header;
  if (responderSpi === 0n && !header.response) {
    if (header.exchange !== "IKE_SA_INIT" || !header.fromInitiator)
      return nobody("no SPI", "a request without the responder's SPI");
    for (const sa of sas.withInitiatorSpi(initiatorSpi))
      if (!isV1(sa) && sa.role === "responder" && sameAddress(sa.path.remote.address, path.remote.address))
        return { to: "repeated", sa, raw };
    return { to: "stranger", raw, header };
  }
  const sa = sas.get(spiHex(header.fromInitiator ? responderSpi : initiatorSpi));
  if (sa === undefined || isV1(sa) || !matches(sa, header)) {
    const detail = "it belongs to no IKE SA here";
    const used = sas.has(spiHex(initiatorSpi)) || sas.has(spiHex(responderSpi));
    return header.response || used ? nobody(UNKNOWN, detail) : { to: "forgotten", header, detail };
  }
  return { to: "sa", sa, raw };
}

/**
 * IKEv1: both cookies have to fit, one of which is our own. A first message has no responder's cookie, nor may an error in answer to ours:
 * then the initiator's decides, with the address where the initiator is somebody else.
 */
function demuxV1(raw: RawHeader, bytes: Uint8Array, path: Path, sas: SaTable): Destination {
  const { initiatorSpi, responderSpi } = raw;
  if (raw.length !== bytes.length)
    return nobody("length", `its header says ${raw.length} octets, ${bytes.length} came`);
  const fromHere = (sa: AnySa) => sameAddress(sa.path.remote.address, path.remote.address);
  for (const sa of sas.withInitiatorSpi(initiatorSpi)) {
    if (!isV1(sa)) continue;
    const cookies = sa.phase === "peer" ? sa.phase1s : [sa];
    for (const one of cookies) {
      if (one.initiatorSpi !== initiatorSpi) continue;
      if (responderSpi === 0n ? one.role === "initiator" || fromHere(sa) : one.responderSpi === responderSpi)
        return { to: "v1", sa, raw };
      if (one.responderSpi === 0n && sa.phase !== "peer") return { to: "v1", sa, raw };
    }
  }
  if (responderSpi !== 0n) return nobody("unknown SPI", "it belongs to no IKE SA here");
  return { to: "v1", sa: undefined, raw };
}

/** Both SPIs and the I flag have to fit; until IKE_SA_INIT is answered the responder's is not known. */
function matches(sa: IkeSa, { initiatorSpi, responderSpi, fromInitiator }: IkeHeader): boolean {
  if (sa.initiatorSpi !== initiatorSpi || fromInitiator !== (sa.role === "responder")) return false;
  return sa.phase === "initSent" || sa.phase === "initKeying" || sa.responderSpi === responderSpi;
}

function nobody(code: string, detail: string): Destination {
  return { to: "nobody", code, detail };
}
