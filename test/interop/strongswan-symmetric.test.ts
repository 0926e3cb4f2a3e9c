import { batchSuite } from "./batch.js";
import { TABLE } from "./scenarios/table.js";

batchSuite("interoperability with strongSwan, every encryption, integrity and PRF", TABLE.strongswanSymmetric);
