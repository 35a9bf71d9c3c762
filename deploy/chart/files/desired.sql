-- How many workers the environments queue wants: work that is due, work that arrives and work that
-- runs, over the slots of one worker at three quarters full, and no more than may run at once or be
-- started a second.
-- Waiting for a later time, or for a queue that is paused, is no work due. Reads only; the role
-- needs SELECT on jobs, queues and all_queues.
WITH open AS (
    SELECT NOT EXISTS (
        SELECT FROM queues
        WHERE name = 'environments' AND paused_at IS NOT NULL
          AND (paused_until IS NULL OR paused_until > now())
    ) AS yes
), present AS (
    SELECT count(*) FILTER (WHERE state = 'ready' AND run_at <= now() AND open.yes) AS due,
           count(*) FILTER (WHERE state = 'running') AS running
    FROM jobs, open WHERE queue = 'environments' AND state IN ('ready', 'running')
), bounds AS (
    -- Each is NULL where there is no such limit; what other queues run takes from the common one.
    SELECT (SELECT concurrency FROM queues WHERE name = 'environments') AS own,
           (SELECT rate_per_second FROM queues WHERE name = 'environments') AS starts_per_second,
           (SELECT concurrency FROM all_queues)
               - (SELECT count(*) FROM jobs WHERE state = 'running' AND queue <> 'environments')
               AS common
), recent AS (
    SELECT count(*) / 60.0 AS per_second,
           coalesce(extract(epoch FROM avg(finished_at - started_at)), 1) AS mean_run_s
    -- Each half has an index of its own.
    FROM (
        SELECT started_at, finished_at FROM jobs
        WHERE queue = 'environments' AND state IN ('done', 'cancelled')
          AND finished_at > now() - interval '60 seconds'
        UNION ALL
        SELECT started_at, finished_at FROM jobs
        WHERE queue = 'environments' AND state = 'dead'
          AND finished_at > now() - interval '60 seconds'
    ) AS ended
)
SELECT ceil(greatest(
    running,
    -- Without a worker that asks, what is due would never get a place of those that all share.
    CASE WHEN due > 0 THEN 1 ELSE 0 END,
    -- least() passes over what is NULL.
    least(least(per_second + due / {drain_seconds}::numeric, starts_per_second::numeric)
              * mean_run_s / 0.75,
          own, common)
) / {slots}::numeric)::bigint AS desired
FROM present, recent, bounds
