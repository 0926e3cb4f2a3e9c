/** A cursor over received octets. It cannot overrun, names the field that it lacked, and must be used up. */
import { ProtocolError } from "../core/errors.js";

/** Every fault is `ProtocolError("INVALID_SYNTAX")`: the octets do not mean what the format says. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;
  #at = 0;

  /** `what` names the structure in error messages: "KE payload". */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(field: string): number {
    return this.#view.getUint8(this.#take(1, field));
  }

  u16(field: string): number {
    return this.#view.getUint16(this.#take(2, field));
  }

  u32(field: string): number {
    return this.#view.getUint32(this.#take(4, field));
  }

  u64(field: string): bigint {
    return this.#view.getBigUint64(this.#take(8, field));
  }

  /** The next `length` octets as a view of the received buffer. */
  bytes(length: number, field: string): Uint8Array {
    const start = this.#take(length, field);
    return this.#bytes.subarray(start, start + length);
  }

  /** Everything that is left: at least `atLeast` octets. */
  rest(field: string, atLeast = 0): Uint8Array {
    if (this.remaining < atLeast) this.fail(`${field} has ${this.remaining} octets, at least ${atLeast} are needed`);
    return this.bytes(this.remaining, field);
  }

  /** Passes over reserved octets. */
  skip(length: number, field = "reserved octets"): void {
    this.#take(length, field);
  }

  /** A cursor of its own over the next `length` octets. */
  part(length: number, what: string): Reader {
    return new Reader(this.bytes(length, what), `${this.#what}: ${what}`);
  }

  /** Everything must have been read. */
  end(): void {
    if (this.remaining > 0) this.fail(`${this.remaining} octets too many`);
  }

  fail(problem: string): never {
    throw new ProtocolError("INVALID_SYNTAX", `${this.#what}: ${problem}`);
  }

  #take(length: number, field: string): number {
    const start = this.#at;
    if (length > this.#bytes.length - start)
      this.fail(`${field} needs ${length} octets, ${this.#bytes.length - start} are left`);
    this.#at = start + length;
    return start;
  }
}
