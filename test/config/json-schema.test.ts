import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { configurationJsonSchema } from "../../src/config/json-schema.js";
import { readConfiguration } from "../../src/config/load.js";
import { inventedHost } from "./reading.js";

const root = join(import.meta.dirname, "..", "..", "..");

test("gateway.schema.json is what the schema of the daemon generates (npm run schema)", () => {
  assert.equal(readFileSync(join(root, "gateway.schema.json"), "utf8"), configurationJsonSchema());
});

test("the JSON Schema is of draft 2020-12, strict, and describes what is written, before any default", () => {
  const schema = JSON.parse(configurationJsonSchema());
  assert.equal(schema.$schema, "https://json-schema.org/draft/2020-12/schema");
  assert.equal(schema.additionalProperties, false);
  assert.deepEqual(schema.required, ["version"]);
  const lifetime = schema.$defs.esp.properties.lifetime;
  assert.deepEqual(
    lifetime.anyOf.map(({ type }: { type: string }) => type),
    ["integer", "string"],
  );
});

test("gateway.example.yaml is accepted, and warns of the keys that stand in it", () => {
  const text = readFileSync(join(root, "gateway.example.yaml"), "utf8");
  const loaded = readConfiguration(text, "gateway.example.yaml", inventedHost());
  assert.ok("configuration" in loaded, "errors" in loaded ? loaded.errors.join("\n") : "");
  assert.deepEqual(
    loaded.configuration.policy.tunnels.map(({ name }) => name),
    ["idc-shenzhen", "road-office", "headquarters", "old-branch"],
  );
  assert.ok(loaded.configuration.warnings.some(({ path }) => path === "tunnels[0].psk"));
});
