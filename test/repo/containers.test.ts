/** The example of packaging/compose.yaml: two configurations that fit each other, and rights that the suites prove to be enough. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "yaml";
import { CAUSEWAY_RIGHTS, CAUSEWAY_UID } from "../interop/containers.js";
import { filesBelow, read } from "./tree.js";

interface Service {
  readonly build: { readonly context: string; readonly dockerfile: string };
  readonly cap_drop?: readonly string[];
  readonly cap_add: readonly string[];
  readonly devices: readonly string[];
  readonly volumes: readonly string[];
  readonly networks: Readonly<Record<string, { readonly ipv4_address: string }>>;
}

const compose = parse(read("packaging/compose.yaml")) as {
  readonly services: Readonly<Record<"causeway" | "strongswan", Service>>;
  readonly networks: Readonly<
    Record<string, { readonly ipam: { readonly config: readonly [{ readonly subnet: string }] } }>
  >;
};
const { causeway, strongswan } = compose.services;
const gateway = parse(read("packaging/compose/causeway/gateway.yaml")) as {
  readonly gateway: { readonly address: string };
  readonly tunnels: readonly [
    {
      readonly peer: string;
      readonly psk: string;
      readonly ike: { readonly proposals: readonly [string] };
      readonly esp: { readonly proposals: readonly [string] };
      readonly policies: readonly [{ readonly local: readonly [string]; readonly peer: readonly [string] }];
    },
  ];
};
const [tunnel] = gateway.tunnels;
const theirs = new Map(
  [...read("packaging/compose/strongswan/swanctl.conf").matchAll(/^\s*(\w+) = "?(.*?)"?$/gm)].map(
    ([, key, value]) => [key!, value!] as const,
  ),
);

test("compose.yaml gives Causeway what the container suites give it, and no more", () => {
  const told = [
    ...(causeway.cap_drop ?? []).flatMap((name) => ["--cap-drop", name.toLowerCase()]),
    ...causeway.cap_add.flatMap((name) => ["--cap-add", name]),
    ...causeway.devices.flatMap((device) => ["--device", device.split(":")[0]!]),
  ];
  assert.deepEqual(told, [...CAUSEWAY_RIGHTS]);
});

test("the image has the user that the suites and the documents name", () => {
  assert.match(read("packaging/Dockerfile"), new RegExp(`--uid ${CAUSEWAY_UID} --gid ${CAUSEWAY_UID} .* causeway`));
  assert.match(read("packaging/Dockerfile"), /^USER causeway$/m);
  assert.match(read("docs/operations.md"), new RegExp(`user ${CAUSEWAY_UID}`));
});

test("compose.yaml builds and mounts files that are there", () => {
  const here = new Set(filesBelow("packaging"));
  for (const { build, volumes } of [causeway, strongswan]) {
    assert.equal(build.context, "..");
    assert.ok(here.has(build.dockerfile), build.dockerfile);
    for (const volume of volumes) {
      const folder = volume.split(":")[0]!.replace(/^\./, "packaging");
      assert.ok(
        [...here].some((file) => file.startsWith(`${folder}/`)),
        folder,
      );
    }
  }
});

test("both gateways of compose.yaml are at the addresses that both configurations name", () => {
  const outside = { ours: causeway.networks.outside!.ipv4_address, peer: strongswan.networks.outside!.ipv4_address };
  assert.deepEqual([gateway.gateway.address, tunnel.peer], [outside.ours, outside.peer]);
  assert.deepEqual([theirs.get("remote_addrs"), theirs.get("local_addrs")], [outside.ours, outside.peer]);
});

test("both configurations of compose.yaml have the same key and proposals, and each other's networks", () => {
  const [{ local, peer }] = tunnel.policies;
  assert.deepEqual(
    [local[0], peer[0]],
    (["here", "there"] as const).map((name) => compose.networks[name]!.ipam.config[0].subnet),
  );
  assert.deepEqual([theirs.get("remote_ts"), theirs.get("local_ts")], [local[0], peer[0]]);
  assert.deepEqual(
    ["secret", "proposals", "esp_proposals"].map((key) => theirs.get(key)),
    [tunnel.psk, tunnel.ike.proposals[0], tunnel.esp.proposals[0]],
  );
});
