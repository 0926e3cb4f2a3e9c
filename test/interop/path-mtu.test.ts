import { TABLE } from "./scenarios/table.js";
import { suite } from "./suite.js";

suite("interoperability over a narrow path, strongSwan with userspace ESP", TABLE.narrowPath);
