#!/bin/sh
# The life of the installed package on a Debian without a running systemd: install, check, a tunnel to strongSwan, upgrade over the
# running version, purge. Started by scripts/package-check.mjs as root of a machine of its own; $1 and $2 hold the two versions.
set -eu

first=$1 second=$2
say() { echo "== $*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }

# What systemd does with the unit: the user, its capabilities, its folders.
start() {
	install -d -o causeway -g causeway -m 0750 /run/causeway /var/lib/causeway
	setpriv --reuid causeway --regid causeway --init-groups --no-new-privs \
		--inh-caps=-all,+net_admin,+net_bind_service,+net_raw --ambient-caps=-all,+net_admin,+net_bind_service,+net_raw \
		--bounding-set=-all,+net_admin,+net_bind_service,+net_raw \
		timeout 300 causeway run -c /etc/causeway/gateway.yaml > /tmp/causeway.log 2>&1 &
	daemon=$!
}

stop() {
	kill -TERM "$daemon"
	wait "$daemon" || fail "the daemon ended with status $?"
}

established() {
	for _ in $(seq 60); do
		if causeway status site --json 2> /tmp/status.err | grep -q '"state": "established"'; then return; fi
		sleep 0.5
	done
	cat /tmp/causeway.log /tmp/status.err >&2
	fail "the tunnel is not established"
}

traffic() { timeout 20 ping -q -c 5 -i 0.2 -I 10.1.0.1 10.2.0.1 || fail "no echo through the tunnel"; }

say "install $first"
apt-get -qq install -y --no-install-recommends "$first"/causeway_*.deb "$first"/causeway-node_*.deb > /tmp/apt.log 2>&1 \
	|| { cat /tmp/apt.log >&2; fail "installation"; }
causeway --version
causeway check /etc/causeway/gateway.yaml
causeway vectors > /tmp/vectors.txt || { tail -5 /tmp/vectors.txt >&2; fail "vectors"; }
tail -1 /tmp/vectors.txt
man -w causeway gateway.yaml > /dev/null 2>&1 || ls /usr/share/man/man8/causeway.8.gz /usr/share/man/man5/gateway.yaml.5.gz
bash -n /usr/share/bash-completion/completions/causeway

say "the network: 10.1.0.1 - 192.0.2.1 == 192.0.2.2 - 10.2.0.1"
ip link set lo up
ip netns add peer
ip link add outer type veth peer name outer netns peer
ip address add 192.0.2.1/30 dev outer
ip address add 10.1.0.1/24 dev lo
ip link set outer up
ip netns exec peer sh -c "ip link set lo up; ip address add 192.0.2.2/30 dev outer; ip address add 10.2.0.1/24 dev lo; ip link set outer up"

say "strongSwan with userspace ESP"
mkdir -p /etc/peer
cat > /etc/peer/strongswan.conf << 'END'
charon-systemd {
  load_modular = no
  load = random nonce aes sha1 sha2 hmac kdf openssl curve25519 gcm socket-default kernel-libipsec kernel-netlink vici
  plugins {
    vici {
      socket = unix:///run/peer.vici
    }
    kernel-libipsec {
      allow_peer_ts = yes
    }
  }
}
END
cat > /etc/peer/swanctl.conf << 'END'
connections {
  site {
    version = 2
    local_addrs = 192.0.2.2
    remote_addrs = 192.0.2.1
    proposals = aes256-sha256-x25519
    local {
      auth = psk
    }
    remote {
      auth = psk
    }
    children {
      net {
        local_ts = 10.2.0.0/24
        remote_ts = 10.1.0.0/24
        esp_proposals = aes256gcm16
      }
    }
  }
}
secrets {
  ike {
    secret = "correct horse battery staple"
  }
}
END
export STRONGSWAN_CONF=/etc/peer/strongswan.conf
timeout 300 ip netns exec peer charon-systemd > /tmp/charon.log 2>&1 &
for _ in $(seq 40); do [ -S /run/peer.vici ] && break; sleep 0.25; done
timeout 20 swanctl --load-all --file /etc/peer/swanctl.conf --uri unix:///run/peer.vici > /dev/null

say "a tunnel to it"
cat > /etc/causeway/gateway.yaml << 'END'
version: 1
gateway:
  name: installed
  address: 192.0.2.1
  control: { socket: /run/causeway/control.sock }
  log: { format: text }
tunnels:
  - name: site
    peer: 192.0.2.2
    psk: { file: /etc/causeway/site.psk }
    ike: { proposals: [aes256-sha256-x25519] }
    esp: { proposals: [aes256gcm16], pfs: off }
    policies:
      - { local: [10.1.0.0/24], peer: [10.2.0.0/24] }
END
(umask 027; echo "correct horse battery staple" > /etc/causeway/site.psk; chown root:causeway /etc/causeway/site.psk)
causeway check /etc/causeway/gateway.yaml
start
established
traffic

say "upgrade to $second over the running version"
apt-get -qq install -y --no-install-recommends "$second"/causeway_*.deb "$second"/causeway-node_*.deb > /tmp/apt.log 2>&1 \
	|| { cat /tmp/apt.log >&2; fail "upgrade"; }
grep -q site.psk /etc/causeway/gateway.yaml || fail "the upgrade replaced the configuration"
causeway status site > /dev/null || fail "the running gateway does not answer after the upgrade"
traffic
# Where systemd runs, the package restarts the service here.
stop
start
established
traffic
causeway --version
causeway status

say "purge"
stop
ip link show causeway0 > /dev/null 2>&1 && fail "the TUN device is left"
apt-get -qq purge -y causeway causeway-node > /tmp/apt.log 2>&1 || { cat /tmp/apt.log >&2; fail "purge"; }
for path in /etc/causeway /var/lib/causeway /run/causeway /usr/lib/causeway /usr/bin/causeway /usr/share/doc/causeway; do
	[ -e "$path" ] && fail "$path is left"
done
getent passwd causeway > /dev/null && fail "the user is left"
dpkg -l causeway causeway-node 2> /dev/null | grep -E '^[^dun|+/]' && fail "dpkg still knows the package"
say "all of it passed"
