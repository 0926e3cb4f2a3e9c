/** Where OpenSSL is found: in a Node that carries and exports it, in the shared library, or nowhere. */
import assert from "node:assert/strict";
import { createCipheriv } from "node:crypto";
import { test } from "node:test";
import koffi from "koffi";
import { hex } from "../../crypto/bytes.js";
import { createArena } from "../../crypto/openssl/arena.js";
import { CTRL_GET_TAG, findLibcrypto, type Libcrypto, type LoadLibrary } from "../../crypto/openssl/libcrypto.js";

const arena = createArena(65536);

/** A Node that carries OpenSSL and exports nothing of it. */
const hidden: ReturnType<LoadLibrary> = {
  func() {
    throw new Error("Cannot find function");
  },
};

/** Ciphertext and tag of some octets under a key of zeros, by EVP and by node:crypto. */
function sealed(ssl: Libcrypto): readonly [evp: string, node: string] {
  const plain = new Uint8Array(100).map((_, i) => i);
  const [key, iv, text, tag, length] = [32, 12, plain.length, 16, 8].map((octets) => arena.alloc(octets)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  arena.bytes.set(plain, text);
  const address = (offset: number) => arena.address(offset, 8);
  const context = ssl.EVP_CIPHER_CTX_new();
  const cipher = ssl.EVP_CIPHER_fetch(0, "AES-256-GCM", null);
  assert.equal(ssl.EVP_EncryptInit_ex(context, cipher, 0, address(key), address(iv)), 1);
  assert.equal(ssl.EVP_EncryptUpdate(context, address(text), address(length), address(text), plain.length), 1);
  assert.equal(ssl.EVP_EncryptFinal_ex(context, address(tag), address(length)), 1);
  assert.equal(ssl.EVP_CIPHER_CTX_ctrl(context, CTRL_GET_TAG, 16, address(tag)), 1);
  ssl.EVP_CIPHER_CTX_free(context);
  const node = createCipheriv("aes-256-gcm", new Uint8Array(32), new Uint8Array(12));
  const expected = node.update(plain, undefined, "hex") + node.final("hex") + node.getAuthTag().toString("hex");
  return [hex(arena.bytes.subarray(text, text + plain.length)) + hex(arena.bytes.subarray(tag, tag + 16)), expected];
}

test("a Node that exports its OpenSSL is taken at once, and nothing else is loaded", () => {
  const asked: (string | null)[] = [];
  const ssl = findLibcrypto((file) => {
    asked.push(file);
    return koffi.load(file);
  });
  assert.deepEqual(asked, [null]);
  assert.ok(ssl.version.startsWith(`OpenSSL ${process.versions.openssl.replace(/\+.*/, "")}`), ssl.version);
  const [evp, node] = sealed(ssl);
  assert.equal(evp, node);
});

test("a Node that exports no EVP functions gives way to the host's shared libcrypto, which seals alike", () => {
  const ssl = findLibcrypto((file) => (file === null ? hidden : koffi.load(file)));
  assert.match(ssl.version, /^OpenSSL 3\./);
  const [evp, node] = sealed(ssl);
  assert.equal(evp, node);
});

test("one function that is missing makes a place unfit, for a half of EVP is no use", () => {
  const half: LoadLibrary = (file) => {
    const library = koffi.load(file);
    return {
      func(...words: [string]) {
        if (file === null && words[0].includes("EVP_MAC_final")) throw new Error("Cannot find function");
        return library.func(...words);
      },
    };
  };
  const asked: (string | null)[] = [];
  findLibcrypto((file) => {
    asked.push(file);
    return half(file);
  });
  assert.deepEqual(asked, [null, "libcrypto.so.3"]);
});

test("a host with neither is told both places, each with its reason", () => {
  assert.throws(
    () =>
      findLibcrypto((file) => {
        if (file === null) return hidden;
        throw new Error("cannot open shared object file");
      }),
    /no OpenSSL 3 here \(this process: Cannot find function; libcrypto\.so\.3: cannot open shared object file\)/,
  );
});
