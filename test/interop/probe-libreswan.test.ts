/** `causeway probe` against libreswan. */
import { ENVIRONMENT } from "./libreswan.js";
import { type ProbedRow, probeSuite } from "./probe-suite.js";
import { PSK } from "./scenario.js";
import { openPeer } from "./stage.js";
import type { Topology } from "./topology.js";

const ROWS: readonly ProbedRow[] = [
  {
    name: "IKEv2 with PFS",
    tier: "ci",
    version: 2,
    ike: "aes_gcm256-sha2_512;dh19,aes128-sha2_256;dh14",
    esp: "aes_gcm256;dh14,aes128-sha2_256;dh14",
    accepted: {
      encryption: ["aes128", "aes256gcm16"],
      integrity: ["sha256"],
      groups: ["ecp256", "modp2048"],
    },
    prf: ["prfsha256", "prfsha512"],
    children: {
      encryption: ["aes128", "aes256gcm16"],
      integrity: ["sha256"],
      pfs: ["modp2048"],
      sequence: ["esn", "noesn"],
    },
  },
  {
    name: "IKEv1 main mode with PFS",
    tier: "full",
    version: 1,
    ike: "aes128-sha2_256;dh14",
    esp: "aes128-sha2_256;dh14,aes256-sha1;dh14",
    accepted: { encryption: ["aes128"], integrity: ["sha256"], groups: ["modp2048"] },
    children: {
      encryption: ["aes128", "aes256"],
      integrity: ["sha1", "sha256"],
      pfs: ["modp2048"],
      sequence: ["noesn"],
    },
    morePfs: true,
  },
];

probeSuite("libreswan", ROWS, { guest: true }, async (topology, folder, undo) => {
  const { place } = await openPeer("libreswan-kernel", topology, folder, undo);
  const shell = (script: string) => place.shell(`${ENVIRONMENT}\n${script}`, 30);
  const whack = (words: string) => shell(`whack --ctlsocket /run/pluto/pluto.ctl ${words}`);
  return {
    async load(row) {
      await whack("--delete --name site").catch(() => {}); // the first row finds nothing
      await place.file("pluto.secrets", `: PSK "${PSK}"\n`);
      const conf = await place.file("site.conf", ipsecConf(topology, row));
      await whack("--rereadsecrets");
      await shell(`addconn --config ${conf} --ctlsocket /run/pluto/pluto.ctl site`).catch(async (error: Error) => {
        throw new Error(`${error.message}\n${(await place.read("pluto.log")).slice(-1500)}`);
      });
    },
    log: () => place.read("pluto.log"),
  };
});

function ipsecConf({ addresses: { ours, peer } }: Topology, { version, aggressive, ike, esp }: ProbedRow): string {
  return `
config setup
conn site
  ikev2=${version === 2 ? "insist" : "no"}
  ${aggressive ? "aggressive=yes" : ""}
  authby=secret
  left=${peer.outer[4]}
  leftsubnet=${peer.net[4]}
  leftupdown=/bin/true
  right=${ours.outer[4]}
  rightsubnet=${ours.net[4]}
  ike=${ike}
  esp=${esp}
  pfs=yes
  auto=add
`;
}
