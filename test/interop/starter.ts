/** strongSwan as its starter runs it: ipsec.conf and ipsec.secrets instead of swanctl.conf. One start for each pair of files. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Running, start } from "../child.js";
import { namespacePlace, type Place } from "./place.js";
import { charonAnswers } from "./stage.js";
import { strongswanConf } from "./strongswan.js";
import { NAMESPACE, type Topology } from "./topology.js";

const STARTER = "/usr/lib/ipsec/starter";

export interface Starter {
  readonly place: Place;
  load(conf: string, secrets: string): Promise<void>;
  stop(): Promise<void>;
}

export async function openStarter(topology: Topology, folder: string): Promise<Starter> {
  const shared = join(folder, "starter");
  await mkdir(shared);
  const place = namespacePlace(topology.namespaces, NAMESPACE.peer, shared);
  let daemon: Running | undefined;
  const stop = async (): Promise<void> => {
    await daemon?.stop();
    daemon = undefined;
  };
  return {
    place,
    async load(conf, secrets) {
      await stop();
      await place.shell(`rm -f ${place.path("charon.vici")}`);
      const file = await place.file("ipsec.conf", conf);
      const keys = await place.file("ipsec.secrets", secrets);
      const settings = await place.file("charon.conf", strongswanConf(place, "charon", true, keys));
      // Its process files stand in /run, which another one may use: it gets one of its own.
      const script = `mount -t tmpfs run /run && exec ${STARTER} --nofork --conf ${file}`;
      daemon = start(topology.namespaces.inside(NAMESPACE.peer, "sh", "-c", script), {
        env: { ...process.env, STRONGSWAN_CONF: settings },
        logFile: join(shared, "starter.out"),
      });
      await charonAnswers(place, "charon", daemon);
    },
    stop,
  };
}
