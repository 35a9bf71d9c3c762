-- One round trip and one commit: writes how runs ended, then claims into what is free.
-- Finishing names id, run_token and state, so a stale run matches no row. A job finished here is
-- not claimable here, because both halves see one snapshot.
WITH input AS MATERIALIZED (
    SELECT t.id, t.run_token, t.verb, t.delay_ms, t.class, t.reason
    FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::text[])
         AS t(id, run_token, verb, delay_ms, class, reason)
),
finished AS (
    UPDATE jobs j SET
        state = CASE
            WHEN i.verb IN ('done', 'dead', 'cancelled') THEN i.verb
            WHEN j.cancel_requested_at IS NOT NULL THEN 'cancelled'
            WHEN i.verb = 'retry' AND j.attempt >= j.max_attempts THEN 'dead'
            ELSE 'ready' END,
        finished_at = CASE
            WHEN i.verb IN ('done', 'dead', 'cancelled')
              OR j.cancel_requested_at IS NOT NULL
              OR (i.verb = 'retry' AND j.attempt >= j.max_attempts) THEN clock_timestamp() END,
        attempt = CASE WHEN i.verb IN ('snooze', 'released') THEN GREATEST(j.attempt - 1, 0)
                       ELSE j.attempt END,
        snoozes = CASE i.verb WHEN 'snooze' THEN j.snoozes + 1 WHEN 'released' THEN j.snoozes
                              ELSE 0 END,
        run_at = CASE WHEN i.verb IN ('retry', 'snooze')
                      THEN clock_timestamp() + i.delay_ms * interval '1 millisecond'
                      ELSE j.run_at END,
        outcome_class = i.class,
        outcome_reason = i.reason,
        lease_owner = NULL, lease_until = NULL, deadline_at = NULL
    FROM input i
    -- The first condition is redundant on purpose: it holds the planner to the primary key, where
    -- the join alone could become a scan of the whole table.
    WHERE j.id = ANY($1) AND j.id = i.id AND j.run_token = i.run_token AND j.state = 'running'
    RETURNING j.id, j.run_token, j.state, j.attempt, j.started_at, j.snoozes,
              i.verb, i.class, i.reason, clock_timestamp() AS ended_at
),
history AS (
    -- The end is the row's own: this insert may come after the claims of the same statement.
    INSERT INTO job_attempts (job_id, run_token, attempt, worker, worker_name, started_at,
                              finished_at, outcome, error_class, error)
    SELECT f.id, f.run_token,
           f.attempt + CASE WHEN f.verb IN ('snooze', 'released') THEN 1 ELSE 0 END,
           $7, $8, COALESCE(f.started_at, now()), f.ended_at,
           CASE WHEN f.state = 'ready' THEN f.verb ELSE f.state END, f.class, f.reason
    FROM finished f
    -- A job may snooze hundreds of times in a row: the first is history, the others a number.
    WHERE f.verb <> 'snooze' OR f.snoozes = 1 OR f.state <> 'ready'
),
open_queues AS MATERIALIZED (
    SELECT q.name, q.place FROM unnest($9::text[]) WITH ORDINALITY AS q(name, place)
    WHERE NOT EXISTS (
        SELECT 1 FROM queues p WHERE p.name = q.name AND p.paused_at IS NOT NULL
          AND (p.paused_until IS NULL OR p.paused_until > now()))
      -- An operator's word counts at once, also before the worker has heard of it.
      AND NOT EXISTS (
        SELECT 1 FROM workers w WHERE w.incarnation = $7 AND w.drain_requested_at IS NOT NULL)
),
-- A queue with a limit or a rate is counted by one claimer at a time; who would wait looks again.
counting AS MATERIALIZED (
    SELECT q.name, q.concurrency, q.claims, q.rate_per_second, q.tokens, q.tokens_at,
           -- Of the time under the lock: the statement may have begun long before.
           clock_timestamp() AS counted_at
    FROM queues q
    WHERE q.name = ANY($9) AND $12::bigint > 0
      AND (q.concurrency IS NOT NULL OR q.rate_per_second IS NOT NULL)
    FOR NO KEY UPDATE SKIP LOCKED
),
-- All queues together may have a limit too, and one claimer at a time counts them.
counting_all AS MATERIALIZED (
    SELECT a.concurrency, a.claims FROM all_queues a
    WHERE a.concurrency IS NOT NULL AND $12 > 0
    -- There is no more than one, which the planner does not know of a table without statistics.
    LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
),
-- The lock shows the row's newest version, everything else is as old as the statement: where the
-- numbers of claims differ, others have claimed what this count would miss.
whole AS MATERIALIZED (
    SELECT c.claims IS DISTINCT FROM a.claims AS is_contended,
           CASE WHEN c.claims IS DISTINCT FROM a.claims THEN 0
                ELSE GREATEST(0, c.concurrency - (
                    SELECT count(*) FROM jobs r
                    WHERE r.state = 'running'
                      AND NOT EXISTS (SELECT 1 FROM finished f WHERE f.id = r.id)))
           END AS free
    FROM all_queues a
    LEFT JOIN counting_all c ON true
    WHERE a.concurrency IS NOT NULL
    LIMIT 1
),
turns AS MATERIALIZED (
    SELECT t.queue, t.since FROM queue_turns t
    WHERE t.asked_at > now() - interval '3 s' AND EXISTS (SELECT 1 FROM whole)
),
-- What is free for all of this worker's queues together: a place is left to each other queue that has
-- waited longer than all of these.
whole_room AS MATERIALIZED (
    SELECT GREATEST(0, w.free - (
               SELECT count(*) FROM turns t
               WHERE t.queue NOT IN (SELECT o.name FROM open_queues o)
                 AND NOT EXISTS (
                   SELECT 1 FROM turns own
                   WHERE own.queue IN (SELECT o.name FROM open_queues o)
                     AND (own.since, own.queue) < (t.since, t.queue)))) AS free
    FROM whole w
),
counted_queues AS MATERIALIZED (
    SELECT o.name, o.place, q.priority_age,
           (q.concurrency IS NOT NULL AND c.claims IS DISTINCT FROM q.claims)
               OR (q.rate_per_second IS NOT NULL AND c.name IS NULL) AS is_contended,
           CASE WHEN q.concurrency IS NULL THEN $12
                WHEN c.claims IS DISTINCT FROM q.claims THEN 0
                ELSE GREATEST(0, c.concurrency - (
                    SELECT count(*) FROM jobs r
                    WHERE r.queue = o.name AND r.state = 'running'
                      AND NOT EXISTS (SELECT 1 FROM finished f WHERE f.id = r.id)))
           END AS own_free,
           -- How many runs the rate lets start. The locked row says all of it, whatever others did.
           c.rate_per_second, c.counted_at, k.tokens,
           CASE WHEN q.rate_per_second IS NOT NULL AND c.name IS NULL THEN 0
                ELSE floor(k.tokens + 1e-9)::bigint END AS starts
    FROM open_queues o
    LEFT JOIN queues q ON q.name = o.name
    LEFT JOIN counting c ON c.name = o.name
    CROSS JOIN LATERAL (
        SELECT queue_tokens(c.rate_per_second, c.tokens, c.tokens_at, c.counted_at) AS tokens
    ) k
),
room AS MATERIALIZED (
    SELECT o.name, o.place, o.priority_age, o.own_free, o.rate_per_second, o.tokens, o.starts,
           o.is_contended OR COALESCE(w.is_contended, false) AS is_contended,
           -- A place is left to each queue that has waited longer for one.
           LEAST(o.own_free, CASE WHEN w.free IS NOT NULL THEN GREATEST(0, w.free - (
               SELECT count(*) FROM turns t
               WHERE t.queue <> o.name
                 AND (own.queue IS NULL OR (t.since, t.queue) < (own.since, own.queue)))) END
           ) AS free
    FROM counted_queues o LEFT JOIN whole w ON true
    LEFT JOIN turns own ON own.queue = o.name
),
expired AS MATERIALIZED (
    SELECT e.*, o.name AS queue
    FROM room o
    CROSS JOIN LATERAL (
        SELECT j.id, j.run_token, j.attempt, j.crash_count, j.cancel_requested_at, j.lease_owner,
               j.started_at
        FROM jobs j
        WHERE j.queue = o.name AND j.state = 'running' AND j.lease_until <= now()
          AND j.kind = ANY($10) AND j.id <> ALL($1)
          AND j.kind_version BETWEEN ($16::integer[])[array_position($10, j.kind)]
                                 AND ($17::integer[])[array_position($10, j.kind)]
        ORDER BY j.lease_until
        -- A run that is taken over is started again, as the rate counts.
        LIMIT CASE WHEN o.is_contended THEN 0 ELSE LEAST($12, o.starts) END
        FOR UPDATE SKIP LOCKED
    ) e
    LIMIT $12
),
-- Of a queue whose jobs rise as they wait. More than may be taken: another claim may hold as many.
aged AS MATERIALIZED (
    SELECT o.name AS queue, f.id, f.place, m.looked_at
    FROM room o
    CROSS JOIN LATERAL (SELECT 2 * LEAST(o.free, o.starts, $12) + 20 AS looked_at) m
    CROSS JOIN LATERAL first_by_age(o.name, o.priority_age, m.looked_at, $10, $16, $17) f
    WHERE LEAST(o.free, o.starts, $12) > 0
),
due AS MATERIALIZED (
    SELECT d.id, o.name AS queue
    -- In the order asked for, which is a random one: no queue is always first.
    FROM (SELECT * FROM room ORDER BY place) o
    CROSS JOIN LATERAL (
        SELECT LEAST($12, o.free, o.starts - (
            SELECT count(*) FROM expired e
            WHERE e.queue = o.name AND e.crash_count + 1 < $14 AND e.cancel_requested_at IS NULL)
        ) AS wanted
    ) w
    CROSS JOIN LATERAL (
        SELECT l.id
        FROM (SELECT a.id FROM aged a WHERE a.queue = o.name ORDER BY a.place) a
        CROSS JOIN LATERAL (
            SELECT j.id FROM jobs j
            WHERE j.id = a.id AND j.queue = o.name AND j.run_at <= now()
              -- Not `=`: the partial index must not be eligible, only the primary key.
              AND j.state IS NOT DISTINCT FROM 'ready'
            FOR UPDATE SKIP LOCKED
        ) l
        UNION ALL
        -- By priority, all of it; of what rises, where others hold too much of what was looked at, as
        -- an operation on many jobs may, and there is more: a queue never stands still.
        SELECT r.id FROM (
            SELECT j.id FROM jobs j
            WHERE j.queue = o.name AND j.state = 'ready' AND j.run_at <= now() AND j.kind = ANY($10)
              AND (o.priority_age IS NULL OR (
                  SELECT count(*) >= max(a.looked_at) FROM aged a WHERE a.queue = o.name))
              AND j.id <> ALL(ARRAY(SELECT a.id FROM aged a WHERE a.queue = o.name))
              -- What this worker cannot read is for those that can.
              AND j.kind_version BETWEEN ($16::integer[])[array_position($10, j.kind)]
                                     AND ($17::integer[])[array_position($10, j.kind)]
            ORDER BY j.priority DESC, j.run_at, j.id
            LIMIT w.wanted
            FOR UPDATE SKIP LOCKED
        ) r
        LIMIT w.wanted
    ) d
    -- A run that is taken over runs already, as the limit counts.
    LIMIT LEAST(GREATEST($12 - (SELECT count(*) FROM expired), 0), (SELECT w.free FROM whole_room w))
),
crashes AS (
    INSERT INTO job_attempts (job_id, run_token, attempt, worker, worker_name, started_at,
                              outcome, error_class, error)
    SELECT e.id, e.run_token, e.attempt, e.lease_owner,
           (SELECT w.name FROM workers w WHERE w.incarnation = e.lease_owner),
           COALESCE(e.started_at, now()), 'lease_expired', 'crashed_worker',
           'the lease ran out without an answer'
    FROM expired e
    ON CONFLICT DO NOTHING
),
parked AS (
    UPDATE jobs SET
        state = CASE WHEN cancel_requested_at IS NULL THEN 'dead' ELSE 'cancelled' END,
        crash_count = crash_count + 1,
        outcome_class = 'crashed_worker',
        outcome_reason = format('%s runs ended without an answer', crash_count + 1),
        finished_at = now(),
        lease_owner = NULL, lease_until = NULL, deadline_at = NULL
    WHERE id = ANY(ARRAY(
        SELECT e.id FROM expired e
        WHERE e.crash_count + 1 >= $14 OR e.cancel_requested_at IS NOT NULL))
    RETURNING id, run_token, state, kind
),
claimed AS (
    UPDATE jobs SET
        state = 'running',
        run_token = run_token + 1,
        attempt = attempt + CASE WHEN state = 'ready' THEN 1 ELSE 0 END,
        crash_count = crash_count + CASE WHEN state = 'running' THEN 1 ELSE 0 END,
        snoozes = CASE WHEN state = 'running' THEN 0 ELSE snoozes END,
        -- Not the statement's beginning: it may have waited while another claimed and gave back.
        started_at = clock_timestamp(),
        lease_owner = $7,
        deadline_at = now()
            + ($11::bigint[])[array_position($10, kind)] * interval '1 millisecond',
        -- A lease never outlives its deadline by more than the fence, whoever renews it.
        lease_until = now()
            + LEAST($13, ($11::bigint[])[array_position($10, kind)] + $15)
            * interval '1 millisecond'
    WHERE id = ANY(ARRAY(
        SELECT d.id FROM due d
        UNION ALL
        SELECT e.id FROM expired e
        WHERE e.crash_count + 1 < $14 AND e.cancel_requested_at IS NULL))
    RETURNING id, queue, run_token, state, kind, kind_version, payload, attempt, max_attempts,
              crash_count, session_id, traceparent,
              GREATEST(extract(epoch FROM now() - run_at), 0)::float8 AS waited_seconds
),
counted AS (
    UPDATE queues q SET
        claims = q.claims + c.claimed,
        -- Spent for good: a run that is given back or lost had started.
        tokens = queue_tokens(l.rate_per_second, l.tokens, l.tokens_at, l.counted_at) - c.claimed,
        tokens_at = CASE WHEN l.rate_per_second IS NOT NULL THEN l.counted_at END
    FROM counting l
    CROSS JOIN LATERAL (SELECT count(*) AS claimed FROM claimed d WHERE d.queue = l.name) c
    -- Also where the clock has gone back: no token would come before it is there again.
    WHERE q.name = l.name AND (c.claimed > 0 OR l.tokens_at > l.counted_at)
),
counted_all AS (
    UPDATE all_queues a SET claims = a.claims + c.claimed
    FROM (SELECT count(*) AS claimed FROM claimed) c
    WHERE a.concurrency IS NOT NULL AND c.claimed > 0
),
-- Under the lock of all_queues, so that no two write turns at once.
served AS (
    DELETE FROM queue_turns t
    WHERE t.queue IN (SELECT d.queue FROM due d)
      AND EXISTS (SELECT 1 FROM whole w WHERE NOT w.is_contended)
),
asked AS (
    INSERT INTO queue_turns (queue, since, asked_at)
    SELECT o.name, now(), now()
    FROM room o JOIN whole w ON NOT w.is_contended
    WHERE o.own_free > 0 AND o.starts IS DISTINCT FROM 0 AND o.free <= (SELECT count(*) FROM due)
      AND $12 > (SELECT count(*) FROM due) + (SELECT count(*) FROM expired)
      AND NOT EXISTS (SELECT 1 FROM due d WHERE d.queue = o.name)
      AND EXISTS (
        SELECT 1 FROM jobs j
        WHERE j.queue = o.name AND j.state = 'ready' AND j.run_at <= now() AND j.kind = ANY($10)
          AND j.kind_version BETWEEN ($16::integer[])[array_position($10, j.kind)]
                                 AND ($17::integer[])[array_position($10, j.kind)])
    ON CONFLICT (queue) DO UPDATE SET
        since = CASE WHEN queue_turns.asked_at > now() - interval '3 s' THEN queue_turns.since
                     ELSE EXCLUDED.since END,
        asked_at = EXCLUDED.asked_at
)
SELECT 'finished' AS "part!", id AS "id!", run_token AS "run_token!", state AS "state!",
       NULL::text AS kind, NULL::integer AS kind_version, NULL::text AS payload,
       NULL::integer AS attempt, NULL::integer AS max_attempts, NULL::integer AS crash_count,
       NULL::uuid AS session_id, NULL::text AS traceparent, NULL::float8 AS waited_seconds,
       NULL::text AS queue
FROM finished
UNION ALL
SELECT 'parked', id, run_token, state, kind, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM parked
UNION ALL
SELECT 'claimed', id, run_token, state, kind, kind_version, payload::text, attempt, max_attempts,
       crash_count, session_id, traceparent, waited_seconds, queue
FROM claimed
UNION ALL
SELECT 'contended', '00000000-0000-0000-0000-000000000000', 0, o.name, NULL, NULL, NULL, NULL,
       NULL, NULL, NULL, NULL, NULL, NULL
FROM room o
WHERE o.is_contended AND $12 > 0 AND EXISTS (
    SELECT 1 FROM jobs j WHERE j.queue = o.name AND j.state = 'ready' AND j.run_at <= now())
UNION ALL
-- In how many seconds the rate lets the next run of a queue with due jobs start.
SELECT 'held', '00000000-0000-0000-0000-000000000000', 0, o.name, NULL, NULL, NULL, NULL,
       NULL, NULL, NULL, NULL, (o.starts + 1 - o.tokens) / o.rate_per_second, NULL
FROM room o
WHERE o.rate_per_second IS NOT NULL AND NOT o.is_contended
  AND o.starts <= (SELECT count(*) FROM claimed c WHERE c.queue = o.name)
  AND EXISTS (
    SELECT 1 FROM jobs j
    WHERE j.queue = o.name AND j.state = 'ready' AND j.run_at <= now()
      AND j.id NOT IN (SELECT d.id FROM due d))
UNION ALL
-- Places that these ends made and that are left to others, who may wait for their poll.
SELECT 'left', '00000000-0000-0000-0000-000000000000', 0, '', NULL, NULL, NULL, NULL,
       NULL, NULL, NULL, NULL, NULL, NULL
FROM whole w
WHERE w.free > (SELECT count(*) FROM due) AND EXISTS (SELECT 1 FROM finished)
  AND EXISTS (SELECT 1 FROM turns t WHERE t.queue NOT IN (SELECT d.queue FROM due d))
