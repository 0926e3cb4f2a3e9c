import assert from "node:assert/strict";
import { test } from "node:test";
import { nextWish, type SaWish, soonest, wish } from "../../../ike/v2/wishes.js";

const queue = (...wishes: readonly SaWish[]) => wishes.reduce<readonly SaWish[]>(wish, []);

test("the most urgent wish that is due goes first: delete, rekey of the IKE SA, of a child, a new child, a probe", () => {
  let rest = queue(
    { do: "probe", at: 0 },
    { do: "createChild", mapping: 1, at: 0 },
    { do: "rekeyChild", child: 1, at: 0 },
    { do: "rekeyIke", at: 0 },
    { do: "delete", spi: 256, at: 0 },
  );
  const order: string[] = [];
  for (let next = nextWish(rest, 0); next !== undefined; next = nextWish(rest, 0)) {
    order.push(next.do);
    rest = rest.filter((w) => w !== next);
  }
  assert.deepEqual(order, ["delete", "rekeyIke", "rekeyChild", "createChild", "probe"]);
});

test("a wish waits for its time, and mappings come in the order in which they were wished", () => {
  const rest = queue(
    { do: "delete", spi: 256, at: 100 },
    { do: "createChild", mapping: 2, at: 5 },
    { do: "createChild", mapping: 1, at: 5 },
  );
  assert.equal(nextWish(rest, 4), undefined);
  assert.deepEqual(nextWish(rest, 5), { do: "createChild", mapping: 2, at: 5 });
  assert.equal(soonest(rest), 5);
  assert.equal(soonest([]), undefined);
});

test("the same wish twice is one wish, at the earlier time", () => {
  const rest = queue({ do: "rekeyIke", at: 10 }, { do: "rekeyIke", at: 5 }, { do: "rekeyIke", at: 20 });
  assert.deepEqual(rest, [{ do: "rekeyIke", at: 5 }]);
});
