-- Owner: execution-environment.
CREATE TABLE execution_environments (
    id           uuid        CONSTRAINT execution_environments_pk PRIMARY KEY,
    session_id   uuid        NOT NULL CONSTRAINT execution_environments_one_per_session UNIQUE
                             CONSTRAINT execution_environments_session_fk REFERENCES exam_sessions (id),
    state        text        NOT NULL DEFAULT 'absent'
                 CONSTRAINT execution_environments_state CHECK (state IN ('absent', 'creating', 'up', 'destroying', 'gone')),
    version      bigint      NOT NULL DEFAULT 1,
    attempt      integer     NOT NULL DEFAULT 0,
    runtime      text        CONSTRAINT execution_environments_runtime CHECK (runtime IN ('engine', 'kubernetes')),
    runtime_name text,
    runtime_uid  text,
    spec         jsonb,
    evidence     jsonb,
    last_signal  jsonb,
    snapshot     jsonb,
    created_at   timestamptz NOT NULL DEFAULT now(),
    creating_at  timestamptz,
    created_in_runtime_at timestamptz,
    up_at        timestamptz,
    destroying_at timestamptz,
    gone_at      timestamptz,
    CONSTRAINT execution_environments_gone_is_stamped CHECK ((state = 'gone') = (gone_at IS NOT NULL))
) WITH (fillfactor = 80);
COMMENT ON TABLE execution_environments IS 'Exactly one environment per session, never reused. Its state tracks what is confirmed to exist.';
COMMENT ON COLUMN execution_environments.attempt IS 'Grows before each creation; the runtime name derives from session and attempt.';
COMMENT ON COLUMN execution_environments.last_signal IS 'The last thing that kept it from being ready; what a missed deadline is blamed on.';
COMMENT ON COLUMN execution_environments.evidence IS 'What `keeper verify` found inside, beside what was declared.';
COMMENT ON COLUMN execution_environments.snapshot IS 'Status and log tail taken before the environment was destroyed.';

-- Capacity counts what is not confirmed gone; the orphan sweep looks for it.
CREATE INDEX execution_environments_not_gone ON execution_environments (state) WHERE state NOT IN ('absent', 'gone');

CREATE FUNCTION guard_execution_environment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'execution environment % cannot be deleted', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF (NEW.id, NEW.session_id) IS DISTINCT FROM (OLD.id, OLD.session_id) THEN
        RAISE EXCEPTION 'identity of execution environment % cannot change', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state = 'gone' THEN
        RAISE EXCEPTION 'execution environment % is gone and never comes back', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state <> OLD.state AND NOT (CASE OLD.state
            WHEN 'absent'     THEN NEW.state IN ('creating', 'gone')
            WHEN 'creating'   THEN NEW.state IN ('up', 'destroying')
            WHEN 'up'         THEN NEW.state = 'destroying'
            WHEN 'destroying' THEN NEW.state = 'gone'
            ELSE false END) THEN
        RAISE EXCEPTION 'illegal change of execution environment %: % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.attempt < OLD.attempt OR NEW.version <> OLD.version + 1 THEN
        RAISE EXCEPTION 'attempt and version of execution environment % only grow', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER execution_environments_guard BEFORE UPDATE OR DELETE ON execution_environments
    FOR EACH ROW EXECUTE FUNCTION guard_execution_environment();

CREATE FUNCTION hint_environment_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('carrel_sessions', NEW.session_id::text);
    RETURN NULL;
END $$;
CREATE TRIGGER execution_environments_hint AFTER UPDATE OF state, attempt ON execution_environments
    FOR EACH ROW EXECUTE FUNCTION hint_environment_change();

CREATE TABLE orphan_sightings (
    runtime     text        NOT NULL,
    runtime_uid text        NOT NULL,
    first_seen  timestamptz NOT NULL DEFAULT now(),
    last_seen   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT orphan_sightings_pk PRIMARY KEY (runtime, runtime_uid)
);
COMMENT ON TABLE orphan_sightings IS 'Environments of ours without a row. One sighting proves nothing; the second, a period later, allows deletion.';
