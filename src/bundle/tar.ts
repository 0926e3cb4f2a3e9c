/** A tar archive in the ustar format (POSIX.1-1988, pax(1)): a header of 512 octets before each file, files filled up to 512. Pure. */

const BLOCK = 512;

export interface ArchivedFile {
  /** At most 100 octets of ASCII. */
  readonly name: string;
  readonly content: Uint8Array;
}

/** Every file has mode 0600. `time`: seconds since 1970. */
export function tar(files: readonly ArchivedFile[], time: number): Uint8Array {
  const parts = files.flatMap(({ name, content }) => [header(name, content.length, time), filled(content)]);
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 2 * BLOCK));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function header(name: string, size: number, time: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = (at: number, text: string): void => block.set(new TextEncoder().encode(text), at);
  const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, "0");
  if (name.length > 100) throw new RangeError(`a name of ${name.length} octets in an archive`);
  put(0, name);
  put(100, octal(0o600, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, octal(size, 11));
  put(136, octal(Math.floor(time), 11));
  put(148, " ".repeat(8)); // the checksum counts itself as spaces
  put(156, "0");
  put(257, "ustar\0" + "00");
  put(
    148,
    `${octal(
      block.reduce((sum, octet) => sum + octet, 0),
      6,
    )}\0 `,
  );
  return block;
}

function filled(content: Uint8Array): Uint8Array {
  const whole = new Uint8Array(Math.ceil(content.length / BLOCK) * BLOCK);
  whole.set(content);
  return whole;
}
