/** Numbers as people read them, on one screen. */

/** "3d 4h", "54m 10s", "7s": the two largest units. */
export function formatSpan(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const units: readonly (readonly [string, number])[] = [
    ["d", Math.floor(whole / 86400)],
    ["h", Math.floor(whole / 3600) % 24],
    ["m", Math.floor(whole / 60) % 60],
    ["s", whole % 60],
  ];
  const first = units.findIndex(([, count]) => count > 0);
  if (first < 0) return "0s";
  return units
    .slice(first, first + 2)
    .filter(([, count]) => count > 0)
    .map(([unit, count]) => `${count}${unit}`)
    .join(" ");
}

/** "512 B", "1.5 KiB", "20.0 MiB". */
export function formatOctets(octets: number): string {
  if (octets < 1024) return `${octets} B`;
  const units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
  let amount = octets / 1024;
  let unit = 0;
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024;
    unit++;
  }
  return `${amount.toFixed(1)} ${units[unit]}`;
}

/** "1 packet", "1,234 packets". */
export function formatCount(count: number, one: string): string {
  return `${count.toLocaleString("en-US")} ${count === 1 ? one : `${one}s`}`;
}
