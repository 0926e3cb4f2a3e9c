/** Suites in common use with the ESP of a kernel, in both roles, with rekeys of the child from both sides: rows of tier `full`. */
import { ping, rekey, type Scenario, transfer } from "../scenario.js";

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

export function usualSuites(peer: "strongswan-kernel" | "libreswan-kernel"): readonly Scenario[] {
  return (["initiator", "responder"] as const).flatMap((role) =>
    SUITES.map(([ike, esp]) => ({
      name: `${role}, ${ike} and ${esp}`,
      tier: "full" as const,
      peer,
      role,
      ike,
      esp,
      encapsulation: "esp" as const,
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
