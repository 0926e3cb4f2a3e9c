/**
 * The data plane's thread: puts the parts together, and carries out the messages of the main thread in the order in which they come.
 *
 * It ends in one of three ways: `stop`, after which the thread runs out of work; a start that fails, which is told in words; and
 * an exception, which is our bug, and which the main thread sees as the worker's error. In each case the keys are gone.
 */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { selectBackends } from "../../crypto/backends.js";
import { createArena } from "../../crypto/openssl/arena.js";
import { createChecksum } from "../../esp/checksum.js";
import { createCoalescer } from "../../esp/coalesce.js";
import { DROP } from "../../esp/drop-reasons.js";
import { createFragmenter } from "../../esp/fragment.js";
import type { ChildId } from "../../esp/sa.js";
import { createSad, NO_DEVICE } from "../../esp/sad.js";
import { createSegmenter } from "../../esp/segment.js";
import { SHARED_DEVICE } from "../../esp/spd.js";
import { createChildren } from "./children.js";
import { createDescriptors } from "./descriptors.js";
import { openDevices } from "./devices.js";
import { createFirstLink } from "./first-link.js";
import { createFlow } from "./flow.js";
import { createIkeGate } from "./ike-gate.js";
import { createIkeSender } from "./ike-sender.js";
import { createInbox } from "./inbox.js";
import { EAGAIN, errno, SystemError, write } from "./libc.js";
import { startLoop } from "./loop.js";
import { createOutbox } from "./outbox.js";
import { createOuterTable, type Outer } from "./outer.js";
import { createErrorReader } from "./outer-errors.js";
import { createPathWidth } from "./path-width.js";
import type { BetweenWorkers, FromWorker, ToWorker, WorkerData } from "./protocol.js";
import { createRandomPool } from "./random-pool.js";
import { createReceiver, type Origin } from "./receive.js";
import { createSocketCalls } from "./socket-options.js";
import { type BoundedTap, createTap } from "./tap.js";
import { createTooBig } from "./too-big.js";
import { createTransmitter } from "./transmit.js";
import { TunError } from "./tun.js";
import { SocketError } from "./udp.js";
import { openBatchedReads } from "./uring.js";

/** Buffers take about 3 MiB; the rest is for records of SAs, 128 octets each. Untouched memory costs nothing. */
const ARENA_BYTES = 32 << 20;
/** Of the TUN device with one system call, where io_uring is. */
const BATCHED_READS = 32;
const ALIVE_MILLISECONDS = 1000;
const PATH_MTU_MILLISECONDS = 60_000;
/** How often the volume limits look at the rate. */
const PACE_MILLISECONDS = 1_000;
/** How long a deleted child receives what was on its way. */
const FADE_MILLISECONDS = 1_000;
const HELD_SWEEP_MILLISECONDS = 5_000;

function start(port: MessagePort, data: WorkerData): void {
  const { role, settings, flow, waker } = data;
  const post = (message: FromWorker | BetweenWorkers) => port.postMessage(message);
  const clock = () => performance.now();
  const descriptors = createDescriptors(data.descriptors);
  const backends = selectBackends();
  const arena = createArena(ARENA_BYTES);
  const checksum = createChecksum(arena);
  const calls = createSocketCalls(arena, descriptors);

  const { tun, sockets, bound, rawEsp, errors, whole } =
    data.devices ?? openDevices(arena, descriptors, calls, settings);

  const sad = createSad<Outer, Origin>(arena, createRandomPool(arena), {
    limit: (child, limit) => post({ kind: "limit", child, limit }),
    firstInbound: (child) => post({ kind: "firstInbound", child }),
  });
  const outers = createOuterTable(arena, sockets);
  const writeTun = (at: number, length: number, device: number) => {
    if (write(device === SHARED_DEVICE ? tun.fd : device, arena.address(at, length), length) >= 0) return;
    // A device that is down refuses (EIO), one whose queue is full asks to come again.
    sad.countDrop(errno() === EAGAIN ? DROP.queueFull : DROP.sendFailed);
  };
  const tooBig = createTooBig(arena, checksum, writeTun);
  const narrowed = new Set<Outer>();
  const outbox = createOutbox(arena, {
    dropped(reason, packets, tunnel) {
      for (let i = 0; i < packets; i++) sad.countDrop(reason, tunnel);
    },
    tooBig: (outer) => void narrowed.add(outer),
    allowFragments: ({ fd, family }, allowed) => calls.fragmentation(fd, family, allowed ? "allowed" : whole),
  });
  const coalescer = createCoalescer(arena, checksum, tun.udpOffload, writeTun);
  const gate = createIkeGate(createFlow(flow));
  const receiver = createReceiver({
    arena,
    sad,
    coalescer,
    inbox: createInbox(arena),
    outers,
    gate,
    post,
    now: () => loop.now(),
  });
  const batched =
    settings.batchedReads === false || role === "receive"
      ? undefined
      : openBatchedReads(arena, descriptors, BATCHED_READS);
  const transmitter = createTransmitter({
    arena,
    batched,
    sad,
    checksum,
    segmenter: createSegmenter(arena, checksum),
    fragmenter: createFragmenter(arena, checksum),
    outbox,
    refuseTooBig: (packet, length, mtu, device) => tooBig.answer(packet, length, mtu, device, loop.now()),
    now: () => loop.now(),
  });
  const sender = createIkeSender(arena, outers, settings.natTPort);

  /** Outers that messages of the outbox may still point to. */
  let retired: Outer[] = [];
  const children = createChildren({
    arena,
    sad,
    outers,
    receiver,
    width: createPathWidth(calls, errors && createFirstLink(arena, descriptors), settings.mark),
    // Both workers find out; once is enough.
    post: role === "receive" ? () => undefined : post,
    now: clock,
    retire: (outer) => void retired.push(outer),
  });

  const fading = new Set<NodeJS.Timeout>();
  let aliveAt = Number.NEGATIVE_INFINITY;
  let aliveTimer: NodeJS.Timeout | undefined;
  function tellAlive(): void {
    aliveTimer = undefined;
    const alive = sad.takeAlive();
    if (alive.length === 0) return;
    aliveAt = clock();
    post({ kind: "alive", children: alive });
  }

  let heldTimer: NodeJS.Timeout | undefined;
  /** What traffic asks for; and what waits for it too long is let go also when no further packet comes. */
  function tellTrapped(): void {
    const trapped = sad.takeTrapped();
    if (trapped.length === 0) return;
    for (const news of trapped) post({ kind: "traffic", ...news });
    heldTimer ??= setInterval(() => {
      if (sad.sweepHeld(clock())) return;
      clearInterval(heldTimer);
      heldTimer = undefined;
    }, HELD_SWEEP_MILLISECONDS);
  }

  let pacedAt = Number.NEGATIVE_INFINITY;
  function settled(): void {
    tellTrapped();
    if (loop.now() - pacedAt >= PACE_MILLISECONDS) {
      pacedAt = loop.now();
      sad.pace(pacedAt);
    }
    if (retired.length > 0 && outbox.isEmpty()) {
      for (const outer of retired) outers.release(outer);
      retired = [];
    }
    if (narrowed.size > 0) {
      for (const outer of narrowed) children.measure(outer);
      narrowed.clear();
    }
    if (aliveTimer !== undefined) return;
    const wait = aliveAt + ALIVE_MILLISECONDS - loop.now();
    if (wait <= 0) tellAlive();
    else aliveTimer = setTimeout(tellAlive, wait);
  }

  const paths = { narrowed: 0, refused: 0 };
  let tap: BoundedTap | undefined;
  const readErrors = createErrorReader(arena, checksum, (message) => {
    if (children.narrow(message)) {
      paths.narrowed++;
      if (role === "transmit") post({ kind: "narrowed", message });
    } else paths.refused++;
  });
  const loop = startLoop({
    arena,
    descriptors,
    tun: role === "receive" ? undefined : tun,
    sockets,
    receives: role !== "transmit",
    waker,
    others:
      role === "receive"
        ? []
        : (errors ?? []).map((socket) => ({ fd: socket.fd, serve: () => readErrors(socket, clock()) })),
    transmitter,
    receiver,
    coalescer,
    outbox,
    clock,
    settled,
    lost({ name }) {
      if (name !== tun.name) {
        post({ kind: "deviceLost", name });
        return;
      }
      post({ kind: "failed", reason: `the TUN device "${name}" is gone: something other than the gateway removed it` });
      stop();
    },
  });
  const pathTimer = setInterval(() => children.measureAll(), PATH_MTU_MILLISECONDS);

  /** What cannot be done is told, for the driver to close the child; anything else is our bug and ends the worker. */
  function attempt(child: ChildId, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      post({ kind: "refused", child, reason: error.message });
    }
  }

  /** Both ends have said that the child is over; packets that another path or queue has delayed still find it. */
  function fade(id: ChildId): void {
    sad.stopSending(id);
    const timer = setTimeout(() => {
      fading.delete(timer);
      children.remove(id);
    }, FADE_MILLISECONDS);
    fading.add(timer);
  }

  function stop(): void {
    for (const timer of fading) clearTimeout(timer);
    clearTimeout(aliveTimer);
    clearInterval(pathTimer);
    clearInterval(heldTimer);
    loop.stop();
    batched?.close();
    sad.close();
    descriptors.closeAll();
    port.close();
  }

  const handle = (message: ToWorker): void => {
    switch (message.kind) {
      case "send":
        sender.send(message.path, message.bytes);
        return;
      case "keepalive":
        sender.keepalive(message.path);
        return;
      case "ikeSpis":
        gate.note(message.opened, message.closed);
        return;
      case "reserveSpi":
        sad.reserveSpi(message.spi);
        return;
      case "releaseSpi":
        sad.releaseSpi(message.spi);
        return;
      case "installChild":
        attempt(message.child.id, () => children.install(message.child));
        coalescer.flush();
        return;
      case "useChild":
        for (const { bytes, device } of sad.use(message.id, clock())) transmitter.replay(bytes, device);
        loop.flush();
        return;
      case "updateChild":
        attempt(message.id, () => children.update(message.id, message.path, message.encapsulation));
        return;
      case "removeChild":
        if (message.receives) fade(message.id);
        else children.remove(message.id);
        return;
      case "tunnels":
        // A descriptor is the number of its device: no two have the same, and that of standard input is no device's.
        sad.setTunnels(message.tunnels.map(({ device, ...one }) => ({ ...one, ...(device && { device: device.fd }) })));
        loop.setTuns(message.tunnels.flatMap(({ device }) => (device && device.fd !== NO_DEVICE ? [device] : [])));
        children.setTunnels(message.tunnels);
        return;
      case "tap":
        if (message.tunnel === null) {
          sad.setTap("", undefined);
          post({ kind: "tapClosed", missed: tap?.missed ?? 0 });
          tap = undefined;
        } else {
          tap = createTap(message.mostOctets, post);
          sad.setTap(message.tunnel, tap);
        }
        return;
      case "narrowed":
        children.narrow(message.message);
        return;
      case "readCounters": {
        const io = {
          espSent: outbox.sentPackets,
          sendCalls: outbox.sendCalls,
          wakeUps: loop.wakeUps(),
          keepalives: receiver.keepalives,
          ikeUnsent: sender.unsent,
          pathsNarrowed: paths.narrowed,
          narrowingsRefused: paths.refused,
        };
        post({ kind: "counters", request: message.request, ...sad.counters(), io });
        return;
      }
      case "stop":
        stop();
        return;
    }
  };
  port.on("message", (messages: readonly ToWorker[]) => {
    for (const message of messages) handle(message);
  });

  if (role === "transmit") post({ kind: "opened", devices: { tun, sockets, bound, rawEsp, errors, whole } });
  // Of the AEADs: ENCR_NULL counts as OpenSSL's everywhere, because it calls nothing.
  const openssl = backends.choices.some(
    ({ row, backend }) => row.kind === "encryption" && row.aead && backend === "openssl",
  );
  post({
    kind: "ready",
    tunName: tun.name,
    tunIndex: tun.index,
    sockets: bound,
    rawEsp,
    backend: openssl ? backends.openssl : `node:crypto (${backends.openssl})`,
  });
}

if (parentPort !== null) {
  try {
    start(parentPort, workerData as WorkerData);
  } catch (error) {
    if (
      !(
        error instanceof TunError ||
        error instanceof SocketError ||
        error instanceof SystemError ||
        error instanceof RangeError
      )
    )
      throw error;
    parentPort.postMessage({ kind: "failed", reason: error.message } satisfies FromWorker);
    // Whatever was opened until then is closed by the main thread.
    parentPort.close();
  }
}
