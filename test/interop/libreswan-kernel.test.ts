import { TABLE } from "./scenarios/table.js";
import { suite } from "./suite.js";

suite("interoperability with libreswan, kernel ESP", TABLE.libreswanKernel);
