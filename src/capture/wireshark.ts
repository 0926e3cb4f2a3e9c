/**
 * The key tables of Wireshark: lines of the files ikev1_decryption_table, ikev2_decryption_table and esp_sa in its configuration folder, with the
 * names that its version 4.0 gives to algorithms. What it does not know is told as a note. Pure.
 */
import { hex } from "../../crypto/bytes.js";
import type { IkeSecrets } from "../../ike/core/ike-secrets.js";
import type { ChildMessage } from "../dataplane/protocol.js";

export const KEY_TABLES = ["ikev1_decryption_table", "ikev2_decryption_table", "esp_sa"] as const;
export type KeyTable = (typeof KEY_TABLES)[number];

export interface KeyLine {
  readonly table: KeyTable;
  readonly line: string;
}

/** A line, or why there is none. */
export type KeyLineOrNote = KeyLine | { readonly note: string };

export function ikeKeyLine(secrets: IkeSecrets): KeyLineOrNote {
  const spiI = spiHex(secrets.initiatorSpi);
  if (secrets.version === 1) return { table: "ikev1_decryption_table", line: `${spiI},${hex(secrets.key.reveal())}` };
  const { suite, keys, responderSpi } = secrets;
  const encryption = ikeEncryption(suite.encryption.name, suite.keyBits);
  const integrity = suite.integrity === undefined ? "NONE [RFC4306]" : IKE_INTEGRITY[suite.integrity.name];
  if (encryption === undefined || integrity === undefined)
    return {
      note: `Wireshark does not know ${suite.encryption.name} with ${suite.integrity?.name ?? "no integrity"} in IKEv2: IKE SA ${spiI} stays closed`,
    };
  const [ei, er] = [keys.initiator.encryption, keys.responder.encryption].map((key) => hex(key.reveal()));
  const [ai, ar] = [keys.initiator.integrity, keys.responder.integrity].map((key) => hex(key.reveal()));
  return {
    table: "ikev2_decryption_table",
    line: `${spiI},${spiHex(responderSpi)},${ei},${er},"${encryption}",${ai},${ar},"${integrity}"`,
  };
}

/** Both directions of a child. */
export function espKeyLines(child: ChildMessage): readonly KeyLineOrNote[] {
  const { suite, spiIn, spiOut, inboundKeys, outboundKeys, path } = child;
  const encryption = ESP_ENCRYPTION[suite.encryption];
  const integrity = suite.integrity === undefined ? "NULL" : espIntegrity(suite.integrity, suite.icvBytes ?? 0);
  if (encryption === undefined || integrity === undefined)
    return [
      {
        note: `Wireshark does not know ${suite.encryption}${suite.integrity ? ` with ${suite.integrity}` : ""} in ESP: SPIs ${spiIn.toString(16)} and ${spiOut.toString(16)} stay closed`,
      },
    ];
  const family = `IPv${path.remote.address.family}`;
  return [[spiIn, inboundKeys] as const, [spiOut, outboundKeys] as const].map(([spi, keys]) => {
    const fields = [
      family,
      "*",
      "*",
      `0x${spi.toString(16).padStart(8, "0")}`,
      encryption,
      keyHex(keys.encryption),
      integrity,
      keyHex(keys.integrity),
    ];
    return { table: "esp_sa", line: fields.map((field) => `"${field}"`).join(",") };
  });
}

function keyHex(octets: Uint8Array): string {
  return octets.length === 0 ? "" : `0x${hex(octets)}`;
}

function spiHex(spi: bigint): string {
  return spi.toString(16).padStart(16, "0");
}

function ikeEncryption(name: string, keyBits: number): string | undefined {
  const aead = /^ENCR_AES_(GCM|CCM)_(8|12|16)$/.exec(name);
  if (aead) return `AES-${aead[1]}-${keyBits} with ${aead[2]} octet ICV [RFC5282]`;
  if (name === "ENCR_AES_CBC") return `AES-CBC-${keyBits} [RFC3602]`;
  if (name === "ENCR_AES_CTR") return `AES-CTR-${keyBits} [RFC5930]`;
  return name === "ENCR_3DES" ? "3DES [RFC2451]" : undefined;
}

const IKE_INTEGRITY: Readonly<Record<string, string>> = {
  AUTH_HMAC_MD5_96: "HMAC_MD5_96 [RFC2403]",
  AUTH_HMAC_SHA1_96: "HMAC_SHA1_96 [RFC2404]",
  AUTH_HMAC_SHA2_256_128: "HMAC_SHA2_256_128 [RFC4868]",
  AUTH_HMAC_SHA2_384_192: "HMAC_SHA2_384_192 [RFC4868]",
  AUTH_HMAC_SHA2_512_256: "HMAC_SHA2_512_256 [RFC4868]",
  AUTH_AES_XCBC_96: "ANY 96-bits of Authentication [No Checking]",
  AUTH_AES_CMAC_96: "ANY 96-bits of Authentication [No Checking]",
};

const ESP_ENCRYPTION: Readonly<Record<string, string>> = {
  ENCR_NULL: "NULL",
  ENCR_DES: "DES-CBC [RFC2405]",
  ENCR_3DES: "TripleDES-CBC [RFC2451]",
  ENCR_AES_CBC: "AES-CBC [RFC3602]",
  ENCR_AES_CTR: "AES-CTR [RFC3686]",
  ENCR_AES_GCM_8: "AES-GCM with 8 octet ICV [RFC4106]",
  ENCR_AES_GCM_12: "AES-GCM with 12 octet ICV [RFC4106]",
  ENCR_AES_GCM_16: "AES-GCM with 16 octet ICV [RFC4106]",
};

const ESP_INTEGRITY: Readonly<Record<string, string>> = {
  AUTH_HMAC_MD5_96: "HMAC-MD5-96 [RFC2403]",
  AUTH_HMAC_SHA1_96: "HMAC-SHA-1-96 [RFC2404]",
  AUTH_HMAC_SHA2_256_128: "HMAC-SHA-256-128 [RFC4868]",
  AUTH_HMAC_SHA2_384_192: "HMAC-SHA-384-192 [RFC4868]",
  AUTH_HMAC_SHA2_512_256: "HMAC-SHA-512-256 [RFC4868]",
};

/** An algorithm that it cannot check is passed over by its length: what is inside can be read all the same. */
function espIntegrity(name: string, icvBytes: number): string | undefined {
  const known = ESP_INTEGRITY[name];
  if (known !== undefined) return known;
  const bits = 8 * icvBytes;
  return [64, 96, 128, 192, 256].includes(bits) ? `ANY ${bits} bit authentication [no checking]` : undefined;
}

/** The command that shows everything opened; `folder` is where the files are. */
export function tsharkCommand(folder: string): string {
  return `WIRESHARK_CONFIG_DIR=${quoted(folder)} tshark -o esp.enable_encryption_decode:TRUE -r ${quoted(`${folder}/capture.pcapng`)} -V`;
}

/** For a shell. */
function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
