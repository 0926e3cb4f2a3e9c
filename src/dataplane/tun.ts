/**
 * The TUN device: inner packets, each behind a virtio header (esp/virtio.ts), with segmentation offload where the kernel has it.
 * Addresses, routes and the MTU are set by `src/routes.ts`; here the device only comes into being.
 */
import type { Arena } from "../../crypto/interfaces.js";
import { NO_DEVICE } from "../../esp/sad.js";
import type { Descriptors } from "./descriptors.js";
import { IFREQ_BYTES, readInterfaceName, writeInterfaceRequest } from "./layout.js";
import { checked, errno, errnoName, ifNameToIndex, ioctl, open } from "./libc.js";

const PATH = "/dev/net/tun";

const O_RDWR = 2;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;

const TUNSETIFF = 0x400454ca;
const TUNSETOFFLOAD = 0x400454d0;
const IFF_TUN = 0x0001;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const IFREQ_FLAGS = 16;

const TUN_F_CSUM = 0x01;
const TUN_F_TSO4 = 0x02;
const TUN_F_TSO6 = 0x04;
const TUN_F_USO4 = 0x20;
const TUN_F_USO6 = 0x40;

/** Best first: UDP segmentation needs Linux 6.2. */
const OFFLOADS = [
  { flags: TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_USO4 | TUN_F_USO6, udp: true },
  { flags: TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6, udp: false },
  { flags: TUN_F_CSUM, udp: false },
  { flags: 0, udp: false },
];

/** With which of OFFLOADS to begin: the others are as on a kernel that has no more. */
const MOST_OFFLOAD = { all: 0, tcp: 1, checksum: 2, none: 3 } as const;
export type TunOffload = keyof typeof MOST_OFFLOAD;

export interface Tun {
  readonly fd: number;
  /** As the kernel named it. */
  readonly name: string;
  readonly index: number;
  /** Whether it takes and gives UDP super packets. */
  readonly udpOffload: boolean;
}

/** In place of a device that is not there at present: nothing is read from it, and what is written to it is lost and counted. */
export function missingTun(name: string): Tun {
  return { fd: NO_DEVICE, name, index: 0, udpOffload: false };
}

/** Why there is no TUN device, and what to do about it: for the operator. */
export class TunError extends Error {}

export interface TunWish {
  readonly name: string;
  /** The key of the configuration that says so, for errors. */
  readonly key: string;
  /** No more offload than that. Absent: all. */
  readonly most?: TunOffload | undefined;
}

export const TUN_REQUEST_BYTES = IFREQ_BYTES;

/**
 * Creates the device, or attaches to one that exists and is not in use. Throws `TunError`. It goes with its descriptor. `request`: the place
 * of TUN_REQUEST_BYTES octets in the arena.
 */
export function openTun(
  arena: Arena,
  descriptors: Pick<Descriptors, "keep" | "close">,
  request: number,
  { name, key, most = "all" }: TunWish,
): Tun {
  const fd = open(PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) throw new TunError(openAdvice(errnoName(errno())));
  descriptors.keep(fd);
  try {
    writeInterfaceRequest(arena, request, name);
    arena.view.setUint16(request + IFREQ_FLAGS, IFF_TUN | IFF_NO_PI | IFF_VNET_HDR, true);
    if (ioctl(fd, TUNSETIFF, arena.address(request, IFREQ_BYTES)) < 0)
      throw new TunError(attachAdvice(errnoName(errno()), name, key));
    const actual = readInterfaceName(arena, request);
    const offload = OFFLOADS.slice(MOST_OFFLOAD[most]).find(({ flags }) => ioctl(fd, TUNSETOFFLOAD, flags) >= 0);
    return {
      fd,
      name: actual,
      index: checked(ifNameToIndex(actual) || -1, `if_nametoindex ${actual}`),
      udpOffload: offload?.udp ?? false,
    };
  } catch (error) {
    descriptors.close(fd);
    throw error;
  }
}

function openAdvice(code: string): string {
  switch (code) {
    case "ENOENT":
      return `${PATH} does not exist: load the kernel module ("modprobe tun"); in a container pass the device ("--device ${PATH}")`;
    case "ENODEV":
    case "ENXIO":
      return `the kernel has no TUN driver (${PATH}: ${code}): load its module ("modprobe tun")`;
    case "EACCES":
    case "EPERM":
      return `no permission to open ${PATH} (${code}): its mode should be 0666 ("chmod 0666 ${PATH}"); in a container pass the device ("--device ${PATH}"); under systemd allow it ("DeviceAllow=${PATH} rw")`;
    default:
      return `cannot open ${PATH}: ${code}`;
  }
}

function attachAdvice(code: string, name: string, key: string): string {
  switch (code) {
    case "EPERM":
    case "EACCES":
      return `no permission to create the TUN device "${name}" (${code}): CAP_NET_ADMIN is missing; run as root, grant it in the unit ("AmbientCapabilities=CAP_NET_ADMIN"), to a container ("--cap-add NET_ADMIN"), or make the device beforehand ("ip tuntap add dev ${name} mode tun user $USER")`;
    case "EBUSY":
      return `the TUN device "${name}" is in use by another process: another gateway runs, or ${key} must differ`;
    case "EINVAL":
      return `"${name}" exists and is no TUN device with a virtio header: ${key} must differ, or the device must go ("ip link del ${name}")`;
    default:
      return `cannot create the TUN device "${name}": ${code}`;
  }
}
