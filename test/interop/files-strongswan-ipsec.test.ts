import { filesSuite } from "./files-suite.js";
import { filesRows } from "./scenarios/files.js";

filesSuite(
  "files that are written for strongswan-ipsec, and read back",
  "strongswan-ipsec",
  filesRows("strongswan-ipsec"),
);
