/** Vendor IDs (RFC 7296 section 3.12, RFC 2408 section 3.16): who the peer says it is, and in IKEv1 what it can do. */
import { hex, octets, text, utf8 } from "../../crypto/bytes.js";

/** What we send. Without a version: it would help nobody but a scanner. */
export const OUR_VENDOR_ID: Uint8Array = utf8("Causeway");

/** The vendor IDs that announce extensions of IKEv1; whoever sends one can do what it says. */
export const FEATURE_VENDOR_ID = {
  /** MD5("RFC 3947"). */
  natTraversal: octets("4a131c81070358455c5728f20e95452f"),
  /** MD5("draft-ietf-ipsec-nat-t-ike-03"). */
  natTraversalDraft3: octets("7d9419a65310ca6f2c179d9215529d56"),
  /** MD5("draft-ietf-ipsec-nat-t-ike-02"). */
  natTraversalDraft2: octets("cd60464335df21f87cfdb2fc68b6a448"),
  /** MD5("draft-ietf-ipsec-nat-t-ike-02\n"): the line end was a mistake that most products copied. */
  natTraversalDraft2Line: octets("90cb80913ebb696e086381b5ec427b1f"),
  /** RFC 3706 section 5.2; the last two octets are the version, 1.0. */
  deadPeerDetection: octets("afcad71368a1f1c96b8696fc77570100"),
  /** The front of MD5("draft-ietf-ipsra-isakmp-xauth-06.txt"). */
  xauth: octets("09002689dfd6b712"),
  /** The front of MD5("CISCO-UNITY") and the version, 1.0. */
  ciscoUnity: octets("12f5f28c457168a9702d9fe274cc0100"),
  /** MD5("FRAGMENTATION"); four octets of flags may follow. */
  fragmentation: octets("4048b7d56ebce88525e7de7f00d6c2d3"),
} as const;

export type Feature = keyof typeof FEATURE_VENDOR_ID;

/** An opaque vendor ID by how it starts, in hex; `md5Of`: the published text whose MD5 it is (or begins). */
interface OpaqueVendor {
  readonly prefix: string;
  readonly name: string;
  readonly md5Of?: string;
}

const feature = (name: Feature) => hex(FEATURE_VENDOR_ID[name]);

export const OPAQUE_VENDORS: readonly OpaqueVendor[] = [
  { prefix: feature("natTraversal"), name: "NAT traversal (RFC 3947)", md5Of: "RFC 3947" },
  { prefix: feature("natTraversalDraft3"), name: "NAT traversal (draft 03)", md5Of: "draft-ietf-ipsec-nat-t-ike-03" },
  { prefix: feature("natTraversalDraft2"), name: "NAT traversal (draft 02)", md5Of: "draft-ietf-ipsec-nat-t-ike-02" },
  {
    prefix: feature("natTraversalDraft2Line"),
    name: "NAT traversal (draft 02)",
    md5Of: "draft-ietf-ipsec-nat-t-ike-02\n",
  },
  ...(
    [
      ["16f6ca16e4a4066d83821a0f0aeaa862", "01"],
      ["4485152d18b6bbcd0be8a8469579ddcc", "00"],
      ["9909b64eed937c6573de52ace952fa6b", "04"],
      ["80d0bb3def54565ee84645d4c85ce3ee", "05"],
      ["4d1e0e136deafa34c4f3ea9f02ec7285", "06"],
      ["439b59f8ba676c4c7737ae22eab8f582", "07"],
      ["8f8d83826d246b6fc7a8a6a428c11de8", "08"],
    ] as const
  ).map(([prefix, draft]) => ({
    prefix,
    name: `NAT traversal (draft ${draft})`,
    md5Of: `draft-ietf-ipsec-nat-t-ike-${draft}`,
  })),
  {
    prefix: "4df37928e9fc4fd1b3262170d515c662",
    name: "NAT traversal (draft, no number)",
    md5Of: "draft-ietf-ipsec-nat-t-ike",
  },
  {
    prefix: "27bab5dc01ea0760ea4e3190ac27c0d0",
    name: "NAT traversal (Stenberg 01)",
    md5Of: "draft-stenberg-ipsec-nat-traversal-01",
  },
  {
    prefix: "6105c422e76847e43f9684801292aecd",
    name: "NAT traversal (Stenberg 02)",
    md5Of: "draft-stenberg-ipsec-nat-traversal-02",
  },
  { prefix: feature("deadPeerDetection"), name: "dead peer detection" },
  { prefix: feature("xauth"), name: "XAUTH", md5Of: "draft-ietf-ipsra-isakmp-xauth-06.txt" },
  { prefix: feature("ciscoUnity").slice(0, 28), name: "Cisco Unity", md5Of: "CISCO-UNITY" },
  { prefix: feature("fragmentation"), name: "fragmentation (Cisco, Microsoft)", md5Of: "FRAGMENTATION" },
  { prefix: "882fe56d6fd20dbc2251613b2ebe5beb", name: "strongSwan", md5Of: "strongSwan" },
  { prefix: "1e2b516905991c7d7c96fcbfb587e461", name: "Microsoft Windows", md5Of: "MS NT5 ISAKMPOAKLEY" },
  {
    prefix: "fb1de3cdf341b7ea16b7e5be0855f120",
    name: "Microsoft negotiation discovery",
    md5Of: "MS-Negotiation Discovery Capable",
  },
  { prefix: "26244d38eddb61b3172a36e3d0cfb819", name: "Microsoft initial contact", md5Of: "Vid-Initial-Contact" },
  { prefix: "e3a5966a76379fe707228231e5ce8652", name: "Microsoft IKE CGA", md5Of: "IKE CGA version 1" },
  { prefix: "214ca4faffa7f32d6748e5303395ae83", name: "Microsoft MS-MamieExists", md5Of: "MS-MamieExists" },
  { prefix: "621b04bb09882ac1e15935fefa24aeee", name: "Microsoft GSSAPI", md5Of: "GSSAPI" },
  { prefix: "7003cbc1097dbe9c2600ba6983bc8b35", name: "racoon", md5Of: "KAME/racoon" },
  { prefix: "054182a07c7ae206f9d2cf9d2432c482", name: "SSH Sentinel", md5Of: "SSH Sentinel" },
  { prefix: "f14b94b7bff1fef02773b8c49feded26", name: "Shrew Soft" },
  { prefix: "8299031757a36082c6a621de", name: "Fortinet FortiGate" },
  { prefix: "f4ed19e0c114eb516faaac0ee37daf2807b4381f", name: "Check Point" },
  { prefix: "404bf439522ca3f6", name: "SonicWall" },
  { prefix: "8404adf9cda05760b2ca292e4bff537b", name: "Sidewinder" },
  { prefix: "625027749d5ab97f5616c1602765cf480a3b7d0b", name: "ZyXEL ZyWALL" },
  { prefix: "b858d1addd08c1e8adafea150608aa4497aa6cc8", name: "ZyXEL ZyWALL" },
  { prefix: "f758f22668750f03b08df6ebe1d0", name: "ZyXEL ZyWALL USG" },
  // NetScreen, later Juniper: a figure per model and release, version octets behind it.
  ...[
    ...["299ee8289f40a8973bc78687e2e7226b532c3b76", "3a15e1f3cf2a63582e3ac82d1c64cbe3b6d779e7"],
    ...["47d2b126bfcd83489760e2cf8c5d4d5a03497c15", "4a4340b543e02b84c88a8b96a8af9ebe77d9accc"],
    ...["64405f46f03b7660a23be116a1975058e69e8387", "699369228741c6d4ca094c93e242c9de19e7b7c6"],
    ...["8c0dc6cf62a0ef1b5c6eabd1b67ba69866adf16a", "92d27a9ecb31d99246986d3453d0c3d57a222a61"],
    ...["9b096d9ac3275a7d6fe8b91c583111b09efed1a0", "bf03746108d746c904f1f3547de24f78479fed12"],
    ...["c2e80500f4cc5fbf5daaeed3bb59abaeee56c652", "c8660a62b03b1b6130bf781608d32a6a8d0fb89f"],
    ...["f885da40b1e7a9abd17655ec5bbec0f21f0ed52e", "2a2bcac19b8e91b426107807e02e7249569d6fd3"],
    ...["166f932d55eb64d8e4df4fd37e2313f0d0fd8451", "a35bfd05ca1ac0b3d2f24e9e82bfcbff9c9e52b5"],
  ].map((prefix) => ({ prefix, name: "Juniper NetScreen" })),
];

/** Vendor IDs that are text, by how they start. */
const BY_TEXT: readonly (readonly [prefix: string, name: string])[] = [
  ["OE-Libreswan-", "libreswan"],
  ["OE", "Openswan"],
  ["HeartBeat_Notify", "Juniper heartbeat"],
  ["CISCO-DELETE-REASON", "Cisco delete reason"],
  ["CISCO(COPYRIGHT)", "Cisco"],
  ["CISCO-DYNAMIC-ROUTE", "Cisco dynamic route"],
  ["CISCO-GRE-MODE", "Cisco GRE mode"],
  ["FLEXVPN-SUPPORTED", "Cisco FlexVPN"],
  ["Causeway", "Causeway"],
];

/** A name for the log: the known vendor, the text itself where it is printable, hex otherwise. At most 80 characters. */
export function vendorName(data: Uint8Array): string {
  const octets = hex(data);
  const opaque = OPAQUE_VENDORS.find(({ prefix }) => octets.startsWith(prefix));
  if (opaque !== undefined) return opaque.name;
  const words = text(data.subarray(0, LONGEST));
  const known = BY_TEXT.find(([prefix]) => words.startsWith(prefix));
  const printable = data.length > 0 && data.subarray(0, LONGEST).every((octet) => octet >= 0x20 && octet < 0x7f);
  if (known !== undefined) return printable && words !== known[1] ? `${known[1]} (${words})` : known[1];
  return printable ? `"${words}"` : octets.slice(0, LONGEST);
}

const LONGEST = 60;
