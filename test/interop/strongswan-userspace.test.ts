import { everyAlgorithm } from "./scenarios/algorithms.js";
import { strongswanUserspace } from "./scenarios/strongswan-userspace.js";
import { suite } from "./suite.js";

suite("interoperability with strongSwan, userspace ESP", [
  ...strongswanUserspace,
  ...everyAlgorithm("strongswan-userspace"),
]);
