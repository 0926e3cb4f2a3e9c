/** Files that clouds and people write, imported; a strongSwan with the same settings plays their author. */
import { PSK, type Scenario } from "../scenario.js";

export interface DownloadRow
  extends Pick<Scenario, "name" | "tier" | "role" | "version" | "exchange" | "ids" | "ike" | "esp"> {
  /** Of outer addresses and inner networks, ours first. */
  readonly file: (ours: string, peer: string, ourNet: string, theirNet: string) => string;
  /** Else they are named on the command line. */
  readonly namesRanges: boolean;
}

const [network, wildcard] = [(range: string) => range.split("/")[0]!, "0.0.0.255"];

export const downloads: readonly DownloadRow[] = [
  {
    name: "the text that AWS offers for download",
    tier: "ci",
    role: "initiator",
    ids: "address",
    ike: "aes256-sha256-modp2048",
    esp: "aes256-sha256-modp2048",
    namesRanges: false,
    file: (ours, peer) => `VPN Connection Configuration
Your VPN Connection ID                : vpn-0123456789abcdef0
IPSec Tunnel #1
#1: Internet Key Exchange Configuration
  - IKE version              : IKEv2
  - Authentication Method    : Pre-Shared Key
  - Pre-Shared Key           : ${PSK}
  - Authentication Algorithm : sha2-256
  - Encryption Algorithm     : aes-256-cbc
  - Lifetime                 : 28800 seconds
  - Phase 1 Negotiation Mode : main
  - Diffie-Hellman           : Group 14
#2: IPSec Configuration
  - Protocol                 : esp
  - Authentication Algorithm : hmac-sha2-256
  - Encryption Algorithm     : aes-256-cbc
  - Lifetime                 : 3600 seconds
  - Mode                     : tunnel
  - Perfect Forward Secrecy  : Diffie-Hellman Group 14
  - DPD Interval             : 10
  - DPD Retries              : 3
#3: Tunnel Interface Configuration
Outside IP Addresses:
  - Customer Gateway         : ${ours}
  - Virtual Private Gateway  : ${peer}
`,
  },
  {
    name: "the XML of AWS's API",
    tier: "full",
    role: "initiator",
    ids: "address",
    ike: "aes128-sha1-modp1024",
    esp: "aes128-sha1-modp1024",
    namesRanges: false,
    file: (ours, peer) => `<vpn_connection id="vpn-0123456789abcdef0"><ipsec_tunnel>
  <customer_gateway><tunnel_outside_address><ip_address>${ours}</ip_address></tunnel_outside_address></customer_gateway>
  <vpn_gateway><tunnel_outside_address><ip_address>${peer}</ip_address></tunnel_outside_address></vpn_gateway>
  <ike><authentication_protocol>sha1</authentication_protocol><encryption_protocol>aes-128-cbc</encryption_protocol>
    <lifetime>28800</lifetime><perfect_forward_secrecy>group2</perfect_forward_secrecy><mode>main</mode>
    <pre_shared_key>${PSK}</pre_shared_key></ike>
  <ipsec><protocol>esp</protocol><authentication_protocol>hmac-sha1-96</authentication_protocol>
    <encryption_protocol>aes-128-cbc</encryption_protocol><lifetime>3600</lifetime>
    <perfect_forward_secrecy>group2</perfect_forward_secrecy><mode>tunnel</mode></ipsec>
</ipsec_tunnel></vpn_connection>
`,
  },
  {
    name: "what Tencent Cloud's API tells of a tunnel",
    tier: "full",
    role: "initiator",
    version: 1,
    ids: "address",
    ike: "3des-md5-modp768",
    esp: "aes128-sha1",
    namesRanges: true,
    file: (ours, peer, ourNet, theirNet) =>
      JSON.stringify({
        VpnConnectionSet: [
          {
            VpnConnectionName: "to-idc",
            PreShareKey: PSK,
            NegotiationType: "passive",
            SecurityPolicyDatabaseSet: [{ LocalCidrBlock: theirNet, RemoteCidrBlock: [ourNet] }],
            IKEOptionsSpecification: {
              PropoEncryAlgorithm: "3DES-CBC",
              PropoAuthenAlgorithm: "MD5",
              ExchangeMode: "MAIN",
              LocalIdentity: "ADDRESS",
              RemoteIdentity: "ADDRESS",
              LocalAddress: peer,
              RemoteAddress: ours,
              DhGroupName: "GROUP1",
              IKESaLifetimeSeconds: 86400,
              IKEVersion: "IKEV1",
            },
            IPSECOptionsSpecification: {
              EncryptAlgorithm: "AES-CBC-128",
              IntegrityAlgorith: "SHA1",
              IPSECSaLifetimeSeconds: 3600,
              PfsDhGroup: "NULL",
              IPSECSaLifetimeTraffic: 1843200,
            },
            DpdEnable: 1,
            DpdTimeout: "30",
          },
        ],
      }),
  },
  {
    name: "Tencent Cloud's download for a device",
    tier: "full",
    role: "initiator",
    version: 1,
    ids: "address",
    ike: "aes128-sha1-modp1024",
    esp: "aes128-sha1",
    namesRanges: true,
    file: (ours, peer, ourNet, theirNet) => `ike proposal 1
 encryption-algorithm aes-cbc-128
 authentication-algorithm sha
 dh group2
 sa duration 86400
ike keychain tencent
 pre-shared-key address ${peer} 255.255.255.255 key simple ${PSK}
ike profile tencent
 keychain tencent
 exchange-mode main
 local-identity address ${ours}
 match remote identity address ${peer} 255.255.255.255
 proposal 1
acl advanced 3402
 rule 0 permit ip source ${network(ourNet)} ${wildcard} destination ${network(theirNet)} ${wildcard}
ipsec transform-set tencent
 esp encryption-algorithm aes-cbc-128
 esp authentication-algorithm sha1
ipsec policy tencent 10 isakmp
 transform-set tencent
 security acl 3402
 remote-address ${peer}
 ike-profile tencent
 sa duration time-based 3600
 sa duration traffic-based 1843200
`,
  },
];
