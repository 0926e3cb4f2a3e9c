# strongSwan from Debian's packages, as a peer to try Causeway against: ESP in charon itself (kernel-libipsec), so that it needs no
# IPsec in the host's kernel. Configured by /etc/swanctl/swanctl.conf and the file that STRONGSWAN_CONF names.
ARG BASE=docker.io/library/debian:bookworm-slim
FROM ${BASE}

RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        charon-systemd strongswan-swanctl libcharon-extra-plugins libstrongswan-standard-plugins libstrongswan-extra-plugins \
        iproute2 iputils-ping \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log

ENTRYPOINT ["/usr/sbin/charon-systemd"]
