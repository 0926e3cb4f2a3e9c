import { TABLE } from "./scenarios/table.js";
import { suite } from "./suite.js";

suite("interoperability with strongSwan, every encryption, integrity and PRF", TABLE.strongswanSymmetric);
