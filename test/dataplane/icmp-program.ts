/** Sends ICMP messages as a router would, on a raw socket: `icmp-program.js FAMILY ADDRESS HEX...`. */
import { octets } from "../../crypto/bytes.js";
import { createArena } from "../../crypto/openssl/arena.js";
import { parseAddress } from "../../esp/address.js";
import { allocateDescriptors, createDescriptors } from "../../src/dataplane/descriptors.js";
import {
  IOVEC_BYTES,
  MMSGHDR_BYTES,
  SOCKADDR_BYTES,
  writeIovec,
  writeMessage,
  writeSocketAddress,
} from "../../src/dataplane/layout.js";
import { checked, sendmsg } from "../../src/dataplane/libc.js";
import { createSocketCalls, SOCK_RAW } from "../../src/dataplane/socket-options.js";

const [family, address = "", ...messages] = process.argv.slice(2);
const arena = createArena(1 << 20);
const calls = createSocketCalls(arena, createDescriptors(allocateDescriptors()));
const fd = calls.open(family === "4" ? 4 : 6, SOCK_RAW, family === "4" ? 1 : 58);
const [header, iovec, name, buffer] = [MMSGHDR_BYTES, IOVEC_BYTES, SOCKADDR_BYTES, 4096].map((bytes) =>
  arena.alloc(bytes),
) as [number, number, number, number];

for (const message of messages.map(octets)) {
  arena.bytes.set(message, buffer);
  writeIovec(arena, iovec, buffer, message.length);
  const nameLength = writeSocketAddress(arena, name, { address: parseAddress(address), port: 0 });
  writeMessage(arena, header, { iovec, name, nameLength, control: 0, controlLength: 0 });
  checked(sendmsg(fd, arena.address(header, MMSGHDR_BYTES), 0), "sendmsg");
}
calls.close(fd);
