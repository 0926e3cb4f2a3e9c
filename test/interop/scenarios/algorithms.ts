/** Every algorithm of the registry at least once with every peer, in both roles: rows of tier `full`. */
import { type PeerKind, ping, rekey, type Scenario, transfer } from "../scenario.js";

/** IKE proposal, ESP proposal. */
const SUITES = [
  ["aes128-sha1-modp2048", "aes128-sha1-modp2048"],
  ["aes128-sha256-modp2048", "aes128-sha256-modp2048"],
  ["aes192-sha384-modp3072", "aes192-sha384-modp3072"],
  ["aes256-sha512-modp4096", "aes256-sha512-modp4096"],
  ["aes128gcm16-prfsha256-ecp256", "aes128gcm16-ecp256"],
  ["aes192gcm16-prfsha384-ecp384", "aes192gcm16-ecp384"],
  ["aes256gcm16-prfsha512-x25519", "aes256gcm16-x25519"],
  ["chacha20poly1305-prfsha256-x25519", "chacha20poly1305-x25519"],
] as const;

export function everyAlgorithm(peer: PeerKind): readonly Scenario[] {
  return (["initiator", "responder"] as const).flatMap((role) =>
    SUITES.map(([ike, esp]) => ({
      name: `${role}, ${ike} and ${esp}`,
      tier: "full" as const,
      peer,
      role,
      ike,
      esp,
      encapsulation: peer === "strongswan-userspace" ? ("udp" as const) : ("esp" as const),
      steps: [
        ping("ours"),
        transfer("ours", 2),
        transfer("peer", 2),
        rekey("child", "ours"),
        rekey("child", "peer"),
        ping("peer"),
      ],
    })),
  );
}
