// graphile-worker: `plain` with its defaults, `tuned` with its local queue and batched completion.

import { Logger, makeWorkerUtils, run as startRunner } from "graphile-worker";

import { run } from "./contract.mjs";

const TASK = "nothing";
const VARIANTS = {
  plain: { concurrentJobs: 10 },
  tuned: {
    concurrentJobs: 24,
    localQueue: { size: 500 },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  },
};

const [variant, ...words] = process.argv.slice(2);
const connectionString = process.env.DATABASE_URL;
const logger = new Logger(() => () => {});
const utils = await makeWorkerUtils({ connectionString, logger });

const queue = {
  setup: () => utils.migrate(),
  send: (payload) => utils.addJob(TASK, payload),
  sendMany: (payloads) => utils.addJobs(payloads.map((payload) => ({ identifier: TASK, payload }))),
  async work(starts) {
    const runner = await startRunner({
      preset: { worker: { connectionString, logger, ...VARIANTS[variant] } },
      noHandleSignals: true,
      taskList: { [TASK]: async ({ t }) => starts.note(t) },
    });
    return () => runner.stop();
  },
};

await run(queue, words);
