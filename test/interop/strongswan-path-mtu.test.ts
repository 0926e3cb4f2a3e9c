import { narrowPath } from "./scenarios/path-mtu.js";
import { suite } from "./suite.js";

suite("interoperability with strongSwan, a narrow path", narrowPath);
