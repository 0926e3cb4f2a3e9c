/** Notify message types by name: the errors of `core/errors.ts`, and the status types below. */
import { ERROR_NOTIFY, type ErrorNotify, FIRST_STATUS_NOTIFY } from "../core/errors.js";

/** Status types, RFC 7296 section 3.10.1 and the IANA registry "IKEv2 Notify Message Status Types". */
export const STATUS_NOTIFY = {
  INITIAL_CONTACT: 16384,
  SET_WINDOW_SIZE: 16385,
  ADDITIONAL_TS_POSSIBLE: 16386,
  IPCOMP_SUPPORTED: 16387,
  NAT_DETECTION_SOURCE_IP: 16388,
  NAT_DETECTION_DESTINATION_IP: 16389,
  COOKIE: 16390,
  USE_TRANSPORT_MODE: 16391,
  HTTP_CERT_LOOKUP_SUPPORTED: 16392,
  REKEY_SA: 16393,
  ESP_TFC_PADDING_NOT_SUPPORTED: 16394,
  NON_FIRST_FRAGMENTS_ALSO: 16395,
  MOBIKE_SUPPORTED: 16396, // RFC 4555, up to 16401
  ADDITIONAL_IP4_ADDRESS: 16397,
  ADDITIONAL_IP6_ADDRESS: 16398,
  NO_ADDITIONAL_ADDRESSES: 16399,
  UPDATE_SA_ADDRESSES: 16400,
  COOKIE2: 16401,
  NO_NATS_ALLOWED: 16402, // RFC 4555
  AUTH_LIFETIME: 16403, // RFC 4478
  MULTIPLE_AUTH_SUPPORTED: 16404, // RFC 4739
  ANOTHER_AUTH_FOLLOWS: 16405, // RFC 4739
  REDIRECT_SUPPORTED: 16406, // RFC 5685
  REDIRECT: 16407, // RFC 5685
  REDIRECTED_FROM: 16408, // RFC 5685
  TICKET_LT_OPAQUE: 16409, // RFC 5723
  TICKET_REQUEST: 16410, // RFC 5723
  TICKET_ACK: 16411, // RFC 5723
  TICKET_NACK: 16412, // RFC 5723
  TICKET_OPAQUE: 16413, // RFC 5723
  LINK_ID: 16414, // RFC 5739
  USE_WESP_MODE: 16415, // RFC 5840
  ROHC_SUPPORTED: 16416, // RFC 5857
  EAP_ONLY_AUTHENTICATION: 16417, // RFC 5998
  CHILDLESS_IKEV2_SUPPORTED: 16418, // RFC 6023
  QUICK_CRASH_DETECTION: 16419, // RFC 6290
  IKEV2_MESSAGE_ID_SYNC_SUPPORTED: 16420, // RFC 6311
  IPSEC_REPLAY_COUNTER_SYNC_SUPPORTED: 16421, // RFC 6311
  IKEV2_MESSAGE_ID_SYNC: 16422, // RFC 6311
  IPSEC_REPLAY_COUNTER_SYNC: 16423, // RFC 6311
  SECURE_PASSWORD_METHODS: 16424, // RFC 6467
  PSK_PERSIST: 16425, // RFC 6631
  PSK_CONFIRM: 16426, // RFC 6631
  ERX_SUPPORTED: 16427, // RFC 6867
  IFOM_CAPABILITY: 16428,
  GROUP_SENDER: 16429,
  IKEV2_FRAGMENTATION_SUPPORTED: 16430, // RFC 7383
  SIGNATURE_HASH_ALGORITHMS: 16431, // RFC 7427
  CLONE_IKE_SA_SUPPORTED: 16432, // RFC 7791
  CLONE_IKE_SA: 16433, // RFC 7791
  PUZZLE: 16434, // RFC 8019
  USE_PPK: 16435, // RFC 8784
  PPK_IDENTITY: 16436, // RFC 8784
  NO_PPK_AUTH: 16437, // RFC 8784
  INTERMEDIATE_EXCHANGE_SUPPORTED: 16438, // RFC 9242
  IP4_ALLOWED: 16439, // RFC 8983
  IP6_ALLOWED: 16440, // RFC 8983
  ADDITIONAL_KEY_EXCHANGE: 16441, // RFC 9370
  USE_AGGFRAG: 16442, // RFC 9347
  SUPPORTED_AUTH_METHODS: 16443, // RFC 9593
  SA_RESOURCE_INFO: 16444, // RFC 9611
  USE_PPK_INT: 16445, // RFC 9867
  PPK_IDENTITY_KEY: 16446, // RFC 9867
} as const;

export type StatusNotify = keyof typeof STATUS_NOTIFY;
export type NotifyName = ErrorNotify | StatusNotify;

/** A known type by name, any other by number. */
export type NotifyType = NotifyName | number;

const NAMES: ReadonlyMap<number, NotifyName> = new Map<number, NotifyName>([
  ...(Object.keys(ERROR_NOTIFY) as ErrorNotify[]).map((name) => [ERROR_NOTIFY[name].code, name] as const),
  ...(Object.keys(STATUS_NOTIFY) as StatusNotify[]).map((name) => [STATUS_NOTIFY[name], name] as const),
]);

export function notifyType(code: number): NotifyType {
  return NAMES.get(code) ?? code;
}

export function notifyCode(type: NotifyType): number {
  if (typeof type === "number") return type;
  return type in STATUS_NOTIFY ? STATUS_NOTIFY[type as StatusNotify] : ERROR_NOTIFY[type as ErrorNotify].code;
}

/** Whether the peer says that something failed; also of types that we do not know (RFC 7296 section 3.10.1). */
export function isErrorNotify(type: NotifyType): boolean {
  return notifyCode(type) < FIRST_STATUS_NOTIFY;
}

/** For logs: the name, or the number of a type that we do not know. */
export function notifyName(type: NotifyType): string {
  return typeof type === "number" ? `notify ${type}` : type;
}
