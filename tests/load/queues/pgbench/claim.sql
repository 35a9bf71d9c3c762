-- Zero where nothing was ready, since a client that finds no row would end with an error.
WITH claimed AS (
    UPDATE jobs SET state = 'running'
    WHERE id = (
        SELECT id FROM jobs WHERE state = 'ready' ORDER BY run_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id
)
SELECT coalesce((SELECT id FROM claimed), 0) AS id \gset
UPDATE jobs SET state = 'done' WHERE id = :id;
