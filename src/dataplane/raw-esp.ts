/**
 * Raw sockets for IP protocol 50: ESP without UDP. They need CAP_NET_RAW; without it tunnels are encapsulated in UDP.
 *
 * The kernel hands a copy of every ESP packet of the host to them; the SAD knows which are ours. IPv4 packets come with their IP
 * header, IPv6 packets without.
 */
import { type Address, formatAddress, isUnspecified, type SocketAddress, sameAddress } from "../../esp/address.js";
import { SystemError } from "./libc.js";
import { SOCK_RAW, type SocketCalls } from "./socket-options.js";
import { ESP_RECEIVE_OCTETS, type OuterSocket, SEND_OCTETS, SocketError } from "./udp.js";

const IPPROTO_ESP = 50;

/**
 * The kernel learns how wide an IPv6 path is from errors about raw packets only for a socket that asks for them, and it has to know when it
 * fragments. So a second socket asks, and gets none of the packets; the errors themselves are dropped where its queue is full.
 */
function teachKernel(calls: SocketCalls, address: Address, mark: number): void {
  const fd = calls.open(6, SOCK_RAW, IPPROTO_ESP);
  calls.errorsAlone(fd);
  if (mark !== 0 && !calls.mark(fd, mark)) throw new SystemError("SO_MARK", 1);
  calls.bind(fd, { address, port: 0 });
}

/** One socket for each different address. Undefined without the permission; throws `SocketError` for anything else. */
export function openRawEspSockets(
  calls: SocketCalls,
  sockets: readonly SocketAddress[],
  mark: number,
): readonly OuterSocket[] | undefined {
  const addresses: Address[] = [];
  for (const { address } of sockets) if (!addresses.some((one) => sameAddress(one, address))) addresses.push(address);
  const opened: OuterSocket[] = [];
  for (const address of addresses) {
    try {
      opened.push(openOne(calls, address, mark));
      if (address.family === 6) teachKernel(calls, address, mark);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      if (error.code === "EPERM" || error.code === "EACCES") {
        for (const { fd } of opened) calls.close(fd);
        return undefined;
      }
      throw new SocketError(`raw ESP socket on ${formatAddress(address)}: ${error.message}`);
    }
  }
  return opened;
}

function openOne(calls: SocketCalls, address: Address, mark: number): OuterSocket {
  const { family } = address;
  const wildcard = isUnspecified(address);
  const fd = calls.open(family, SOCK_RAW, IPPROTO_ESP);
  if (mark !== 0 && !calls.mark(fd, mark)) throw new SystemError("SO_MARK", 1);
  calls.buffers(fd, ESP_RECEIVE_OCTETS, SEND_OCTETS);
  calls.receiveHeaderFields(fd, family, wildcard);
  calls.fragmentation(fd, family, "refusedByKernel");
  const local = { address, port: 0 };
  calls.bind(fd, local);
  return { fd, family, carries: "rawEsp", local, wildcard };
}
