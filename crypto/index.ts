/** What others may build on: algorithms, proposals and key material. Everything else in this folder may change. */
export { createCipher, createHash, createKeyExchange, createPrf, createSealer, selectBackends } from "./backends.js";
export type { Cipher, Hash, KeyExchange, Prf, Random, Sealer } from "./interfaces.js";
export { systemRandom } from "./random.js";
export { allRows, rowById, rowByKeyword, rowByName } from "./registry/lookup.js";
export {
  DEFAULT_ESP_PROPOSALS,
  DEFAULT_IKE_PROPOSALS,
  espSuiteName,
  ikeSuiteName,
  parseEspProposal,
  parseIkeProposal,
} from "./registry/proposal.js";
export type { EspProposal, EspSuite, IkeProposal, IkeSuite } from "./registry/suite.js";
export { Secret, secret } from "./secret.js";
