-- Owner: session-lifecycle.
-- What session_transitions_pseudonymise still has to do, oldest first.
CREATE INDEX session_transitions_named ON session_transitions (at)
    WHERE actor LIKE 'candidate:%' AND NOT is_pseudonym(substr(actor, 11));
