import { ikev1NatKernel, ikev1NatUserspace } from "./scenarios/ikev1.js";
import { natKernel, natUserspace } from "./scenarios/nat.js";
import { suite } from "./suite.js";

suite("interoperability through address translation, strongSwan with userspace ESP", [
  ...natUserspace,
  ...ikev1NatUserspace,
]);
suite("interoperability through address translation, strongSwan with kernel ESP", [...natKernel, ...ikev1NatKernel]);
