/** Judges the host by itself, before anything is sent: each function looks at one thing. Pure. */
import type { Setup } from "../control/diagnosis.js";
import { type Finding, fault, good, unknown, warning } from "./finding.js";
import type { HostFacts, UdpSocketFact } from "./host-facts.js";

/** Of the daemon that runs; absent: none does. */
export interface RunningDaemon {
  readonly pid: number;
  readonly capabilities: string | null;
  readonly raw_esp: boolean;
}

export function checkHost(setup: Setup, facts: HostFacts, daemon: RunningDaemon | undefined): readonly Finding[] {
  return [
    checkTun(setup, facts, daemon),
    ...checkCapabilities(facts, daemon),
    ...checkPorts(setup, facts.udp, daemon),
    ...checkForwarding(setup, facts),
    ...checkTable(setup, facts, daemon),
    ...checkKernelIpsec(facts),
    ...checkLegacyTables(facts),
    ...checkClock(facts),
  ];
}

function checkTun(
  { tun, tunnels }: Setup,
  { tunFailure, devices }: HostFacts,
  daemon: RunningDaemon | undefined,
): Finding {
  const names = [...new Set([tun, ...tunnels.map((tunnel) => tunnel.tun)])];
  if (daemon !== undefined && devices.has(tun)) {
    const away = names.find((name) => !devices.has(name));
    if (away !== undefined)
      return fault("tun", `the device ${away} is not here`, "the daemon makes it again; find out who removes it");
    const down = names.find((name) => devices.get(name)?.up === false);
    if (down !== undefined)
      return fault(
        "tun",
        `the device ${down} is down`,
        `ip link set dev ${down} up; whatever put it down may do it again`,
      );
    return good(
      "tun",
      names.length === 1 ? `the device ${tun} is there and up` : `the ${names.length} TUN devices are there and up`,
    );
  }
  if (tunFailure === undefined)
    return daemon === undefined
      ? good("tun", "/dev/net/tun can be opened")
      : fault(
          "tun",
          `the daemon runs and its device ${tun} is not here`,
          "run the doctor in the network namespace of the daemon",
        );
  const [what, remedy] = TUN_WORDS[tunFailure] ?? [
    `/dev/net/tun cannot be opened: ${tunFailure}`,
    "look at the device file",
  ];
  return fault("tun", what, remedy);
}

const TUN_WORDS: Readonly<Record<string, readonly [string, string]>> = {
  ENOENT: [
    "there is no /dev/net/tun",
    'load the kernel module ("modprobe tun"); in a container pass the device ("--device /dev/net/tun")',
  ],
  ENODEV: ["the kernel has no TUN driver", 'load its module ("modprobe tun")'],
  ENXIO: ["the kernel has no TUN driver", 'load its module ("modprobe tun")'],
  EACCES: ["no permission to open /dev/net/tun", 'its mode should be 0666 ("chmod 0666 /dev/net/tun")'],
  EPERM: [
    "no permission to open /dev/net/tun",
    'in a container pass the device ("--device /dev/net/tun"); under systemd allow it ("DeviceAllow=/dev/net/tun rw")',
  ],
};

/** Bits of capability.h. */
const CAPABILITIES = { CAP_NET_BIND_SERVICE: 10n, CAP_NET_ADMIN: 12n, CAP_NET_RAW: 13n } as const;

function checkCapabilities({ capabilities }: HostFacts, daemon: RunningDaemon | undefined): readonly Finding[] {
  const set = daemon === undefined ? capabilities : daemon.capabilities;
  const who = daemon === undefined ? "this user" : "the daemon";
  if (set === undefined || set === null) return [unknown("capabilities", `the capabilities of ${who} cannot be read`)];
  const bits = BigInt(`0x${set}`);
  const missing = Object.entries(CAPABILITIES).flatMap(([name, bit]) => ((bits >> bit) & 1n ? [] : [name]));
  if (missing.length === 0) return [good("capabilities", `${who} has every capability that the gateway needs`)];
  const remedy = `start causeway as root, or as a service with AmbientCapabilities=${Object.keys(CAPABILITIES).join(" ")}`;
  const what = `${who} lacks ${missing.join(", ")}`;
  if (missing.length === 1 && missing[0] === "CAP_NET_RAW")
    return [warning("capabilities", `${what}: every tunnel uses UDP encapsulation`, remedy)];
  return [fault("capabilities", what, remedy)];
}

function checkPorts(
  setup: Setup,
  sockets: readonly UdpSocketFact[],
  daemon: RunningDaemon | undefined,
): readonly Finding[] {
  const { ports, address } = setup;
  const findings: Finding[] = [];
  for (const port of [ports.ike, ports.natT]) {
    const here = sockets.filter((socket) => socket.port === port && overlaps(socket.address, address));
    const foreign = here.filter(
      ({ process }) => daemon === undefined || process === undefined || process.pid !== daemon.pid,
    );
    const own = here.length - foreign.length;
    const [other] = foreign;
    if (daemon !== undefined && own === 0 && other?.process === undefined && here.length > 0) continue;
    if (other !== undefined && own === 0) {
      const who = other.process ? `${other.process.name} (process ${other.process.pid})` : "another process";
      findings.push(
        fault(
          "port-in-use",
          `UDP port ${port} is taken by ${who}`,
          "stop it (an IPsec daemon, as a rule), or change gateway.ports or gateway.address",
        ),
      );
    } else if (daemon !== undefined && here.length === 0)
      findings.push(
        fault(
          "port-closed",
          `the daemon runs, and nobody listens on UDP port ${port} here`,
          "restart it, and look at its log",
        ),
      );
  }
  if (findings.length === 0)
    findings.push(good("ports", `UDP ports ${ports.ike} and ${ports.natT} are ${daemon ? "the daemon's" : "free"}`));
  return findings;
}

function overlaps(bound: string, wanted: string | null): boolean {
  return wanted === null || bound === wanted || bound === "0.0.0.0" || bound === "::";
}

function checkForwarding({ tunnels }: Setup, { forwarding, addresses }: HostFacts): readonly Finding[] {
  const findings: Finding[] = [];
  for (const family of [4, 6] as const) {
    const mappings = tunnels.flatMap((tunnel) => tunnel.mappings.filter((mapping) => mapping.family === family));
    if (mappings.length === 0) continue;
    const key = family === 4 ? "net.ipv4.ip_forward" : "net.ipv6.conf.all.forwarding";
    const on = forwarding[family];
    if (on === undefined) findings.push(unknown("forwarding", `${key} cannot be read`));
    else if (on) findings.push(good("forwarding", `this host forwards IPv${family}`));
    else {
      const what = `this host does not forward IPv${family}: only its own packets use the tunnels`;
      const remedy = `sysctl -w ${key}=1, and a file in /etc/sysctl.d to keep it`;
      // Where every local range is one address, and that is this host's, there is nobody to forward for.
      const alone = mappings.every(({ local, source }) => source !== null && isHost(local));
      findings.push(
        alone && addresses.length > 0
          ? good("forwarding", "only this host's own packets use the tunnels")
          : fault("forwarding", what, remedy),
      );
    }
  }
  return findings;
}

function isHost(range: string): boolean {
  return /\/(32|128)$/.test(range) || !range.includes("/");
}

/** What the daemon has put into its table; somebody may have removed it. */
function checkTable(setup: Setup, { table }: HostFacts, daemon: RunningDaemon | undefined): readonly Finding[] {
  if (daemon === undefined) return [];
  if (table === undefined) return [unknown("routes", "the routes cannot be read: is iproute2 installed?")];
  const there = new Set(table.rules.map(({ family, words, priority }) => `${family} ${words} ${priority}`));
  const findings = setup.rules.flatMap(({ family, words, priority }) =>
    there.has(`${family} ${words} ${priority}`)
      ? []
      : [
          fault(
            "route",
            `a rule that leads IPv${family} packets to the tunnels is missing: ${words}`,
            `ip -${family} rule add ${words} priority ${priority}, or restart the daemon; find out who removes rules`,
          ),
        ],
  );
  return findings.length > 0 ? findings : [good("routes", `the gateway's table ${setup.table} and its rule are there`)];
}

function checkKernelIpsec({ kernelPolicies }: HostFacts): readonly Finding[] {
  if (kernelPolicies <= 0) return [];
  return [
    warning(
      "kernel-ipsec",
      `the kernel has ${kernelPolicies} IPsec policies of its own: another IPsec daemon is at work, and its policies may catch our packets`,
      'stop it; "ip xfrm policy" shows them, "ip xfrm policy flush" removes them',
    ),
  ];
}

function checkLegacyTables({ legacyTables, ruleset }: HostFacts): readonly Finding[] {
  const findings: Finding[] = [];
  if (legacyTables.length > 0)
    findings.push(
      unknown(
        "legacy-iptables",
        `rules of the older iptables (tables ${legacyTables.join(", ")}) were not looked at: "iptables-legacy-save" shows them`,
      ),
    );
  if (ruleset === undefined)
    findings.push(
      unknown("firewall", "the packet filter could not be read: nft is missing, or may not be used by this user"),
    );
  return findings;
}

/** Nothing of this project is older. */
const EARLIEST = Date.UTC(2025, 0, 1);

function checkClock({ clock, clockSynchronized }: HostFacts): readonly Finding[] {
  if (clock < EARLIEST)
    return [
      warning(
        "clock",
        `the clock says ${new Date(clock).toISOString()}`,
        "set it, and start a time service: logs and certificates need it",
      ),
    ];
  if (clockSynchronized === false)
    return [warning("clock", "the clock is not synchronized", 'start a time service ("timedatectl set-ntp true")')];
  return [good("clock", "the clock is plausible")];
}
