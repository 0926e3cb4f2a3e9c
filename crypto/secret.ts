/**
 * Key material that cannot be printed by accident: `String()`, template literals, `JSON.stringify` and
 * `util.inspect` all show `[secret]`. The octets leave only through `reveal()`, which is easy to search for.
 */
export class Secret {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** The octets themselves, not a copy. */
  reveal(): Uint8Array {
    return this.#bytes;
  }

  toString(): string {
    return "[secret]";
  }

  toJSON(): string {
    return "[secret]";
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "[secret]";
  }
}

/** Shorthand used where keys are cut out of key material. */
export function secret(bytes: Uint8Array): Secret {
  return new Secret(bytes);
}
