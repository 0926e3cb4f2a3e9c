/** Two charons that carry ESP in user space (kernel-libipsec), otherwise as Debian ships them. */
import { existsSync } from "node:fs";
import { must, type Running, start, until } from "../child.js";
import { namespacePlace } from "../interop/place.js";
import { charonAnswers } from "../interop/stage.js";
import { strongswanConf } from "../interop/strongswan.js";
import { type Bed, type End, LEFT, RIGHT } from "./bed.js";
import type { Contender, Setup } from "./contender.js";
import { deviceOctets, gatewayProcess } from "./gateway-process.js";

const CHARON = "/usr/sbin/charon-systemd";
const DEVICE = "ipsec0";
const SECONDS = 4 * 3600;

export const strongswan: Contender = {
  name: "strongswan",
  title: "strongSwan",
  whyNot() {
    const needed = [CHARON, "/usr/sbin/swanctl", "/usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so"];
    const missing = needed.filter((file) => !existsSync(file));
    return missing.length > 0 ? `not installed (npm run setup as root): ${missing.join(", ")}` : undefined;
  },
  version: async () =>
    `${(await must(["swanctl", "--help"])).split("\n")[0]!.replace(" swanctl", "")} (kernel-libipsec)`,
  has: ({ esp, mappings }) => mappings === 1 && !/sm4/.test(esp),
  async start(bed, folder, { setup }) {
    const left = await startSide(bed, folder, setup, "left", LEFT, RIGHT);
    const right = await startSide(bed, folder, setup, "right", RIGHT, LEFT);
    const charons = [left, right];
    await left.swanctl("--initiate --child bench --timeout 15");
    for (const { side, swanctl } of charons)
      await until(`the tunnel of the ${side} charon`, 20, async () =>
        /bench.*INSTALLED/s.test(await swanctl("--list-sas")) ? true : undefined,
      );
    return {
      processes: [await left.process(), await right.process()],
      tunneledOctets: () => deviceOctets((...argv) => bed.inside("left", ...argv), DEVICE),
      stop: async () => void (await Promise.all(charons.map(({ running }) => running.stop()))),
    };
  },
};

async function startSide(bed: Bed, folder: string, setup: Setup, side: "left" | "right", here: End, there: End) {
  const place = namespacePlace(bed.namespaces, bed.at(side), folder);
  const conf = await place.file(`${side}.conf`, strongswanConf(place, side, true));
  const running: Running = start(bed.inside(side, CHARON), {
    env: { ...process.env, STRONGSWAN_CONF: conf },
    seconds: SECONDS,
  });
  await charonAnswers(place, side, running);
  const swanctl = (words: string): Promise<string> =>
    place.shell(`STRONGSWAN_CONF=${conf} swanctl ${words} --uri unix://${place.path(`${side}.vici`)}`);
  await swanctl(`--load-all --file ${await place.file(`${side}-swanctl.conf`, swanctlConf(setup, here, there))}`);
  return {
    side,
    running,
    swanctl,
    process: () => gatewayProcess((...argv) => bed.inside(side, ...argv), running, /charon-systemd$/, DEVICE),
  };
}

function swanctlConf({ esp }: Setup, here: End, there: End): string {
  return `connections {
  bench {
    version = 2
    local_addrs = ${here.outer}
    remote_addrs = ${there.outer}
    proposals = aes256gcm16-prfsha256-x25519
    encap = yes
    local {
      auth = psk
      id = ${here.outer}
    }
    remote {
      auth = psk
      id = ${there.outer}
    }
    children {
      bench {
        local_ts = ${here.network}
        remote_ts = ${there.network}
        esp_proposals = ${esp}
      }
    }
  }
}
secrets {
  ike-bench {
    secret = "a key of the benchmark alone"
  }
}
`;
}
