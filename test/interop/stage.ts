/** A topology with a peer in it that stays up while the scenarios come and go. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Running, start, until } from "../child.js";
import { CAUSEWAY_UID, CONTAINER_PREFIX, type Containers, engineOfRun, openContainers } from "./containers.js";
import { checkout, type Installation, type OurGateway, ourGateway } from "./gateway.js";
import { bootGuest } from "./guest.js";
import { libreswan } from "./libreswan.js";
import { folderPlace, namespacePlace, type Place } from "./place.js";
import type { PeerKind, Scenario, Who } from "./scenario.js";
import type { Side } from "./side.js";
import { strongSwan, strongswanConf } from "./strongswan.js";
import { buildTopology, NAMESPACE, type Topology } from "./topology.js";

export interface OpenStage {
  readonly topology: Topology;
  readonly sides: Readonly<Record<Who, Side>>;
  /** Absent in a control run, where a second strongSwan stands in for our gateway. */
  readonly gateway?: OurGateway;
  /** Where the peer runs. */
  readonly place: Place;
  /** The peer is in a guest machine. */
  readonly guest: boolean;
  close(): Promise<void>;
}

/** `CAUSEWAY_INTEROP_CONTROL=1`: strongSwan on both ends, which tells a fault of the harness or of a peer from one of ours. */
export const CONTROL = process.env.CAUSEWAY_INTEROP_CONTROL === "1";

export async function openStage(kind: PeerKind, options: { readonly router: boolean }): Promise<OpenStage> {
  const folder = await mkdtemp(join(tmpdir(), "causeway-interop-"));
  const undo: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const guest = kind !== "strongswan-userspace";
    const engine = engineOfRun();
    const containers = engine && (await openContainers(engine));
    const boxes = containers && { hold: containers.hold, prefix: CONTAINER_PREFIX };
    const topology = await buildTopology({ router: options.router, guest, ...boxes });
    undo.push(() => topology.close());
    if (containers) undo.push(() => containers.close());
    const { side: peer, place } = containers
      ? await openBox(containers, topology, folder, undo)
      : await openPeer(kind, topology, folder, undo);
    const common = { topology, place, guest, close };
    if (CONTROL) {
      const { side: ours } = await openUserspace(topology, folder, "ours", undo);
      return { ...common, sides: { ours, peer } };
    }
    const near = join(folder, "near");
    const gateway = ourGateway(topology, near, containers ? await boxed(containers, near) : checkout(topology));
    return { ...common, sides: { ours: gateway, peer }, gateway };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Opened {
  readonly side: Side;
  readonly place: Place;
}

export async function openPeer(
  kind: PeerKind,
  topology: Topology,
  folder: string,
  undo: (() => Promise<unknown>)[],
): Promise<Opened> {
  if (kind === "strongswan-userspace") return openUserspace(topology, folder, "peer", undo);
  const guest = await bootGuest(topology, join(folder, "guest"));
  undo.push(() => guest.stop());
  if (kind === "libreswan-kernel") return { side: await libreswan(guest, topology), place: guest };
  const conf = await guest.file("charon.conf", strongswanConf(guest, "charon", false));
  await guest.shell(`STRONGSWAN_CONF=${conf} setsid /usr/sbin/charon-systemd > /run/charon.out 2>&1 < /dev/null &`);
  await charonAnswers(guest, "charon");
  return { side: strongSwan(guest, "charon", topology, "peer", false), place: guest };
}

async function openUserspace(
  topology: Topology,
  folder: string,
  who: Who,
  undo: (() => Promise<unknown>)[],
): Promise<Opened> {
  const shared = join(folder, `${who}-charon`);
  await mkdir(shared);
  const place = namespacePlace(topology.namespaces, NAMESPACE[who], shared);
  const conf = await place.file("charon.conf", strongswanConf(place, "charon", true));
  const launch = () =>
    start(topology.namespaces.inside(NAMESPACE[who], "/usr/sbin/charon-systemd"), {
      env: { ...process.env, STRONGSWAN_CONF: conf },
      logFile: join(shared, "charon.out"),
    });
  let daemon = launch();
  const again = async () => {
    daemon = launch();
    await charonAnswers(place, "charon", daemon);
  };
  undo.push(() => daemon.stop());
  const side = await userspaceSide(place, daemon, topology, who);
  let loaded: Scenario | undefined;
  return {
    place,
    side: {
      ...side,
      async load(scenario) {
        loaded = scenario;
        // A charon that crashed has failed the scenario in which it did, not the ones after it.
        if (await hasEnded(daemon)) await again();
        return side.load(scenario);
      },
      async restart() {
        await topology.namespaces.killAll(NAMESPACE[who]);
        await daemon.ended;
        await again();
        if (loaded !== undefined) await side.load(loaded);
      },
    },
  };
}

function hasEnded({ ended }: Running): Promise<boolean> {
  return Promise.race([ended.then(() => true), new Promise<boolean>((resolve) => setImmediate(resolve, false))]);
}

/** charon in a container. */
async function openBox(
  containers: Containers,
  topology: Topology,
  folder: string,
  undo: (() => Promise<unknown>)[],
): Promise<Opened> {
  const shared = join(folder, "peer-charon");
  await mkdir(shared);
  const program = containers.charon(NAMESPACE.peer, shared);
  const place = folderPlace(program.inside, shared);
  const daemon = program.start(await place.file("charon.conf", strongswanConf(place, "charon", true)));
  undo.push(() => daemon.stop());
  return { side: await userspaceSide(place, daemon, topology, "peer"), place };
}

/** Causeway as its image starts it, with what a container of it is permitted and no more. */
async function boxed(containers: Containers, folder: string): Promise<Installation> {
  await mkdir(folder);
  const program = await containers.gateway(NAMESPACE.ours, folder, ["run", "-c", join(folder, "gateway.yaml")]);
  return {
    run: () => program.start,
    command: (...words) => program.inside("causeway", ...words),
    owner: CAUSEWAY_UID,
  };
}

async function userspaceSide(place: Place, daemon: Running, topology: Topology, who: Who): Promise<Side> {
  await charonAnswers(place, "charon", daemon);
  let end: string | undefined;
  daemon.ended.then(({ status }) => {
    end = `charon ended by itself with status ${status}:\n${daemon.output()}`;
  }, String);
  const side = strongSwan(place, "charon", topology, who, true);
  return { ...side, log: async () => `${await side.log()}\n${end ?? ""}` };
}

/** Waits until charon answers on its control socket. */
export async function charonAnswers(place: Place, name: string, daemon?: Running): Promise<void> {
  await until("charon to answer", 20, async () => {
    const asked = place.shell(`test -S ${place.path(`${name}.vici`)}`);
    return asked.then(
      () => true as const,
      () => undefined,
    );
  }).catch((error: Error) => {
    throw new Error(`${error.message}\n${daemon?.output() ?? ""}`);
  });
}
