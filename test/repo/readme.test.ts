import assert from "node:assert/strict";
import { test } from "node:test";
import { proposalKeywords } from "../../crypto/registry/proposal.js";
import { formatAddress, parseAddress } from "../../esp/address.js";
import { formatSelector } from "../../esp/selector.js";
import { accepted, inventedHost, STRONG, warnings } from "../config/reading.js";
import { read } from "./tree.js";

const README = read("README.md");

function block(language: string): string {
  const found = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "m").exec(README);
  assert(found, `README.md has no block of ${language}`);
  return found[1]!;
}

const value = (key: string): string => new RegExp(`${key} = (\\S+)`).exec(block("conf"))?.[1] ?? `no ${key}`;

test("the first tunnel of README.md is accepted without a warning, and mirrors the strongSwan side beside it", () => {
  const files = { "/etc/causeway/there.psk": STRONG };
  const host = { ...inventedHost(files), addresses: ["192.0.2.1", "10.1.0.1"].map(parseAddress) };
  const { gateway, policy } = accepted(block("yaml"), host);
  assert.deepEqual(warnings(block("yaml"), host), []);
  const [tunnel] = policy.tunnels;
  assert.equal(formatAddress(gateway.address!), value("remote_addrs"));
  assert(tunnel!.peer.kind === "address" && formatAddress(tunnel!.peer.address) === value("local_addrs"));
  const [{ local, peer } = assert.fail()] = tunnel!.mappings;
  assert.equal(formatSelector(local), value("remote_ts"));
  assert.equal(formatSelector(peer), value("local_ts"));
  assert.deepEqual(tunnel!.ike.proposals.map(proposalKeywords), [value(" proposals")]);
  assert.match(value("esp_proposals"), /^aes256gcm16-modp2048$/);
  assert(
    tunnel!.esp.proposals[0]!.keyExchange.some(({ keywords }) => (keywords as readonly string[]).includes("modp2048")),
  );
});

test("the commands of README.md are scripts of package.json", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const named = [...README.matchAll(/npm (?:run )?(demo|test|build|bench)\b/g)].map(([, name]) => name!);
  assert(named.length >= 3);
  for (const name of named) assert(name in scripts, `npm run ${name}`);
});
