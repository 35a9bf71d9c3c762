-- Owner: job-queue.
-- History is dropped by the day instead of deleted by the row.
ALTER TABLE job_attempts RENAME TO job_attempts_unparted;
ALTER TABLE job_attempts_unparted RENAME CONSTRAINT job_attempts_pk TO job_attempts_unparted_pk;

CREATE TABLE job_attempts (
    job_id      uuid        NOT NULL,
    run_token   bigint      NOT NULL,
    attempt     integer     NOT NULL,
    worker      uuid        NOT NULL,
    worker_name text,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    outcome     text        NOT NULL CONSTRAINT job_attempts_outcome
                CHECK (outcome IN ('done', 'retry', 'snooze', 'dead', 'cancelled', 'released', 'lease_expired', 'killed', 'evicted')),
    error_class text,
    error       text,
    CONSTRAINT job_attempts_pk PRIMARY KEY (job_id, run_token, finished_at)
) PARTITION BY RANGE (finished_at);
COMMENT ON TABLE job_attempts IS 'History: how each run of each job ended, one partition a day (UTC). Of snoozes that follow each other the first only; jobs.snoozes counts them.';
-- What ends while nobody has made the day's partition is kept all the same.
CREATE TABLE job_attempts_default PARTITION OF job_attempts DEFAULT;
-- Rates and mean times look at the last minutes; a BRIN index costs inserts next to nothing.
CREATE INDEX job_attempts_by_time ON job_attempts USING brin (finished_at) WITH (pages_per_range = 16, autosummarize = on);

-- Who calls these owns the table. A reader that holds it makes them give up soon, instead of having
-- every finishing run wait behind them.
CREATE FUNCTION job_attempts_add_days(ahead integer) RETURNS integer
LANGUAGE plpgsql SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
    day   date;
    name  text;
    added integer := 0;
BEGIN
    FOR day IN SELECT generate_series(current_date, current_date + ahead, '1 day')::date LOOP
        name := 'job_attempts_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        -- Such a day stays in the default partition: making its own would be refused.
        CONTINUE WHEN EXISTS (
            SELECT 1 FROM job_attempts_default d WHERE d.finished_at >= day AND d.finished_at < day + 1);
        -- Made apart and then attached: only the default partition is locked, and it is empty or small.
        EXECUTE format('CREATE TABLE %I (LIKE job_attempts INCLUDING ALL)', name);
        EXECUTE format('ALTER TABLE job_attempts ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                       name, day, day + 1);
        added := added + 1;
    END LOOP;
    RETURN added;
END $$;
COMMENT ON FUNCTION job_attempts_add_days IS 'Makes the partitions of today and the days ahead that are missing; returns how many.';

CREATE FUNCTION job_attempts_drop_days(older_than interval) RETURNS integer
LANGUAGE plpgsql SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
    old     regclass;
    dropped integer := 0;
BEGIN
    FOR old IN
        SELECT c.oid::regclass
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'job_attempts'::regclass
          -- The default partition has no end.
          -- In a CASE, so that no bound of anybody else's partitions is read as a time.
          AND CASE WHEN i.inhparent = 'job_attempts'::regclass
                   THEN substring(pg_get_expr(c.relpartbound, c.oid) FROM $re$TO \('([^']+)'\)$re$)::timestamptz
              END <= now() - GREATEST(older_than, '1 day')
    LOOP
        EXECUTE format('DROP TABLE %s', old);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM job_attempts_default WHERE ctid = ANY(ARRAY(
        SELECT d.ctid FROM job_attempts_default d
        WHERE d.finished_at < now() - GREATEST(older_than, '1 day') LIMIT 10000));
    RETURN dropped;
END $$;
COMMENT ON FUNCTION job_attempts_drop_days IS 'Drops the partitions that ended longer ago than this, a day at least, and some of such rows of the default one; returns how many partitions.';

-- What there was before today has one partition, dropped when all of it is old.
DO $$
BEGIN
    EXECUTE format('CREATE TABLE job_attempts_before PARTITION OF job_attempts FOR VALUES FROM (MINVALUE) TO (%L)',
                   (now() AT TIME ZONE 'UTC')::date || ' 00:00+00');
END $$;
SELECT job_attempts_add_days(7);
INSERT INTO job_attempts SELECT * FROM job_attempts_unparted;
DROP TABLE job_attempts_unparted;
