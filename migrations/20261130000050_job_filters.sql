-- Owner: job-queue.

-- A function of its own: a command line that knows more filters than the schema must fail, where
-- job_matches would leave out what it does not know and match more jobs than were meant.
CREATE FUNCTION job_matches_filter(job jobs, wanted jsonb) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT job_matches(job, wanted)
       AND (wanted ->> 'workers' IS NULL OR (wanted -> 'workers') ? job.lease_owner::text)
       AND (wanted ->> 'attempts_from' IS NULL OR job.attempt >= (wanted ->> 'attempts_from')::integer)
       AND (wanted ->> 'attempts_to' IS NULL OR job.attempt <= (wanted ->> 'attempts_to')::integer)
       AND (wanted ->> 'payload' IS NULL OR job.payload @> (wanted -> 'payload'))
$$;
COMMENT ON FUNCTION job_matches_filter IS 'Whether a job is one of those that an operator means: the one predicate of every list, count, preview and operation. Its plain expression takes the place of the call, so that indexes serve it.';
