/** The whole table, by the stage that its rows share: each entry is one file of tests. */
import type { Scenario } from "../scenario.js";
import { fragments } from "./fragments.js";
import { coveringGroups, eachGroup } from "./groups.js";
import { ikev1Kernel, ikev1Libreswan, ikev1NatKernel, ikev1NatUserspace, ikev1Userspace } from "./ikev1.js";
import { ikev1Algorithms } from "./ikev1-algorithms.js";
import { libreswanKernel } from "./libreswan-kernel.js";
import { manyKernel, manyLibreswan, manyUserspace } from "./many-mappings.js";
import { mobikeKernel, mobikeUserspace } from "./mobike.js";
import { natKernel, natUserspace } from "./nat.js";
import { narrowPath } from "./path-mtu.js";
import { strongswanKernel } from "./strongswan-kernel.js";
import { strongswanUserspace } from "./strongswan-userspace.js";
import { coveringSymmetric, eachSymmetric, gmac } from "./symmetric.js";
import { usualSuites } from "./usual-suites.js";

export const TABLE = {
  strongswanUserspace: [
    ...strongswanUserspace,
    ...mobikeUserspace,
    ...ikev1Userspace,
    ...ikev1Algorithms,
    ...manyUserspace,
  ],
  strongswanKernel: [
    ...strongswanKernel,
    ...mobikeKernel,
    ...gmac,
    ...usualSuites("strongswan-kernel"),
    ...ikev1Kernel,
    ...manyKernel,
  ],
  fragments,
  narrowPath,
  strongswanSymmetric: [...coveringSymmetric("strongswan-userspace"), ...eachSymmetric("strongswan-userspace")],
  strongswanGroups: [...coveringGroups("strongswan-userspace"), ...eachGroup("strongswan-userspace")],
  libreswanKernel: [...libreswanKernel, ...usualSuites("libreswan-kernel"), ...ikev1Libreswan, ...manyLibreswan],
  libreswanSymmetric: [...coveringSymmetric("libreswan-kernel"), ...eachSymmetric("libreswan-kernel")],
  libreswanGroups: eachGroup("libreswan-kernel"),
  natUserspace: [...natUserspace, ...ikev1NatUserspace],
  natKernel: [...natKernel, ...ikev1NatKernel],
} satisfies Readonly<Record<string, readonly Scenario[]>>;
