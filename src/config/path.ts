/** Paths into the configuration, as errors print them: `tunnels[0].esp.lifetime`. */

export type ValuePath = readonly (string | number)[];

/** The empty path prints as "the file". */
export function formatPath(path: ValuePath): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (!/^[\w-]+$/.test(step)) text += `[${JSON.stringify(step)}]`;
    else text += text === "" ? step : `.${step}`;
  }
  return text === "" ? "the file" : text;
}

/** Where pre-shared keys are written: nothing found at or below such a path is ever printed. */
export function isSecretPath(path: ValuePath): boolean {
  return path.includes("psk");
}
