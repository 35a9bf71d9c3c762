-- A removed kind, or a version from before a rollback: nobody claims it, and its key stays taken.
WITH served AS MATERIALIZED (
    SELECT DISTINCT unnest(w.queues) AS queue
    FROM workers w
    WHERE w.stopped_at IS NULL AND w.seen_at > now() - make_interval(secs => $3)
),
unhandled AS MATERIALIZED (
    -- Each half names one state, as its partial index does.
    SELECT j.id, j.queue, j.kind, j.kind_version
    FROM jobs j
    WHERE j.state = 'ready' AND j.run_at <= now() - $1::bigint * interval '1 millisecond'
    UNION ALL
    SELECT j.id, j.queue, j.kind, j.kind_version
    FROM jobs j
    WHERE j.state = 'running' AND j.lease_until <= now() - $1::bigint * interval '1 millisecond'
),
unread AS MATERIALIZED (
    -- Workers are asked once a kind, however many jobs wait.
    SELECT d.queue, d.kind, d.kind_version
    FROM (SELECT DISTINCT u.queue, u.kind, u.kind_version FROM unhandled u) d
    WHERE NOT EXISTS (
        -- Whoever was seen since the job fell due counts, also if stopped: it may be about to return.
        SELECT 1 FROM workers w
        WHERE w.seen_at > now() - GREATEST($1::bigint * interval '1 millisecond', make_interval(secs => $3))
          AND worker_reads(w, d.queue, d.kind, d.kind_version))
),
locked AS MATERIALIZED (
    -- Looked at again under the lock: it may have been claimed or moved meanwhile.
    SELECT j.id, j.state, j.run_token
    FROM jobs j
    JOIN unhandled u ON u.id = j.id AND u.queue = j.queue
    JOIN unread n ON (n.queue, n.kind, n.kind_version) = (j.queue, j.kind, j.kind_version)
    WHERE j.state IN ('ready', 'running')
      AND CASE j.state WHEN 'ready' THEN j.run_at ELSE j.lease_until END
          <= now() - $1::bigint * interval '1 millisecond'
      AND j.queue IN (SELECT s.queue FROM served s)
    LIMIT $2
    FOR UPDATE OF j SKIP LOCKED
),
parked AS (
    UPDATE jobs j SET
        state = CASE WHEN j.cancel_requested_at IS NULL THEN 'dead' ELSE 'cancelled' END,
        outcome_class = 'no_handler',
        outcome_reason = format('no worker reads %s of version %s from %s', j.kind, j.kind_version, j.queue),
        finished_at = clock_timestamp(),
        lease_owner = NULL, lease_until = NULL, deadline_at = NULL
    FROM locked l
    WHERE j.id = l.id
    RETURNING j.id, j.kind, j.kind_version, j.outcome_reason, l.state AS was
),
noted AS (
    INSERT INTO job_actions (job_id, verb, actor, reason, detail)
    SELECT p.id, 'job.park', 'system:sweep', p.outcome_reason,
           jsonb_build_object('from', p.was, 'kind', p.kind, 'kind_version', p.kind_version)
    FROM parked p
)
SELECT count(*) AS "parked!" FROM parked
