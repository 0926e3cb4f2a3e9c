import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { hex, utf8 } from "../../crypto/bytes.js";
import { accepted, inventedHost, load, oneTunnel, PSK, refused, STRONG, warnings } from "./reading.js";

const withPsk = (psk: string) => oneTunnel().replace(`psk: ${PSK}`, `psk: ${psk}`);
const key = (psk: string, host = inventedHost()) => hex(accepted(withPsk(psk), host).psk.get("a")!.reveal());

test("a key is taken octet for octet as it is written", () => {
  assert.equal(key('"  pässwörd-mit-Ümlaut é "'), hex(utf8("  pässwörd-mit-Ümlaut é ")));
  assert.equal(key("e\u0301e\u0301e\u0301"), hex(utf8("e\u0301e\u0301e\u0301")));
  assert.equal(key("12345678901234567890"), hex(utf8("12345678901234567890")));
  assert.equal(key("true"), hex(utf8("true")));
});

test("0x is hex and 0s is base64", () => {
  assert.equal(key("0x00fFab"), "00ffab");
  assert.equal(key('"0x00fFab"'), "00ffab");
  assert.equal(key("0sAP+r"), "00ffab");
  assert.equal(key("0sAP8="), "00ff");
  for (const wrong of ["0x123", "0xgg", '"0x12 34"', "0s!", "0sA", "0x", "0s"]) {
    const [error] = refused(withPsk(wrong));
    assert.equal(error!.path, "tunnels[0].psk", wrong);
  }
});

test("one newline at the end of a file does not count, and everything else does", () => {
  const host = inventedHost({
    "/etc/causeway/one": "secret one\n",
    "/etc/causeway/two": "secret two\n\n",
    "/etc/causeway/dos": "secret dos\r\n",
    "/etc/causeway/none": "secret none",
    "/elsewhere/hex": "0x0102\n",
    "/elsewhere/octets": Uint8Array.of(0xff, 0x00, 0x0a),
  });
  assert.equal(key("{ file: one }", host), hex(utf8("secret one")));
  assert.equal(key("{ file: two }", host), hex(utf8("secret two\n")));
  assert.equal(key("{ file: dos }", host), hex(utf8("secret dos")));
  assert.equal(key("{ file: none }", host), hex(utf8("secret none")));
  assert.equal(key("{ file: /elsewhere/hex }", host), "0102");
  assert.equal(key("{ file: /elsewhere/octets }", host), "ff00");
});

test("a key comes from the environment", () => {
  assert.equal(key("{ env: SITE_KEY }", inventedHost({}, { SITE_KEY: "from outside" })), hex(utf8("from outside")));
  for (const env of [{}, { SITE_KEY: "" }])
    assert.match(refused(withPsk("{ env: SITE_KEY }"), inventedHost({}, env))[0]!.message, /SITE_KEY is not set/);
});

test("a key that is not there is an error that says what to do", () => {
  assert.match(
    refused(withPsk("{ file: nowhere }"))[0]!.message,
    /cannot read \/etc\/causeway\/nowhere: there is no such file/,
  );
  const empty = inventedHost({ "/etc/causeway/empty": "\n" });
  assert.match(refused(withPsk("{ file: empty }"), empty)[0]!.message, /the key is empty/);
  for (const psk of ["", "''", "[]", "{}", "{ file: a, env: B }", "{ path: a }", "{ file: }"])
    assert.equal(refused(withPsk(psk))[0]!.path, "tunnels[0].psk", psk);
});

test("a plain key, an open file, and a weak key earn warnings", () => {
  const told = (psk: string, host = inventedHost()) => warnings(withPsk(psk), host).map(({ message }) => message);
  assert.match(told(STRONG).join(), /^the key stands in the configuration itself;[^,]*$/);
  const host = inventedHost({
    "/etc/causeway/good": STRONG,
    "/etc/causeway/open": STRONG,
    "/etc/causeway/short": "kX8#q2Zr!",
    "/etc/causeway/few": "abababababababababababab",
    "/etc/causeway/known": "Password123!",
    "/etc/causeway/digits": "1234567890",
  });
  assert.deepEqual(told("{ file: good }", host), []);
  assert.match(told("{ file: open }", host).join(), /every user of this host can read .*chmod 600/);
  assert.match(told("{ file: short }", host).join(), /weak: it has fewer than 16 octets/);
  assert.match(told("{ file: few }", host).join(), /weak: it has fewer than 6 different octets/);
  assert.match(told("{ file: known }", host).join(), /weak: it is a well known word/);
  assert.match(told("{ file: digits }", host).join(), /well known/);
});

test("no key is ever printed: in errors, their stacks, warnings, or the configuration itself", () => {
  const hidden = "hUnTeR2-0123";
  const host = inventedHost(
    { "/etc/causeway/k": `0x${hidden}`, "/etc/causeway/fine": hidden },
    { KEY: `0s!${hidden}` },
  );
  for (const psk of [
    hidden,
    `"0x${hidden}"`,
    `[${hidden}]`,
    `{ key: ${hidden} }`,
    `{ ${hidden}: x, ${hidden}: y }`,
    `{ file: { ${hidden}: 1 } }`,
    `{ file: [${hidden}] }`,
    `*${hidden}`,
    `!${hidden} x`,
    `"${hidden}`,
    `@${hidden}`,
    "{ file: k }",
    "{ file: fine }",
    "{ env: KEY }",
  ]) {
    const loaded = load(withPsk(psk), host);
    const errors = "errors" in loaded ? loaded.errors.map(({ stack, message }) => `${message}\n${stack}`) : [];
    const printed = [
      ...errors,
      inspect(loaded, { depth: null, showHidden: true }),
      JSON.stringify(loaded, (_, value) =>
        typeof value === "bigint" ? `${value}` : value instanceof Map ? [...value] : value,
      ),
    ].join("\n");
    assert.doesNotMatch(printed, /hUnTeR2/i, psk);
  }
});
