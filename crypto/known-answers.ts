/**
 * The known answers of start-up: one or more per row and key length. Each is also a case of `vectors/`, which a test
 * compares; they stand here as well because the product must not depend on finding that folder.
 */
import { KEY_EXCHANGE_ANSWERS } from "./key-exchange-answers.js";
import { SYMMETRIC_ANSWERS } from "./known-answers-symmetric.js";
import { runCase } from "./proof/run-case.js";
import type { VectorCase } from "./proof/vector-file.js";
import type { BackendName, TransformRow } from "./registry/row.js";

/** Why a backend does not give the row's known answers; undefined: it gives them. */
export function failureOf(row: TransformRow, backend: BackendName): string | undefined {
  const answers = KNOWN_ANSWERS.filter((answer) => answer.row === row.name);
  if (answers.length === 0) return "there is no known answer to test it with";
  for (const answer of answers) {
    const failure = runCase(row, backend, answer);
    if (failure !== undefined) return `${answer.source}: ${failure}`;
  }
  return undefined;
}

/** In the format of `vectors/`. */
export const KNOWN_ANSWERS: readonly VectorCase[] = [
  ...SYMMETRIC_ANSWERS,
  {
    kind: "cipher",
    row: "ENCR_AES_CBC",
    source: "CBCMMT128 encrypt 1",
    key: "14cf158d3639a5b4844eaffea623bf5e",
    iv: "d0daec189e5aedd279eb0f2a781b39b8",
    plain: "68c783b906c25539e15f37ad7edff106195dcac63c0cb36490c1c3f2f4b1e3fd",
    cipher: "899a90806b0317545ce022aaa789195d4ad1f09fcb8d0e4c041c14590f122b2f",
  },
  {
    kind: "cipher",
    row: "ENCR_AES_CBC",
    source: "CBCMMT192 encrypt 1",
    key: "b4c3b27e80b612eebaa7a06a1f33101c3d7b91cdcd27bb05",
    iv: "681d9610e1df08d38a4ebafe8cffc0e0",
    plain: "744c883dd2237563decc5474d69cf5989a07d1f00e6f8f15c03acdc2cb271ccd",
    cipher: "c847bcbbb5b14497f902057903ec0ccb0a46fe44de7790ae4d03a6b7111b8241",
  },
  {
    kind: "cipher",
    row: "ENCR_AES_CBC",
    source: "CBCMMT256 encrypt 1",
    key: "2ef9f593f4522981d4f9993eb451f25548453c3c7e2560cd19b0e8f59b7207b0",
    iv: "08d51bf45a884dc4fe9f38aa9258fbe1",
    plain: "db66d01f7eaea4e1bca2fd7a483ac1c6dd542aa62404caf8d82bcdc7284b7fbe",
    cipher: "37c21bfce4558fcb163b043b7fbfa8b7b104c5b9fa1b2bf625137c63af53178b",
  },
  {
    kind: "esp",
    row: "ENCR_AES_GCM_16",
    source: "draft-mcgrew-gcm-test-01, case with SPI 335467ae",
    key: "7d773d00c144c525ac619d18c84a3f47d9664267",
    header: "335467aeffffffff",
    iv: "43457e9182443bc6",
    plain: "01020201",
    packet: "335467aeffffffff43457e9182443bc6437f866bcb3f699fe9b0822bac961c4504bef270",
  },
  {
    kind: "esp",
    row: "ENCR_AES_GCM_16",
    source: "draft-mcgrew-gcm-test-01, case with SPI 0000a5f8",
    key: "feffe9928665731c6d6a8f9467308308feffe9928665731ccafebabe",
    header: "0000a5f80000000a",
    iv: "facedbaddecaf888",
    plain: "45000028a4ad4000400678800a01038f0a010612802306b8cb712602dd6bb03e501016d075680001",
    packet:
      "0000a5f80000000afacedbaddecaf888a5b1f8066029aea40e598b8122de02420938b3ab33f828e687b8858b5bfbdbd0315b2745" +
      "2144cc7795457b9652037f5318027b5b4cd7a636",
  },
  {
    kind: "esp",
    row: "ENCR_AES_GCM_16",
    source: "draft-mcgrew-gcm-test-01, case with SPI 17405e67",
    esnHigh: 359608614,
    key: "abbccddef00112233445566778899aababbccddef00112233445566778899aab73616c74",
    header: "17405e67dd0db99b",
    iv: "616e640169766563",
    plain: "45080028732c00004006e9f90a0106120a01038f06b88023dd6bafbecb71260250101f646d540001",
    packet:
      "17405e67dd0db99b616e640169766563f2d69ecdbd5a0d5b8d5ef38bad4da58d1f278fde98ef67549d524a3018d9a57ff4d3a31c" +
      "e673119e451626c2415771e3b7eebca614c89b35",
  },
  {
    kind: "esp",
    row: "ENCR_AES_GCM_16",
    source: "draft-mcgrew-gcm-test-01, case with SPI 00000100",
    esnHigh: 0,
    key: "abbccddef00112233445566778899aabdecaf888",
    header: "0000010000000001",
    iv: "cafedebaceface74",
    plain: "746f016265016f72016e6f7401746f0162650001",
    packet: "0000010000000001cafedebaceface7429c9fc69a197d038ccdd14e2ddfcaa0543332164412503524303ed3c6c5f283843af8c3e",
  },
  {
    kind: "aead",
    row: "ENCR_CHACHA20_POLY1305",
    source: "RFC 7634 appendix B",
    key: "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3",
    iv: "1011121314151617",
    header: "c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d72e202500000000090000004529000029",
    plain: "0000000c000040010000000a00",
    sealed: "610394701f8d017f7c129248896b71bfe25236efd7cdc67066906315b2",
  },
  {
    kind: "prf",
    row: "PRF_HMAC_SHA1",
    source: "RFC 2202 case 1",
    key: "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
    data: "4869205468657265",
    output: "b617318655057264e28bc0b6fb378c8ef146be00",
  },
  {
    kind: "prf",
    row: "PRF_HMAC_SHA2_256",
    source: "RFC 4231 case 2",
    key: "4a656665",
    data: "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
    output: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
  },
  {
    kind: "prf",
    row: "PRF_HMAC_SHA2_384",
    source: "RFC 4231 case 2",
    key: "4a656665",
    data: "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
    output: "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
  },
  {
    kind: "prf",
    row: "PRF_HMAC_SHA2_512",
    source: "RFC 4231 case 2",
    key: "4a656665",
    data: "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
    output:
      "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a3" +
      "4d4a6b4b636e070a38bce737",
  },
  {
    kind: "mac",
    row: "AUTH_HMAC_SHA1_96",
    source: "RFC 2202 case 1, first 96 bits (RFC 2404)",
    key: "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
    data: "4869205468657265",
    icv: "b617318655057264e28bc0b6",
  },
  {
    kind: "mac",
    row: "AUTH_HMAC_SHA2_256_128",
    source: "RFC 4868 AUTH256-1",
    key: "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
    data: "4869205468657265",
    icv: "198a607eb44bfbc69903a0f1cf2bbdc5",
  },
  {
    kind: "mac",
    row: "AUTH_HMAC_SHA2_384_192",
    source: "RFC 4868 AUTH384-1",
    key: "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
    data: "4869205468657265",
    icv: "b6a8d5636f5c6a7224f9977dcf7ee6c7fb6d0c48cbdee973",
  },
  {
    kind: "mac",
    row: "AUTH_HMAC_SHA2_512_256",
    source: "RFC 4868 AUTH512-1",
    key:
      "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b" +
      "0b0b0b0b0b0b0b0b0b0b0b0b",
    data: "4869205468657265",
    icv: "637edc6e01dce7e6742a99451aae82df23da3e92439e590e43e761b33e910fb8",
  },
  ...KEY_EXCHANGE_ANSWERS,
];
