-- Owner: job-queue.
CREATE FUNCTION worker_reads(worker workers, queue text, kind text, version integer) RETURNS boolean
    LANGUAGE sql IMMUTABLE AS $$
    SELECT queue = ANY (worker.queues) AND kind = ANY (worker.kinds)
       -- A build from before the ranges says nothing of them, and may read it.
       AND (worker.oldest_versions = '{}'
            OR version BETWEEN worker.oldest_versions[array_position(worker.kinds, kind)]
                           AND worker.newest_versions[array_position(worker.kinds, kind)])
$$;
COMMENT ON FUNCTION worker_reads IS 'Whether a worker serves the queue and can read jobs of this kind and version, whatever it does at the moment: the one answer for why a job waits, for what nobody reads and for what is given up.';
