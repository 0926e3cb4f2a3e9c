#!/bin/sh
# causeway-node is there where the distribution's Node.js is too old.
node=/usr/lib/causeway/node
[ -x "$node" ] || node=/usr/bin/node
exec "$node" /usr/lib/causeway/dist/src/main.js "$@"
