/** Reading a file of another product: which kind it is, and its connections. */
import { looksLikeAws, readAwsDownload } from "./aws-download.js";
import { productOf, readIpsecConf } from "./ipsec-conf-reader.js";
import { UnreadableFile } from "./notes.js";
import type { Readout } from "./readout.js";
import { readSwanctl } from "./swanctl-reader.js";
import { looksLikeTencent, readTencentDownload } from "./tencent-download.js";

export const MOST_OCTETS = 4 * 2 ** 20;

/** As `--kind` takes them. */
export const KINDS = ["swanctl", "strongswan-ipsec", "libreswan", "aws", "tencent"] as const;
export type KindWord = (typeof KINDS)[number];

/** Undefined: none of them. Looks at the text alone. */
export function kindOf(text: string): KindWord | undefined {
  if (looksLikeAws(text)) return "aws";
  if (looksLikeTencent(text)) return "tencent";
  const plain = text.replace(/^[^\S\n]*#.*$/gm, "");
  if (/^[^\S\n]*(connections|secrets)\s*\{/m.test(plain)) return "swanctl";
  if (/^(conn\s+\S|config\s+setup)/m.test(plain))
    return productOf(text) === "libreswan" ? "libreswan" : "strongswan-ipsec";
  return undefined;
}

/** Throws `UnreadableFile`. `secrets`: the text of ipsec.secrets, where there is one. */
export function readForeign(text: string, kind: KindWord | undefined, secrets?: string): Readout {
  const known = kind ?? kindOf(text);
  switch (known) {
    case "swanctl":
      return readSwanctl(text);
    case "strongswan-ipsec":
      return readIpsecConf(text, "strongSwan", secrets);
    case "libreswan":
      return readIpsecConf(text, "libreswan", secrets);
    case "aws":
      return readAwsDownload(text);
    case "tencent":
      return readTencentDownload(text);
    case undefined:
      throw new UnreadableFile(1, `this is none of the files that are known (${KINDS.join(", ")}); --kind names it`);
  }
}
