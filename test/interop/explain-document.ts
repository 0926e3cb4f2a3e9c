/** docs/explain-matrix.md: the rows of the matrix as a table. */
import { EXPLAIN_ROWS, type ExplainPeer, expectedWords } from "./explain-rows.js";

const PEERS: readonly (readonly [ExplainPeer, string])[] = [
  ["strongswan", "strongSwan"],
  ["libreswan", "libreswan"],
];

export function explainMatrixDocument(): string {
  const rows = PEERS.flatMap(([peer]) => EXPLAIN_ROWS[peer]);
  const ci = rows.filter(({ tier }) => tier === "ci").length;
  const tables = PEERS.map(([peer, title]) => {
    const lines = EXPLAIN_ROWS[peer].map(({ mode, role, attribute, phase, side, tier, expected }) =>
      [
        mode === "ikev2" ? "IKEv2" : `IKEv1 ${mode}`,
        role,
        attribute === "nothing" ? "–" : `${attribute} (phase ${phase})`,
        attribute === "nothing" ? "–" : side === "ours" ? "ours" : "peer",
        expectedWords(expected),
        tier,
      ].join(" | "),
    );
    return `## ${title}\n\n| mode | we are | differs | at | \`explain\` says | tier |\n|---|---|---|---|---|---|\n${lines.map((line) => `| ${line} |\n`).join("")}`;
  });
  return `# The matrix of \`explain\`

Written by \`npm run causes\` from \`test/interop/explain-rows.ts\`; do not edit.

${rows.length} cases against real peers: in each of them one attribute alone differs, on one side, and \`causeway explain --json\` has to name exactly that one, with
both values where the protocol lets them be known, or to list it among what remains where the peer does not say. ${ci} of them (tier ci) are part of
\`npm test\`, all of them of \`npm run test:full\`. In the values ID is the number of the row, OURS and PEER are the networks of the policy, and
ELSEWHERE is another one; "–" is none.

${tables.join("\n")}`;
}
