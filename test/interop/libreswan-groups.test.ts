import { TABLE } from "./scenarios/table.js";
import { suite } from "./suite.js";

suite("key exchange groups with libreswan", TABLE.libreswanGroups);
