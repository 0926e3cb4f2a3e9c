#!/bin/sh
# The first program of the container: `causeway` with the words that follow the name of the image.
#
# `run` needs three capabilities as ambient ones, because `ip` and `nft`, which the gateway starts, need them as well. podman makes
# what --cap-add names ambient for a user that is not root. docker does not: there /usr/lib/causeway/setpriv raises them, which has
# exactly these three as file capabilities.
set -eu

needed=$((1 << 10 | 1 << 12 | 1 << 13)) # NET_BIND_SERVICE, NET_ADMIN, NET_RAW: capabilities(7)
names=+net_admin,+net_bind_service,+net_raw

if [ "${1:-}" != run ] || [ "$(id -u)" = 0 ]; then exec causeway "$@"; fi

ambient=0 bounding=0 sealed=0
while read -r key value; do
	case $key in
	CapAmb:) ambient=$((0x$value)) ;;
	CapBnd:) bounding=$((0x$value)) ;;
	NoNewPrivs:) sealed=$value ;;
	esac
done < /proc/self/status

if [ $((ambient & needed)) = "$needed" ]; then exec causeway "$@"; fi
if [ $((bounding & needed)) != "$needed" ]; then
	echo "causeway: the container lacks capabilities: start it with --cap-add NET_ADMIN --cap-add NET_BIND_SERVICE --cap-add NET_RAW" >&2
	exit 1
fi
if [ "$sealed" = 1 ]; then
	echo "causeway: no-new-privileges needs an engine that makes capabilities ambient (podman), or --user 0" >&2
	exit 1
fi
exec /usr/lib/causeway/setpriv --inh-caps="$names" --ambient-caps="$names" -- causeway "$@"
