import { symmetric } from "./scenarios/symmetric.js";
import { suite } from "./suite.js";

suite("interoperability with strongSwan, every encryption, integrity and PRF", symmetric);
