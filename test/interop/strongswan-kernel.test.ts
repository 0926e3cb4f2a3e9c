import { TABLE } from "./scenarios/table.js";
import { suite } from "./suite.js";

suite("interoperability with strongSwan, kernel ESP", TABLE.strongswanKernel);
