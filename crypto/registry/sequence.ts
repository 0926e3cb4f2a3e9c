/** Sequence numbers: transform type 5 of IKEv2 (RFC 9827), attribute 11 of IKEv1 phase 2 (RFC 4304). */
import type { SequenceRow } from "./row.js";

export const SEQUENCE_32 = {
  kind: "sequence",
  name: "32-bit Sequential Numbers",
  keywords: ["noesn"],
  ids: { ikev2: 0 },
  rfc: "RFC 9827",
  level: { ike: "none", esp: "none" },
  vectors: { crossChecked: "no algorithm of its own: the layout of a packet" },
  extended: false,
} as const satisfies SequenceRow;

export const SEQUENCE_ESN = {
  kind: "sequence",
  name: "Partially Transmitted 64-bit Sequential Numbers",
  keywords: ["esn"],
  ids: { ikev2: 1, phase2: 1 },
  rfc: "RFC 4303",
  level: { ike: "none", esp: "none" },
  vectors: "mcgrew-gcm-esp.json",
  extended: true,
} as const satisfies SequenceRow;

export const SEQUENCE_ROWS: readonly SequenceRow[] = [SEQUENCE_32, SEQUENCE_ESN];
