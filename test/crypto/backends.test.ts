import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import {
  backendOf,
  backendsOf,
  chooseBackend,
  createKeyExchange,
  createPrf,
  createSealer,
  keyLengths,
  NO_KEY,
  selectBackends,
  type WorkingRow,
} from "../../crypto/backends.js";
import { createArena } from "../../crypto/openssl/arena.js";
import { ENCR_AES_CBC, ENCR_AES_GCM_16, ENCR_CHACHA20_POLY1305 } from "../../crypto/registry/encryption.js";
import { AUTH_HMAC_SHA2_256_128 } from "../../crypto/registry/integrity.js";
import { MODP_2048 } from "../../crypto/registry/key-exchange.js";
import { allRows } from "../../crypto/registry/lookup.js";
import { PRF_HMAC_SHA2_256 } from "../../crypto/registry/prf.js";
import type { AeadRow, PrfRow } from "../../crypto/registry/row.js";
import { secret } from "../../crypto/secret.js";

const working = allRows().filter((row): row is WorkingRow => row.kind !== "sequence");
const zeros = (length: number) => secret(new Uint8Array(length));

test("before the start-up test every row runs on node, or where node lacks it on portable", () => {
  for (const row of working)
    assert.equal(backendOf(row), row.implementations.node === undefined ? "portable" : "node", row.name);
});

test("the start-up test finds a backend for every row, the fastest first", () => {
  const report = selectBackends();
  assert.equal(report.choices.length, working.length);
  for (const { row, backend, skipped } of report.choices) {
    assert.equal(backend, backendsOf(row)[skipped.length], row.name);
    assert.equal(backendOf(row), backend);
  }
});

test("a worker thread chooses for itself", async () => {
  const url = new URL("../../crypto/backends.js", import.meta.url).href;
  const code = `import("${url}").then(({ selectBackends }) =>
    require("node:worker_threads").parentPort.postMessage(selectBackends().choices.map(({ row, backend }) => [row.name, backend])));`;
  const worker = new Worker(code, { eval: true });
  const choices = await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
  await worker.terminate();
  assert.deepEqual(
    choices,
    working.map((row) => [row.name, backendOf(row)]),
  );
});

test("a backend that gives wrong octets is passed over and told", () => {
  const broken: AeadRow = {
    ...ENCR_AES_GCM_16,
    implementations: {
      ...ENCR_AES_GCM_16.implementations,
      openssl(arena, row, keyBits, key) {
        const sealer = ENCR_AES_GCM_16.implementations.node(arena, row, keyBits, key);
        return {
          ...sealer,
          sealAt(header, headerLength, iv, length, esnHigh) {
            sealer.sealAt(header, headerLength, iv, length, esnHigh);
            arena.bytes[iv + row.ivBytes]! ^= 1;
          },
        };
      },
    },
  };
  const choice = chooseBackend(broken);
  assert.equal(choice.backend, "node");
  assert.match(choice.skipped[0]!.reason, /draft-mcgrew.*differs/);
});

test("a backend that opens forgeries, or everything as forged, is passed over", () => {
  for (const answer of [true, false]) {
    const broken: AeadRow = {
      ...ENCR_AES_GCM_16,
      implementations: {
        ...ENCR_AES_GCM_16.implementations,
        openssl(...args) {
          const sealer = ENCR_AES_GCM_16.implementations.node(...args);
          return {
            ...sealer,
            openAt(...place) {
              sealer.openAt(...place);
              return answer;
            },
          };
        },
      },
    };
    assert.equal(chooseBackend(broken).backend, "node");
  }
});

test("a backend that is absent or throws is passed over with its words, down to portable", () => {
  const refuse = () => {
    throw new Error("no OpenSSL 3 here");
  };
  const { portable } = ENCR_AES_GCM_16.implementations;
  const row: AeadRow = { ...ENCR_AES_GCM_16, implementations: { openssl: refuse, node: refuse, portable } };
  const { backend, skipped } = chooseBackend(row);
  assert.equal(backend, "portable");
  assert.deepEqual(
    skipped.map(({ backend: passedOver }) => passedOver),
    ["openssl", "node"],
  );
  for (const { reason } of skipped) assert.match(reason, /no OpenSSL 3 here/);
});

test("whichever fast backends of a row fail, the next one carries it, down to portable", () => {
  const refuse = (): never => {
    throw new Error("forbidden on this host");
  };
  for (const row of working)
    for (const count of backendsOf(row).keys()) {
      const failing = backendsOf(row).slice(0, count);
      const implementations = { ...row.implementations, ...Object.fromEntries(failing.map((name) => [name, refuse])) };
      const { backend, skipped } = chooseBackend({ ...row, implementations } as WorkingRow);
      assert.equal(backend, backendsOf(row)[count], row.name);
      assert.deepEqual(
        skipped.map((each) => each.backend),
        failing,
        row.name,
      );
    }
});

test("the portable backend opens within 5 ms what it sealed of a packet, with every cipher", () => {
  const arena = createArena(65536);
  const start = arena.alloc(4096);
  for (const encryption of working.filter((row) => row.kind === "encryption")) {
    const integrity = encryption.aead ? {} : { integrity: AUTH_HMAC_SHA2_256_128 };
    const spec = { encryption, keyBits: encryption.keyBits.at(-1)!, ...integrity };
    const lengths = keyLengths(spec);
    const keys = {
      encryption: secret(new Uint8Array(lengths.encryptionBytes).fill(7)),
      integrity: secret(new Uint8Array(lengths.integrityBytes)),
    };
    const sealer = createSealer(arena, spec, keys, "portable");
    const length = 1408;
    const times = Array.from({ length: 9 }, () => {
      const begin = performance.now();
      sealer.sealAt(start, 8, start + 8, length, -1);
      assert.ok(sealer.openAt(start, 8, start + 8, length, -1), encryption.name);
      return performance.now() - begin;
    });
    sealer.free();
    assert.ok(Math.min(...times) < 5, `${encryption.name}: ${Math.min(...times)} ms`);
  }
});

test("a row that no backend carries rightly is left without one", () => {
  const wrong: PrfRow = {
    ...PRF_HMAC_SHA2_256,
    implementations: { node: (row) => ({ ...row, compute: () => new Uint8Array(32) }) },
  };
  assert.equal(chooseBackend(wrong).backend, undefined);
});

test("a row without a known answer is not trusted", () => {
  const unknown: PrfRow = { ...PRF_HMAC_SHA2_256, name: "PRF_UNKNOWN" };
  assert.equal(chooseBackend(unknown).backend, undefined);
});

test("key lengths include the salt, and the integrity key where there is one", () => {
  assert.deepEqual(keyLengths({ encryption: ENCR_AES_GCM_16, keyBits: 256 }), {
    encryptionBytes: 36,
    integrityBytes: 0,
  });
  assert.deepEqual(keyLengths({ encryption: ENCR_CHACHA20_POLY1305, keyBits: 256 }), {
    encryptionBytes: 36,
    integrityBytes: 0,
  });
  assert.deepEqual(keyLengths({ encryption: ENCR_AES_CBC, keyBits: 128, integrity: AUTH_HMAC_SHA2_256_128 }), {
    encryptionBytes: 16,
    integrityBytes: 32,
  });
});

test("keys, key lengths and rows that do not fit together are refused", () => {
  const arena = createArena(65536);
  const gcm = { encryption: ENCR_AES_GCM_16, keyBits: 128 };
  const cbc = { encryption: ENCR_AES_CBC, keyBits: 128, integrity: AUTH_HMAC_SHA2_256_128 };
  const refused = (make: () => unknown, message: RegExp) =>
    assert.throws(make, (error) => error instanceof RangeError && message.test(error.message));
  refused(() => createSealer(arena, gcm, { encryption: zeros(16), integrity: NO_KEY }), /16 octets, 20 expected/);
  refused(
    () => createSealer(arena, { ...gcm, keyBits: 160 }, { encryption: zeros(24), integrity: NO_KEY }),
    /160 bits/,
  );
  refused(
    () =>
      createSealer(
        arena,
        { ...gcm, integrity: AUTH_HMAC_SHA2_256_128 },
        { encryption: zeros(20), integrity: zeros(32) },
      ),
    /takes no AUTH_HMAC/,
  );
  refused(() => createSealer(arena, cbc, { encryption: zeros(16), integrity: zeros(20) }), /20 octets, 32 expected/);
  refused(
    () => createSealer(arena, { encryption: ENCR_AES_CBC, keyBits: 128 }, { encryption: zeros(16), integrity: NO_KEY }),
    /needs an integrity algorithm/,
  );
  refused(() => createPrf(PRF_HMAC_SHA2_256, "openssl"), /has no backend openssl/);
  refused(() => createKeyExchange(MODP_2048, "openssl"), /has no backend openssl/);
});
