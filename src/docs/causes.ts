/** docs/causes.md: every cause of a failure and every attribute that is compared, as `ike/core/causes.ts` has them. */
import { ATTRIBUTES, CAUSES, type CauseCode, compareAdvice } from "../../ike/core/causes.js";

const INTRODUCTION = `# Causes

Written by \`npm run causes\` from \`ike/core/causes.ts\`; do not edit.

Everything that fails has one of these codes. The log line (\`code\`), \`status\`, \`explain\`, \`why\` and the API tell the same cause:
what happened, in which exchange and message, theirs and ours, what to do here and at the peer, and where the standard says so.
Codes are stable: they are never renamed, and never mean anything else. Where an attribute is known to differ the advice names its
values; what stands here is said where it is not.

| code | means | here | at the peer | source |
|---|---|---|---|---|
`;

const ATTRIBUTE_INTRODUCTION = `
## Attributes

What is compared of the two sides. \`equal\`: both have it. \`different\`: they do not fit. \`unknown\`: the peer does not say, or the
exchange ended before it came to it; where the cause may lie in what the peer does not say, \`explain\` lists what remains.

| attribute | where the peer does not say |
|---|---|
`;

export function causesDocument(): string {
  const causes = (Object.keys(CAUSES) as CauseCode[]).sort().map((code) => {
    const { means, here, there, rfc } = CAUSES[code];
    return row([`\`${code}\``, means, here, there, rfc]);
  });
  const attributes = ATTRIBUTES.map((attribute) => row([`\`${attribute}\``, compareAdvice(attribute)]));
  return INTRODUCTION + causes.join("") + ATTRIBUTE_INTRODUCTION + attributes.join("");
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`;
}
