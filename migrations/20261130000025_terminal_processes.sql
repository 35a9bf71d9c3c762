-- Owner: environment-access.
CREATE TABLE terminal_processes (
    id            uuid        NOT NULL,
    started_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT terminal_processes_pk PRIMARY KEY (id, started_at),
    CONSTRAINT terminal_processes_forward CHECK (seen_at >= started_at)
);
COMMENT ON TABLE terminal_processes IS 'When each terminal process lived and reached this database, one row a stretch: where none did, nobody could attach.';
