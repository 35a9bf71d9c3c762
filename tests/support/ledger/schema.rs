//! The tables beside the queue's own.

use sqlx::PgPool;

/// The ledger of effects, and a diary of what every job went through, kept by triggers so that
/// nothing between two looks is missed. Heartbeats change no state and are not in it.
const SCHEMA: &str = "
CREATE SCHEMA durability;
CREATE TABLE durability.ledger (
    seq       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id    uuid        NOT NULL,
    run_token bigint      NOT NULL,
    effect    text        NOT NULL,
    is_gated  boolean     NOT NULL,
    at        timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX ledger_gate ON durability.ledger (effect) WHERE is_gated;
CREATE TABLE durability.changes (
    seq            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id         uuid   NOT NULL,
    key            text,
    was            text,
    token_was      bigint,
    became         text   NOT NULL,
    token_became   bigint NOT NULL,
    -- By the clock of the transaction, as the claim reads it.
    lease_was_over boolean,
    -- How far the lease that it had reached beyond the deadline.
    lease_beyond_deadline interval
);
CREATE TABLE durability.ticks (
    at       timestamptz NOT NULL,
    worker   uuid        NOT NULL,
    -- When it was due, where an operator asked for one that was missed.
    owed_for timestamptz
);
CREATE FUNCTION durability.note_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO durability.changes (job_id, key, became, token_became)
    VALUES (NEW.id, NEW.idempotency_key, NEW.state, NEW.run_token);
    RETURN NULL;
END $$;
CREATE FUNCTION durability.note_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO durability.changes
        (job_id, key, was, token_was, became, token_became, lease_was_over, lease_beyond_deadline)
    VALUES (NEW.id, NEW.idempotency_key, OLD.state, OLD.run_token, NEW.state, NEW.run_token,
            OLD.lease_until <= now(), OLD.lease_until - OLD.deadline_at);
    RETURN NULL;
END $$;
CREATE TRIGGER durability_insert AFTER INSERT ON jobs
    FOR EACH ROW EXECUTE FUNCTION durability.note_insert();
CREATE TRIGGER durability_update AFTER UPDATE ON jobs
    FOR EACH ROW WHEN (OLD.state <> NEW.state OR OLD.run_token <> NEW.run_token)
    EXECUTE FUNCTION durability.note_update();
";

/// Makes the ledger and the diary in a migrated database.
pub async fn create_ledger(pool: &PgPool) {
    let made = sqlx::raw_sql(SCHEMA).execute(pool).await;
    made.expect("the ledger is made");
}
