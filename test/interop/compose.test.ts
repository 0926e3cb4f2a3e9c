/** The two gateways of packaging/compose.yaml as its images and its files make them; where there is no engine, there is no test. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { must, run, start, until } from "../child.js";
import { openNamespaces } from "../netns.js";
import { CONTAINER_PREFIX, type Engine, engineOfRun, openContainers } from "./containers.js";
import { isWanted } from "./suite.js";

const FILES = join(import.meta.dirname, "..", "..", "..", "packaging", "compose");
const NAME = "the gateways of packaging/compose.yaml have a tunnel";
const OURS = { outer: "192.0.2.2", inner: "10.81.1.2" };
const THEIRS = { outer: "192.0.2.3", inner: "10.81.2.2" };

const engine = engineOfRun();
if (engine && isWanted({ tier: "ci", name: NAME })) test(NAME, { timeout: 180_000 }, () => tunnel(engine));

async function tunnel(engine: Engine): Promise<void> {
  const containers = await openContainers(engine);
  const namespaces = await openNamespaces(CONTAINER_PREFIX);
  try {
    for (const name of ["near", "far"]) await namespaces.add(name, await containers.hold(name));
    await namespaces.link({ ns: "near", dev: "outer" }, { ns: "far", dev: "outer" });
    for (const [name, { outer, inner }] of Object.entries({ near: OURS, far: THEIRS }))
      await namespaces.ip(name, `addr add ${outer}/24 dev outer\naddr add ${inner}/24 dev lo`);

    const peer = containers.charon("far", join(FILES, "strongswan"), "/etc/peer");
    const charon = peer.start("/etc/peer/strongswan.conf");
    const command = ["run", "-c", "/etc/causeway/gateway.yaml"];
    const program = await containers.gateway("near", join(FILES, "causeway"), command, "/etc/causeway");
    const gateway = start(program.start);
    const echo = ["ping", "-c", "1", "-W", "1", "-I", THEIRS.inner, OURS.inner];
    await until("an echo from strongSwan's network", 60, async () => {
      return (await run(peer.inside(...echo))).status === 0 || undefined;
    }).catch((error: Error) => {
      throw new Error(`${error.message}\n${gateway.output()}\n${charon.output()}`);
    });
    const status = await must(program.inside("causeway", "status", "there", "--json"));
    assert.match(status, /"state": "established"/);
    assert.equal((await gateway.stop()).status, 0, "status on SIGTERM");
    await charon.stop();
  } finally {
    await containers.close();
    await namespaces.close();
  }
}
