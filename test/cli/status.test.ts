import assert from "node:assert/strict";
import { test } from "node:test";
import { renderStatus } from "../../src/cli/status.js";
import { formatCount, formatOctets, formatSpan } from "../../src/cli/words.js";
import type { StatusReport } from "../../src/control/status-model.js";
import { causeway } from "./causeway.js";
import { withControlServer } from "./control-server.js";

const QUIET = { bytes_in: 0, bytes_out: 0, packets_in: 0, packets_out: 0 };

const REPORT: StatusReport = {
  gateway: { name: "edge", version: "0.1.0", uptime_s: 97_500, drops: { unknownSpi: 3 } },
  tunnels: [
    {
      name: "site-a",
      state: "degraded",
      reason: "1 of 2 mappings is up",
      peer: "198.51.100.2",
      tun: "causeway0",
      ike: {
        version: 2,
        role: "initiator",
        local: "203.0.113.1:4500",
        remote: "198.51.100.2:4500",
        local_id: "203.0.113.1",
        peer_id: "gw.example.com",
        spi_i: "0011223344556677",
        spi_r: "8899aabbccddeeff",
        proposal: "aes256gcm16-prfsha384-ecp384",
        nat: "here",
        established_s: 190,
        rekey_in_s: 75_000,
      },
      children: [
        {
          local: ["192.168.1.0/24"],
          peer: ["10.0.1.0/24", "10.0.2.0/24"],
          state: "established",
          reason: "",
          spi_in: "c0ffee01",
          spi_out: "c0ffee02",
          proposal: "aes256gcm16-esn",
          encapsulation: "udp",
          rekey_in_s: 3000,
          bytes_in: 1536,
          bytes_out: 20_971_520,
          packets_in: 1,
          packets_out: 15_000,
        },
        {
          local: ["192.168.1.0/24"],
          peer: ["10.0.3.0/24"],
          state: "connecting",
          reason: "the peer refused it: TS_UNACCEPTABLE",
          spi_in: null,
          spi_out: null,
          proposal: null,
          encapsulation: null,
          rekey_in_s: null,
          ...QUIET,
        },
      ],
      counters: {
        bytes_in: 1536,
        bytes_out: 20_971_520,
        packets_in: 1,
        packets_out: 15_000,
        drops: { replay: 3, integrity: 0 },
      },
    },
    {
      name: "site-b",
      state: "down",
      reason: "AUTHENTICATION_FAILED: the pre-shared keys differ",
      peer: "vpn.example.com",
      tun: "cw-site-b",
      ike: null,
      children: [],
      counters: { ...QUIET, drops: {} },
    },
  ],
};

const SCREEN = `edge: causeway 0.1.0, up 1d 3h, 0 of 2 tunnels established
  dropped unknownSpi 3

site-a: degraded (1 of 2 mappings is up); peer 198.51.100.2, device causeway0
  IKEv2 initiator, 203.0.113.1:4500 (203.0.113.1) <-> 198.51.100.2:4500 (gw.example.com), NAT on our side
    aes256gcm16-prfsha384-ecp384, established 3m 10s ago, rekey in 20h 50m, SPIs 0011223344556677_8899aabbccddeeff
  192.168.1.0/24 <-> 10.0.1.0/24, 10.0.2.0/24: established, rekey in 50m
    ESP in UDP aes256gcm16-esn, SPI in c0ffee01, out c0ffee02
    in 1.5 KiB (1 packet), out 20.0 MiB (15,000 packets)
  192.168.1.0/24 <-> 10.0.3.0/24: connecting (the peer refused it: TS_UNACCEPTABLE)
  total in 1.5 KiB (1 packet), out 20.0 MiB (15,000 packets)
  dropped replay 3

site-b: down (AUTHENTICATION_FAILED: the pre-shared keys differ); peer vpn.example.com, device cw-site-b
  no IKE SA
  total in 0 B (0 packets), out 0 B (0 packets)
`;

test("status says in words how every tunnel, IKE SA and child is", () => {
  assert.equal(renderStatus(REPORT), SCREEN);
});

test("what a peer sent cannot move the cursor", () => {
  const [first] = REPORT.tunnels;
  const evil = { ...REPORT, tunnels: [{ ...first!, reason: "\u001b[2J\u0007\n" }] };
  assert.match(renderStatus(evil), /degraded \(\\x1b\[2J\\x07\\x0a\)/);
});

test("spans, octets and counts are short", () => {
  assert.deepEqual([0, 59, 60, 3601, 86_400, 90_061].map(formatSpan), ["0s", "59s", "1m", "1h", "1d", "1d 1h"]);
  assert.deepEqual([0, 1023, 1024, 1_048_576, 5e15].map(formatOctets), [
    "0 B",
    "1023 B",
    "1.0 KiB",
    "1.0 MiB",
    "4.4 PiB",
  ]);
  assert.deepEqual(
    [1, 1000].map((count) => formatCount(count, "error")),
    ["1 error", "1,000 errors"],
  );
});

test("status prints the screen, and with --json what the daemon said; it exits 0 whatever the tunnels do", async () => {
  await withControlServer({ "GET /v1/status": { body: REPORT } }, async ({ path }) => {
    const screen = await causeway(["status", "--socket", path]);
    assert.deepEqual([screen.status, screen.stdout, screen.stderr], [0, SCREEN, ""]);
    const json = await causeway(["status", "--json"], { CAUSEWAY_SOCKET: path });
    assert.equal(json.status, 0);
    assert.deepEqual(JSON.parse(json.stdout), REPORT);
  });
});

test("status of one tunnel asks for it by its name, whatever characters that has", async () => {
  const one = { ...REPORT, tunnels: REPORT.tunnels.slice(1) };
  await withControlServer({ "GET /v1/status/a%2Fb%20%E5%B9%BF": { body: one } }, async ({ path, requests }) => {
    const found = await causeway(["status", "a/b 广", "--socket", path]);
    assert.deepEqual([found.status, requests], [0, ["GET /v1/status/a%2Fb%20%E5%B9%BF"]]);
    assert.match(found.stdout, /^site-b: down/m);
  });
});

test("status of a tunnel that there is not exits 1 with the daemon's words", async () => {
  const answer = { status: 404, body: { error: 'there is no tunnel "x"' } };
  await withControlServer({ "GET /v1/status/x": answer }, async ({ path }) => {
    const { status, stderr, stdout } = await causeway(["status", "x", "--socket", path]);
    assert.deepEqual([status, stdout, stderr], [1, "", 'causeway: there is no tunnel "x"\n']);
  });
});

test("a program that is no causeway daemon is called so", async () => {
  await withControlServer({ "GET /v1/status": { body: "<html>" } }, async ({ path }) => {
    const { status, stderr } = await causeway(["status", "--socket", path]);
    assert.equal(status, 1);
    assert.match(stderr, /is no causeway daemon/);
  });
});
