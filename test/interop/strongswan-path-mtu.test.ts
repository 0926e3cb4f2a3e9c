import { TABLE } from "./scenarios/table.js";
import { suite } from "./suite.js";

suite("interoperability with strongSwan, a narrow path", TABLE.narrowPath);
