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

export const SAMPLES: Readonly<Record<string, Sample>> = {
  "swanctl.conf": { kind: "swanctl", text: SWANCTL },
  "strongSwan's ipsec.conf": { kind: "strongswan-ipsec", text: STARTER, secrets: STARTER_SECRETS },
  "libreswan's ipsec.conf": { kind: "libreswan", text: LIBRESWAN, secrets: LIBRESWAN_SECRETS },
};
