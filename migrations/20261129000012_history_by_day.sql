-- Owner: job-queue.
-- History is dropped by the day instead of deleted by the row.
ALTER TABLE job_attempts RENAME TO job_attempts_before;
ALTER TABLE job_attempts_before RENAME CONSTRAINT job_attempts_pk TO job_attempts_before_pk;

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

ALTER TABLE jobs ADD COLUMN snoozes integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN jobs.snoozes IS 'How often in a row its runs said that it was too early.';

-- Definer's rights: whoever may write history may keep its partitions, without owning the table. A
-- reader that holds one makes them give up soon instead of having every finishing run wait behind it.
CREATE FUNCTION job_attempts_add_days(ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
    day   date;
    added integer := 0;
BEGIN
    FOR day IN SELECT generate_series(current_date, current_date + ahead, '1 day')::date LOOP
        CONTINUE WHEN to_regclass('job_attempts_' || to_char(day, 'YYYYMMDD')) IS NOT NULL;
        -- Such a day stays in the default partition: making its own would be refused.
        CONTINUE WHEN EXISTS (
            SELECT 1 FROM job_attempts_default d WHERE d.finished_at >= day AND d.finished_at < day + 1);
        EXECUTE format('CREATE TABLE %I PARTITION OF job_attempts FOR VALUES FROM (%L) TO (%L)',
                       'job_attempts_' || to_char(day, 'YYYYMMDD'), day, day + 1);
        added := added + 1;
    END LOOP;
    RETURN added;
END $$;
COMMENT ON FUNCTION job_attempts_add_days IS 'Makes the partitions of today and the days ahead that are missing; returns how many.';

CREATE FUNCTION job_attempts_drop_days(older_than interval) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
    day     record;
    dropped integer := 0;
BEGIN
    FOR day IN
        SELECT c.oid::regclass AS partition
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'job_attempts'::regclass AND c.relname ~ '^job_attempts_\d{8}$'
          AND to_date(right(c.relname, 8), 'YYYYMMDD') + 1 <= now() - older_than
    LOOP
        EXECUTE format('DROP TABLE %s', day.partition);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM job_attempts_default WHERE finished_at < now() - older_than;
    RETURN dropped;
END $$;
COMMENT ON FUNCTION job_attempts_drop_days IS 'Drops the partitions of days that ended longer ago than this; returns how many.';

SELECT job_attempts_add_days(7);
INSERT INTO job_attempts SELECT * FROM job_attempts_before;
DROP TABLE job_attempts_before;
