/** `causeway explain --probe`: asks the peer of a tunnel what it accepts, one attribute after the other, and compares. */
import { systemRandom } from "../../crypto/random.js";
import { loadConfiguration } from "../config/load.js";
import { type ComparedPhase, compareProbed, probedSentence } from "../explain/probed.js";
import { USUAL_RATE } from "../probe/exchange.js";
import { probePeer } from "../probe/peer.js";
import { CommandError, EXIT } from "./exit.js";
import { addressOf, createProgress } from "./probe.js";

export interface ProbedExplanation {
  readonly sentence: string;
  readonly phases: readonly ComparedPhase[];
}

const IKE_PORT = 500;

/** `up`: the tunnel is up, and keeps its place at the peer: phase 2 is not asked for. Throws `CommandError`. */
export async function explainByProbe(
  name: string,
  { config, up, silent }: { readonly config: string | undefined; readonly up: boolean; readonly silent: boolean },
): Promise<ProbedExplanation> {
  if (config === undefined)
    throw new CommandError(
      EXIT.usage,
      "--probe needs -c FILE: the gateway's configuration, with the key of the tunnel",
    );
  const loaded = loadConfiguration(config);
  if ("errors" in loaded) throw new CommandError(EXIT.usage, loaded.errors.map(({ message }) => message).join("\n"));
  const { policy, psk, gateway } = loaded.configuration;
  const tunnel = policy.tunnels.find((one) => one.name === name);
  if (tunnel === undefined) throw new CommandError(EXIT.failed, `${config} has no tunnel "${name}"`);
  const { peer, ike, localId, peerId, mappings } = tunnel;
  if (peer.kind === "any") throw new CommandError(EXIT.failed, `${name} has \`peer: any\`: there is nobody to ask`);
  const remote = peer.kind === "name" ? await addressOf(peer.name) : peer.address;
  const ids = { ...(localId && { localId }), ...(peerId && { peerId }) };
  const [mapping] = mappings;
  const key = psk.get(name);
  const member =
    up || mapping === undefined || key === undefined
      ? undefined
      : { ...ids, psk: key, local: mapping.local, remote: mapping.peer };
  const result = await probePeer(
    {
      remote,
      ...(gateway.address && { local: gateway.address }),
      port: IKE_PORT,
      rate: USUAL_RATE,
      versions: [ike.version],
      ...(localId && { localId }),
      ...(member && { member }),
    },
    {
      random: systemRandom,
      now: () => performance.now(),
      wait: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
      progress: createProgress(silent),
    },
  );
  const phases = compareProbed(tunnel, result.versions[ike.version]!);
  return { sentence: probedSentence(phases), phases };
}
