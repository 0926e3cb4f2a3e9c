/** libreswan in the guest machine, with the ESP of a Linux kernel. */
import { life, ping, type Scenario, transfer } from "../scenario.js";

const common = { tier: "ci", peer: "libreswan-kernel", ike: "aes256-sha256-modp2048" } as const;

export const libreswanKernel: readonly Scenario[] = [
  {
    ...common,
    name: "initiator, raw ESP, a whole life",
    role: "initiator",
    ids: "address",
    esp: "aes256gcm16",
    encapsulation: "esp",
    steps: life("initiator", 200),
  },
  {
    ...common,
    name: "responder, raw ESP with PFS, a whole life",
    tier: "full",
    role: "responder",
    esp: "aes256-sha256-modp2048",
    encapsulation: "esp",
    steps: life("responder", 20),
  },
  {
    ...common,
    name: "initiator, ESP in UDP because we ask for it, a whole life",
    role: "initiator",
    esp: "aes128gcm16",
    ours: { encapsulation: "udp" },
    encapsulation: "udp",
    steps: life("initiator", 200),
  },
  {
    ...common,
    name: "responder, ESP in UDP because the peer asks for it, a whole life",
    role: "responder",
    esp: "aes256gcm16",
    theirs: ["encapsulation=yes"],
    encapsulation: "udp",
    steps: life("responder", 20),
  },
  {
    ...common,
    name: "initiator, aes256gcm16-prfsha512-x25519 and ecp384",
    role: "initiator",
    ike: "aes256gcm16-prfsha512-x25519",
    esp: "aes256-sha512-ecp384",
    encapsulation: "esp",
    steps: [ping("ours"), transfer("ours", 5), transfer("peer", 5)],
  },
  {
    ...common,
    name: "initiator with a wrong pre-shared key",
    role: "initiator",
    esp: "aes256gcm16",
    encapsulation: "esp",
    wrongPsk: true,
    steps: [],
  },
  {
    ...common,
    name: "responder with a wrong pre-shared key",
    role: "responder",
    esp: "aes256gcm16",
    encapsulation: "esp",
    wrongPsk: true,
    steps: [],
  },
];
