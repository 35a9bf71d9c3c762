-- Owner: session-lifecycle.
-- What is looked for among all sessions that ever were: those of an exam, newest first; the one whose
-- reference a candidate reads aloud; and keys of requests that nobody repeats any more.
CREATE INDEX exam_sessions_exam ON exam_sessions (exam_name, id);
CREATE INDEX exam_sessions_reference ON exam_sessions
    ((('x' || right(id::text, 8))::bit(32)::bigint & ((1 << 30) - 1)), id);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
