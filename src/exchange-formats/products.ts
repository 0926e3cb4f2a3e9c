/** The products that `export --for` writes for. A new one is a row here and a writer beside it. */
import type { Writer } from "./export-options.js";
import { writeLibreswan } from "./libreswan-writer.js";
import { writeStarter } from "./starter-writer.js";
import { writeSwanctl } from "./swanctl-writer.js";

export interface Product {
  /** Of its files, for messages. */
  readonly title: string;
  readonly write: Writer;
}

export const PRODUCTS: Readonly<Record<string, Product>> = {
  strongswan: { title: "strongSwan (swanctl.conf)", write: writeSwanctl },
  "strongswan-ipsec": { title: "strongSwan (ipsec.conf)", write: writeStarter },
  libreswan: { title: "libreswan", write: writeLibreswan },
};
