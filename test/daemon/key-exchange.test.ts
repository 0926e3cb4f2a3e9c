import assert from "node:assert/strict";
import { test } from "node:test";
import { equal } from "../../crypto/bytes.js";
import { systemRandom } from "../../crypto/random.js";
import { KEY_EXCHANGE_ROWS } from "../../crypto/registry/key-exchange.js";
import { secret } from "../../crypto/secret.js";
import type { KeyExchangeJob, KeyExchangeResult } from "../../src/key-exchange/protocol.js";
import { createKeyExchangeService, MAXIMUM_WAITING, type WorkerLike } from "../../src/key-exchange/service.js";

test("both sides of every method get the same secret, from the worker or in place", async () => {
  const service = createKeyExchangeService();
  try {
    await Promise.all(
      KEY_EXCHANGE_ROWS.map(async ({ ids, name, privateBytes, publicBytes }) => {
        const group = ids.ikev2!;
        const [mine, theirs] = [secret(systemRandom(privateBytes)), secret(systemRandom(privateBytes))];
        const [myPublic, theirPublic] = await Promise.all([
          service.publicValue(group, mine),
          service.publicValue(group, theirs),
        ]);
        assert.equal(myPublic.length, publicBytes, name);
        const [here, there] = await Promise.all([
          service.sharedSecret(group, mine, theirPublic),
          service.sharedSecret(group, theirs, myPublic),
        ]);
        assert.ok(equal(here.reveal(), there.reveal()), name);
      }),
    );
  } finally {
    await service.close();
  }
});

test("a peer's value that is not valid is refused with a sentence, and the worker goes on", async () => {
  const service = createKeyExchangeService();
  const mine = secret(systemRandom(56));
  try {
    await assert.rejects(async () => service.sharedSecret(32, mine, new Uint8Array(56)), /small order/);
    await assert.rejects(async () => service.sharedSecret(32, mine, new Uint8Array(5)), /5 octets/);
    await assert.rejects(async () => service.publicValue(4711, mine), /4711/);
    assert.equal((await service.publicValue(32, mine)).length, 56);
  } finally {
    await service.close();
  }
});

test("a quick group needs no worker, refuses as the others do, and leaves the private value as it is", async () => {
  const { start, started } = silentWorkers();
  const service = createKeyExchangeService(start);
  for (const { ids, privateBytes, publicBytes } of KEY_EXCHANGE_ROWS.filter(({ quick }) => quick)) {
    const octets = systemRandom(privateBytes);
    const mine = secret(octets);
    const before = octets.slice();
    const publicValue = service.publicValue(ids.ikev2!, mine);
    assert.ok(publicValue instanceof Uint8Array && publicValue.length === publicBytes);
    assert.throws(() => service.sharedSecret(ids.ikev2!, mine, new Uint8Array(publicBytes)), /small order|curve/);
    assert.throws(() => service.sharedSecret(ids.ikev2!, mine, new Uint8Array(5)), /5 octets/);
    assert.deepEqual(octets, before);
  }
  assert.equal(started.length, 0);
  await service.close();
  await assert.rejects(async () => service.publicValue(31, secret(systemRandom(32))), /shutting down/);
});

/** A worker whose answers the test gives. */
function silentWorkers() {
  const started: { jobs: KeyExchangeJob[]; answer(result: KeyExchangeResult): void; exit(status: number): void }[] = [];
  const start = (): WorkerLike => {
    const listeners: Record<string, ((value: never) => void)[]> = {};
    const emit = (event: string, value: unknown): void => {
      for (const listener of listeners[event] ?? []) listener(value as never);
    };
    const jobs: KeyExchangeJob[] = [];
    started.push({ jobs, answer: (result) => emit("message", result), exit: (status) => emit("exit", status) });
    return {
      postMessage: (job: KeyExchangeJob) => void jobs.push(job),
      terminate: async () => 0,
      ref: () => undefined,
      unref: () => undefined,
      on(event: string, listener: (value: never) => void) {
        listeners[event] = [...(listeners[event] ?? []), listener];
      },
    };
  };
  return { start, started };
}

test("a worker that ends refuses its jobs, and the next job starts another", async () => {
  const { start, started } = silentWorkers();
  const service = createKeyExchangeService(start);
  const mine = secret(new Uint8Array(32));
  assert.equal(started.length, 0, "none before the first job");
  const first = Promise.resolve(service.publicValue(14, mine));
  started[0]!.exit(1);
  await assert.rejects(first, /ended with status 1/);
  const second = service.publicValue(14, mine);
  assert.equal(started.length, 2);
  started[1]!.answer({ id: started[1]!.jobs[0]!.id, octets: new Uint8Array([7]) });
  assert.deepEqual(await second, new Uint8Array([7]));
  await service.close();
});

test("the queue is bounded, and closing refuses what waits", async () => {
  const { start } = silentWorkers();
  const service = createKeyExchangeService(start);
  const mine = secret(new Uint8Array(32));
  const waiting = Array.from({ length: MAXIMUM_WAITING }, () => service.publicValue(14, mine));
  await assert.rejects(async () => service.publicValue(14, mine), /are waiting already/);
  const outcomes = Promise.allSettled(waiting);
  await service.close();
  assert.ok((await outcomes).every(({ status }) => status === "rejected"));
  await assert.rejects(async () => service.publicValue(14, mine), /shutting down/);
});
