/** Runs peers on files that `causeway export` wrote, and us on what `causeway import` makes of them. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { stringify } from "yaml";
import { must, until } from "../child.js";
import { engineOfRun } from "./containers.js";
import { configuration, type OurGateway, ourGateway } from "./gateway.js";
import { bootGuest } from "./guest.js";
import { ENVIRONMENT, libreswan } from "./libreswan.js";
import type { Place } from "./place.js";
import { PSK, ping } from "./scenario.js";
import type { DownloadRow } from "./scenarios/downloads.js";
import type { FilePeer, FilesRow } from "./scenarios/files.js";
import type { Side } from "./side.js";
import { openPeer } from "./stage.js";
import { openStarter } from "./starter.js";
import { agreement, perform } from "./steps.js";
import { strongSwan } from "./strongswan.js";
import { isWanted, whyNot } from "./suite.js";
import { buildTopology, type Topology } from "./topology.js";

const MAIN = join(import.meta.dirname, "..", "..", "src", "main.js");

export interface PeerFile {
  readonly name: string;
  readonly text: string;
}

/** A peer that takes whole files. */
interface FileStage {
  readonly topology: Topology;
  readonly folder: string;
  readonly gateway: OurGateway;
  readonly peer: Side;
  /** Loads the files; a peer that has to call does so by what they say. */
  load(files: readonly PeerFile[]): Promise<void>;
  unload(): Promise<void>;
  close(): Promise<void>;
}

export function filesSuite(
  title: string,
  peer: FilePeer,
  rows: readonly FilesRow[],
  downloads: readonly DownloadRow[] = [],
): void {
  const wanted = rows.filter(isWanted);
  const given = downloads.filter(isWanted);
  const skip = whyNot();
  if (engineOfRun() || wanted.length + given.length === 0) return;
  if (skip !== undefined) {
    test(title, { skip }, () => {});
    return;
  }
  describe(title, () => {
    let stage: FileStage | undefined;
    before(async () => {
      stage = await openFileStage(peer);
    });
    after(async () => stage?.close());
    for (const row of wanted) test(row.name, async () => runRow(stage!, peer, row));
    for (const row of given) test(row.name, async () => runDownload(stage!, row));
  });
}

async function runRow(stage: FileStage, product: FilePeer, row: FilesRow): Promise<void> {
  const { topology, gateway, folder } = stage;
  const scenario = {
    ...row,
    peer: product === "libreswan" ? ("libreswan-kernel" as const) : ("strongswan-userspace" as const),
  };
  const file = join(folder, "gateway.yaml");
  try {
    await writeFile(join(folder, "site.psk"), `${PSK}\n`, { mode: 0o600 });
    await writeFile(file, stringify(configuration(topology, scenario, join(folder, "control.sock"))));
    const { files } = JSON.parse(
      await causeway("export", "site", "-c", file, "--for", product, "--with-secrets", "--json"),
    ) as { files: readonly PeerFile[] };
    await stage.load(files);
    if (row.back) await gateway.loadText(await imported(folder, files));
    else await gateway.load(scenario);
    const scene = { topology, sides: { ours: gateway, peer: stage.peer }, gateway, note: () => {} };
    await agreement(scene, scenario);
    for (const step of row.steps) await perform(scene, scenario, step);
    assert.ok(!(await gateway.log()).includes(PSK), "no pre-shared key in our log");
  } catch (error) {
    const tail = (text: string) => text.trimEnd().split("\n").slice(-80).join("\n");
    const [ours, theirs] = await Promise.all([gateway.log(), stage.peer.log().catch(String)]);
    throw new Error(`${(error as Error).message}\n--- ours\n${tail(ours)}\n--- theirs\n${tail(theirs)}`, {
      cause: error,
    });
  } finally {
    await gateway.unload().catch(() => {});
    await stage.unload();
  }
}

/** We run what `causeway import` makes of a file that was given to us; the peer has the same settings in its own words. */
async function runDownload(stage: FileStage, row: DownloadRow): Promise<void> {
  const { topology, gateway, folder, peer } = stage;
  const { ours, peer: theirs } = topology.addresses;
  const scenario = { ...row, peer: "strongswan-userspace" as const, steps: [], encapsulation: "udp" as const };
  try {
    await peer.load(scenario);
    const file = join(folder, "download");
    await writeFile(file, row.file(ours.outer[4], theirs.outer[4], ours.net[4], theirs.net[4]));
    const ranges = row.namesRanges ? [] : ["--local", ours.net[4], "--peer", theirs.net[4]];
    await gateway.loadText(await causeway("import", file, "--with-secrets", ...ranges));
    const scene = { topology, sides: { ours: gateway, peer }, gateway, note: () => {} };
    // Whoever writes "only answer" for its customer expects to be called by the cloud.
    await gateway.initiate().catch(() => peer.initiate());
    await agreement(scene, scenario);
    await perform(scene, scenario, ping("ours", 3));
  } catch (error) {
    const tail = (text: string) => text.trimEnd().split("\n").slice(-60).join("\n");
    const [here, there] = await Promise.all([gateway.log(), peer.log().catch(String)]);
    throw new Error(`${(error as Error).message}\n--- ours\n${tail(here)}\n--- theirs\n${tail(there)}`, {
      cause: error,
    });
  } finally {
    await gateway.unload().catch(() => {});
    await peer.unload();
  }
}

/** What `causeway import` prints for the peer's files. */
async function imported(folder: string, [conf, secrets]: readonly PeerFile[]): Promise<string> {
  const path = (name: string) => join(folder, name.replaceAll("/", "-"));
  await writeFile(path(conf!.name), conf!.text);
  if (secrets) await writeFile(path(secrets.name), secrets.text);
  return causeway("import", path(conf!.name), "--with-secrets", ...(secrets ? ["--secrets", path(secrets.name)] : []));
}

function causeway(...words: string[]): Promise<string> {
  return must([process.execPath, MAIN, ...words], { seconds: 30 });
}

async function openFileStage(kind: FilePeer): Promise<FileStage> {
  const folder = await mkdtemp(join(tmpdir(), "causeway-files-"));
  const undo: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const topology = await buildTopology({ router: false, guest: kind === "libreswan" });
    undo.push(() => topology.close());
    const near = join(folder, "near");
    await mkdir(near);
    const common = { topology, folder: near, gateway: ourGateway(topology, near), close };
    return { ...common, ...(await open(kind, topology, folder, undo)) };
  } catch (error) {
    await close();
    throw error;
  }
}

type Loads = Pick<FileStage, "peer" | "load" | "unload">;

async function open(
  kind: FilePeer,
  topology: Topology,
  folder: string,
  undo: (() => Promise<unknown>)[],
): Promise<Loads> {
  if (kind === "libreswan") {
    const guest = await bootGuest(topology, join(folder, "guest"));
    undo.push(() => guest.stop());
    return libreswanFiles(guest, await libreswan(guest, topology));
  }
  if (kind === "strongswan-ipsec") {
    const starter = await openStarter(topology, folder);
    undo.push(() => starter.stop());
    return {
      peer: strongSwan(starter.place, "charon", topology, "peer", true),
      load: ([conf, secrets]) => starter.load(conf!.text, secrets!.text),
      unload: () => starter.stop(),
    };
  }
  const { side, place } = await openPeer("strongswan-userspace", topology, folder, undo);
  const swanctl = (words: string): Promise<string> =>
    place.shell(
      `STRONGSWAN_CONF=${place.path("charon.conf")} swanctl ${words} --uri unix://${place.path("charon.vici")}`,
    );
  return {
    peer: side,
    async load([file]) {
      await swanctl(`--load-all --clear --file ${await place.file("exported.conf", file!.text)}`);
    },
    unload: () => side.unload(),
  };
}

function libreswanFiles(guest: Place, peer: Side): Loads {
  const shell = (script: string): Promise<string> => guest.shell(`${ENVIRONMENT}\n${script}`, 40);
  const whack = (words: string): Promise<string> => shell(`whack --ctlsocket /run/pluto/pluto.ctl ${words}`);
  let conns: readonly string[] = [];
  return {
    peer,
    async load([conf, secrets]) {
      await guest.file("pluto.secrets", secrets!.text);
      await whack("--rereadsecrets");
      // The script that pluto would call by itself is strongSwan's on this machine, and fails.
      const text = conf!.text.replace(/^conn site$/m, "conn site\n    leftupdown=/bin/true");
      const file = await guest.file("exported.conf", text);
      conns = [...conf!.text.matchAll(/^conn (\S+-\d+)$/gm)].map(([, name]) => name!);
      for (const name of conns) await shell(`addconn --config ${file} --ctlsocket /run/pluto/pluto.ctl ${name}`);
      // addconn alone does not act on auto=start.
      if (/auto=start/.test(conf!.text))
        for (const name of conns) await whack(`--initiate --asynchronous --name ${name}`);
    },
    async unload() {
      for (const name of conns) await whack(`--delete --name ${name}`).catch(() => {});
      conns = [];
      await until("libreswan to forget", 10, async () => !(await peer.view()).ike || undefined);
    },
  };
}
