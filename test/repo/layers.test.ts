/** The import rule of ARCHITECTURE.md section 1, and what each folder never touches. */
import assert from "node:assert/strict";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { filesBelow, matches, read, withoutComments } from "./tree.js";

interface Layer {
  /** Top folders that may be imported, besides the layer itself. */
  readonly folders: readonly string[];
  /** Packages and built-ins that may be imported; a trailing `/` allows everything below. */
  readonly packages: readonly string[];
  /** What the code never names, and why. */
  readonly never: readonly { readonly name: string; readonly pattern: RegExp; readonly because: string }[];
}

const PURE = [
  { name: "Date", pattern: /\bDate\b/g, because: "time comes in as a value" },
  { name: "performance", pattern: /\bperformance\s*\./g, because: "time comes in as a value" },
  { name: "Math.random", pattern: /\bMath\s*\.\s*random\b/g, because: "randomness comes in as a value" },
  {
    name: "timers",
    pattern: /\b(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/g,
    because: "deadlines are values that the shell watches",
  },
  { name: "console", pattern: /\bconsole\s*\./g, because: "what happened is a report or a counter" },
  { name: "process", pattern: /\bprocess\s*\.\s*\w/g, because: "the process belongs to src" },
  { name: "await", pattern: /\bawait\b/g, because: "a step is a plain function" },
];

const LAYERS: Readonly<Record<string, Layer>> = {
  crypto: { folders: [], packages: ["@noble/", "node:crypto", "koffi", "sm-crypto"], never: [] },
  esp: { folders: ["crypto"], packages: [], never: PURE },
  ike: { folders: ["crypto", "esp"], packages: [], never: PURE },
  src: {
    folders: ["crypto", "esp", "ike"],
    packages: ["node:", "koffi", "pino", "yaml", "zod", "commander"],
    never: [
      { name: "Math.random", pattern: /\bMath\s*\.\s*random\b/g, because: "random octets come from node:crypto" },
    ],
  },
};

/** koffi hands out raw memory: only these places may reach it. */
const KOFFI = ["crypto/openssl/", "src/dataplane/", "src/sd-notify"];

/** The two versions of IKE share ike/core and ike/wire, and know nothing of each other. */
const STRANGERS = [
  ["ike/v1/", "ike/v2/"],
  ["ike/v2/", "ike/v1/"],
] as const;

/** The files of `ike/core` that know the versions: the endpoint above both. The rest is what the versions share. */
const ABOVE_VERSIONS = ["sas", "step", "demux", "draft", "endpoint", "ike-secrets"].map(
  (name) => `ike/core/${name}.ts`,
);

const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*["']([^"'\n]+)["']/g;

for (const [folder, layer] of Object.entries(LAYERS)) {
  test(`${folder}/ imports ${layer.folders.join(", ") || "no other folder"} and ${layer.packages.join(", ") || "no package"}`, () => {
    const wrong = sources(folder).flatMap((file) =>
      imports(file)
        .filter(({ target }) => !allowed(folder, layer, target))
        .map(({ line, target }) => `${file}:${line} imports ${target}`),
    );
    assert.deepEqual(wrong, [], `the layers are src -> ike -> esp -> crypto:\n${wrong.join("\n")}`);
  });

  if (layer.never.length > 0)
    test(`${folder}/ never touches ${layer.never.map(({ name }) => name).join(", ")}`, () => {
      const wrong = sources(folder).flatMap((file) => {
        const code = withoutStrings(withoutComments(read(file)));
        return layer.never.flatMap(({ pattern, because }) =>
          matches(code, pattern).map(({ line, text }) => `${file}:${line} uses ${text}: ${because}`),
        );
      });
      assert.deepEqual(wrong, [], wrong.join("\n"));
    });
}

test("koffi is imported only where a file of signatures stands", () => {
  const wrong = Object.keys(LAYERS)
    .flatMap(sources)
    .filter((file) => imports(file).some(({ target }) => target === "koffi", "sm-crypto"))
    .filter((file) => !KOFFI.some((place) => file.startsWith(place)));
  assert.deepEqual(wrong, []);
});

test("ike/v1 and ike/v2 import nothing of each other", () => {
  const wrong = sources("ike").flatMap((file) =>
    imports(file)
      .filter(({ target }) => STRANGERS.some(([from, to]) => file.startsWith(from) && target.startsWith(to)))
      .map(({ line, target }) => `${file}:${line} imports ${target}`),
  );
  assert.deepEqual(wrong, []);
});

test("only the endpoint's own files of ike/core import a version of IKE, and ike/wire none", () => {
  const wrong = [...sources("ike/core"), ...sources("ike/wire")]
    .filter((file) => !ABOVE_VERSIONS.includes(file))
    .flatMap((file) =>
      imports(file)
        .filter(({ target }) => /^ike\/v[12]\//.test(target))
        .map(({ line, target }) => `${file}:${line} imports ${target}`),
    );
  assert.deepEqual(wrong, []);
});

function sources(folder: string): string[] {
  return filesBelow(folder).filter((file) => file.endsWith(".ts"));
}

/** What a file imports: paths inside the repository from its top, packages by name. */
function imports(file: string): { readonly line: number; readonly target: string }[] {
  return matches(withoutComments(read(file)), IMPORT).map(({ line, text }) => ({
    line,
    target: text.startsWith(".") ? normalize(join(dirname(file), text)) : text,
  }));
}

function allowed(folder: string, layer: Layer, target: string): boolean {
  const inside = /^(crypto|esp|ike|src|test|scripts|vectors)\//.exec(target)?.[1];
  if (inside !== undefined) return inside === folder || layer.folders.includes(inside);
  if (target.startsWith("..")) return false;
  return layer.packages.some((name) => target === name || (/[/:]$/.test(name) && target.startsWith(name)));
}

function withoutStrings(code: string): string {
  return code.replace(/"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, (match) => " ".repeat(match.length));
}
