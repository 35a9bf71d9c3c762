-- Owner: session-recording.
-- Recordings go whole, a few hundredths of a percent of all at a time: by default nothing is made free for reuse
-- before a fifth is dead, which is a fifth of the largest table of all. Its end is not cut off, during which
-- nobody could ship: the space is wanted again tomorrow.
ALTER TABLE recording_segments SET (
    autovacuum_vacuum_scale_factor = 0.01, toast.autovacuum_vacuum_scale_factor = 0.01,
    vacuum_truncate = off, toast.vacuum_truncate = off
);
