import { mobike } from "./scenarios/mobike.js";
import { suite } from "./suite.js";

suite("interoperability with strongSwan while an address changes (MOBIKE), userspace ESP", mobike);
