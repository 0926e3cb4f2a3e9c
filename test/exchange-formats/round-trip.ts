/** A tunnel of ours, written for its peer's product and read back: what has to come out of it again. */

import { hex } from "../../crypto/bytes.js";
import { proposalKeywords } from "../../crypto/registry/proposal.js";
import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";
import { formatAddress, parseAddress } from "../../esp/address.js";
import { formatSelector } from "../../esp/selector.js";
import { formatIdentity, ourIdentity, theirIdentity } from "../../ike/core/identity.js";
import type { Configuration } from "../../src/config/model.js";
import { connectionOf, mirrored } from "../../src/exchange-formats/connection.js";
import type { Exported } from "../../src/exchange-formats/export-options.js";
import { PRODUCTS } from "../../src/exchange-formats/products.js";
import { readForeign } from "../../src/exchange-formats/read-file.js";
import { singleChoices } from "../../src/exchange-formats/spelling.js";
import { configurationText, keyInText, withOwnNames } from "../../src/exchange-formats/tunnel-yaml.js";
import { accepted } from "../config/reading.js";

export type RoundTripProduct = "strongswan" | "strongswan-ipsec" | "libreswan";

/** The peer's files for the only tunnel of a configuration, with its key. */
export function exported(product: string, configuration: Configuration): Exported {
  const [tunnel] = configuration.policy.tunnels;
  const ours = connectionOf(tunnel!, configuration.psk.get(tunnel!.name));
  return PRODUCTS[product]!.write(mirrored(ours), { withSecrets: true, reduce: false });
}

/** Our configuration again, from those files. */
export function readBack(product: RoundTripProduct, { files }: Exported): { text: string; notes: readonly unknown[] } {
  const kind = product === "strongswan" ? "swanctl" : product;
  const { connections, notes } = readForeign(files[0]!.text, kind, files[1]?.text);
  return { text: configurationText(withOwnNames(connections.map((each) => mirrored(each))), keyInText), notes };
}

/** What both ends have to agree on, and what the peer's file tells of ours. */
export function sharedFacts({ policy, psk, gateway }: Configuration) {
  const [tunnel] = policy.tunnels;
  const { name, peer, ike, esp, mappings, start, encapsulation, dpd } = tunnel!;
  const path = {
    local: { address: gateway.address!, port: 500 },
    remote: { address: parseAddress("203.0.113.99"), port: 500 },
  };
  const words = (proposals: readonly (IkeProposal | EspProposal)[]) =>
    (ike.version === 1 ? singleChoices(proposals) : proposals).map(proposalKeywords);
  return {
    peer: peer.kind === "address" ? formatAddress(peer.address) : peer.kind === "name" ? peer.name : "any",
    address: formatAddress(gateway.address!),
    localId: formatIdentity(ourIdentity(tunnel!, path)),
    peerId: formatIdentity(theirIdentity(tunnel!, path)),
    psk: hex(psk.get(name)!.reveal()),
    version: ike.version,
    exchange: ike.exchange,
    ike: words(ike.proposals),
    ikeLifetime: ike.lifetimeSeconds,
    fragmentation: ike.fragmentation,
    mobike: ike.mobike,
    esp: words(esp.proposals),
    espLifetime: esp.lifetimeSeconds,
    espVolume: esp.volumeOctets,
    start,
    encapsulation,
    dpd: dpd?.timeoutSeconds,
    mappings: mappings.map(({ local, peer }) => `${formatSelector(local)} <-> ${formatSelector(peer)}`).sort(),
  };
}

export function loaded(text: string): Configuration {
  return accepted(text);
}
