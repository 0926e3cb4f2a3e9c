/** Ten hosts, each broken in one way, and what the doctor says about each. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "../child.js";
import { type Bed, openBed } from "./broken-bed.js";
import { SKIP } from "./gateways.js";

/** No MOBIKE: it would follow what the rows change. */
const PLAIN = "    ike: { mobike: false }\n";

interface BrokenHost {
  readonly what: string;
  /** The code of the finding that explains the others. */
  readonly cause: string;
  /** What the sentence has to name. */
  readonly names: RegExp;
  /** Lines of the tunnel, on both sides; undefined: no daemon runs. */
  readonly tunnel?: string;
  readonly local?: { readonly right: string };
  /** Before the daemons start; the result mends it. */
  readonly early?: (bed: Bed) => Promise<() => Promise<unknown>>;
  /** While the tunnel is up. */
  readonly late?: (bed: Bed) => Promise<() => Promise<unknown>>;
  /** The tunnel does not come up, and says so. */
  readonly down?: RegExp;
  readonly wrap?: readonly string[];
}

const drop = (rule: string) => async (bed: Bed) => {
  await bed.sh(
    "middle",
    `nft 'table inet broken { chain forward { type filter hook forward priority 0; ${rule} drop; }; }'`,
  );
  return () => bed.sh("middle", "nft delete table inet broken");
};

const BROKEN_HOSTS: readonly BrokenHost[] = [
  {
    what: "no forwarding",
    cause: "forwarding",
    names: /does not forward IPv4/,
    tunnel: PLAIN,
    late: async (bed) => {
      await bed.sh("left", "echo 0 > /proc/sys/net/ipv4/ip_forward");
      return () => bed.sh("left", "echo 1 > /proc/sys/net/ipv4/ip_forward");
    },
  },
  {
    what: "a strict reverse path filter where the route to the peer leads elsewhere",
    cause: "reverse-path",
    names: /rp_filter 1\) of wan/,
    tunnel: PLAIN,
    late: async (bed) => {
      await bed.sh(
        "left",
        "ip link add aside type veth peer name beside; ip link set beside up; ip link set aside up; ip route add 198.51.100.0/24 dev aside src 192.0.2.1",
      );
      await bed.sh("left", "echo 1 > /proc/sys/net/ipv4/conf/wan/rp_filter");
      return () => bed.sh("left", "ip link del aside; echo 0 > /proc/sys/net/ipv4/conf/wan/rp_filter");
    },
  },
  {
    what: "a missing route into the tunnel",
    cause: "route",
    names: /10\.2\.0\.0\/16 are led/,
    tunnel: PLAIN,
    late: async (bed) => {
      const rule = (await bed.sh("left", "ip rule")).match(/not from all fwmark (\S+) lookup (\d+)/);
      assert.ok(rule, "the gateway's rule");
      const saved = (await bed.sh("left", `ip route show table ${rule[2]} dev causeway0`)).trim();
      await bed.sh("left", `ip route del 10.2.0.0/16 dev causeway0 table ${rule[2]}`);
      return () => bed.sh("left", `ip route add ${saved} dev causeway0 table ${rule[2]}`);
    },
  },
  {
    what: "a path that swallows large packets and does not say so",
    cause: "mtu-black-hole",
    names: /packets of 1280 octets reach .* those of 1320 are lost/,
    tunnel: PLAIN,
    late: drop("ip length > 1300"),
  },
  {
    what: "a NAT that has come, and ESP without encapsulation",
    cause: "nat-without-encapsulation",
    names: /a NAT has come on the way/,
    tunnel: PLAIN,
    late: async (bed) => {
      await bed.sh(
        "middle",
        "nft 'table ip nat { chain post { type nat hook postrouting priority 100; oifname right masquerade; }; }'",
      );
      return () => bed.sh("middle", "nft delete table ip nat");
    },
  },
  {
    what: "ESP that is blocked on the way",
    cause: "esp-blocked",
    names: /blocks ESP \(IP protocol 50\)/,
    tunnel: PLAIN,
    early: drop("meta l4proto esp"),
  },
  {
    what: "UDP port 4500 that is blocked on the way",
    cause: "udp-4500-blocked",
    names: /500 and not on 4500/,
    tunnel: `    encapsulation: udp\n${PLAIN}`,
    early: drop("udp dport 4500"),
    down: /./,
  },
  {
    what: "another selector at the peer",
    cause: "selector",
    names: /10\.1\.0\.0\/16 <-> 10\.2\.0\.0\/16/,
    tunnel: PLAIN,
    local: { right: "10.3.0.0/16" },
    down: /TS_UNACCEPTABLE/,
  },
  {
    what: "a port that another process has",
    cause: "port-in-use",
    names: /UDP port 500 is taken by node/,
    late: async (bed) => {
      const script = 'require("dgram").createSocket("udp4").bind(500, () => console.log("bound"))';
      const other = start(bed.namespaces.inside("left", process.execPath, "-e", script), { seconds: 60 });
      while (!other.output().includes("bound")) await new Promise((resolve) => setTimeout(resolve, 20));
      return () => other.stop();
    },
  },
  {
    what: "no TUN device",
    cause: "tun",
    names: /there is no \/dev\/net\/tun/,
    wrap: ["unshare", "-m", "sh", "-ec", 'mount -t tmpfs none /dev/net; exec "$@"', "sh"],
  },
];

let bed: Bed;
/** What runs: rows that want the same follow each other. */
let running: string | undefined;

before(async () => {
  if (!SKIP) bed = await openBed();
});
after(async () => {
  await bed?.close();
});

async function arrange({ tunnel, local, early, down }: BrokenHost): Promise<() => Promise<unknown>> {
  const wanted = early || local || down ? undefined : tunnel;
  let mend: (() => Promise<unknown>) | undefined;
  if (wanted === undefined || wanted !== running) {
    await bed.halt();
    mend = await early?.(bed);
    if (tunnel === undefined) bed.configure("left", PLAIN);
    else await bed.launch(tunnel, local);
    running = wanted;
  }
  if (tunnel !== undefined) {
    if (down) await bed.refused(down);
    else await bed.established();
  }
  return async () => mend?.();
}

test("the doctor finds nothing at fault with a healthy tunnel, and follows its packets from hop to hop", {
  skip: SKIP,
}, async () => {
  await arrange({ what: "healthy", cause: "", names: /./, tunnel: PLAIN });
  const { checkup, status } = await bed.doctor();
  assert.deepEqual([checkup.cause, status], [null, 0], JSON.stringify(checkup.findings, undefined, 1));
  const [tunnel] = checkup.tunnels;
  assert.equal(tunnel?.echo?.answered, 3);
  assert.equal(
    checkup.findings.find(({ code }) => code === "mtu")?.what,
    "packets of 1500 octets reach the peer 198.51.100.1 whole",
  );
  assert.deepEqual(
    tunnel?.hops.map(({ hop, packets }) => [hop, packets]),
    ["TUN in", "policy", "sealed", "sent", "received", "opened", "selector", "TUN out", "answered"].map((hop) => [
      hop,
      3,
    ]),
  );
});

for (const host of BROKEN_HOSTS)
  test(`the doctor names ${host.what} (${host.cause}), with a remedy, and ends with 1`, { skip: SKIP }, async () => {
    const restore = await arrange(host);
    const mend = await host.late?.(bed);
    try {
      const { checkup, status } = await bed.doctor({
        file: host.tunnel === undefined,
        ...(host.wrap && { wrap: host.wrap }),
      });
      const { cause, findings } = checkup;
      assert.equal(cause?.code, host.cause, JSON.stringify(findings, undefined, 1));
      assert.match(cause.what, host.names);
      assert.notEqual(cause.remedy ?? "", "");
      assert.equal(status, 1);
    } finally {
      await mend?.();
      await restore();
    }
  });
