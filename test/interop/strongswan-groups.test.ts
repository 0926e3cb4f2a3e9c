import { batchSuite } from "./batch.js";
import { TABLE } from "./scenarios/table.js";

batchSuite("key exchange groups with strongSwan", TABLE.strongswanGroups);
