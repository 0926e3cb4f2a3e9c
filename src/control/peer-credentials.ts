/** Who is at the other end of a Unix socket: SO_PEERCRED, unix(7). */
import type { Socket } from "node:net";
import { socketOption } from "../dataplane/libc.js";

export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** Its further groups (SO_PEERGROUPS); empty where the kernel does not tell them. */
  readonly groups: readonly number[];
}

/** <asm-generic/socket.h>; equal on x86-64 and arm64. */
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_PEERGROUPS = 59;
const MOST_GROUPS = 1024;

/** Undefined where Node does not tell the descriptor, or the socket is no Unix socket. */
export function peerCredentials(socket: Socket): PeerCredentials | undefined {
  const { _handle: handle } = socket as Socket & { readonly _handle?: { readonly fd?: number } | null };
  const fd = handle?.fd;
  if (fd === undefined || fd < 0) return undefined;
  const ucred = socketOption(fd, SOL_SOCKET, SO_PEERCRED, 12);
  if (ucred?.length !== 12) return undefined;
  const [pid, uid, gid] = numbersIn(ucred) as [number, number, number];
  return {
    pid,
    uid,
    gid,
    groups: numbersIn(socketOption(fd, SOL_SOCKET, SO_PEERGROUPS, 4 * MOST_GROUPS) ?? new Uint8Array()),
  };
}

function numbersIn(octets: Uint8Array): readonly number[] {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  return Array.from({ length: octets.length / 4 }, (_, i) => view.getUint32(4 * i, true));
}

/** Root, the user of this daemon, and the members of the socket's group. `group`: of the socket's file. */
export function mayControl({ uid, gid, groups }: PeerCredentials, own: { uid: number; group: number }): boolean {
  return uid === 0 || uid === own.uid || gid === own.group || groups.includes(own.group);
}
