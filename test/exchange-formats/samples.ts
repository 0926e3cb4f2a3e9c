/** Files as people write them, for the tests of the readers. Keys are invented. */
import type { KindWord } from "../../src/exchange-formats/read-file.js";

export interface Sample {
  readonly kind: KindWord;
  readonly text: string;
  readonly secrets?: string;
}

const SWANCTL = `# a gateway of a branch
connections {
  common {
    version = 2
    proposals = aes256-sha256-modp2048
  }
  branch : connections.common {
    local_addrs  = 198.51.100.7
    remote_addrs = 203.0.113.1, 203.0.113.9   # two lines to us
    rekey_time = 4h
    dpd_delay = 10s
    unique = replace
    pools = clients
    local-1 {
      auth = psk
      id = branch.example.com
    }
    remote-1 {
      auth = psk
      id = "@head.example.com"
      certs = head.pem
    }
    children {
      servers {
        local_ts = 10.9.1.0/24, 10.9.2.7
        remote_ts = 192.168.1.0/24[tcp/443]
        esp_proposals = aes128gcm16-ecp256, default
        life_time = 1h
        start_action = trap
        updown = /usr/lib/ipsec/_updown iptables
      }
      printers {
        local_ts = 10.9.3.0/24
        remote_ts = 192.168.2.0/24
        esp_proposals = aes128-sha1
      }
      host {
        mode = transport
      }
    }
  }
  warriors {
    version = 2
    local { auth = pubkey }
    remote { auth = eap-mschapv2 }
  }
}
secrets {
  ike-1 {
    id-head = head.example.com
    secret = 0sMTIzNDU2Nzg5MDEyMzQ1Njc4OTA=
  }
  ike-other {
    id = other.example.com
    secret = "not this one"
  }
  rsa-gw { file = gw.pem }
}
include conf.d/*.conf
`;

const STARTER = `# strongSwan
config setup
    uniqueids = yes

conn %default
    keyexchange=ikev1
    ikelifetime=8h
    lifetime=1h
    dpdaction=restart
    dpddelay=30s
    dpdtimeout=150s

conn base
    authby=secret
    left=%defaultroute
    leftid=@branch.example.com
    right=203.0.113.1
    ike=aes256-sha1-modp1024!
    esp=aes256-sha1,3des-md5!

conn lan
    also=base
    leftsubnet=10.9.0.0/16
    rightsubnet=192.168.1.0/24
    auto=start

conn dmz
    also=base
    leftsubnet=10.9.0.0/16
    rightsubnet=192.168.2.0/24
    auto=start

conn people
    left=198.51.100.7
    leftauth=pubkey
    rightauth=eap-mschapv2
    auto=add
`;
const STARTER_SECRETS = `# keys
branch.example.com 203.0.113.1 : PSK "a key for the branch"
: RSA gw.pem "pass"
@x @y : PSK 0x0011
`;

const LIBRESWAN = `config setup
    logfile=/var/log/pluto.log

conn mysubnet
    also=mytunnel
    leftsubnets={10.9.1.0/24 10.9.2.0/24}
    rightsubnet=192.168.1.0/24
    auto=start

conn mytunnel
    left=198.51.100.7
    right=203.0.113.1
    rightid=@head
    authby=secret
    ikev2=insist
    ike=aes256-sha2_512+sha2_256;dh19+modp2048,aes_gcm128-sha2
    esp=aes_gcm256,aes-sha2
    ikelifetime=4h
    salifetime=8h
    dpddelay=15
    dpdtimeout=60
    dpdaction=hold
    narrowing=yes
`;
const LIBRESWAN_SECRETS = `198.51.100.7 @head : PSK "libreswan's key"
`;

const AWS_TEXT = `Amazon Web Services
Virtual Private Cloud

VPN Connection Configuration
================================================================================
Your VPN Connection ID                : vpn-0123456789abcdef0
Your Virtual Private Gateway ID       : vgw-0123456789abcdef0
Your Customer Gateway ID              : cgw-0123456789abcdef0

${[
  ["1", "keyOfTheFirstTunnel", "52.0.2.10", "169.254.11"],
  ["2", "keyOfTheSecondTunnel", "52.0.2.20", "169.254.12"],
]
  .map(
    ([number, key, gateway, inside]) => `IPSec Tunnel #${number}
================================================================================
#1: Internet Key Exchange Configuration

Configure the IKE SA as follows:
  - IKE version              : IKEv2
  - Authentication Method    : Pre-Shared Key
  - Pre-Shared Key           : ${key}
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

IPSec Dead Peer Detection (DPD) will be enabled on the AWS Endpoint.
  - DPD Interval             : 10
  - DPD Retries              : 3

  - TCP MSS Adjustment       : 1379 bytes
  - Clear Don't Fragment Bit : enabled
  - Fragmentation            : Before encryption

#3: Tunnel Interface Configuration

Outside IP Addresses:
  - Customer Gateway         : 203.0.113.1
  - Virtual Private Gateway  : ${gateway}

Inside IP Addresses
  - Customer Gateway         : ${inside}.2/30
  - Virtual Private Gateway  : ${inside}.1/30

#4: Static Routing Configuration:
  - Next hop                 : ${inside}.1
`,
  )
  .join("\n")}`;

const AWS_XML = `<?xml version="1.0" encoding="UTF-8"?>
<vpn_connection id="vpn-0123456789abcdef0">
  <customer_gateway_id>cgw-0123456789abcdef0</customer_gateway_id>
  <vpn_connection_type>ipsec.1</vpn_connection_type>
  <ipsec_tunnel>
    <customer_gateway>
      <tunnel_outside_address><ip_address>203.0.113.1</ip_address></tunnel_outside_address>
      <tunnel_inside_address><ip_address>169.254.44.42</ip_address></tunnel_inside_address>
    </customer_gateway>
    <vpn_gateway>
      <tunnel_outside_address><ip_address>52.0.2.10</ip_address></tunnel_outside_address>
    </vpn_gateway>
    <ike>
      <authentication_protocol>sha1</authentication_protocol>
      <encryption_protocol>aes-128-cbc</encryption_protocol>
      <lifetime>28800</lifetime>
      <perfect_forward_secrecy>group2</perfect_forward_secrecy>
      <mode>main</mode>
      <pre_shared_key>key&amp;with&lt;signs</pre_shared_key>
    </ike>
    <ipsec>
      <protocol>esp</protocol>
      <authentication_protocol>hmac-sha1-96</authentication_protocol>
      <encryption_protocol>aes-128-cbc</encryption_protocol>
      <lifetime>3600</lifetime>
      <perfect_forward_secrecy>group2</perfect_forward_secrecy>
      <mode>tunnel</mode>
      <dead_peer_detection><interval>10</interval><retries>3</retries></dead_peer_detection>
    </ipsec>
  </ipsec_tunnel>
</vpn_connection>
`;

const TENCENT_API = JSON.stringify(
  {
    Response: {
      TotalCount: 1,
      VpnConnectionSet: [
        {
          VpnConnectionId: "vpnx-0a1b2c3d",
          VpnConnectionName: "to-idc",
          PreShareKey: "key of the cloud tunnel",
          RouteType: "Policy",
          NegotiationType: "flowTrigger",
          SecurityPolicyDatabaseSet: [
            { LocalCidrBlock: "10.0.0.0/24", RemoteCidrBlock: ["192.168.0.0/24", "192.168.1.0/24"] },
          ],
          IKEOptionsSpecification: {
            PropoEncryAlgorithm: "3DES-CBC",
            PropoAuthenAlgorithm: "MD5",
            ExchangeMode: "MAIN",
            LocalIdentity: "ADDRESS",
            RemoteIdentity: "FQDN",
            LocalAddress: "198.51.100.22",
            RemoteAddress: "203.0.113.1",
            RemoteFqdnName: "idc.example.com",
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
          DpdAction: "clear",
        },
      ],
    },
  },
  null,
  2,
);

const TENCENT_COMWARE = `# a VPN tunnel for the customer's device
ike proposal 1
 encryption-algorithm aes-cbc-128
 authentication-algorithm sha
 dh group2
 sa duration 86400
#
ike keychain tencent
 pre-shared-key address 198.51.100.22 255.255.255.255 key simple keyOfTheDevice
#
ike profile tencent
 keychain tencent
 exchange-mode main
 local-identity address 203.0.113.1
 match remote identity address 198.51.100.22 255.255.255.255
 proposal 1
#
acl advanced 3402
 rule 0 permit ip source 192.168.0.0 0.0.0.255 destination 10.0.0.0 0.0.0.255
 rule 1 permit ip source 192.168.1.0 0.0.0.255 destination 10.0.0.0 0.0.0.254
#
ipsec transform-set tencent
 esp encryption-algorithm aes-cbc-128
 esp authentication-algorithm sha1
#
ipsec policy tencent 10 isakmp
 transform-set tencent
 security acl 3402
 remote-address 198.51.100.22
 ike-profile tencent
 sa duration time-based 3600
 sa duration traffic-based 1843200
`;

export const SAMPLES: Readonly<Record<string, Sample>> = {
  "swanctl.conf": { kind: "swanctl", text: SWANCTL },
  "strongSwan's ipsec.conf": { kind: "strongswan-ipsec", text: STARTER, secrets: STARTER_SECRETS },
  "libreswan's ipsec.conf": { kind: "libreswan", text: LIBRESWAN, secrets: LIBRESWAN_SECRETS },
  "AWS's text": { kind: "aws", text: AWS_TEXT },
  "AWS's XML": { kind: "aws", text: AWS_XML },
  "Tencent Cloud's API": { kind: "tencent", text: TENCENT_API },
  "Tencent Cloud's download": { kind: "tencent", text: TENCENT_COMWARE },
};
