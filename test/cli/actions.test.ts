import assert from "node:assert/strict";
import { test } from "node:test";
import { causeway } from "./causeway.js";
import { withControlServer } from "./control-server.js";

const DONE = { body: { ok: true, result: "tunnel a is established" } };
const FAILED = { body: { ok: false, result: "a: the tunnel did not come up", reason: "the peer does not answer" } };

test("up, down and rekey ask, wait, and tell the result", async () => {
  const answers = {
    "POST /v1/tunnels/a/up": DONE,
    "POST /v1/tunnels/a/down": DONE,
    "POST /v1/tunnels/a/rekey": DONE,
  };
  await withControlServer(answers, async ({ path, requests }) => {
    for (const args of [
      ["up", "a"],
      ["down", "a"],
      ["rekey", "a"],
      ["rekey", "a", "--ike"],
    ]) {
      const { status, stdout } = await causeway([...args, "--socket", path]);
      assert.deepEqual([status, stdout], [0, "tunnel a is established\n"], args.join(" "));
    }
    assert.deepEqual(requests, [
      "POST /v1/tunnels/a/up {}",
      "POST /v1/tunnels/a/down {}",
      "POST /v1/tunnels/a/rekey {}",
      'POST /v1/tunnels/a/rekey {"ike":true}',
    ]);
  });
});

test("a failure exits 1 and prints the reason in words, or as JSON", async () => {
  await withControlServer({ "POST /v1/tunnels/a/up": FAILED }, async ({ path }) => {
    const words = await causeway(["up", "a", "--socket", path]);
    assert.deepEqual([words.status, words.stderr], [1, "a: the tunnel did not come up: the peer does not answer\n"]);
    const json = await causeway(["up", "a", "--json", "--socket", path]);
    assert.deepEqual([json.status, JSON.parse(json.stdout)], [1, FAILED.body]);
  });
});

test("an unknown tunnel exits 1", async () => {
  const answer = { status: 404, body: { error: 'there is no tunnel "b"' } };
  await withControlServer({ "POST /v1/tunnels/b/down": answer }, async ({ path }) => {
    const { status, stderr } = await causeway(["down", "b", "--socket", path]);
    assert.deepEqual([status, stderr], [1, 'causeway: there is no tunnel "b"\n']);
  });
});
