import { fragments } from "./scenarios/fragments.js";
import { suite } from "./suite.js";

suite("interoperability over a path that drops IP fragments, strongSwan with kernel ESP", fragments);
