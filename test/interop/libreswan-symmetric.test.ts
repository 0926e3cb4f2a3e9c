import { batchSuite } from "./batch.js";
import { TABLE } from "./scenarios/table.js";

batchSuite("interoperability with libreswan, every encryption, integrity and PRF", TABLE.libreswanSymmetric);
