/**
 * The configuration file as a schema: every key of the contract, strict. Keys whose feature is not there yet are known
 * here and refused by name, except with the values that ask for nothing. The JSON Schema for editors is made from this.
 *
 * Every key is optional where it can be inherited from `defaults`; what must be there after that is checked in
 * `tunnel.ts`. Proposals and identities stay text here: their meaning depends on keys beside them.
 */
import { z } from "zod";
import { NUMBERING_PROFILES } from "../../crypto/registry/numbering-profiles.js";
import { parseAddress, type SocketAddress } from "../../esp/address.js";
import { LEAST_MTU, MOST_MTU } from "../../esp/mtu.js";
import { PROFILES, type ProfileName } from "./profiles.js";
import { parseInnerAddress } from "./route-mode.js";
import {
  address,
  block,
  choice,
  duration,
  emptyOnly,
  flag,
  inertOnly,
  integer,
  list,
  notYet,
  off,
  parsed,
  prefix,
  size,
  text,
} from "./scalars.js";

const DAY = 86400;
const YEAR = 365 * DAY;
/** The smallest volume lifetime that products accept. */
const LEAST_VOLUME = 2560 * 1024;

const port = () => integer(1, 65535);
/** sun_path of unix(7), without its closing zero. */
const socketWords = { error: () => "allowed: an absolute path of a Unix socket, at most 107 octets" };
const words = (what: string) => text(what, 400);

const wireNumber = () => integer(1, 65535).exactOptional();
const profileNames = Object.keys(NUMBERING_PROFILES) as [keyof typeof NUMBERING_PROFILES];
const profileNamesOfProducts = Object.keys(PROFILES) as [ProfileName, ...ProfileName[]];
const numberingWords = `allowed: ${profileNames.join(" | ")}, or a table keyword: { ikev2, phase1, phase2, key_length_attribute, icv }`;
const numbering = z
  .union(
    [
      z.enum(profileNames),
      z.record(
        z.string(),
        block("the numbers of an algorithm", {
          ikev2: wireNumber(),
          phase1: wireNumber(),
          phase2: wireNumber(),
          key_length_attribute: flag().exactOptional(),
          icv: integer(8, 64).exactOptional(),
        }),
      ),
    ],
    { error: () => numberingWords },
  )
  .meta({
    id: "numbering",
    description: "How algorithms without IANA numbers (SM4, SM3) are numbered on the wire. Default: private.",
  });

const listenWords = "allowed: an address with a port (127.0.0.1:9500, [::1]:9500)";

function parseListen(words: string): SocketAddress {
  const [, address, port] = /^\[?([0-9A-Fa-f.:]+?)\]?:(\d{1,5})$/.exec(words) ?? [];
  if (address === undefined) throw new RangeError("not an IP address with a port");
  const listen = { address: parseAddress(address), port: Number(port) };
  if (listen.port < 1 || listen.port > 65535) throw new RangeError(`${port} is not a port`);
  return listen;
}

const deviceName = (otherwise: string) =>
  z
    .string({ error: () => "allowed: the name of a network device" })
    .regex(/^(?!\.{1,2}$)[^\s/:%]{1,15}$/, {
      error: () => "allowed: the name of a network device: 1 to 15 characters without blanks, /, : and %",
    })
    .exactOptional()
    .meta({ description: `Default: ${otherwise}.` });

export const gatewaySchema = block("the settings of this gateway", {
  name: text("the name of this gateway", 60).exactOptional().meta({ description: "Default: the host's name." }),
  address: address().exactOptional().meta({ description: "Outer address. Default: the route to each peer decides." }),
  ports: block("the UDP ports", { ike: port().exactOptional(), nat_t: port().exactOptional() }).exactOptional(),
  tun: block("the TUN device", {
    name: deviceName("causeway0"),
    mtu: z
      .union([z.literal("auto"), integer(1280, 65535)], {
        error: () => "allowed: auto, or a whole number from 1280 to 65535",
      })
      .exactOptional(),
  }).exactOptional(),
  control: block("the control socket", {
    socket: z
      .string(socketWords)
      .regex(/^\/\P{Cc}+$/u, socketWords)
      .refine((path) => Buffer.byteLength(path) <= 107, socketWords)
      .exactOptional(),
  }).exactOptional(),
  http: z
    .union(
      [
        off(),
        block("the API over HTTP", {
          listen: parsed(listenWords, parseListen)
            .exactOptional()
            .meta({ description: "Not encrypted: 127.0.0.1 keeps it on this host." }),
          token: z
            .strictObject({ file: text("the path of a file", 4095) }, { error: () => "allowed: { file: PATH }" })
            .exactOptional()
            .meta({ description: "Who has it may change things over this port. Default: nobody may." }),
        }),
      ],
      { error: () => `allowed: a block with listen, or off` },
    )
    .exactOptional()
    .meta({ description: "The API over HTTP, read-only. Default: off." }),
  log: block("the log", {
    level: choice(["error", "warn", "info", "debug"]).exactOptional(),
    format: choice(["json", "text"]).exactOptional(),
  }).exactOptional(),
  limits: block("the quotas", {
    tunnels: integer(1, 100_000).exactOptional(),
    mappings: integer(1, 10_000).exactOptional(),
    policies_per_tunnel: integer(1, 10_000).exactOptional(),
    peers_per_policy: integer(1, 10_000).exactOptional(),
    half_open: integer(1, 100_000).exactOptional(),
    half_open_per_address: integer(1, 100_000).exactOptional(),
  }).exactOptional(),
  dataplane: block("the data plane", {
    workers: z
      .union([z.literal("auto"), z.literal(1), z.literal(2)], {
        error: () => "allowed: auto, 1, or 2 (one for each direction)",
      })
      .exactOptional()
      .meta({ description: "Threads that carry packets: 1, or 2, one for each direction. Default: auto, which is 1." }),
  }).exactOptional(),
  leak_protection: flag()
    .exactOptional()
    .meta({ description: "Routes that keep traffic for the peer ranges from leaving in clear. Default: true." }),
  state_dir: z
    .string({ error: () => "allowed: an absolute path of a folder" })
    .regex(/^\/\P{Cc}*$/u, { error: () => "allowed: an absolute path of a folder" })
    .exactOptional()
    .meta({
      description:
        "What has to outlive this daemon: the secret with which it tells its peers of a crash (RFC 6290). Default: none.",
    }),
  numbering: numbering.exactOptional(),
  bandwidth: inertOnly("bandwidth caps", "off", false).exactOptional(),
  alarms: emptyOnly("alarms").exactOptional(),
});

const portRange = () => {
  const message = { error: () => "allowed: a port, a range such as 8000-8080, or a list of them" };
  const one = z.union([integer(1, 65535), z.string(message).regex(/^\d{1,5}(-\d{1,5})?$/, message)], message);
  return z.union([one, z.array(one, message).min(1, message)], message);
};

const policy = block("which local ranges reach which peer ranges", {
  local: list("address ranges", prefix()),
  peer: list("address ranges", prefix()),
  protocol: z
    .union([integer(1, 255), text("the name of an IP protocol", 20)], {
      error: () => "allowed: any, tcp, udp, icmp, icmpv6, sctp, dccp, udplite, gre, ipip, ospf, or 1 to 255",
    })
    .exactOptional(),
  local_ports: portRange().exactOptional(),
  peer_ports: portRange().exactOptional(),
}).meta({ id: "policy" });

const exception = policy.partial({ local: true, peer: true }).meta({
  id: "exception",
  description: "Which part of the tunnel's mappings. Without local or peer: all of that side.",
});

const psk = z
  .union(
    [
      z.string().min(1),
      z.strictObject({ file: text("the path of a file", 4095) }),
      z.strictObject({ env: text("the name of an environment variable", 255) }),
    ],
    { error: () => "allowed: { file: PATH } | { env: NAME } | a plain string" },
  )
  .meta({ id: "psk", description: "The pre-shared key: octets as written, 0x… hex, or 0s… base64." });

const volume = () =>
  z.union([off(), size(LEAST_VOLUME)], {
    error: () => "allowed: a size such as 1800MiB, 4GiB, 2560KiB or plain octets, at least 2560KiB, or off",
  });

const ike = block("the IKE SA", {
  version: z
    .literal([1, 2], { error: () => "allowed: 1 | 2" })
    .exactOptional()
    .meta({ description: "Of IKE. Default: 2." }),
  exchange: choice(["main", "aggressive"])
    .exactOptional()
    .meta({ description: "Version 1 only. A key that aggressive mode uses can be attacked offline. Default: main." }),
  proposals: list("proposals (aes256gcm16-prfsha384-ecp384)", words("a proposal")).exactOptional(),
  lifetime: duration(5, YEAR).exactOptional().meta({ description: "A hard limit. Default: 24h." }),
  rekey_margin: duration(1, YEAR)
    .exactOptional()
    .meta({ description: "How long before the end of the lifetime the renewal begins." }),
  volume: volume().exactOptional().meta({ description: "Version 1 only. Default: off." }),
  fragmentation: z
    .union([choice(["auto", "off"]), z.literal(false).transform(() => "off" as const)], {
      error: () => "allowed: auto | off",
    })
    .exactOptional()
    .meta({ description: "Long messages in fragments of their own (RFC 7383), version 2. Default: auto." }),
  mobike: flag().exactOptional().meta({
    description: "The tunnel outlives a change of address of either end (RFC 4555), version 2. Default: true.",
  }),
  reauth: flag().exactOptional().meta({
    description: "A new IKE SA, with both identities proven anew, takes over instead of a rekey. Default: false.",
  }),
  keepalive: z
    .union([off(), duration(1, DAY)], { error: () => "allowed: a duration such as 20s, from 1s to 1d, or off" })
    .exactOptional()
    .meta({ description: "NAT keepalives. Default: 20s." }),
}).meta({ id: "ike" });

const esp = block("the ESP SAs", {
  proposals: list("proposals (aes256gcm16, aes128-sha256)", words("a proposal")).exactOptional(),
  pfs: z
    .union([off(), list("groups (x25519, modp2048)", words("a group"))], {
      error: () => "allowed: a list of groups (x25519, ecp256, modp2048 …), or off",
    })
    .exactOptional(),
  lifetime: duration(5, YEAR).exactOptional().meta({ description: "A hard limit. Default: 1h." }),
  rekey_margin: duration(1, YEAR).exactOptional(),
  volume: volume().exactOptional().meta({ description: "Octets. Default: off, with IKE version 1 1843200KiB." }),
  replay_window: integer(0, 65536).exactOptional().meta({ description: "Packets; 0 is off. Default: 1024." }),
  esn: z
    .union([choice(["auto", "on", "off"]), z.boolean().transform((on) => (on ? ("on" as const) : ("off" as const)))], {
      error: () => "allowed: auto | on | off",
    })
    .exactOptional()
    .meta({ description: "Extended sequence numbers. Default: auto, both are offered." }),
  pfs_check: flag().exactOptional().meta({
    description:
      "Rekeys the first child soon after it is up: a PFS mismatch shows at once. Default: true with start: active.",
  }),
  mss_clamp: flag().exactOptional().meta({ description: "Lowers the MSS of TCP to what fits. Default: true." }),
  mtu: z
    .union([z.literal("auto"), integer(LEAST_MTU[4], MOST_MTU)], {
      error: () => `allowed: auto, or the largest inner packet in octets, from ${LEAST_MTU[4]} to ${MOST_MTU}`,
    })
    .exactOptional()
    .meta({ description: "The largest inner packet. Default: auto, what the path takes." }),
  dscp: z
    .union([z.literal("copy"), integer(0, 63)], { error: () => "allowed: copy, or a DSCP from 0 to 63" })
    .exactOptional()
    .meta({ description: "DSCP of the outer packets. Default: copy, that of the inner packet." }),
  df: choice(["copy", "set", "clear"])
    .exactOptional()
    .meta({ description: "Don't Fragment of outer IPv4 packets. Default: copy, that of the inner packet." }),
  tfc_padding: z
    .union([off(), z.literal("mtu"), integer(0, MOST_MTU)], {
      error: () => `allowed: off, mtu, or the least size of a packet in octets, up to ${MOST_MTU}`,
    })
    .exactOptional()
    .meta({ description: "Pads inner packets to this size at least; mtu: to what the path takes. Default: off." }),
}).meta({ id: "esp" });

const dpd = z
  .union(
    [
      off(),
      block("dead peer detection", {
        timeout: duration(10, 300).exactOptional(),
        action: choice(["clear", "restart", "on-traffic"]).exactOptional(),
      }),
    ],
    { error: () => "allowed: a block with timeout and action, or off" },
  )
  .meta({ id: "dpd", description: "Dead peer detection. Default: timeout 30s, action restart." });

const innerWords = "allowed: an address with the length of its network (169.254.10.1/30), or a list of them";
const innerAddresses = z
  .union([z.string(), z.array(z.string()).min(1)], { error: () => innerWords })
  .transform((written, context) =>
    [written].flat().flatMap((one) => {
      try {
        return [parseInnerAddress(one)];
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        context.addIssue({ code: "custom", message: `${error.message}; ${innerWords}` });
        return [];
      }
    }),
  );

/** Tables of ours begin at 430000; main and local are looked up for the gateway's own packets as well. */
const tableWords = {
  error: () =>
    "allowed: the number of a routing table from 1 to 252 or 256 to 429999, or { id: NUMBER, from: [RANGES] }",
};
const tableNumber = () =>
  z
    .int(tableWords)
    .min(1, tableWords)
    .max(429_999, tableWords)
    .refine((table) => table < 253 || table > 255, tableWords);

const exceptionWords = {
  error: () => "allowed: a list of blocks with any of local, peer, protocol, local_ports and peer_ports",
};

const tunnelShape = {
  peer: text("an address, a DNS name, or any", 253).exactOptional(),
  local_id: words("an address, a name, user@name, keyid:… or a DN").exactOptional(),
  peer_id: words("an address, a name, user@name, keyid:… or a DN").exactOptional(),
  psk: psk.exactOptional(),
  start: choice(["active", "passive", "on-traffic"]).exactOptional(),
  close: choice(["none", "restart", "on-traffic"]).exactOptional(),
  encapsulation: choice(["auto", "udp"]).exactOptional(),
  policies: list("blocks with local and peer", policy).exactOptional(),
  routes: list("address ranges", prefix(), 0).exactOptional().meta({
    description:
      "Route mode, instead of policies: a TUN device of the tunnel's own, whatever is routed into it goes to the peer, and these routes. [] where a routing daemon adds them.",
  }),
  legacy: flag().exactOptional().meta({
    description: "Permits algorithms that RFC 8221 and RFC 8247 forbid (MUST NOT: DES, MD5, DH1 …). Default: false.",
  }),
  ike: ike.exactOptional(),
  esp: esp.exactOptional(),
  dpd: dpd.exactOptional(),
  profile: choice(profileNamesOfProducts).exactOptional().meta({
    description:
      "What the peer's product uses: below every key of this file, above the built-in defaults. Never implies legacy.",
  }),
  numbering: numbering.exactOptional(),
  split: choice(["auto", "always", "never"]).exactOptional().meta({
    description:
      "Whether the mappings of one entry share an ESP SA. auto: where the peer takes them together; always: one SA for each; never: what the peer does not take together stays down. IKE version 1 has one SA for each. Default: auto.",
  }),
  duplicates: choice(["replace", "keep", "never"]).exactOptional().meta({
    description:
      "When the peer opens another IKE SA: it replaces the old one, is refused, or both live. Default: replace.",
  }),
  tun: deviceName("cw- and the tunnel's name").meta({ description: "Route mode: the tunnel's TUN device." }),
  inner_address: innerAddresses.exactOptional().meta({
    description: "Route mode: addresses of the TUN device with the length of their network. Default: none.",
  }),
  table: z
    .union(
      [
        tableNumber(),
        block("a routing table", { id: tableNumber(), from: list("address ranges", prefix()).exactOptional() }),
      ],
      tableWords,
    )
    .exactOptional()
    .meta({
      description:
        "Route mode: where the routes stand. from: rules lead packets with these sources to the table; without it rules are yours to add. Default: a table of the gateway's, which every packet is led to.",
    }),
  metric: integer(1, 4_294_967_294).exactOptional().meta({ description: "Route mode: of the routes." }),
  group: notYet("failover groups").exactOptional(),
  priority: notYet("failover groups").exactOptional(),
  health_check: inertOnly("health checks", "off", false).exactOptional(),
  bandwidth: inertOnly("bandwidth caps", "off", false).exactOptional(),
  bypass: z.array(exception, exceptionWords).exactOptional().meta({
    description: "Policies without IPsec: this part of the mappings travels in clear, outside of the tunnel.",
  }),
  drop: z.array(exception, exceptionWords).exactOptional().meta({
    description:
      "Policies without IPsec: this part of the mappings is discarded, in both directions. Goes before bypass.",
  }),
};

export const defaultsSchema = block("any keys of a tunnel but its name", tunnelShape);
export const tunnelSchema = block("a tunnel", { name: text("the name of a tunnel", 60), ...tunnelShape });

export const configurationSchema = block("the configuration", {
  version: z.literal(1, { error: () => "allowed: 1, the version of this file's form" }),
  gateway: gatewaySchema.exactOptional(),
  defaults: defaultsSchema.exactOptional(),
  tunnels: list("tunnels", tunnelSchema, 0).exactOptional(),
});

export type GatewayBlock = z.infer<typeof gatewaySchema>;
/** What `defaults` may hold, and a tunnel after inheritance. */
export type TunnelBlock = z.infer<typeof defaultsSchema>;
export type TunnelEntry = z.infer<typeof tunnelSchema>;
export type PolicyBlock = z.infer<typeof policy>;
export type ExceptionBlock = z.infer<typeof exception>;
export type NumberingBlock = z.infer<typeof numbering>;
export type PskBlock = z.infer<typeof psk>;
