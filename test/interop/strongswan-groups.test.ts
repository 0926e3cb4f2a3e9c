import { groups } from "./scenarios/groups.js";
import { suite } from "./suite.js";

suite("key exchange groups with strongSwan", groups);
