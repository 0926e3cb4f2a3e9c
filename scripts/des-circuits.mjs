// Looks for circuits of the S-boxes of DES that have fewer gates than those in des-circuits.json, and writes them there.
// Run it after a build: node scripts/des-circuits.mjs [seconds for each S-box] [seed]; then node scripts/des.mjs.
//
// An output is a function of six bits, a table of 64 bits, that is wanted at the places of a mask. It is made, whichever comes first,
// of a gate that is there, of one new gate, of two new ones, or by a split along an input x: f = g ^ (x & h), where g is right where x is 0 and
// h = f ^ g where x is 1; the same with x turned over. Each half of a split is wanted at half of the places, so more of the gates
// fit. Which input is chosen by chance for the first two splits, below that it is the best of all; and of many ways for
// each output a few with the fewest gates go on to the next output.
//
// NOT is no gate: AND takes its inputs either way round, and what remains is taken out at the end (`normal`).
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { substitute } from "../dist/crypto/portable/des-tables.js";

const target = join(import.meta.dirname, "des-circuits.json");

/** How many ways go on to the next output, and how many are tried from each of them for each output that is left. */
const KEPT = 6;
const TRIED = 24;

const INPUTS = 6;
const MOST_GATES = 160;
/** Of a gate: AND (1: the first input is turned over, 2: the second), or XOR. */
const XOR = 4;

// The gates so far, inputs first: their tables in two words, and how they are made: kind | first << 4 | second << 12.
const low = new Int32Array(MOST_GATES);
const high = new Int32Array(MOST_GATES);
const made = new Int32Array(MOST_GATES);
let count = 0;
/** As many gates are worth having. */
let limit = 0;

let state = 1;
/** Xorshift: the same seed finds the same circuits, as far as the time goes. */
function random(below) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
}

/** A table in two words from a function of the place. */
function tableOf(bit) {
  const table = [0, 0];
  for (let place = 0; place < 64; place++) if (bit(place)) table[place >> 5] |= 1 << (place & 31);
  return table;
}

// A gate is referred to by twice its number, plus one where its complement is meant; NONE: there is none.
const NONE = -1;

function add(kind, first, second) {
  const [turnFirst, turnSecond] = kind === XOR ? [0, 0] : [-(kind & 1), -(kind >> 1)];
  const [a, b] = [low[first] ^ turnFirst, low[second] ^ turnSecond];
  const [c, d] = [high[first] ^ turnFirst, high[second] ^ turnSecond];
  low[count] = kind === XOR ? a ^ b : a & b;
  high[count] = kind === XOR ? c ^ d : c & d;
  made[count] = kind | (first << 4) | (second << 12);
  return count++;
}

/** A gate that is there. */
function present(wantedLow, wantedHigh, maskLow, maskHigh) {
  for (let i = 0; i < count; i++) {
    const [a, b] = [(low[i] ^ wantedLow) & maskLow, (high[i] ^ wantedHigh) & maskHigh];
    if (a === 0 && b === 0) return 2 * i;
    if (a === maskLow && b === maskHigh) return 2 * i + 1;
  }
  return NONE;
}

const candidates = new Int32Array(2 * MOST_GATES);

/** How one gate of two that are there gives what is wanted: as in `made`, with the complement << 20. */
function pair(wantedLow, wantedHigh, maskLow, maskHigh) {
  for (let i = count - 1; i > 0; i--) {
    const a = low[i] ^ wantedLow;
    const b = high[i] ^ wantedHigh;
    for (let j = i - 1; j >= 0; j--) {
      const c = (a ^ low[j]) & maskLow;
      if (c !== 0 && c !== maskLow) continue;
      const d = (b ^ high[j]) & maskHigh;
      if (c === 0 && d === 0) return XOR | (i << 4) | (j << 12);
      if (c === maskLow && d === maskHigh) return XOR | (i << 4) | (j << 12) | (1 << 20);
    }
  }
  // An AND of two that both cover what is wanted, or both cover the rest.
  for (const complement of [0, 1]) {
    const wantLow = (wantedLow ^ -complement) & maskLow;
    const wantHigh = (wantedHigh ^ -complement) & maskHigh;
    let found = 0;
    for (let i = 0; i < count; i++)
      if ((wantLow & ~low[i]) === 0 && (wantHigh & ~high[i]) === 0) candidates[found++] = 2 * i;
      else if ((wantLow & low[i]) === 0 && (wantHigh & high[i]) === 0) candidates[found++] = 2 * i + 1;
    for (let p = 1; p < found; p++) {
      const [i, turnI] = [candidates[p] >> 1, candidates[p] & 1];
      const a = (low[i] ^ -turnI) & maskLow;
      const b = (high[i] ^ -turnI) & maskHigh;
      for (let q = 0; q < p; q++) {
        const [j, turnJ] = [candidates[q] >> 1, candidates[q] & 1];
        if ((a & (low[j] ^ -turnJ)) === wantLow && (b & (high[j] ^ -turnJ)) === wantHigh)
          return turnI | (turnJ << 1) | (i << 4) | (j << 12) | (complement << 20);
      }
    }
  }
  return NONE;
}

function addPair(found) {
  return 2 * add(found & 15, (found >> 4) & 255, (found >> 12) & 255) + (found >> 20);
}

/** Two new gates: one of a gate that is there and a pair. */
function triple(wantedLow, wantedHigh, maskLow, maskHigh) {
  const start = random(count);
  for (let k = 0; k < count; k++) {
    const c = (k + start) % count;
    for (const turn of [0, 1])
      for (const complement of [0, 1]) {
        const [a, b] = [low[c] ^ -turn, high[c] ^ -turn];
        const wantLow = (wantedLow ^ -complement) & maskLow;
        const wantHigh = (wantedHigh ^ -complement) & maskHigh;
        if ((wantLow & ~a) !== 0 || (wantHigh & ~b) !== 0) continue;
        const found = pair(wantLow, wantHigh, maskLow & a, maskHigh & b);
        if (found === NONE) continue;
        const other = addPair(found);
        return 2 * add(turn | ((other & 1) << 1), c, other >> 1) + complement;
      }
    const found = pair(wantedLow ^ low[c], wantedHigh ^ high[c], maskLow, maskHigh);
    if (found === NONE) continue;
    const other = addPair(found);
    return 2 * add(XOR, c, other >> 1) + (other & 1);
  }
  return NONE;
}

/** Adds gates until one is what is wanted at the places of the mask. `inputs` are those that the mask leaves open. */
function solve(wantedLow, wantedHigh, maskLow, maskHigh, inputs) {
  const there = present(wantedLow, wantedHigh, maskLow, maskHigh);
  if (there !== NONE) return there;
  if (count + 1 > limit) return NONE;
  const found = pair(wantedLow, wantedHigh, maskLow, maskHigh);
  if (found !== NONE) return addPair(found);
  if (count + 2 > limit) return NONE;
  const two = triple(wantedLow, wantedHigh, maskLow, maskHigh);
  if (two !== NONE || count + 3 > limit) return two;
  const ways = inputs.flatMap((x) => [2 * x, 2 * x + 1]);
  const start = random(ways.length);
  const before = { count, limit };
  let best;
  for (let k = 0; k < (inputs.length > 4 ? 1 : ways.length); k++) {
    const way = ways[(k + start) % ways.length];
    const result = split(wantedLow, wantedHigh, maskLow, maskHigh, way, inputs);
    if (result !== NONE) {
      best = { result, ...gatesFrom(before.count) };
      limit = count - 1;
    }
    count = before.count;
  }
  limit = before.limit;
  if (best === undefined) return NONE;
  putGates(best);
  return best.result;
}

function split(wantedLow, wantedHigh, maskLow, maskHigh, way, inputs) {
  const [x, turn] = [way >> 1, way & 1];
  const others = inputs.filter((input) => input !== x);
  const [xLow, xHigh] = [low[x] ^ -turn, high[x] ^ -turn];
  limit -= 2; // for the two gates that join the halves
  const g = solve(wantedLow, wantedHigh, maskLow & ~xLow, maskHigh & ~xHigh, others);
  const [gLow, gHigh] = [low[g >> 1] ^ -(g & 1), high[g >> 1] ^ -(g & 1)];
  const h = g === NONE ? NONE : solve(wantedLow ^ gLow, wantedHigh ^ gHigh, maskLow & xLow, maskHigh & xHigh, others);
  limit += 2;
  if (h === NONE) return NONE;
  const and = add(turn | ((h & 1) << 1), x, h >> 1);
  return 2 * add(XOR, and, g >> 1) + (g & 1);
}

function gatesFrom(start) {
  return { start, low: low.slice(start, count), high: high.slice(start, count), made: made.slice(start, count) };
}

function putGates(gates) {
  low.set(gates.low, gates.start);
  high.set(gates.high, gates.start);
  made.set(gates.made, gates.start);
  count = gates.start + gates.made.length;
}

/** A circuit of fewer than `most` gates, or undefined: one way through the four outputs, in the order that turns out. */
function search(box, most, end) {
  const wanted = [8, 4, 2, 1].map((bit) => tableOf((place) => substitute(box, place) & bit));
  for (let input = 0; input < INPUTS; input++)
    [low[input], high[input]] = tableOf((place) => (place >> (5 - input)) & 1);
  count = INPUTS;
  let kept = [{ gates: gatesFrom(0), outputs: [NONE, NONE, NONE, NONE] }];
  for (let level = 0; level < 4; level++) {
    const next = [];
    for (const { gates, outputs } of kept)
      for (const output of [0, 1, 2, 3].filter((each) => outputs[each] === NONE)) {
        let fewest = MOST_GATES - 20;
        for (let i = 0; i < TRIED && Date.now() < end; i++) {
          putGates(gates);
          limit = level === 3 ? Math.min(fewest + 1, INPUTS + most - 1) : fewest + 1;
          const result = solve(...wanted[output], -1, -1, [0, 1, 2, 3, 4, 5]);
          if (result === NONE) continue;
          fewest = Math.min(fewest, count);
          next.push({ gates: gatesFrom(0), outputs: outputs.with(output, result), rank: count + random(1000) / 2000 });
        }
      }
    kept = next.sort((a, b) => a.rank - b.rank).slice(0, KEPT);
  }
  return kept[0];
}

/**
 * The circuit without any NOT. At a place where the S-box gives 0 each gate is turned over if it is 1 there, its users likewise, and then
 * all gates are 0 there; so are those that AND, OR, XOR and "and not" make of them, and the outputs. The inputs are to be turned
 * over at that place (`decryptionMasks` in crypto/openssl/bitsliced-des.ts).
 */
function normal(box, { gates, outputs }) {
  let place = 0;
  while (substitute(box, place) !== 0) place++;
  const at = Array.from({ length: INPUTS }, (_, i) => (place >> (5 - i)) & 1);
  const text = [...gates.made.subarray(INPUTS)].map((gate) => {
    const [kind, a, b] = [gate & 15, (gate >> 4) & 255, (gate >> 12) & 255];
    if (kind === XOR) {
      at.push(at[a] ^ at[b]);
      return `${a}^${b}`;
    }
    const [first, second] = [at[a] ^ (kind & 1), at[b] ^ (kind >> 1)];
    at.push(first & second);
    if (first) return second ? `${a}|${b}` : `${b}~${a}`;
    return second ? `${a}~${b}` : `${a}&${b}`;
  });
  return { gates: text.join(" "), outputs: outputs.map((output) => output >> 1).join(" ") };
}

const seconds = Number(process.argv[2] ?? 60);
const circuits = JSON.parse(readFileSync(target, "utf8"));
for (let box = 0; box < 8; box++) {
  state = (Number(process.argv[3] ?? 1) * 0x9e3779b1) | 1;
  const name = `S${box + 1}`;
  const end = Date.now() + 1000 * seconds;
  while (Date.now() < end) {
    const fewest = circuits[name].gates.split(" ").length;
    const found = search(box, fewest, end);
    if (found === undefined) continue;
    circuits[name] = normal(box, found);
    console.log(`${name}: ${circuits[name].gates.split(" ").length} gates`);
    writeFileSync(target, `${JSON.stringify(circuits, null, 2)}\n`);
  }
}
