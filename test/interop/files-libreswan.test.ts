import { filesSuite } from "./files-suite.js";
import { filesRows } from "./scenarios/files.js";

filesSuite("files that are written for libreswan, and read back", "libreswan", filesRows("libreswan"));
