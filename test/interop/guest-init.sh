#!/bin/bash
# PID 1 of the guest machine: a Linux kernel with ESP of its own, on the host's files, which it can read but not change.
# It lays its own modules and libreswan over two folders, runs the scripts that appear in its share, and halts on `stop`.
# From the kernel's command line: SHARE (the folder on the host), MODULES, LIBRESWAN.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
mkdir /run/share /run/netns
mount -t hostfs share /run/share -o "$SHARE"
mount -t tmpfs modules /usr/lib/modules
ln -s "$MODULES" "/usr/lib/modules/$(uname -r)"
mount -t tmpfs libexec /usr/libexec
ln -s "$LIBRESWAN/usr/libexec/ipsec" /usr/libexec/ipsec

for module in ipv6 af_key xfrm_user esp4 esp6 xfrm4_tunnel xfrm6_tunnel udp_tunnel aes_generic cbc ctr gcm ghash-generic \
  seqiv echainiv hmac sha1_generic sha256_generic sha512_generic authenc authencesn chacha20poly1305; do
  modprobe -q "$module" || echo "the guest kernel has no module $module"
done

ip link set lo up
cd /run/share
touch up
while [ ! -e stop ]; do
  for script in *.script; do
    [ -e "$script" ] || continue
    name=${script%.script}
    mv "$script" "$name.running"
    timeout -k 2 60 bash "$name.running" > "$name.output" 2>&1 < /dev/null
    echo $? > "$name.status.part"
    mv "$name.status.part" "$name.status"
  done
  sleep 0.02
done
halt -f
