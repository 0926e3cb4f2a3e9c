import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hex, octets } from "../../../crypto/bytes.js";
import { parseAddress, parsePrefix } from "../../../esp/address.js";
import { formatSelector, selectorFromPrefix, selectorFromRange, type TrafficSelector } from "../../../esp/selector.js";
import { idOfSelector, selectorOfId, selectorWithoutId } from "../../../ike/v1/selectors.js";

const prefix = (text: string, ports?: Parameters<typeof selectorFromPrefix>[1]) =>
  selectorFromPrefix(parsePrefix(text), ports);
const range = (from: string, to: string): TrafficSelector =>
  selectorFromRange(parseAddress(from).family, parseAddress(from).value, parseAddress(to).value);

function shown(selector: TrafficSelector): string | undefined {
  const id = idOfSelector(selector);
  return id && `${id.idType} ${id.protocol}/${id.port} ${hex(id.data)}`;
}

test("a prefix is a subnet with its mask, a host an address, the rest a range (RFC 2407 section 4.6.2.1)", () => {
  assert.equal(shown(prefix("10.1.0.0/16")), "4 0/0 0a010000ffff0000");
  assert.equal(shown(prefix("0.0.0.0/0")), "4 0/0 0000000000000000");
  assert.equal(shown(prefix("192.0.2.7/32")), "1 0/0 c0000207");
  assert.equal(shown(range("10.0.0.1", "10.0.0.9")), "7 0/0 0a0000010a000009");
  assert.equal(shown(prefix("2001:db8::/32")), `6 0/0 20010db8${"00".repeat(12)}ffffffff${"00".repeat(12)}`);
  assert.equal(shown(prefix("2001:db8::1/128")), `5 0/0 20010db8${"00".repeat(11)}01`);
  assert.equal(shown(range("::1", "::3")), `8 0/0 ${"00".repeat(15)}01${"00".repeat(15)}03`);
});

test("one protocol and one port, or all: several ports cannot be said in IKEv1", () => {
  const tcp = (startPort: number, endPort: number) => prefix("10.0.0.0/8", { protocol: 6, startPort, endPort });
  assert.equal(shown(tcp(443, 443)), "4 6/443 0a000000ff000000");
  assert.equal(shown(tcp(0, 65535)), "4 6/0 0a000000ff000000");
  assert.equal(shown(tcp(80, 443)), undefined);
  assert.equal(shown(tcp(65535, 0)), undefined);
  assert.equal(shown(tcp(0, 0)), undefined);
});

test("what goes into an ID payload comes back", () => {
  fc.assert(
    fc.property(
      fc.constantFrom<4 | 6>(4, 6),
      fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
      fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
      fc.integer({ min: 0, max: 255 }),
      fc.integer({ min: 0, max: 65535 }),
      (family, a, b, protocol, port) => {
        const cut = family === 4 ? 96n : 0n;
        const [start, end] = a < b ? [a >> cut, b >> cut] : [b >> cut, a >> cut];
        const any = port === 0 || protocol === 0;
        const ports = { protocol, startPort: any ? 0 : port, endPort: any ? 65535 : port };
        const selector = selectorFromRange(family, start, end, ports);
        assert.deepEqual(selectorOfId(idOfSelector(selector)!), selector);
      },
    ),
  );
});

test("host bits behind the mask do not count, masks with holes and reversed ranges are no selector", () => {
  const of = (idType: number, data: string, protocol = 0, port = 0) =>
    selectorOfId({ idType, protocol, port, data: octets(data) });
  assert.equal(formatSelector(of(4, "0a010203ffff0000")!), "10.1.0.0/16");
  assert.equal(formatSelector(of(4, "0a010203ffffffff")!), "10.1.2.3/32");
  assert.equal(formatSelector(of(4, "0a010203ffffffff", 0, 80)!), "10.1.2.3/32");
  assert.equal(formatSelector(of(1, "0a010203", 17, 53)!), "10.1.2.3/32[udp/53]");
  assert.equal(of(4, "0a010203ff00ff00"), undefined);
  assert.equal(of(4, "0a01020300ffffff"), undefined);
  assert.equal(of(7, "0a0000090a000001"), undefined);
});

test("an ID that is no address, or has not the octets of its type, is no selector", () => {
  for (const [idType, data] of [
    [2, "6777"],
    [11, "0a010203"],
    [1, "0a0102"],
    [1, "0a01020304"],
    [4, "0a010203"],
    [5, "0a010203"],
    [6, "00".repeat(31)],
    [250, "00"],
  ] as const)
    assert.equal(selectorOfId({ idType, protocol: 0, port: 0, data: octets(data) }), undefined, `${idType}`);
});

test("a quick mode without IDs is about the peers themselves", () => {
  assert.equal(formatSelector(selectorWithoutId(parseAddress("192.0.2.1"))), "192.0.2.1/32");
});
