-- Owner: job-queue.
-- A rate bounds what a queue asks for, too: no more slots than keep up with the starts that it lets.
CREATE OR REPLACE VIEW queue_load AS
WITH waiting AS (
    SELECT queue,
           count(*) FILTER (WHERE run_at <= now()) AS ready,
           count(*) FILTER (WHERE run_at > now())  AS scheduled,
           extract(epoch FROM now() - min(run_at) FILTER (WHERE run_at <= now())) AS oldest
    FROM jobs WHERE state = 'ready' GROUP BY queue
),
running AS (
    SELECT queue, count(*) AS running FROM jobs WHERE state = 'running' GROUP BY queue
),
-- Ids begin with the time that their maker's clock showed, so the primary key bounds the look; a
-- minute is for clocks that differ.
arrived AS (
    SELECT queue, count(*) / 300.0 AS per_second
    FROM jobs
    WHERE id >= (lpad(to_hex((extract(epoch FROM now() - interval '6 min') * 1000)::bigint), 12, '0')
                 || repeat('0', 20))::uuid
      AND created_at > now() - interval '5 min'
    GROUP BY queue
),
ran AS (
    SELECT j.queue, avg(extract(epoch FROM a.finished_at - a.started_at)) AS mean_seconds
    FROM job_attempts a JOIN jobs j ON j.id = a.job_id
    WHERE a.finished_at > now() - interval '5 min'
    GROUP BY j.queue
),
served AS (
    SELECT q.queue, count(*) AS workers, sum(w.slots) AS slots, avg(w.slots) AS slots_each
    FROM workers w CROSS JOIN unnest(w.queues) AS q(queue)
    WHERE w.stopped_at IS NULL AND w.draining_at IS NULL AND w.drain_requested_at IS NULL
      AND w.seen_at > now() - interval '30 s'
    GROUP BY q.queue
),
known AS (
    SELECT queue FROM waiting UNION SELECT queue FROM running UNION SELECT queue FROM arrived
    UNION SELECT queue FROM served UNION SELECT name FROM queues
),
measured AS (
    SELECT k.queue,
           COALESCE(w.ready, 0)           AS ready,
           COALESCE(w.scheduled, 0)       AS scheduled,
           COALESCE(w.oldest, 0)          AS oldest_ready_seconds,
           COALESCE(r.running, 0)         AS running,
           COALESCE(s.workers, 0)         AS workers,
           COALESCE(s.slots, 0)           AS slots,
           COALESCE(a.per_second, 0)      AS arrivals_per_second,
           -- Where nothing ran lately a second is assumed: the first runs will tell.
           COALESCE(m.mean_seconds, 1)    AS mean_run_seconds,
           -- Where no worker lives, what one with the usual slots would take.
           COALESCE(s.slots_each, 12)     AS slots_each,
           q.concurrency,
           q.rate_per_second,
           q.paused_at IS NOT NULL AND (q.paused_until IS NULL OR q.paused_until > now()) AS is_paused
    FROM known k
    LEFT JOIN waiting w USING (queue)
    LEFT JOIN running r USING (queue)
    LEFT JOIN arrived a USING (queue)
    LEFT JOIN ran m     USING (queue)
    LEFT JOIN served s  USING (queue)
    LEFT JOIN queues q  ON q.name = k.queue
),
wanted AS (
    -- Slots kept busy by what arrives, and as many more as work off what is due within a minute,
    -- three quarters busy. What runs counts in any case, lest its workers be scaled away.
    SELECT queue, running,
           GREATEST(running, CASE WHEN is_paused THEN 0 ELSE LEAST(
               COALESCE(concurrency, 'infinity'::float8),
               LEAST(arrivals_per_second + ready / 60.0, COALESCE(rate_per_second, 'infinity'::float8))
                   * mean_run_seconds / 0.75) END
           ) - running AS more
    FROM measured
),
shared AS (
    SELECT CASE WHEN a.concurrency IS NULL OR w.more = 0 THEN 1
                ELSE LEAST(1, GREATEST(a.concurrency - w.running, 0) / w.more) END AS part
    FROM (SELECT sum(running) AS running, sum(more) AS more FROM wanted) AS w
    LEFT JOIN all_queues a ON true
)
SELECT m.queue, m.ready, m.scheduled, m.oldest_ready_seconds::float8, m.running, m.workers,
       m.slots, m.arrivals_per_second::float8, m.mean_run_seconds::float8, m.is_paused,
       m.concurrency,
       -- Rounded, lest a share that is whole but for the last bit ask for one more.
       GREATEST(ceil(round(((w.running + w.more * s.part) / m.slots_each)::numeric, 6)),
                CASE WHEN m.ready > 0 AND NOT m.is_paused THEN 1 ELSE 0 END)::bigint AS desired_workers,
       m.rate_per_second
FROM measured m JOIN wanted w USING (queue) CROSS JOIN shared s;
COMMENT ON VIEW queue_load IS 'How busy each queue is, over the last five minutes, and how many workers it would take: no more slots than its limit and its rate take, and all together no more than theirs, each rounded up to whole workers, and one where anything is due. A queue without jobs, workers and switches has no row: an autoscaler asks for COALESCE(max(desired_workers), 0).';
