/** The part of sm-crypto that is used; the package has no types of its own. */
declare module "sm-crypto" {
  interface Sm4Options {
    readonly mode?: "cbc";
    readonly iv?: ArrayLike<number>;
    readonly padding: "none";
    readonly output: "array";
  }
  const smCrypto: {
    /** Hex. */
    readonly sm3: (input: Uint8Array, options?: { readonly mode: "hmac"; readonly key: Uint8Array }) => string;
    readonly sm4: {
      encrypt(input: Uint8Array, key: Uint8Array, options: Sm4Options): number[];
      decrypt(input: Uint8Array, key: Uint8Array, options: Sm4Options): number[];
    };
  };
  export default smCrypto;
}
