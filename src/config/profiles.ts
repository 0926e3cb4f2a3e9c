/**
 * `profile:` - what a product uses when nobody changes it, or the best that it lets its operator choose. A profile stands below
 * every key that the file says, in the tunnel or in `defaults`, and above the built-in defaults. It never permits what needs
 * `legacy: true`: a product's own forbidden defaults are offered only in a tunnel that says so itself, and `check` tells of them.
 * Each row names where its figures come from.
 */
export type Version = 1 | 2;
type ByVersion<Value> = Readonly<Record<Version, Value>>;

export interface Profile {
  /** As people call it. */
  readonly title: string;
  /** The version that the product prefers. */
  readonly version: Version;
  /** Strongest first; IKEv1 has neither AEADs nor PRFs in phase 1. */
  readonly ike: ByVersion<readonly string[]>;
  readonly esp: ByVersion<readonly string[]>;
  /** One group with version 1, which cannot offer a choice. */
  readonly pfs: ByVersion<"off" | readonly string[]>;
  /** Seconds. */
  readonly lifetimes: { readonly ike: number; readonly esp: number };
  /** Octets; absent: no limit of the product's. */
  readonly volume?: number;
  readonly dpdSeconds?: number;
  /** Seconds before the end of a child, where the product renews. */
  readonly espMarginSeconds?: number;
  /** Packets. */
  readonly replayWindow?: number;
  /** What it uses when nobody touches it, and the RFCs forbid: only with `legacy: true`, as the last choice. */
  readonly forbidden?: { readonly ike: string; readonly esp: string };
  /** Where the figures come from. */
  readonly source: string;
}

const KIB = 1024;
const CBC = ["aes256-sha256", "aes128-sha256"] as const;
const GCM = "aes256gcm16-aes128gcm16";
const same = <Value>(value: Value): ByVersion<Value> => ({ 1: value, 2: value });
/** Both with the group. */
const cbcWith = (group: string): readonly string[] => CBC.map((words) => `${words}-${group}`);

export const PROFILES = {
  tencent: {
    title: "Tencent Cloud VPN gateway",
    version: 1,
    ike: same([...cbcWith("modp2048"), "aes128-sha1-modp2048"]),
    esp: same([...CBC, "aes128-sha1"]),
    pfs: same("off"),
    lifetimes: { ike: 86400, esp: 3600 },
    volume: 1843200 * KIB,
    dpdSeconds: 30,
    forbidden: { ike: "3des-md5-modp768", esp: "3des-md5" },
    source:
      "argument reference of tencentcloud_vpn_connection (Terraform provider): IKEV1, MAIN, 3DES-CBC, MD5, GROUP1, 86400 s, 3600 s, 1843200 KB",
  },
  aws: {
    title: "AWS Site-to-Site VPN",
    version: 2,
    ike: {
      1: cbcWith("modp2048"),
      2: [`${GCM}-prfsha384-prfsha256-ecp384-ecp256-modp2048`, "aes256-aes128-sha384-sha256-ecp384-ecp256-modp2048"],
    },
    esp: { 1: CBC, 2: [GCM, "aes256-aes128-sha384-sha256"] },
    pfs: { 1: ["modp2048"], 2: ["ecp384", "ecp256", "modp2048"] },
    lifetimes: { ike: 28800, esp: 3600 },
    dpdSeconds: 40,
    espMarginSeconds: 540,
    replayWindow: 1024,
    source:
      "docs.aws.amazon.com/vpn/latest/s2svpn/VPNTunnels.html: phase 1 900 to 28800 s, phase 2 900 to 3600 s, margin 540 s, window 1024, DPD 40 s",
  },
  azure: {
    title: "Azure VPN gateway",
    version: 2,
    ike: same(["aes256-sha256-modp2048", "aes256-sha256-modp1024", "aes256-sha1-modp1024"]),
    esp: { 1: ["aes256-sha256", "aes256-sha1"], 2: ["aes256gcm16", "aes256-sha256", "aes256-sha1"] },
    pfs: same("off"),
    lifetimes: { ike: 28800, esp: 27000 },
    volume: 102400000 * KIB,
    source:
      "learn.microsoft.com/azure/vpn-gateway/vpn-gateway-about-vpn-devices: 28800 s, 27000 s, 102400000 KB, group 2, PFS none; group 14 by a custom policy",
  },
  gcp: {
    title: "Google Cloud VPN",
    version: 2,
    ike: { 1: ["aes128-sha1-modp1024"], 2: ["aes256gcm16-prfsha256-modp2048"] },
    esp: { 1: ["aes128-sha1"], 2: ["aes256gcm16"] },
    pfs: { 1: ["modp1024"], 2: ["modp2048"] },
    lifetimes: { ike: 36000, esp: 10800 },
    source:
      "cloud.google.com/network-connectivity/docs/vpn/concepts/supported-ike-ciphers: 36000 s, 10800 s; one cipher for each role, because whoever rekeys chooses",
  },
  alibaba: {
    title: "Alibaba Cloud VPN gateway",
    version: 2,
    ike: { 1: [...cbcWith("modp2048"), "aes128-sha1-modp1024"], 2: [...cbcWith("modp2048"), "aes128-sha1-modp1024"] },
    esp: same([...CBC, "aes128-sha1"]),
    pfs: { 1: ["modp1024"], 2: ["modp2048", "modp1024"] },
    lifetimes: { ike: 86400, esp: 86400 },
    source: "alibabacloud.com/help/en/vpn, CreateVpnConnection: aes, sha1, group2, 86400 s in both phases",
  },
  huawei: {
    title: "Huawei Cloud VPN",
    version: 2,
    ike: same(["aes128-aes256-sha256-modp3072-modp2048"]),
    esp: same(["aes128-aes256-sha256"]),
    pfs: { 1: ["modp3072"], 2: ["modp3072", "modp2048"] },
    lifetimes: { ike: 86400, esp: 3600 },
    dpdSeconds: 45,
    source:
      "support.huaweicloud.com/eu/vpn_faq (negotiation parameters and their defaults): AES-128, SHA2-256, group 15, 86400 s, 3600 s; DPD after 30 s idle, three times 15 s",
  },
  "cisco-ios": {
    title: "Cisco IOS and IOS XE",
    version: 2,
    ike: {
      1: ["aes256-sha256-modp2048", "aes128-sha1-modp2048"],
      2: ["aes256-sha512-sha384-sha256-ecp521-ecp256-modp2048"],
    },
    esp: { 1: ["aes256-sha256", "aes128-sha1"], 2: ["aes256gcm16", "aes256-sha256", "aes128-sha1"] },
    pfs: same("off"),
    lifetimes: { ike: 86400, esp: 3600 },
    volume: 4608000 * KIB,
    source:
      "Cisco IOS security command reference: IKEv2 smart defaults, lifetime 86400 s; security-association lifetime 3600 s and 4608000 KB; no set pfs",
  },
  fortigate: {
    title: "Fortinet FortiGate",
    version: 2,
    ike: same(["aes128-aes256-sha256-sha1-modp2048-modp1536"]),
    esp: { 1: ["aes128-aes256-sha256-sha1"], 2: [GCM, "chacha20poly1305", "aes128-aes256-sha256-sha1"] },
    pfs: { 1: ["modp2048"], 2: ["modp2048", "modp1536"] },
    lifetimes: { ike: 86400, esp: 43200 },
    dpdSeconds: 60,
    source:
      "FortiOS CLI reference, vpn ipsec phase1-interface and phase2-interface: dhgrp 14 5, keylife 86400 s and 43200 s, DPD 3 times 20 s",
  },
  juniper: {
    title: "Juniper SRX",
    version: 2,
    ike: same([...cbcWith("modp2048"), "aes128-sha1-modp2048"]),
    esp: { 1: CBC, 2: [GCM, ...CBC] },
    pfs: same(["modp2048"]),
    lifetimes: { ike: 28800, esp: 3600 },
    source:
      "Junos OS, IPsec VPN user guide: lifetime-seconds 28800 (IKE) and 3600 (IPsec); the proposals of the standard sets without those below SHOULD",
  },
  mikrotik: {
    title: "MikroTik RouterOS",
    version: 2,
    ike: same(["aes256-aes128-sha256-sha1-modp2048"]),
    esp: same(["aes256-aes192-aes128-sha256-sha1"]),
    pfs: { 1: ["modp2048"], 2: ["modp2048", "modp1024"] },
    lifetimes: { ike: 86400, esp: 1800 },
    dpdSeconds: 120,
    source: "help.mikrotik.com, IPsec: profile lifetime 1d, proposal lifetime 30m, dpd-interval 2m, pfs-group modp1024",
  },
  strongswan: {
    title: "strongSwan",
    version: 2,
    ike: {
      1: cbcWith("modp2048"),
      2: [`${GCM}-prfsha384-prfsha256-x25519-ecp256-modp2048`, "aes256-aes128-sha256-x25519-ecp256-modp2048"],
    },
    esp: { 1: CBC, 2: [GCM, "aes256-aes128-sha256"] },
    pfs: { 1: ["modp2048"], 2: ["x25519", "ecp256", "modp2048"] },
    lifetimes: { ike: 15840, esp: 3960 },
    source: "docs.strongswan.org, swanctl.conf: rekey_time 4h and 1h, each with 10 % over it",
  },
  libreswan: {
    title: "libreswan",
    version: 2,
    ike: {
      1: cbcWith("modp2048"),
      2: [`${GCM}-prfsha512-prfsha256-ecp256-x25519-modp2048`, "aes256-sha512-sha256-ecp256-x25519-modp2048"],
    },
    esp: { 1: CBC, 2: [GCM, "aes256-sha512-sha256"] },
    pfs: { 1: ["modp2048"], 2: ["ecp256", "x25519", "modp2048"] },
    lifetimes: { ike: 28800, esp: 28800 },
    source: "ipsec.conf(5) of libreswan: ikelifetime and salifetime 8h",
  },
} as const satisfies Readonly<Record<string, Profile>>;

export type ProfileName = keyof typeof PROFILES;
