import { TABLE } from "./scenarios/table.js";
import { suite } from "./suite.js";

suite("interoperability with libreswan, every encryption, integrity and PRF", TABLE.libreswanSymmetric);
