/** No gateway at all: the kernel forwards between the two networks. What the links, the senders and the receivers can do. */
import { LEFT, RIGHT } from "./bed.js";
import { type Contender, isUsual } from "./contender.js";
import { deviceOctets } from "./gateway-process.js";

export const plain: Contender = {
  name: "plain",
  title: "forwarding",
  whyNot: () => undefined,
  version: async () => "plain forwarding by the kernel",
  has: isUsual,
  async start(bed) {
    await bed.namespaces.ip(bed.at("left"), `route add ${RIGHT.network} via ${RIGHT.outer}\n`);
    await bed.namespaces.ip(bed.at("right"), `route add ${LEFT.network} via ${LEFT.outer}\n`);
    return {
      processes: [],
      tunneledOctets: () => deviceOctets((...argv) => bed.inside("left", ...argv), "outer"),
      stop: async () => {},
    };
  },
};
