import { everyAlgorithm } from "./scenarios/algorithms.js";
import { libreswanKernel } from "./scenarios/libreswan-kernel.js";
import { suite } from "./suite.js";

suite("interoperability with libreswan, kernel ESP", [...libreswanKernel, ...everyAlgorithm("libreswan-kernel")]);
