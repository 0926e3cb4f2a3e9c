/** The products that `export --for` writes for. A new one is a row here and a writer beside it. */
import { writeCiscoIos } from "./cisco-ios.js";
import type { Writer } from "./export-options.js";
import { writeFortigate } from "./fortigate.js";
import { writeJuniper } from "./juniper.js";
import { writeLibreswan } from "./libreswan-writer.js";
import { writeMikrotik } from "./mikrotik.js";
import { writeStarter } from "./starter-writer.js";
import { writeSwanctl } from "./swanctl-writer.js";
import { writeTerraformTencent } from "./terraform-tencent.js";

export interface Product {
  /** Of its files, for messages. */
  readonly title: string;
  readonly write: Writer;
}

export const PRODUCTS: Readonly<Record<string, Product>> = {
  strongswan: { title: "strongSwan (swanctl.conf)", write: writeSwanctl },
  "strongswan-ipsec": { title: "strongSwan (ipsec.conf)", write: writeStarter },
  libreswan: { title: "libreswan", write: writeLibreswan },
  "cisco-ios": { title: "Cisco IOS", write: writeCiscoIos },
  fortigate: { title: "FortiGate", write: writeFortigate },
  juniper: { title: "Juniper SRX", write: writeJuniper },
  mikrotik: { title: "MikroTik RouterOS", write: writeMikrotik },
  "terraform-tencent": { title: "Tencent Cloud", write: writeTerraformTencent },
};
