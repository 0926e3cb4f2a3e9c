/** Words of the configuration's contract whose algorithms this version lacks: refused by name, unlike a mistyped word. */

/** `*` stands for a key length of 128, 192 or 256 bits. */
const WORDS = ["sha256_96", "ecp192", "ecp224", "mlkem512", "mlkem768", "mlkem1024"];

/** The group numbers among them, for the aliases dhN. */
const GROUPS = [25, 26, 35, 36, 37];

const NOT_YET = new Set([
  ...WORDS.flatMap((word) =>
    word.includes("*") ? [128, 192, 256].map((bits) => word.replace("*", `${bits}`)) : [word],
  ),
  ...GROUPS.map((group) => `dh${group}`),
]);

/** True when the word belongs to the contract but not to this version. */
export function isNotYetSupported(keyword: string): boolean {
  return NOT_YET.has(keyword.toLowerCase());
}

/** Those words, for the test that none of them is a row's keyword. */
export function notYetSupported(): readonly string[] {
  return [...NOT_YET];
}
