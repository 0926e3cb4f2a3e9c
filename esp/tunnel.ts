/** What tunnelling does to the fields of both IP headers: RFC 4301 section 5.1.2, RFC 6040 (ECN), RFC 2983 (DSCP). */
import type { Arena } from "../crypto/interfaces.js";

/** The outer TOS or Traffic Class octet for an inner packet: DSCP copied, ECN in the normal mode of RFC 6040 section 4.1. */
export declare function outerTos(arena: Arena, inner: number): number;

/**
 * Carries the outer ECN field into the decapsulated packet (RFC 6040 section 4.2), with the IPv4 header checksum.
 * 0, or the drop code `ecnCorrupt`.
 */
export declare function applyOuterEcn(arena: Arena, inner: number, outerTos: number): number;
