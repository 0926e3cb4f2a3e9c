import { everyAlgorithm } from "./scenarios/algorithms.js";
import { ikev1Kernel } from "./scenarios/ikev1.js";
import { strongswanKernel } from "./scenarios/strongswan-kernel.js";
import { suite } from "./suite.js";

suite("interoperability with strongSwan, kernel ESP", [
  ...strongswanKernel,
  ...everyAlgorithm("strongswan-kernel"),
  ...ikev1Kernel,
]);
