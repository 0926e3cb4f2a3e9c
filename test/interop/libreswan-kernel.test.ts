import { everyAlgorithm } from "./scenarios/algorithms.js";
import { ikev1Libreswan } from "./scenarios/ikev1.js";
import { libreswanKernel } from "./scenarios/libreswan-kernel.js";
import { suite } from "./suite.js";

suite("interoperability with libreswan, kernel ESP", [
  ...libreswanKernel,
  ...everyAlgorithm("libreswan-kernel"),
  ...ikev1Libreswan,
]);
