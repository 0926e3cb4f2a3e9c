/**
 * Many reads of a device with one system call, through io_uring: what `recvmmsg` is to sockets. At small packets the system call is most
 * of what a read costs.
 *
 * Every request carries RWF_NOWAIT, so that the kernel completes all of them within the call: a request that it parked instead would take
 * a packet into a place that is used for something else by then. Containers and old kernels have no io_uring: then there is no ring, and
 * whoever reads does it one by one.
 *
 * The structures consist of fixed-size integers and are the same on every architecture (linux/io_uring.h):
 *
 *     io_uring_params   sq entries u32 | cq entries u32 | flags u32 | thread cpu u32 | thread idle u32 | features u32 | wq fd u32 |
 *                       reserved 12 | sq offsets 40 | cq offsets 40                                                              120
 *     sq offsets        head | tail | ring mask | ring entries | flags | dropped | array (u32 each) | reserved u32 | u64          40
 *     cq offsets        head | tail | ring mask | ring entries | overflow | cqes | flags (u32 each) | reserved u32 | u64          40
 *     io_uring_sqe      opcode u8 | flags u8 | ioprio u16 | fd i32 | offset u64 | address u64 | length u32 | rw flags u32 |
 *                       user data u64 | ...                                                                                       64
 *     io_uring_cqe      user data u64 | result i32 | flags u32                                                                    16
 */
import koffi from "koffi";
import type { ArenaMemory } from "../../crypto/openssl/arena.js";
import { VIRTIO_HEADER_BYTES } from "../../esp/virtio.js";
import type { Descriptors } from "./descriptors.js";
import { writeU64 } from "./layout.js";
import { EINTR, EINVAL, EOPNOTSUPP, errno, mmap, munmap, syscall } from "./libc.js";

export interface BatchedReads {
  /** The most reads of one call. */
  readonly most: number;
  /**
   * Reads at most `count` packets of `fd`. Their number, in the order in which they came; fewer than `count`: there are no more for now.
   * -1: the kernel does not read this device so, and nothing was taken.
   */
  read(fd: number, count: number): number;
  /** Where the packet of that number stands, at an arena offset, and its octets. Until the next `read`. */
  at(packet: number): number;
  octets(packet: number): number;
  close(): void;
}

// Numbers of system calls that came with Linux 5.1 are the same everywhere.
const SYS_IO_URING_SETUP = 425;
const SYS_IO_URING_ENTER = 426;

const PARAMS_BYTES = 120;
const SQE_BYTES = 64;
const CQE_BYTES = 16;
const SQ_OFFSETS = 40;
const CQ_OFFSETS = 80;
const FEATURES = 20;
/** Where a value stands within the offsets of either queue. */
const OFFSET = { head: 0, tail: 4, mask: 8, array: 24, cqes: 20 } as const;

const SETUP_SUBMIT_ALL = 1 << 7;
const SETUP_SINGLE_ISSUER = 1 << 12;
const SETUP_DEFER_TASKRUN = 1 << 13;
/** Best first: the last two flags need Linux 6.0 and 6.1, and SUBMIT_ALL 5.18. */
const SETUPS = [SETUP_SUBMIT_ALL | SETUP_SINGLE_ISSUER | SETUP_DEFER_TASKRUN, SETUP_SUBMIT_ALL];
const FEATURE_SINGLE_MMAP = 1 << 0;

const OFFSET_RINGS = 0;
const OFFSET_SQES = 0x10000000;
const PROT_READ_WRITE = 3;
const MAP_SHARED_POPULATE = 0x8001;

/** The largest packet of a TUN device and its virtio header; the packet itself starts on a multiple of 64. */
const MOST_OCTETS = VIRTIO_HEADER_BYTES + 65535;
const PLACE_BYTES = 64 + 65536;

const OP_READ = 22;
const RWF_NOWAIT = 8;
const ENTER_GETEVENTS = 1;

/** A ring for reads of whole packets of a TUN device, `most` at a time (a power of two). Undefined: there is no io_uring here. */
export function openBatchedReads(arena: ArenaMemory, descriptors: Descriptors, most: number): BatchedReads | undefined {
  const { view } = arena;
  const params = arena.alloc(PARAMS_BYTES);
  let fd = -1;
  for (const flags of SETUPS) {
    arena.bytes.fill(0, params, params + PARAMS_BYTES);
    view.setUint32(params + 8, flags, true);
    fd = syscall(SYS_IO_URING_SETUP, most, arena.address(params, PARAMS_BYTES), 0, 0, 0, 0);
    if (fd >= 0) break;
  }
  if (fd < 0) return undefined;
  descriptors.keep(fd);
  const field = (at: number) => view.getUint32(params + at, true);
  const entries = field(0);
  const cqes = field(CQ_OFFSETS + OFFSET.cqes);
  const array = field(SQ_OFFSETS + OFFSET.array);
  const ringBytes = Math.max(array + 4 * entries, cqes + CQE_BYTES * field(4));
  const sqeBytes = SQE_BYTES * entries;
  const rings = mmap(0, ringBytes, PROT_READ_WRITE, MAP_SHARED_POPULATE, fd, OFFSET_RINGS);
  const sqes = mmap(0, sqeBytes, PROT_READ_WRITE, MAP_SHARED_POPULATE, fd, OFFSET_SQES);

  function close(): void {
    if (rings > 0) munmap(rings, ringBytes);
    if (sqes > 0) munmap(sqes, sqeBytes);
    descriptors.close(fd);
  }
  if (rings <= 0 || sqes <= 0 || (field(FEATURES) & FEATURE_SINGLE_MMAP) === 0 || entries < most) {
    close();
    return undefined;
  }

  // Index in 32-bit words. The masks stand in the ring, at these offsets.
  const words = new Int32Array(koffi.view(rings, ringBytes));
  const request = new DataView(koffi.view(sqes, sqeBytes));
  const word = (at: number) => field(at) >> 2;
  const sqTail = word(SQ_OFFSETS + OFFSET.tail);
  const sqMask = words[word(SQ_OFFSETS + OFFSET.mask)]!;
  const sqArray = array >> 2;
  const cqHead = word(CQ_OFFSETS + OFFSET.head);
  const cqTail = word(CQ_OFFSETS + OFFSET.tail);
  const cqMask = words[word(CQ_OFFSETS + OFFSET.mask)]!;
  const cqEntries = cqes >> 2;

  const places = Uint32Array.from({ length: most }, () => arena.alloc(PLACE_BYTES) + 64 - VIRTIO_HEADER_BYTES);
  for (let i = 0; i < most; i++) {
    const at = i * SQE_BYTES;
    request.setUint8(at, OP_READ);
    request.setBigInt64(at + 8, -1n, true); // offset: where the file stands
    writeU64(request, at + 16, arena.address(places[i]!, MOST_OCTETS));
    request.setUint32(at + 24, MOST_OCTETS, true);
    request.setUint32(at + 28, RWF_NOWAIT, true);
    request.setUint32(at + 32, i, true); // user data: which place
  }
  const readFd = new Int32Array(most).fill(-1);
  const found = new Uint32Array(most);
  const lengths = new Uint32Array(most);
  let tail = words[sqTail]!;
  let head = words[cqHead]!;
  /** The kernel failed in the middle: what it took is delivered, and nothing is asked of it again. */
  let broken = false;

  function enter(count: number): boolean {
    let left = count;
    while (left > 0) {
      const taken = syscall(SYS_IO_URING_ENTER, fd, left, left, ENTER_GETEVENTS, 0, 0);
      if (taken > 0) left -= taken;
      else if (taken < 0 && errno() !== EINTR) return false;
    }
    return true;
  }

  return {
    most,
    read(device, count) {
      if (broken) return -1;
      for (let i = 0; i < count; i++) {
        if (readFd[i] !== device) {
          request.setInt32(i * SQE_BYTES + 4, device, true);
          readFd[i] = device;
        }
        words[sqArray + ((tail + i) & sqMask)] = i;
      }
      tail = (tail + count) | 0;
      Atomics.store(words, sqTail, tail);
      broken = !enter(count);
      const end = Atomics.load(words, cqTail);
      let packets = 0;
      for (; head !== end; head = (head + 1) | 0) {
        const completion = cqEntries + ((head & cqMask) << 2);
        const result = words[completion + 2]!;
        if (result > 0) {
          found[packets] = places[words[completion]!]!;
          lengths[packets] = result;
          packets++;
        } else if (result === -EINVAL || result === -EOPNOTSUPP) broken = true;
      }
      Atomics.store(words, cqHead, head);
      return broken && packets === 0 ? -1 : packets;
    },
    at: (packet) => found[packet]!,
    octets: (packet) => lengths[packet]!,
    close,
  };
}
