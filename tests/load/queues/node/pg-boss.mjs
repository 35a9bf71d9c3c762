// pg-boss by a loop of fetch and complete: faster than its own `work`, which fetches once a poll.

import { setTimeout as sleep } from "node:timers/promises";

import PgBoss from "pg-boss";

import { run } from "./contract.mjs";

const QUEUE = "nothing";
const BATCH = 100;
/** The shortest poll that `work` allows; pg-boss tells nobody of new jobs. */
const POLL_MS = 500;

const boss = new PgBoss(process.env.DATABASE_URL);
boss.on("error", (error) => console.error(error));
await boss.start();

const queue = {
  setup: () => boss.createQueue(QUEUE),
  send: (payload) => boss.send(QUEUE, payload),
  sendMany: (payloads) => boss.insert(payloads.map((data) => ({ name: QUEUE, data }))),
  async work(starts) {
    const stopping = new AbortController();
    const working = loop(starts, stopping.signal);
    return () => {
      stopping.abort();
      return working;
    };
  },
  // Probes at one distance from the last fetch would all wait for the same part of the poll.
  gapMs: () => 50 + Math.random() * POLL_MS,
};

async function loop(starts, stopping) {
  while (!stopping.aborted) {
    const jobs = await boss.fetch(QUEUE, { batchSize: BATCH });
    for (const job of jobs) starts.note(job.data.t);
    if (jobs.length > 0) {
      const ids = jobs.map((job) => job.id);
      await boss.complete(QUEUE, ids);
    } else {
      await sleep(POLL_MS, undefined, { signal: stopping }).catch(() => {});
    }
  }
}

await run(queue, process.argv.slice(2));
