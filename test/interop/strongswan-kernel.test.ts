import { everyAlgorithm } from "./scenarios/algorithms.js";
import { strongswanKernel } from "./scenarios/strongswan-kernel.js";
import { suite } from "./suite.js";

suite("interoperability with strongSwan, kernel ESP", [...strongswanKernel, ...everyAlgorithm("strongswan-kernel")]);
