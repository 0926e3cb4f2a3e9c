/** What the writers for devices share: plain names, masks, keys that can be typed, and what no device's command line can say. */

import type { Address, Prefix } from "../../esp/address.js";
import { formatAddress } from "../../esp/address.js";
import { isAnyProtocol, type TrafficSelector, toPrefixes } from "../../esp/selector.js";
import type { CompleteConnection, End } from "./connection.js";
import type { ExportOptions } from "./export-options.js";
import { plainName } from "./peer-words.js";
import { typedSecret } from "./secret-words.js";
import { refuseLacking } from "./spelling.js";

/** An address that a device can be told; devices here have one for each end. */
export function hostAddress(end: End): string | undefined {
  return end.at?.kind === "address" ? formatAddress(end.at.address) : undefined;
}

/** Both ends have addresses; the device needs them. */
export function refuseWithoutAddresses({ local, remote }: CompleteConnection): void {
  refuseLacking([
    hostAddress(local) === undefined && "a peer without a fixed address (peer: any or a name)",
    hostAddress(remote) === undefined && "a gateway of ours without a fixed address",
  ]);
}

/** The prefix of each side of each mapping. Throws `Lacks` for ranges that are none. */
export function prefixPairs({ mappings }: CompleteConnection): readonly {
  readonly local: Prefix;
  readonly remote: Prefix;
  readonly protocol: number;
  readonly localPorts: TrafficSelector;
  readonly remotePorts: TrafficSelector;
}[] {
  refuseLacking([
    mappings.some(({ local, peer }) => toPrefixes(local).length > 1 || toPrefixes(peer).length > 1) &&
      "address ranges that are no prefix in policies",
  ]);
  return mappings.map(({ local, peer }) => ({
    local: toPrefixes(local)[0]!,
    remote: toPrefixes(peer)[0]!,
    protocol: local.protocol || peer.protocol,
    localPorts: local,
    remotePorts: peer,
  }));
}

/** For products whose selectors are ranges alone. */
export function refuseNarrowPolicies({ mappings }: CompleteConnection): void {
  refuseLacking([
    mappings.some(({ local, peer }) => !isAnyProtocol(local) || !isAnyProtocol(peer)) &&
      "protocol and ports in policies",
  ]);
}

export function refuseIpv6Policies({ mappings }: CompleteConnection): void {
  refuseLacking([mappings.some(({ local }) => local.family === 6) && "IPv6 ranges in policies"]);
}

/** "255.255.255.0" or its inverse. IPv4 alone. */
export function maskOf({ length }: Prefix, inverse = false): string {
  const mask = length === 0 ? 0n : (0xffff_ffffn << BigInt(32 - length)) & 0xffff_ffffn;
  const value = inverse ? 0xffff_ffffn ^ mask : mask;
  return formatAddress({ family: 4, value });
}

export function networkOf({ family, value }: Prefix): string {
  return formatAddress({ family, value } satisfies Address);
}

export const KEY_PLACEHOLDER = "<PRE-SHARED-KEY>";

/** The key as it is typed there, or the placeholder. Throws `Lacks` when it cannot be typed. */
export function deviceKey(
  { psk }: CompleteConnection,
  { withSecrets }: ExportOptions,
  longest: number,
  forbidden?: RegExp,
): string {
  if (!withSecrets || psk === undefined) return KEY_PLACEHOLDER;
  const typed = typedSecret(psk, longest, forbidden);
  refuseLacking([
    typed === undefined && `a key of ${psk.length} octets that cannot be typed there (printable, at most ${longest})`,
  ]);
  return typed!;
}

/** The lines that every device's file begins with. */
export function deviceRemarks(
  connection: CompleteConnection,
  product: string,
  options: ExportOptions,
  leftOut: readonly string[],
  more: readonly string[] = [],
): readonly string[] {
  return [
    `The other end of tunnel ${plainName(connection.name)}, for ${product}`,
    ...(leftOut.length > 0 ? [`left out, because it lacks them: ${leftOut.join(", ")}`] : []),
    ...(options.withSecrets ? [] : [`the key is not in here: it belongs where ${KEY_PLACEHOLDER} stands`]),
    ...more,
  ];
}
