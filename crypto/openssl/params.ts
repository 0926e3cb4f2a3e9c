/**
 * Lists of OSSL_PARAM (openssl/core.h), with which EVP is told what has no function of its own. With 64-bit pointers an entry is
 *
 *     key pointer (8) | data type u32, 4 unused | data pointer (8) | data size u64 | return size u64                          40
 *
 * and one of zeros ends the list.
 */
import { utf8 } from "../bytes.js";
import type { Arena } from "../interfaces.js";

const PARAM_BYTES = 40;
const UTF8_STRING = 4;
const OCTET_STRING = 5;
const KEY_BYTES = 16;

/** A string, or octets of the arena that native code reads when it is given the list. */
export type ParamValue = string | { readonly at: number; readonly length: number };

/** Octets that the list takes, its strings included. */
export function paramListBytes(values: Readonly<Record<string, ParamValue>>): number {
  let strings = 0;
  for (const value of Object.values(values)) strings += KEY_BYTES + (typeof value === "string" ? value.length + 1 : 0);
  return (Object.keys(values).length + 1) * PARAM_BYTES + strings;
}

/** Writes the list to `at`, which is a multiple of 8. Returns its address. A length of -1 is a `size_t` of -1. */
export function writeParamList(arena: Arena, at: number, values: Readonly<Record<string, ParamValue>>): number {
  const { bytes, view } = arena;
  const octets = paramListBytes(values);
  const list = arena.address(at, octets);
  bytes.fill(0, at, at + octets);
  let entry = at;
  let text = at + (Object.keys(values).length + 1) * PARAM_BYTES;

  function writeText(characters: string, room: number): number {
    bytes.set(utf8(characters), text);
    const address = arena.address(text, room);
    text += room;
    return address;
  }

  for (const [key, value] of Object.entries(values)) {
    const isText = typeof value === "string";
    view.setBigUint64(entry, BigInt(writeText(key, KEY_BYTES)), true);
    view.setUint32(entry + 8, isText ? UTF8_STRING : OCTET_STRING, true);
    const data = isText ? writeText(value, value.length + 1) : arena.address(value.at, Math.max(0, value.length));
    view.setBigUint64(entry + 16, BigInt(data), true);
    view.setBigInt64(entry + 24, BigInt(value.length), true);
    entry += PARAM_BYTES;
  }
  return list;
}
