/** Octets to be sent, appended one field after the other. A value that does not fit its field is our bug: `RangeError`. */
export class Writer {
  #bytes = new Uint8Array(512);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    check(value, 0xff);
    const at = this.#grow(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    check(value, 0xffff);
    const at = this.#grow(2);
    this.#view.setUint16(at, value);
    return this;
  }

  u32(value: number): this {
    check(value, 0xffffffff);
    const at = this.#grow(4);
    this.#view.setUint32(at, value);
    return this;
  }

  u64(value: bigint): this {
    if (value < 0n || value > 0xffffffffffffffffn) throw new RangeError(`${value} does not fit into 8 octets`);
    const at = this.#grow(8);
    this.#view.setBigUint64(at, value);
    return this;
  }

  bytes(value: Uint8Array): this {
    const at = this.#grow(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  zero(length: number): this {
    this.#grow(length);
    return this;
  }

  /** A 16-bit length that counts from `start` (an earlier `length`) to the end of what `body` writes. */
  sized16(start: number, body: () => void): this {
    const at = this.#grow(2);
    body();
    const length = this.#length - start;
    check(length, 0xffff);
    this.#view.setUint16(at, length);
    return this;
  }

  /** Overwrites an octet that was written before. */
  patch8(at: number, value: number): void {
    check(value, 0xff);
    if (at >= this.#length) throw new RangeError(`octet ${at} is not written yet`);
    this.#view.setUint8(at, value);
  }

  /** Overwrites four octets that were written before. */
  patch32(at: number, value: number): void {
    check(value, 0xffffffff);
    if (at + 4 > this.#length) throw new RangeError(`octets from ${at} are not written yet`);
    this.#view.setUint32(at, value);
  }

  /** A copy of everything written so far. */
  done(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** Room for `length` more octets, which are zero; the offset where they start. It may replace `#bytes` and `#view`. */
  #grow(length: number): number {
    const start = this.#length;
    const end = start + length;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#length = end;
    return start;
  }
}

function check(value: number, largest: number): void {
  if (!Number.isInteger(value) || value < 0 || value > largest)
    throw new RangeError(`${value} does not fit into a field that ends at ${largest}`);
}
