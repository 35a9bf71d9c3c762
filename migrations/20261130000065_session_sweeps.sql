-- Owner: session-lifecycle.
-- The no-show sweep reads sessions that wait for their candidate, the longest first.
CREATE INDEX exam_sessions_ready ON exam_sessions (ready_at) WHERE state = 'ready';
-- What exam_sessions_pseudonymise still has to do, oldest first.
CREATE INDEX exam_sessions_named ON exam_sessions (ended_at) WHERE ended_at IS NOT NULL AND NOT is_pseudonym(user_id);
