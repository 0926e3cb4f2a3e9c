/** How much of anything one message may hold. Far above what real peers send; below what would cost us. */
export const MAX_PAYLOADS = 128;
export const MAX_NOTIFIES = 64;
export const MAX_PROPOSALS = 128;
/** Of all proposals together. */
export const MAX_TRANSFORMS = 1024;
export const MAX_ATTRIBUTES = 8;
/** Of an IKEv1 transform or Attribute payload: there the whole suite is made of attributes. */
export const MAX_ATTRIBUTES_V1 = 32;
export const MAX_DELETED_SPIS = 1024;
/** Octets of a message that is kept before its sender has proved anything: an IKE_SA_INIT request, and an IKE_AUTH that waits for keys. */
export const MAX_UNPROVEN_BYTES = 16_384;
/** Of one message (RFC 7383). */
export const MAX_FRAGMENTS = 128;
/** Octets of a message that comes in fragments: what one UDP datagram could hold. */
export const MAX_REASSEMBLED_BYTES = 65_535;
