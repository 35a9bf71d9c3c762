-- Owner: job-queue.
-- A pause ends by itself, and what must never pause says so with every tick.
ALTER TABLE schedules
    ADD COLUMN disabled_until timestamptz,
    ADD COLUMN disabled_reason text,
    ADD COLUMN is_pausable boolean NOT NULL DEFAULT true;

UPDATE schedules SET is_pausable = false WHERE name IN ('sweep_expired', 'sweep_teardowns');
