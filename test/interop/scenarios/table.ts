/** The whole table, by the stage that its rows share: each entry is one file of tests. */
import type { Scenario } from "../scenario.js";
import { coveringGroups, eachGroup } from "./groups.js";
import { libreswanKernel } from "./libreswan-kernel.js";
import { natKernel, natUserspace } from "./nat.js";
import { strongswanKernel } from "./strongswan-kernel.js";
import { strongswanUserspace } from "./strongswan-userspace.js";
import { coveringSymmetric, eachSymmetric, gmac } from "./symmetric.js";
import { usualSuites } from "./usual-suites.js";

export const TABLE = {
  strongswanUserspace,
  strongswanKernel: [...strongswanKernel, ...gmac, ...usualSuites("strongswan-kernel")],
  strongswanSymmetric: [...coveringSymmetric("strongswan-userspace"), ...eachSymmetric("strongswan-userspace")],
  strongswanGroups: [...coveringGroups("strongswan-userspace"), ...eachGroup("strongswan-userspace")],
  libreswanKernel: [...libreswanKernel, ...usualSuites("libreswan-kernel")],
  libreswanSymmetric: [...coveringSymmetric("libreswan-kernel"), ...eachSymmetric("libreswan-kernel")],
  libreswanGroups: eachGroup("libreswan-kernel"),
  natUserspace,
  natKernel,
} satisfies Readonly<Record<string, readonly Scenario[]>>;
