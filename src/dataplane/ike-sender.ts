/** IKE messages and NAT keepalives on their way out: one datagram each, from the address that the path names. */
import type { Arena } from "../../crypto/interfaces.js";
import type { Path } from "../../esp/address.js";
import { KEEPALIVE_OCTET, NON_ESP_MARKER_BYTES } from "../../esp/udp-encap.js";
import { IOVEC_BYTES, MMSGHDR_BYTES, SOCKADDR_BYTES, writeIovec, writeMessage, writeSocketAddress } from "./layout.js";
import { EINTR, errno, sendmsg } from "./libc.js";
import { type OuterTable, writeSource } from "./outer.js";

export interface IkeSender {
  /** With the non-ESP marker where the local port is the NAT traversal port (RFC 3948 section 2.2). */
  send(path: Path, message: Uint8Array): void;
  keepalive(path: Path): void;
  /** Datagrams that the operating system did not take. They are repeated by the protocol, like any that are lost. */
  readonly unsent: number;
}

const CONTROL_BYTES = 64;
const BUFFER_BYTES = 65536;
const MSG_DONTWAIT = 0x40;

export function createIkeSender(arena: Arena, outers: OuterTable, natTPort: number): IkeSender {
  const header = arena.alloc(MMSGHDR_BYTES);
  const iovec = arena.alloc(IOVEC_BYTES);
  const name = arena.alloc(SOCKADDR_BYTES);
  const control = arena.alloc(CONTROL_BYTES);
  const buffer = arena.alloc(BUFFER_BYTES);

  function sendBuffer(path: Path, length: number): void {
    const socket = outers.socketFor(path, path.local.port === natTPort ? "natT" : "ike");
    if (socket === undefined) {
      sender.unsent++;
      return;
    }
    writeIovec(arena, iovec, buffer, length);
    writeMessage(arena, header, {
      iovec,
      name,
      nameLength: writeSocketAddress(arena, name, path.remote),
      control,
      controlLength: socket.wildcard ? writeSource(arena.view, control, path) : 0,
    });
    for (let attempt = 0; attempt < 3; attempt++) {
      if (sendmsg(socket.fd, arena.address(header, MMSGHDR_BYTES), MSG_DONTWAIT) >= 0) return;
      if (errno() !== EINTR) break;
    }
    sender.unsent++;
  }

  const sender = {
    unsent: 0,
    send(path: Path, message: Uint8Array) {
      const marker = path.local.port === natTPort ? NON_ESP_MARKER_BYTES : 0;
      if (message.length + marker > BUFFER_BYTES) {
        sender.unsent++;
        return;
      }
      arena.bytes.fill(0, buffer, buffer + marker);
      arena.bytes.set(message, buffer + marker);
      sendBuffer(path, message.length + marker);
    },
    keepalive(path: Path) {
      arena.bytes[buffer] = KEEPALIVE_OCTET;
      sendBuffer(path, 1);
    },
  };
  return sender;
}
