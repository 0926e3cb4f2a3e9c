import { explainSuite } from "./explain-matrix.js";

explainSuite("libreswan");
