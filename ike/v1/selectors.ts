/** The ID payloads of quick mode as traffic selectors and back, RFC 2407 section 4.6.2, RFC 2409 section 5.5. */

import { concat } from "../../crypto/bytes.js";
import {
  type Address,
  addressBits,
  addressFromOctets,
  addressOctets,
  type Family,
  lastAddress,
} from "../../esp/address.js";
import { selectorFromAddress, selectorFromRange, type TrafficSelector, toPrefixes } from "../../esp/selector.js";
import { ID_TYPE_V1 } from "../wire/id-types.js";
import type { IdPayloadV1 } from "../wire/payloads/v1/id.js";

/**
 * IDci or IDcr for a selector: a host as an address, a prefix as a subnet, anything else as a range. One ID holds one protocol and one
 * port or all: undefined where the selector is about several ports, which IKEv1 cannot say.
 */
export function idOfSelector(selector: TrafficSelector): IdPayloadV1 | undefined {
  const port = portOf(selector);
  if (port === undefined) return undefined;
  const { family, protocol, start, end } = selector;
  const types = TYPES[family];
  const octets = (value: bigint) => addressOctets({ family, value });
  const id = (idType: number, data: Uint8Array) => ({ idType, protocol, port, data });
  if (start === end) return id(types.address, octets(start));
  const [prefix, ...more] = toPrefixes(selector);
  if (prefix === undefined || more.length > 0) return id(types.range, concat(octets(start), octets(end)));
  return id(types.subnet, concat(octets(start), octets(maskOf(family, prefix.length))));
}

/** The selector of an ID payload; undefined for a type that is no address, a mask with holes, a range that ends before it starts. */
export function selectorOfId({ idType, protocol, port, data }: IdPayloadV1): TrafficSelector | undefined {
  const family = familyOf(idType);
  if (family === undefined) return undefined;
  const types = TYPES[family];
  const length = addressBits(family) / 8;
  if (data.length !== (idType === types.address ? length : 2 * length)) return undefined;
  const first = addressFromOctets(data.subarray(0, length)).value;
  const second = idType === types.address ? first : addressFromOctets(data.subarray(length)).value;
  // Ports are those of a protocol: without one they say nothing.
  const ports = port === 0 || protocol === 0 ? ANY_PORT : { startPort: port, endPort: port };
  if (idType !== types.subnet)
    return first > second ? undefined : selectorFromRange(family, first, second, { protocol, ...ports });
  const hosts = lastAddress(family) ^ second;
  if ((hosts & (hosts + 1n)) !== 0n) return undefined;
  return selectorFromRange(family, first & second, (first & second) | hosts, { protocol, ...ports });
}

/** Without ID payloads a quick mode is about the two IKE peers themselves (RFC 2409 section 5.5). */
export function selectorWithoutId(peer: Address): TrafficSelector {
  return selectorFromAddress(peer);
}

const ANY_PORT = { startPort: 0, endPort: 65535 } as const;

const TYPES = {
  4: { address: ID_TYPE_V1.ipv4, subnet: ID_TYPE_V1.ipv4Subnet, range: ID_TYPE_V1.ipv4Range },
  6: { address: ID_TYPE_V1.ipv6, subnet: ID_TYPE_V1.ipv6Subnet, range: ID_TYPE_V1.ipv6Range },
} as const satisfies Record<Family, object>;

function familyOf(idType: number): Family | undefined {
  const families: readonly Family[] = [4, 6];
  return families.find((family) => Object.values(TYPES[family]).some((type) => type === idType));
}

/** 0: any. Undefined: several ports, or ports that cannot be seen. */
function portOf({ startPort, endPort }: TrafficSelector): number | undefined {
  if (startPort === 0 && endPort === 65535) return 0;
  return startPort === endPort && startPort !== 0 ? startPort : undefined;
}

function maskOf(family: Family, length: number): bigint {
  const last = lastAddress(family);
  return last ^ (last >> BigInt(length));
}
