import { algorithms } from "./scenarios/algorithms.js";
import { suite } from "./suite.js";

suite("interoperability with strongSwan, every algorithm", algorithms);
