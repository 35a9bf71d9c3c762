-- Owner: session-lifecycle.
-- What people did, newest first. What Carrel did by itself is most of a session's history and none of
-- it is looked for, so that index holds only the rest.
CREATE INDEX session_transitions_signed ON session_transitions (at, id) WHERE actor NOT LIKE 'system:%';
CREATE INDEX session_extensions_by_time ON session_extensions (at, id);
