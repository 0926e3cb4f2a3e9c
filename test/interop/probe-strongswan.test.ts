/** `causeway probe` against strongSwan. */

import { type ProbedRow, probeSuite } from "./probe-suite.js";
import { PSK } from "./scenario.js";
import { openPeer } from "./stage.js";
import type { Topology } from "./topology.js";

const ROWS: readonly ProbedRow[] = [
  {
    name: "IKEv2 with three proposals",
    tier: "ci",
    version: 2,
    ike: "aes256gcm16-aes128gcm16-prfsha384-prfsha256-ecp384-x25519,aes128-aes256-sha256-sha1-modp2048,3des-md5-modp1024",
    esp: "aes256gcm16-aes128gcm16-x25519,aes128-sha256-sha1,aes256-sha512-modp2048",
    accepted: {
      encryption: ["3des", "aes128", "aes128gcm16", "aes256", "aes256gcm16"],
      integrity: ["md5", "sha1", "sha256"],
      groups: ["ecp384", "modp1024", "modp2048", "x25519"],
    },
    prf: ["prfmd5", "prfsha1", "prfsha256", "prfsha384"],
    differs: { ike: "aes256gcm16-prfsha384-ecp384", esp: "aes256gcm16", pfs: "x25519" },
    children: {
      encryption: ["aes128", "aes128gcm16", "aes256", "aes256gcm16"],
      integrity: ["sha1", "sha256", "sha512"],
      pfs: ["modp2048", "off", "x25519"],
      sequence: ["noesn"],
    },
  },
  {
    name: "IKEv1 with one proposal, main mode",
    tier: "ci",
    version: 1,
    ike: "aes128-sha256-modp2048",
    esp: "aes128-aes256-sha256-modp2048",
    accepted: { encryption: ["aes128"], integrity: ["sha256"], groups: ["modp2048"] },
    children: { encryption: ["aes128", "aes256"], integrity: ["sha256"], pfs: ["modp2048"], sequence: ["noesn"] },
  },
  {
    name: "IKEv1 without PFS, aggressive mode",
    tier: "full",
    version: 1,
    aggressive: true,
    ike: "aes256-sha1-modp1536",
    esp: "3des-aes256-sha1-md5",
    accepted: { encryption: ["aes256"], integrity: ["sha1"], groups: ["modp1536"] },
    children: { encryption: ["3des", "aes256"], integrity: ["md5", "sha1"], pfs: ["off"], sequence: ["noesn"] },
  },
];

probeSuite("strongSwan", ROWS, { guest: false }, async (topology, folder, undo) => {
  const { place } = await openPeer("strongswan-userspace", topology, folder, undo);
  const swanctl = (words: string): Promise<string> =>
    place.shell(
      `STRONGSWAN_CONF=${place.path("charon.conf")} swanctl ${words} --uri unix://${place.path("charon.vici")}`,
      30,
    );
  return {
    load: async (row) =>
      void (await swanctl(`--load-all --clear --file ${await place.file("probed.conf", swanctlConf(topology, row))}`)),
    log: () => place.read("charon.log"),
  };
});

function swanctlConf({ addresses: { ours, peer } }: Topology, { version, aggressive, ike, esp }: ProbedRow): string {
  return `connections {
  site {
    version = ${version}
    aggressive = ${aggressive ? "yes" : "no"}
    local_addrs = ${peer.outer[4]}
    remote_addrs = ${ours.outer[4]}
    proposals = ${ike}
    local { auth = psk
      id = ${peer.outer[4]} }
    remote { auth = psk
      id = ${ours.outer[4]} }
    children { net {
      local_ts = ${peer.net[4]}
      remote_ts = ${ours.net[4]}
      esp_proposals = ${esp}
    } }
  }
}
secrets {
  ike-site { secret = "${PSK}" }
}
`;
}
