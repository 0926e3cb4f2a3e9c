/**
 * A guest machine: user-mode Linux, whose kernel brings the ESP that a host's kernel may lack. It runs on the host's files
 * (read-only) inside the peer's namespace, and takes its orders as scripts in a shared folder.
 */
import { existsSync, readdirSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { must, start, until } from "../child.js";
import { type Place, sharedFiles } from "./place.js";
import { GUEST_TAPS, NAMESPACE, type Topology } from "./topology.js";

export interface Guest extends Place {
  stop(): Promise<void>;
}

/** Where scripts/peers.mjs unpacks libreswan. */
export const LIBRESWAN = "/var/cache/causeway/libreswan";
const SOURCES = join(import.meta.dirname, "..", "..", "..", "test", "interop");
const INIT = join(SOURCES, "guest-init.sh");
const MODULES = "/usr/lib/uml/modules";
const SEEN_AS = "/run/share";

export async function bootGuest(topology: Topology, folder: string): Promise<Guest> {
  await mkdir(folder, { recursive: true });
  const version = readdirSync(MODULES)[0];
  if (version === undefined) throw new Error(`no kernel modules in ${MODULES}`);
  const devices = GUEST_TAPS.map((tap, index) => `vec${index}:transport=tap,ifname=${tap}`);
  const machine = start(
    topology.namespaces.inside(
      NAMESPACE.peer,
      ...(await wholeState(folder)),
      "linux",
      ...[
        "mem=384M",
        `uml_dir=${join(folder, "uml")}/`,
        "root=/dev/root",
        "rootfstype=hostfs",
        "rootflags=/",
        "ro",
        `init=${INIT}`,
      ],
      ...[`SHARE=${folder}`, `MODULES=${join(MODULES, version)}`, `LIBRESWAN=${LIBRESWAN}`],
      ...devices,
      ...["con=null", "con0=null,fd:1"],
    ),
    { seconds: 3600, logFile: join(folder, "console.log") },
  );
  await until("the guest to boot", 60, async () => existsSync(join(folder, "up")) || undefined).catch(
    (error: Error) => {
      throw new Error(`${error.message}\n${machine.output()}`);
    },
  );

  let orders = 0;
  const shell = async (script: string, seconds = 60): Promise<string> => {
    const name = String(orders++).padStart(6, "0");
    const file = (ending: string): string => join(folder, `${name}.${ending}`);
    await writeFile(file("part"), script);
    await rename(file("part"), file("script"));
    await until(`the guest to run: ${script}`, seconds, async () => existsSync(file("status")) || undefined);
    const [status, output] = await Promise.all([readFile(file("status"), "utf8"), readFile(file("output"), "utf8")]);
    for (const ending of ["running", "status", "output"]) await rm(file(ending), { force: true });
    if (status.trim() !== "0")
      throw new Error(`the guest's \`${script}\` ended with status ${status.trim()}:\n${output}`);
    return output;
  };
  const { outer, inner, routers } = topology.peerNetwork;
  const address = (device: string, own: readonly string[]): string[] => [
    `link set ${device} up`,
    ...own.map((one) => `addr add ${one} dev ${device}${one.includes(":") ? " nodad" : ""}`),
  ];
  const commands = [
    ...address("vec0", outer),
    ...address("vec1", inner),
    ...routers.map((router) => `route add default via ${router}`),
  ];
  const sysctl = [
    "ipv4/ip_forward=1",
    "ipv6/conf/all/forwarding=1",
    "ipv4/conf/all/rp_filter=0",
    "ipv4/conf/default/rp_filter=0",
  ];
  await shell(`set -e
    ${sysctl.map((setting) => setting.replace(/^(.*)=(.)$/, "echo $2 > /proc/sys/net/$1")).join("\n")}
    ip -batch - <<COMMANDS\n${commands.join("\n")}\nCOMMANDS`);
  // Its network interrupts doze off when nothing happens for a while, and the next packet waits: keep a little traffic going.
  await shell(`setsid ping -q -i 0.2 ${topology.addresses.ours.outer[4]} > /dev/null 2>&1 < /dev/null &`);

  return {
    shell,
    path: (name) => join(SEEN_AS, name),
    ...sharedFiles(folder, SEEN_AS),
    async stop() {
      await writeFile(join(folder, "stop"), "");
      const halted = await Promise.race([machine.ended, new Promise((resolve) => setTimeout(resolve, 5000).unref())]);
      if (halted === undefined) await machine.stop();
    },
  };
}

/** The words before the guest's kernel that let it run where processors have more state than it knows of. */
async function wholeState(folder: string): Promise<readonly string[]> {
  if (!/^flags\b.* amx_tile\b/m.test(await readFile("/proc/cpuinfo", "utf8"))) return [];
  const library = join(folder, "guest-xstate.so");
  await must(["cc", "-O2", "-shared", "-fPIC", "-o", library, join(SOURCES, "guest-xstate.c")]);
  return ["env", `LD_PRELOAD=${library}`];
}
