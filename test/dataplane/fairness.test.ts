/** Two tunnels of one gateway, and a flood that concerns one of them: the other one, and the main thread, go on. Needs root. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parsePrefix } from "../../esp/address.js";
import { selectorFromPrefix } from "../../esp/selector.js";
import type { ChildMessage, SuiteName } from "../../src/dataplane/protocol.js";
import type { Counters } from "../../src/dataplane/start.js";
import { must } from "../child.js";
import { bothEnds, type Gateway, NAT_T_PORT, settingsFor, startGateway } from "./gateway.js";
import { createLink, type Link, type Side, whyNot } from "./namespaces.js";

const FLOOD = fileURLToPath(new URL("./flood-program.js", import.meta.url));
const GCM: SuiteName = { encryption: "ENCR_AES_GCM_16", keyBits: 256, extendedSequence: false };
const OUTER = ["192.0.2.1", "192.0.2.2"] as const;
const FLOODED_SPI = 0x2000;
/** Inner ranges of both sides. */
const TUNNELS = {
  flooded: ["10.1.0.0/24", "10.2.0.0/24"],
  quiet: ["10.11.0.0/24", "10.12.0.0/24"],
} as const;
type Name = keyof typeof TUNNELS;
const NAMES = Object.keys(TUNNELS) as Name[];

const DATAGRAMS = 50_000;
const PINGS = 200;
/** Of the pings; a gateway that serves one source for as long as it has something would answer hardly any. */
const LEAST_ANSWERED = PINGS / 2;
/** Questions to the worker while the flood goes on. */
const LEAST_ASKED = 10;

function ends(name: Name, id: number, spis: readonly [number, number]): readonly ChildMessage[] {
  return bothEnds({ suite: GCM, encapsulation: "udp", outer: OUTER, id, spis }).map((end, own) => ({
    ...end,
    tunnel: name,
    local: [selectorFromPrefix(parsePrefix(TUNNELS[name][own]!))],
    remote: [selectorFromPrefix(parsePrefix(TUNNELS[name][1 - own]!))],
    mappings: [0],
  }));
}

describe("a flood of one tunnel", { skip: whyNot() ?? false }, () => {
  let link: Link;
  let left: Gateway;
  let right: Gateway;

  before(async () => {
    link = await createLink();
    [left, right] = [startGateway(link, "left"), startGateway(link, "right")];
    left.start(settingsFor([OUTER[0]]));
    right.start(settingsFor([OUTER[1]]));
    const children = [ends("flooded", 1, [0x1000, FLOODED_SPI]), ends("quiet", 2, [0x1001, 0x2001])];
    for (const [own, gateway] of [left, right].entries()) {
      await gateway.next("ready");
      const side: Side = own === 0 ? "left" : "right";
      await link.routeInto(side, "causeway0", 1380);
      await link.namespaces.ip(
        side,
        `addr add 10.1${own + 1}.0.1/32 dev lo
         route add 10.1${2 - own}.0.0/24 dev causeway0 src 10.1${own + 1}.0.1`,
      );
      gateway.post({
        kind: "tunnels",
        tunnels: NAMES.map((name) => ({
          name,
          mappings: [
            {
              local: selectorFromPrefix(parsePrefix(TUNNELS[name][own]!)),
              peer: selectorFromPrefix(parsePrefix(TUNNELS[name][1 - own]!)),
            },
          ],
        })),
      });
      for (const pair of children)
        gateway.post({ kind: "installChild", child: pair[own]! }, { kind: "useChild", id: pair[own]!.id });
      await gateway.counters();
    }
  });

  after(async () => {
    await Promise.all([left?.end(), right?.end()]);
    await link?.close();
  });

  /** Runs a flood, and beside it pings through the quiet tunnel and questions to the right worker. */
  async function beside(...words: readonly string[]) {
    let going = true;
    const flood = must(link.namespaces.inside("left", process.execPath, FLOOD, ...words), { seconds: 180 }).finally(
      () => {
        going = false;
      },
    );
    const pings = ["-i", "0.002", "-c", `${PINGS}`, "-W", "2", "-q", "10.12.0.1"];
    const pinged = must(link.namespaces.inside("left", "sh", "-c", `ping ${pings.join(" ")} || true`), {
      seconds: 180,
    });
    let asked = 0;
    while (going) {
      await right.counters();
      asked++;
    }
    const [sent, said] = [Number(await flood), await pinged];
    return { sent, asked, answered: Number(/ (\d+) received/.exec(said)?.[1]) };
  }

  function drops({ tunnels }: Counters, name: Name): Readonly<Record<string, number>> {
    return tunnels[name]!.drops;
  }

  test("through the TUN device: another tunnel and the main thread are served beside it, and what passed is what came", async () => {
    const { sent, asked, answered } = await beside("10.2.0.1", "9", "", "64", `${DATAGRAMS}`);
    assert.ok(answered >= LEAST_ANSWERED, `${answered} of ${PINGS} pings`);
    assert.ok(asked >= LEAST_ASKED, `${asked} questions`);
    const [out, into] = [await left.counters(), await right.counters()];
    const { packetsOut } = out.tunnels.flooded!;
    const { packetsIn } = into.tunnels.flooded!;
    assert.ok(packetsOut > 0 && packetsOut <= sent, `${packetsOut} of ${sent}`);
    assert.ok(packetsIn > 0 && packetsIn <= packetsOut, `${packetsIn} of ${packetsOut}`);
    assert.deepEqual(drops(out, "quiet"), {});
    assert.deepEqual(drops(into, "quiet"), {});
  });

  test("of forged ESP packets: another tunnel and the main thread are served beside it, and each is counted as forged", async () => {
    const spi = FLOODED_SPI.toString(16).padStart(8, "0");
    const { sent, asked, answered } = await beside(OUTER[1], `${NAT_T_PORT}`, `${spi}00fffff0`, "120", `${DATAGRAMS}`);
    assert.ok(answered >= LEAST_ANSWERED, `${answered} of ${PINGS} pings`);
    assert.ok(asked >= LEAST_ASKED, `${asked} questions`);
    const after = await right.counters();
    const { forged = 0, ...others } = drops(after, "flooded");
    assert.ok(forged >= sent / 10 && forged <= sent, `${forged} of ${sent}`);
    assert.deepEqual(others, {});
    assert.deepEqual(drops(after, "quiet"), {});
  });

  test("of ESP packets of nobody's SA: another tunnel and the main thread are served beside it, and they are counted", async () => {
    const { sent, asked, answered } = await beside(OUTER[1], `${NAT_T_PORT}`, "00abcdef", "120", `${DATAGRAMS}`);
    assert.ok(answered >= LEAST_ANSWERED, `${answered} of ${PINGS} pings`);
    assert.ok(asked >= LEAST_ASKED, `${asked} questions`);
    const { unknownSpi = 0 } = (await right.counters()).drops;
    assert.ok(unknownSpi >= sent / 10 && unknownSpi <= sent, `${unknownSpi} of ${sent}`);
  });
});
