/** Single AES blocks and the CBC MACs made of them with `node:crypto`, which has neither XCBC nor CMAC. */
import { createCipheriv } from "node:crypto";
import { concat } from "../bytes.js";
import { type DeriveCbcMacKeys, type EncryptBlock, padded } from "../cbc-mac-keys.js";
import { macOfOctets } from "../octet-backend.js";
import { blockPrf } from "../prf-variable-key.js";
import type { CreateMac, CreatePrf } from "../registry/row.js";

export const nodeAesBlock: EncryptBlock = (key, block) =>
  new Uint8Array(
    createCipheriv(`aes-${8 * key.length}-ecb`, key, null)
      .setAutoPadding(false)
      .update(block),
  );

export function nodeCbcMac(derive: DeriveCbcMacKeys): CreateMac {
  return macOfOctets((key) => macFunction(derive, key));
}

/** RFC 4434, RFC 4615. */
export function nodeBlockPrf(derive: DeriveCbcMacKeys, variableKey: Parameters<typeof blockPrf>[1]): CreatePrf {
  return blockPrf((key, data) => macFunction(derive, key)(data), variableKey);
}

function macFunction(derive: DeriveCbcMacKeys, key: Uint8Array): (data: Uint8Array) => Uint8Array {
  const { chain, complete, partial } = derive(nodeAesBlock, key);
  return (data) => {
    const length = padded(data.length);
    const whole = length === data.length;
    const blocks = concat(data, new Uint8Array(length - data.length));
    if (!whole) blocks[data.length] = 0x80;
    const mask = whole ? complete : partial;
    for (let i = 0; i < 16; i++) blocks[length - 16 + i]! ^= mask[i]!;
    const cipher = createCipheriv("aes-128-cbc", chain, new Uint8Array(16)).setAutoPadding(false);
    return new Uint8Array(cipher.update(blocks).subarray(length - 16));
  };
}
