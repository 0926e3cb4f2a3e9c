import { everyAlgorithm } from "./scenarios/algorithms.js";
import { ikev1Userspace } from "./scenarios/ikev1.js";
import { ikev1Algorithms } from "./scenarios/ikev1-algorithms.js";
import { strongswanUserspace } from "./scenarios/strongswan-userspace.js";
import { suite } from "./suite.js";

suite("interoperability with strongSwan, userspace ESP", [
  ...strongswanUserspace,
  ...everyAlgorithm("strongswan-userspace"),
  ...ikev1Userspace,
  ...ikev1Algorithms,
]);
