import { filesSuite } from "./files-suite.js";
import { downloads } from "./scenarios/downloads.js";
import { filesRows } from "./scenarios/files.js";

filesSuite("files that are written for strongswan, and read back", "strongswan", filesRows("strongswan"), downloads);
