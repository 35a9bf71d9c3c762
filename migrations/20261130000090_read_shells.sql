-- Owner: environment-access.
-- A shell that must be on record is read by one terminal process, by a lease; what nobody reads is read by whoever claims it.
-- Rows that are there have none of it, and are not looked at while others read and write them.
ALTER TABLE terminals
    ADD COLUMN read_epoch     bigint,
    ADD COLUMN reader_id      uuid,
    ADD COLUMN reader_until   timestamptz,
    ADD COLUMN shell_epoch    bigint  NOT NULL DEFAULT 0,
    ADD COLUMN screen_columns integer NOT NULL DEFAULT 80,
    ADD COLUMN screen_rows    integer NOT NULL DEFAULT 24,
    ADD CONSTRAINT terminals_reader CHECK ((read_epoch IS NULL) = (reader_until IS NULL)
                                           AND (read_epoch IS NOT NULL OR reader_id IS NULL)) NOT VALID;
COMMENT ON COLUMN terminals.read_epoch IS 'The attach at which its shell has to be read for the record; NULL: it need not be. Beside a newer epoch it is nobody''s: that attach was a process''s of the release before.';
COMMENT ON COLUMN terminals.reader_id IS 'The terminal process that reads it; NULL: none does.';
COMMENT ON COLUMN terminals.reader_until IS 'Until when that process has it, unless it says so again; without a process, from when another may.';
COMMENT ON COLUMN terminals.shell_epoch IS 'Which shell its reader last had; 0 before the first answered.';
COMMENT ON COLUMN terminals.screen_columns IS 'The size that shell was last told, so that whoever reads on changes nothing of it.';
-- A beat moves neither column, and so needs no new entry here.
CREATE INDEX terminals_read ON terminals (session_id) WHERE read_epoch IS NOT NULL;
