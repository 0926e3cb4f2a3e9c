/**
 * `npm run soak`: the peers one after the other under load, ten minutes each. Prints what was lost, when, and what our log said
 * then; ends with status 1 where a loss is ours. With `--trace FOLDER` tcpdump keeps the headers of everything between the gateways, and both logs are kept.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Running, start } from "../child.js";
import type { PeerKind } from "../interop/scenario.js";
import { openStage } from "../interop/stage.js";
import { NAMESPACE, type Topology } from "../interop/topology.js";
import { describeRun, soak } from "./soak.js";

const PEERS: readonly PeerKind[] = ["strongswan-userspace", "strongswan-kernel", "libreswan-kernel"];
const USAGE = `usage: npm run soak -- [--peer NAME]… [--seconds 600] [--control 60] [--rate 2000] [--trace FOLDER]
  NAME: ${PEERS.join(", ")}`;

process.exitCode = await main();

async function main(): Promise<number> {
  if (process.argv.includes("--help")) {
    console.log(USAGE);
    return 0;
  }
  let values: ReturnType<typeof readArguments>;
  try {
    values = readArguments();
  } catch (error) {
    console.error(`soak: ${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  let failed = 0;
  for (const peer of values.peers) {
    const stage = await openStage(peer, { router: false });
    const trace = values.trace === undefined ? undefined : startTrace(stage.topology, values.trace, peer);
    try {
      console.log(`\n${peer}: ${values.rate} packets a second each way`);
      const { trace: folder } = values;
      const { control, run, faults } = await soak(stage, peer, {
        ...values,
        ...(folder !== undefined && {
          keepLog: (name, text) => writeFileSync(join(folder, `${peer}-${name}`), text),
        }),
      });
      if (control) console.log(describeRun("without replacing anything", control));
      console.log(describeRun("replacing", run));
      for (const fault of faults) console.log(`  FAULT: ${fault}`);
      if (faults.length > 0) failed++;
      else console.log("  no packet was lost by us");
    } catch (error) {
      console.log(`  FAULT: ${(error as Error).message}`);
      failed++;
    } finally {
      await trace?.stop();
      await stage.close();
    }
  }
  return failed === 0 ? 0 : 1;
}

function readArguments() {
  const { values } = parseArgs({
    options: {
      peer: { type: "string", multiple: true },
      seconds: { type: "string", default: "600" },
      control: { type: "string", default: "60" },
      rate: { type: "string", default: "2000" },
      trace: { type: "string" },
    },
  });
  const peers = (values.peer ?? PEERS) as readonly PeerKind[];
  for (const peer of peers) if (!PEERS.includes(peer)) throw new Error(`there is no peer ${peer}`);
  const [seconds, controlSeconds, rate] = [values.seconds, values.control, values.rate].map((text) => {
    if (!/^\d+$/.test(text)) throw new Error(`${text} is no number`);
    return Number(text);
  }) as [number, number, number];
  return { peers, seconds, controlSeconds, rate, trace: values.trace };
}

function startTrace(topology: Topology, folder: string, peer: PeerKind): Running {
  mkdirSync(folder, { recursive: true });
  const argv = ["tcpdump", "-i", "outer", "-s", "128", "-w", join(folder, `${peer}.pcap`), "-Z", "root"];
  return start(topology.namespaces.inside(NAMESPACE.ours, ...argv), { seconds: 3600 });
}
