/** A host whose OpenSSL forbids what is not certified. In a process of its own, because nothing takes that back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import koffi from "koffi";
import { chooseBackend, type WorkingRow } from "../../crypto/backends.js";
import { allRows } from "../../crypto/registry/lookup.js";
import type { BackendName } from "../../crypto/registry/row.js";

test("where OpenSSL forbids every algorithm that is not certified, each row still runs", () => {
  const forbid = koffi.load(null).func("int EVP_set_default_properties(uintptr_t context, str properties)");
  assert.equal(forbid(0, "fips=yes"), 1);
  const chosen = new Map<BackendName | undefined, string[]>();
  for (const row of allRows().filter((each): each is WorkingRow => each.kind !== "sequence")) {
    const { backend } = chooseBackend(row);
    chosen.set(backend, [...(chosen.get(backend) ?? []), row.name]);
  }
  assert.deepEqual(chosen.get(undefined) ?? [], []);
  for (const name of ["ENCR_AES_GCM_16", "ENCR_CAMELLIA_CBC", "ENCR_DES", "ENCR_SM4_GCM_16"])
    assert.ok(chosen.get("portable")!.includes(name), `${name} was not forbidden`);
});
