/** What others may build on: addresses, selectors, and the packets of ESP. Everything else in this folder may change. */
export {
  type Address,
  formatAddress,
  formatPrefix,
  formatSocketAddress,
  type Path,
  type Prefix,
  parseAddress,
  parsePrefix,
  type SocketAddress,
} from "./address.js";
export { type DropReason, dropSentence } from "./drop-reasons.js";
export type { ChildId, Encapsulation, SaPair } from "./sa.js";
export { anySelector, formatSelector, intersect, selectorFromPrefix, type TrafficSelector } from "./selector.js";
