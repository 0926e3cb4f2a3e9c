import { TABLE } from "./scenarios/table.js";
import { suite } from "./suite.js";

suite("interoperability over a path that drops IP fragments, strongSwan with kernel ESP", TABLE.fragments);
