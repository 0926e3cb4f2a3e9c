/**
 * The known answers of start-up: one or more per row and key length. Each is also a case of `vectors/`, which a test
 * compares; they stand here as well because the product must not depend on finding that folder.
 */
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
  {
    kind: "modp-group",
    row: "2048-bit MODP Group",
    source: "RFC 3526 section 3",
    generator: 2,
    prime:
      "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404ddef9519b3" +
      "cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7edee386bfb5a899fa5" +
      "ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f83655d23dca3ad961c62f356" +
      "208552bb9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3be39e772c180e86039b2783a2ec07a28f" +
      "b5c55df06f4c52c9de2bcbf6955817183995497cea956ae515d2261898fa051015728e5a8aacaa68ffffffffffffffff",
  },
  {
    kind: "modp-group",
    row: "3072-bit MODP Group",
    source: "RFC 3526 section 4",
    generator: 2,
    prime:
      "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404ddef9519b3" +
      "cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7edee386bfb5a899fa5" +
      "ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f83655d23dca3ad961c62f356" +
      "208552bb9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3be39e772c180e86039b2783a2ec07a28f" +
      "b5c55df06f4c52c9de2bcbf6955817183995497cea956ae515d2261898fa051015728e5a8aaac42dad33170d04507a33a85521ab" +
      "df1cba64ecfb850458dbef0a8aea71575d060c7db3970f85a6e1e4c7abf5ae8cdb0933d71e8c94e04a25619dcee3d2261ad2ee6b" +
      "f12ffa06d98a0864d87602733ec86a64521f2b18177b200cbbe117577a615d6c770988c0bad946e208e24fa074e5ab3143db5bfc" +
      "e0fd108e4b82d120a93ad2caffffffffffffffff",
  },
  {
    kind: "modp-group",
    row: "4096-bit MODP Group",
    source: "RFC 3526 section 5",
    generator: 2,
    prime:
      "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404ddef9519b3" +
      "cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7edee386bfb5a899fa5" +
      "ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f83655d23dca3ad961c62f356" +
      "208552bb9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3be39e772c180e86039b2783a2ec07a28f" +
      "b5c55df06f4c52c9de2bcbf6955817183995497cea956ae515d2261898fa051015728e5a8aaac42dad33170d04507a33a85521ab" +
      "df1cba64ecfb850458dbef0a8aea71575d060c7db3970f85a6e1e4c7abf5ae8cdb0933d71e8c94e04a25619dcee3d2261ad2ee6b" +
      "f12ffa06d98a0864d87602733ec86a64521f2b18177b200cbbe117577a615d6c770988c0bad946e208e24fa074e5ab3143db5bfc" +
      "e0fd108e4b82d120a92108011a723c12a787e6d788719a10bdba5b2699c327186af4e23c1a946834b6150bda2583e9ca2ad44ce8" +
      "dbbbc2db04de8ef92e8efc141fbecaa6287c59474e6bc05d99b2964fa090c3a2233ba186515be7ed1f612970cee2d7afb81bdd76" +
      "2170481cd0069127d5b05aa993b4ea988d8fddc186ffb7dc90a6c08f4df435c934063199ffffffffffffffff",
  },
  {
    kind: "key-exchange",
    row: "256-bit random ECP group",
    source: "RFC 5903 section 8.1",
    privateI: "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
    publicI:
      "dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c37725811805271a0461cdb8252d61f1c456fa3e59ab1f45b33" +
      "accf5f58389e0577b8990bb3",
    privateR: "c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53",
    publicR:
      "d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf6356fbf3ca366cc23e8157854c13c58d6aac23f046" +
      "ada30f8353e74f33039872ab",
    shared: "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de",
  },
  {
    kind: "key-exchange",
    row: "384-bit random ECP group",
    source: "RFC 5903 section 8.2",
    privateI: "099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655e35b538041e649ee3faef896783ab194",
    publicI:
      "667842d7d180ac2cde6f74f37551f55755c7645c20ef73e31634fe72b4c55ee6de3ac808acb4bdb4c88732aee95f41aa9482ed1f" +
      "c0eeb9cafc4984625ccfc23f65032149e0e144ada024181535a0f38eeb9fcff3c2c947dae69b4c634573a81c",
    privateR: "41cb0779b4bdb85d47846725fbec3c9430fab46cc8dc5060855cc9bda0aa2942e0308312916b8ed2960e4bd55a7448fc",
    publicR:
      "e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d0d1ac43a0336def96fda41d0774a3571dcfbec7a" +
      "acf3196472169e838430367f66eebe3c6e70c416dd5f0c68759dd1fff83fa40142209dff5eaad96db9e6386c",
    shared: "11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4d603135569b9e9d09cf5d4a270f59746",
  },
  {
    kind: "key-exchange",
    row: "Curve25519",
    source: "RFC 8031 appendix A",
    privateI: "751fb4308655b476b6789b7325f9ea8cddd16a58533ff6d9e60009464a5f9d94",
    publicI: "48d5ddd4061257ba166fa3f9bbdb74f1a4e81c089384fa77f790709f0dfbc766",
    privateR: "0a54645253290d60ddadd0e030bacd9e5501efdc220755a1e978f1b839a05688",
    publicR: "0be7c1f5aad87d7e448662673298a443478b859745179eaf564c79c0ef6eee25",
    shared: "c74950607a12327f3204d94b6825bfb068b7f8319a9e3708ed3d43ce8130c950",
  },
];
