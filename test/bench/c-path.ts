/** Our own data path written in C (path.c): what the host could do, without a protocol around it. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { QUEUE_LENGTH } from "../../src/host/plan.js";
import { packageRoot } from "../../src/package-root.js";
import { must, type Running, start, until } from "../child.js";
import { type Bed, LEFT, RIGHT } from "./bed.js";
import { type Contender, isUsual } from "./contender.js";
import { deviceOctets, gatewayProcess } from "./gateway-process.js";

const DEVICE = "path0";
/** What AES-GCM in UDP leaves of 1500 octets, as in ours. */
const MTU = 1438;
const SECONDS = 4 * 3600;
const SOURCE = join(packageRoot(), "test", "bench", "path.c");

export const cPath: Contender = {
  name: "c",
  title: "C",
  whyNot() {
    if (!hasCompiler()) return "no C compiler (the package gcc)";
    return existsSync("/usr/include/openssl/evp.h") ? undefined : "no headers of OpenSSL (the package libssl-dev)";
  },
  version: async () => `the same path in C (${(await must(["cc", "--version"])).split("\n")[0]})`,
  has: isUsual,
  async start(bed, folder) {
    const program = join(folder, "path");
    await must(["cc", "-O3", "-march=native", "-o", program, SOURCE, "-lcrypto"]);
    const left = await startSide(bed, program, "left");
    const right = await startSide(bed, program, "right");
    const processes = [];
    for (const [side, running] of [
      ["left", left],
      ["right", right],
    ] as const)
      processes.push(await gatewayProcess((...argv) => bed.inside(side, ...argv), running, /\/path$/, DEVICE));
    return {
      processes,
      tunneledOctets: () => deviceOctets((...argv) => bed.inside("left", ...argv), DEVICE),
      stop: async () => void (await Promise.all([left.stop(), right.stop()])),
    };
  },
};

async function startSide(bed: Bed, program: string, side: "left" | "right"): Promise<Running> {
  const [here, there] = side === "left" ? [LEFT, RIGHT] : [RIGHT, LEFT];
  const spis = side === "left" ? ["1", "2"] : ["2", "1"];
  const running = start(bed.inside(side, program, DEVICE, here.outer, there.outer, ...spis), { seconds: SECONDS });
  await until(`the C program\n${running.output()}`, 10, async () =>
    running.output().includes("ready") ? true : undefined,
  );
  const route = `route add ${there.network} dev ${DEVICE}\n`;
  await bed.namespaces.ip(bed.at(side), `link set ${DEVICE} up mtu ${MTU} txqueuelen ${QUEUE_LENGTH}\n${route}`);
  return running;
}

function hasCompiler(): boolean {
  try {
    execFileSync("cc", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
