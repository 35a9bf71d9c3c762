//! A session's next deadline, and what happens at it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use session_lifecycle::{EndingKind, SessionRecord, SessionState};

/// Names a deadline of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadlineKind {
    /// `ready_by`: past it the session fails, blamed on the last signal.
    Startup,
    /// `ends_at`: past it the exam is over.
    End,
    /// `absolute_end`: past it the exam is over, extended or not.
    AbsoluteEnd,
}

/// Says when the next thing happens to a session by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Deadline {
    /// Which deadline.
    pub kind: DeadlineKind,
    /// When.
    pub at: DateTime<Utc>,
}

/// Says what a sweep would do with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It has ended; nothing happens any more.
    Final,
    /// Its next deadline lies ahead.
    Wait {
        /// That deadline.
        next: Deadline,
    },
    /// Its time is over: terminate it.
    Expire {
        /// The deadline that passed.
        passed: Deadline,
        /// How it ends.
        ending: EndingKind,
    },
    /// It did not become ready in time: fail it for what last kept it.
    StartupMissed {
        /// The deadline that passed.
        passed: Deadline,
    },
}

/// Returns the earliest deadline of a session; `None` once it has ended.
pub fn next_deadline(session: &SessionRecord) -> Option<Deadline> {
    if session.state.is_terminal() {
        return None;
    }
    let preparing = matches!(
        session.state,
        SessionState::Created | SessionState::Initializing
    );
    [
        // The end comes first: of two deadlines at one moment the end of the exam is the truer word.
        session.ends_at.map(|at| Deadline {
            kind: DeadlineKind::End,
            at,
        }),
        Some(Deadline {
            kind: DeadlineKind::AbsoluteEnd,
            at: session.absolute_end,
        }),
        preparing.then_some(Deadline {
            kind: DeadlineKind::Startup,
            at: session.ready_by,
        }),
    ]
    .into_iter()
    .flatten()
    .min_by_key(|deadline| deadline.at)
}

/// Says how a session ends whose time is over: one that nobody ever attached to was not used.
pub fn ending_kind(session: &SessionRecord) -> EndingKind {
    if session.state == SessionState::Ready {
        EndingKind::NoShow
    } else {
        EndingKind::TimeExpired
    }
}

/// Judges a session at `now`, the database's clock.
///
/// The end of the exam outranks a missed startup, however long ago each passed: an exam whose time
/// is over did not fail.
pub fn judge(session: &SessionRecord, now: DateTime<Utc>) -> Verdict {
    let Some(next) = next_deadline(session) else {
        return Verdict::Final;
    };
    let end = Deadline {
        kind: if session
            .ends_at
            .is_some_and(|end| end <= session.absolute_end)
        {
            DeadlineKind::End
        } else {
            DeadlineKind::AbsoluteEnd
        },
        at: session
            .ends_at
            .map_or(session.absolute_end, |end| end.min(session.absolute_end)),
    };
    if end.at <= now {
        Verdict::Expire {
            passed: end,
            ending: ending_kind(session),
        }
    } else if next.at <= now {
        Verdict::StartupMissed { passed: next }
    } else {
        Verdict::Wait { next }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;
    use session_identity::{ExamSessionId, ExecutionEnvironmentId, UserId};

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn session(
        state: SessionState,
        ready_by: i64,
        ends_at: Option<i64>,
        cap: i64,
    ) -> SessionRecord {
        SessionRecord {
            id: ExamSessionId::generate(),
            user_id: UserId::parse("u-1").unwrap(),
            environment_id: ExecutionEnvironmentId::generate(),
            exam_name: "linux".to_owned(),
            exam_version: 1,
            state,
            version: 1,
            created_at: at(0),
            initializing_at: None,
            ready_at: None,
            running_at: None,
            ended_at: None,
            ready_by: at(ready_by),
            duration: None,
            ends_at: ends_at.map(at),
            absolute_end: at(cap),
            ending: None,
            ending_actor: None,
            failure: None,
        }
    }

    #[test]
    fn each_live_state_waits_for_its_own_deadline() {
        use SessionState::{Created, Failed, Initializing, Ready, Running, Terminated};
        let kind = |state, ends_at| {
            next_deadline(&session(state, 60, ends_at, 1000)).map(|next| next.kind)
        };
        assert_eq!(kind(Created, None), Some(DeadlineKind::Startup));
        assert_eq!(kind(Initializing, Some(30)), Some(DeadlineKind::End));
        assert_eq!(kind(Ready, None), Some(DeadlineKind::AbsoluteEnd));
        assert_eq!(kind(Running, Some(900)), Some(DeadlineKind::End));
        assert_eq!(kind(Terminated, Some(900)), None);
        assert_eq!(kind(Failed, None), None);
    }

    #[test]
    fn a_deadline_has_passed_at_its_very_moment() {
        let running = session(SessionState::Running, 60, Some(900), 1000);
        assert!(matches!(judge(&running, at(899)), Verdict::Wait { .. }));
        assert!(matches!(
            judge(&running, at(900)),
            Verdict::Expire {
                ending: EndingKind::TimeExpired,
                ..
            }
        ));
    }

    #[test]
    fn an_exam_nobody_attached_to_is_a_no_show() {
        let ready = session(SessionState::Ready, 60, None, 1000);
        let Verdict::Expire { passed, ending } = judge(&ready, at(1000)) else {
            panic!()
        };
        assert_eq!(
            (passed.kind, ending),
            (DeadlineKind::AbsoluteEnd, EndingKind::NoShow)
        );
    }

    proptest! {
        /// Whatever the deadlines: one verdict, which only ever moves forward with time, and none
        /// of a terminal session.
        #[test]
        fn verdicts_only_move_forward(
            state in prop::sample::select(&SessionState::ALL[..]),
            ready_by in 0i64..500, ends_at in prop::option::of(0i64..500), cap in 0i64..500,
            now in 0i64..600, later in 0i64..600,
        ) {
            let session = session(state, ready_by, ends_at, cap);
            let rank = |verdict| match verdict {
                Verdict::Wait { .. } => 0,
                Verdict::StartupMissed { .. } => 1,
                Verdict::Expire { .. } => 2,
                Verdict::Final => 3,
            };
            let first = judge(&session, at(now));
            let second = judge(&session, at(now + later));
            prop_assert!(rank(first) <= rank(second));
            prop_assert_eq!(first == Verdict::Final, state.is_terminal());
            match first {
                Verdict::Wait { next } => prop_assert!(next.at > at(now)),
                Verdict::Expire { passed, .. } | Verdict::StartupMissed { passed } => {
                    prop_assert!(passed.at <= at(now));
                }
                Verdict::Final => {}
            }
            if let Verdict::StartupMissed { .. } = first {
                prop_assert!(matches!(state, SessionState::Created | SessionState::Initializing));
            }
        }
    }
}
