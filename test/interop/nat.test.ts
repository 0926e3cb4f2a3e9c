import { natKernel, natUserspace } from "./scenarios/nat.js";
import { suite } from "./suite.js";

suite("interoperability through address translation, strongSwan with userspace ESP", natUserspace);
suite("interoperability through address translation, strongSwan with kernel ESP", natKernel);
