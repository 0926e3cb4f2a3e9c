/** How much of anything one message may hold. Far above what real peers send; below what would cost us. */
export const MAX_PAYLOADS = 128;
export const MAX_NOTIFIES = 64;
export const MAX_PROPOSALS = 128;
/** Of all proposals together. */
export const MAX_TRANSFORMS = 1024;
export const MAX_ATTRIBUTES = 8;
export const MAX_DELETED_SPIS = 1024;
