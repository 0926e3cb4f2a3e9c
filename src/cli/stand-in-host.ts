/** Hosts that stand in for the one that a configuration is meant for. */

import { basename } from "node:path";
import { equalConstantTime, utf8 } from "../../crypto/bytes.js";
import type { Secret } from "../../crypto/secret.js";
import { type Surroundings, thisHost } from "../config/surroundings.js";
import type { Connection } from "../exchange-formats/connection.js";

/**
 * Has every address and the keys that were read: what an imported configuration is checked on before it has a place. By the name of the file that holds the key; one that was not in the files is invented, so that the rest can be
 * checked.
 */
export function invitingHost(
  keys: ReadonlyMap<string, Secret | undefined>,
  connections: readonly Connection[],
): Surroundings {
  return {
    hostname: "causeway",
    addresses: connections.flatMap(({ local, mappings }) => [
      ...(local.at?.kind === "address" ? [local.at.address] : []),
      ...mappings.map((mapping) => ({ family: mapping.local.family, value: mapping.local.start })),
    ]),
    env: {},
    readSecretFile(path) {
      const key = keys.get(basename(path))?.reveal();
      const words = key === undefined ? INVENTED : `0s${Buffer.from(key).toString("base64")}`;
      return { octets: utf8(words), openToAll: false };
    },
  };
}

/** This host, but for keys that it does not have: they are not needed to look at the rest. */
export function keylessHost(): Surroundings {
  const host = thisHost();
  return {
    ...host,
    env: new Proxy(host.env, { get: (env, name) => (typeof name === "string" ? env[name] : undefined) ?? INVENTED }),
    readSecretFile(path, most) {
      try {
        return host.readSecretFile(path, most);
      } catch {
        return { octets: utf8(INVENTED), openToAll: false };
      }
    },
  };
}

/** Whether a key was there. */
export function isKnown(psk: Secret | undefined): psk is Secret {
  return psk !== undefined && !equalConstantTime(psk.reveal(), utf8(INVENTED));
}

/** Never leaves this process. */
const INVENTED = "a key that stands for one that is not known yet";
