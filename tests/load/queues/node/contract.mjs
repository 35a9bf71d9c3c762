// What a contender's program does, whatever queue it drives: `../contract.rs` in this language.

import { setTimeout as sleep } from "node:timers/promises";

const BATCH = 1000;
const SINGLES_MS = 10_000;
const SETTLING_MS = 1000;
const GAP_MS = 50;
const TICK_MS = 20;
const LOST_MS = 10_000;

/** Counts the starts of handlers. */
class Starts {
  count = 0;
  #probe = 0;
  #noted = () => {};

  note(number) {
    this.count += 1;
    if (number > 0 && number === this.#probe) this.#noted(performance.now());
  }

  /** To be called before the probe is enqueued. */
  awaitProbe(number) {
    this.#probe = number;
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(performance.now()), LOST_MS);
      this.#noted = (at) => {
        clearTimeout(timer);
        resolve(at);
      };
    });
  }
}

const payload = (t) => ({ t, pad: "" });
const payloads = (count) => Array.from({ length: count }, () => payload(0));
const secondsSince = (begun) => (performance.now() - begun) / 1000;

function cpuSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

async function enqueue(queue, mode, count) {
  const isSingle = mode === "single";
  if (isSingle) await queue.send(payload(0));
  const begun = performance.now();
  let sent = 0;
  while (sent < count && !(isSingle && performance.now() - begun > SINGLES_MS)) {
    const size = isSingle ? 1 : Math.min(BATCH, count - sent);
    await (isSingle ? queue.send(payload(0)) : queue.sendMany(payloads(size)));
    sent += size;
  }
  return { jobs: sent, seconds: secondsSince(begun) };
}

async function drain(queue, count, cap) {
  const starts = new Starts();
  const cpu = cpuSeconds();
  const begun = performance.now();
  const stop = await queue.work(starts);
  while (starts.count < count && secondsSince(begun) < cap) await sleep(2);
  const jobs = starts.count;
  const measured = { jobs, seconds: secondsSince(begun), cpu_seconds: cpuSeconds() - cpu };
  await stop();
  return measured;
}

async function latency(queue, probes, rate) {
  const starts = new Starts();
  const stop = await queue.work(starts);
  await sleep(SETTLING_MS);
  const begun = performance.now();
  const before = starts.count;
  const probing = { isOver: false };
  const flowing = flow(queue, rate, probing);
  const millis = await probe(queue, starts, probes);
  probing.isOver = true;
  const background = (starts.count - before - probes) / secondsSince(begun);
  await flowing;
  await stop();
  return { millis, background };
}

async function probe(queue, starts, probes) {
  const millis = [];
  for (let number = 1; number <= probes; number += 1) {
    const started = starts.awaitProbe(number);
    const asked = performance.now();
    await queue.send(payload(number));
    millis.push((await started) - asked);
    // The queue is stuck or cannot keep up.
    if (millis.at(-1) >= LOST_MS) break;
    await sleep(queue.gapMs ? queue.gapMs() : GAP_MS);
  }
  return millis;
}

/** Enqueues so many jobs a second; what is overdue is not made up for. */
async function flow(queue, rate, probing) {
  if (rate <= 0) return;
  const tick = Math.max(TICK_MS, 1000 / rate);
  const begun = performance.now();
  let sent = 0;
  for (let next = begun; !probing.isOver; next = Math.max(next + tick, performance.now())) {
    await sleep(Math.max(0, next - performance.now()));
    const due = Math.floor(secondsSince(begun) * rate);
    if (due > sent) await queue.sendMany(payloads(Math.min(BATCH, due - sent)));
    sent = due;
  }
}

/** Does what the words ask and prints what was measured as the last line. */
export async function run(queue, words) {
  const [verb, ...rest] = words;
  const verbs = {
    setup: async () => (await queue.setup(), {}),
    enqueue: () => enqueue(queue, rest[0], Number(rest[1])),
    drain: () => drain(queue, Number(rest[0]), Number(rest[1])),
    latency: () => latency(queue, Number(rest[0]), Number(rest[1])),
  };
  console.log(JSON.stringify(await verbs[verb]()));
  // Pools and timers of the libraries would keep the process.
  process.exit(0);
}
