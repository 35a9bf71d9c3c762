-- Owner: environment-access.
CREATE TABLE terminal_outages (
    id            uuid        CONSTRAINT terminal_outages_pk PRIMARY KEY,
    session_id    uuid        NOT NULL,
    epoch         bigint      NOT NULL,
    began_at      timestamptz NOT NULL,
    ended_at      timestamptz NOT NULL,
    cause         text        NOT NULL CONSTRAINT terminal_outages_cause CHECK (cause IN ('leg_lost', 'input_frozen')),
    CONSTRAINT terminal_outages_attachment_fk FOREIGN KEY (session_id, epoch)
        REFERENCES terminal_attachments (session_id, epoch),
    CONSTRAINT terminal_outages_forward CHECK (ended_at >= began_at)
);
CREATE INDEX terminal_outages_session ON terminal_outages (session_id, began_at);
COMMENT ON TABLE terminal_outages IS 'Times in which an attached terminal did not work although the browser was there.';
