/**
 * pcapng (draft-ietf-opsawg-pcapng): a section header, an interface description for each interface, and enhanced packet blocks, all in
 * little-endian order with times in microseconds. Every block: type (4) | length (4) | body, filled up to 4 | length (4).
 */

const BLOCK = { section: 0x0a0d0d0a, interface: 1, enhancedPacket: 6 } as const;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Raw IP, version 4 or 6 by its first octet (LINKTYPE_RAW). */
const LINKTYPE_RAW = 101;
const OPTION = { comment: 1, interfaceName: 2, application: 4 } as const;
const UNSPECIFIED_LENGTH = 0xffffffff;

/** The beginning of a file: the section, and its interfaces, which are counted from 0. */
export function pcapngHead(application: string, interfaces: readonly string[]): Uint8Array {
  const head = new Uint8Array(16);
  const view = new DataView(head.buffer);
  view.setUint32(0, BYTE_ORDER_MAGIC, true);
  view.setUint16(4, 1, true); // version 1.0
  view.setUint32(8, UNSPECIFIED_LENGTH, true);
  view.setUint32(12, UNSPECIFIED_LENGTH, true);
  return join([
    block(BLOCK.section, join([head, options([[OPTION.application, application]])])),
    ...interfaces.map((name) => {
      const description = new Uint8Array(8);
      new DataView(description.buffer).setUint16(0, LINKTYPE_RAW, true);
      return block(BLOCK.interface, join([description, options([[OPTION.interfaceName, name]])]));
    }),
  ]);
}

export interface CapturedPacket {
  readonly interface: number;
  /** Microseconds since 1970. */
  readonly time: number;
  readonly bytes: Uint8Array;
  readonly comment?: string;
}

export function pcapngPacket({ interface: index, time, bytes, comment }: CapturedPacket): Uint8Array {
  const head = new Uint8Array(20);
  const view = new DataView(head.buffer);
  view.setUint32(0, index, true);
  view.setUint32(4, Math.floor(time / 2 ** 32), true);
  view.setUint32(8, time >>> 0, true);
  view.setUint32(12, bytes.length, true);
  view.setUint32(16, bytes.length, true);
  const more = comment === undefined ? [] : [options([[OPTION.comment, comment]])];
  return block(BLOCK.enhancedPacket, join([head, filled(bytes), ...more]));
}

function block(type: number, body: Uint8Array): Uint8Array {
  const whole = new Uint8Array(12 + body.length);
  const view = new DataView(whole.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, whole.length, true);
  whole.set(body, 8);
  view.setUint32(whole.length - 4, whole.length, true);
  return whole;
}

/** Code (2) | length (2) | value, filled up to 4; the end of the options behind them. */
function options(all: readonly (readonly [code: number, text: string])[]): Uint8Array {
  const parts = all.map(([code, text]) => {
    const value = new TextEncoder().encode(text);
    const head = new Uint8Array(4);
    new DataView(head.buffer).setUint16(0, code, true);
    new DataView(head.buffer).setUint16(2, value.length, true);
    return join([head, filled(value)]);
  });
  return join([...parts, new Uint8Array(4)]);
}

function filled(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array((bytes.length + 3) & ~3);
  whole.set(bytes);
  return whole;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
