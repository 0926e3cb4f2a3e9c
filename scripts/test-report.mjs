/** docs/test-report.md: what the last runs saw. Everything between a section's two marks is replaced; the rest is written by hand. */
import { readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { ask, root } from "./process.mjs";

const FILE = join(root, "docs", "test-report.md");

export function writeReport({ started, totals, skipped }) {
  writeSection("full run", [
    `Run on ${started.toISOString().slice(0, 10)}, commit ${ask("git", ["rev-parse", "--short", "HEAD"]).stdout.trim() || "unknown"}.`,
    "",
    "| what | version |",
    "|---|---|",
    ...versions().map(([name, version]) => `| ${name} | ${version} |`),
    "",
    "| count | |",
    "|---|---|",
    ...[...totals].map(([name, value]) => `| ${name} | ${value} |`),
    "",
    skipped.length === 0 ? "Nothing was skipped." : "Skipped, with the reason:",
    ...skipped.map(({ name, reason }) => `- ${name}: ${reason}`),
  ]);
}

/** Replaces what stands between the marks of a section. */
export function writeSection(name, lines) {
  const [beginMark, endMark] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
  const text = readFileSync(FILE, "utf8");
  const begin = text.indexOf(beginMark);
  const end = text.indexOf(endMark);
  if (begin < 0 || end < begin) throw new Error(`${FILE}: the marks "${beginMark}" and "${endMark}" are missing`);
  writeFileSync(FILE, `${text.slice(0, begin + beginMark.length)}\n${lines.join("\n")}\n${text.slice(end)}`);
}

function versions() {
  const debian = (name) => /^Version: (.*)$/m.exec(ask("dpkg-query", ["-s", name]).stdout)?.[1] ?? "not installed";
  return [
    ["Node.js", process.versions.node],
    ["OpenSSL in Node.js", process.versions.openssl],
    ["kernel", release()],
    ["strongSwan", debian("strongswan-charon")],
    ["guest kernel", debian("user-mode-linux")],
    ["libreswan", libreswanVersion()],
  ];
}

function libreswanVersion() {
  const about = ask("/var/cache/causeway/libreswan/usr/libexec/ipsec/pluto", ["--version"], {
    env: { ...process.env, LD_LIBRARY_PATH: "/var/cache/causeway/libreswan/usr/lib/x86_64-linux-gnu" },
  });
  return /Libreswan (\S+)/.exec(about.stdout)?.[1] ?? "not installed";
}
