import { TABLE } from "./scenarios/table.js";
import { suite } from "./suite.js";

suite("interoperability through address translation, strongSwan with userspace ESP", TABLE.natUserspace);
suite("interoperability through address translation, strongSwan with kernel ESP", TABLE.natKernel);
