//! What each sweep finds, how it comes about, and how often a sweep has settled it.

use std::time::Duration;

use environment_access::{attachments, open_attachment, take_epoch};
use execution_environment::{EnvironmentSpec, Observation, RuntimeName};
use job_queue::Job as _;
use orchestrator::{DestroyEnvironment, Sweep};
use session_identity::{ExamSessionId, LoginId, TerminalProcessId};
use sqlx::PgPool;
use system_tests::{crew, exams};

use crate::each_word::OFTEN;
use crate::prepared::{bring, change, end, holds, jobs, ready, ready_on_nothing, spec};
use crate::scene::Scene;

const TEARDOWN: &str = DestroyEnvironment::KIND;
const OVER: &str =
    "UPDATE exam_sessions SET ends_at = now() - interval '1 s', version = version + 1
    WHERE id = $id";
const NOBODY_CAME: &str = "UPDATE exam_sessions
    SET ready_at = now() - interval '2 min', version = version + 1 WHERE id = $id";
const SILENT: &str = "UPDATE terminal_attachments
    SET attached_at = now() - interval '2 min', opened_at = now() - interval '2 min',
        seen_at = now() - interval '1 min'
    WHERE session_id = $id";
/// The past cannot be written otherwise: the tables hold what was recorded when.
const LONG_AGO: &str = "BEGIN;
    SET LOCAL session_replication_role = replica;
    UPDATE exam_sessions SET ended_at = now() - interval '500 days' WHERE id = $id;
    INSERT INTO session_recordings (session_id, policy, closed_at, final_hash)
        VALUES ($id, 'fail_open', now() - interval '500 days', sha256(''));
    INSERT INTO idempotency_keys (principal, key, request_hash, session_id, created_at)
        VALUES ('p', $id, '', $id, now() - interval '500 days');
    INSERT INTO access_log (at, session_id, user_id, role, action, allowed)
        VALUES (now() - interval '500 days', $id, 'u', 'candidate', 'read', true);
    COMMIT";
const IS_REMOVED: &str = "SELECT NOT EXISTS (SELECT FROM session_recordings WHERE session_id = $id)
    AND NOT EXISTS (SELECT FROM idempotency_keys WHERE session_id = $id)
    AND NOT EXISTS (SELECT FROM access_log WHERE session_id = $id)
    AND is_pseudonym(user_id) FROM exam_sessions WHERE id = $id";

/// Something that a sweep settles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finding {
    /// A session whose time is over.
    Due,
    /// One that did not become ready in time.
    Late,
    /// One to which nobody came.
    NoShow,
    /// One that has ended and whose environment no job destroys.
    LeftBehind,
    /// One whose environment is not there any more.
    Vanished,
    /// One whose environment has ended by itself.
    Stopped,
    /// An environment that no row accounts for.
    Orphan,
    /// An environment in whose place there is a later one.
    StaleAttempt,
    /// An attach of which nothing is heard.
    Silent,
    /// Records and a name that are kept no longer.
    Old,
}

impl Finding {
    /// Everything that a sweep finds: a new sweep has something here, or this does not compile.
    pub(crate) const fn of(sweep: Sweep) -> &'static [Self] {
        match sweep {
            Sweep::Expired => &[Self::Due],
            Sweep::Stuck => &[Self::Late, Self::NoShow],
            Sweep::Teardowns => &[Self::LeftBehind],
            Sweep::Runtime => &[
                Self::Vanished,
                Self::Stopped,
                Self::Orphan,
                Self::StaleAttempt,
            ],
            Sweep::Attachments => &[Self::Silent],
            Sweep::History => &[Self::Old],
        }
    }

    /// How many passes settle it: an orphan is deleted when it is seen again.
    pub(crate) const fn passes(self) -> usize {
        match self {
            Self::Orphan => 2,
            Self::Due
            | Self::Late
            | Self::NoShow
            | Self::LeftBehind
            | Self::Vanished
            | Self::Stopped
            | Self::StaleAttempt
            | Self::Silent
            | Self::Old => 1,
        }
    }

    /// How many calls to the runtime settle it: a list, and a look or a deletion.
    pub(crate) const fn calls(self) -> usize {
        match self {
            Self::Vanished | Self::Stopped | Self::StaleAttempt => 2,
            Self::Orphan => 3,
            Self::Due | Self::Late | Self::NoShow | Self::LeftBehind | Self::Silent | Self::Old => {
                0
            }
        }
    }

    /// At every so many words it is struck in a brief run: an environment takes its time, and there is
    /// much that may be old.
    pub(crate) const fn step(self) -> usize {
        match self {
            Self::Stopped | Self::Orphan | Self::StaleAttempt | Self::Old => 7,
            Self::Due
            | Self::Late
            | Self::NoShow
            | Self::LeftBehind
            | Self::Vanished
            | Self::Silent => OFTEN,
        }
    }

    /// Makes what all of its kind need, once.
    pub(crate) async fn set(self, pool: &PgPool) {
        if self == Self::NoShow {
            let impatient = exams::changed(exams::SAMPLE, |exam| {
                exam.no_show_after_seconds = Some(60);
            });
            exams::apply(pool, &impatient).await;
        }
    }

    /// Makes it of a session that was just requested.
    pub(crate) async fn make(self, scene: &Scene, session: ExamSessionId) {
        let pool = scene.pool();
        match self {
            Self::Due => change(pool, session, OVER).await,
            Self::Late => crew::end_budget(pool, session).await,
            Self::NoShow => {
                ready_on_nothing(pool, session).await;
                change(pool, session, NOBODY_CAME).await;
            }
            Self::LeftBehind => {
                ready_on_nothing(pool, session).await;
                bring(pool, session, &[end()]).await;
            }
            Self::Vanished => ready_on_nothing(pool, session).await,
            Self::Stopped => {
                let uid = ready(scene, session).await;
                scene.engine().kill(uid.as_str()).await;
            }
            Self::Orphan => leak(scene, session).await,
            Self::StaleAttempt => replace(scene, session).await,
            Self::Silent => attach(pool, session).await,
            Self::Old => {
                bring(pool, session, &[end()]).await;
                change(pool, session, LONG_AGO).await;
            }
        }
    }

    /// How often it was settled; what must come with it has come.
    pub(crate) async fn settled(self, scene: &Scene, session: ExamSessionId) -> usize {
        let pool = scene.pool();
        match self {
            Self::Due | Self::NoShow => endings(scene, session, "terminated").await,
            // Nobody had begun with it.
            Self::Late => failures(scene, session, "infra.job_exhausted").await,
            Self::LeftBehind => jobs(pool, session, TEARDOWN).await,
            Self::Vanished => failures(scene, session, "infra.pod_vanished").await,
            Self::Stopped => failures(scene, session, "runtime.exited").await,
            Self::Orphan => usize::from(scene.environments().await.is_empty()),
            Self::StaleAttempt => {
                let stale = RuntimeName::for_attempt(session, 1);
                let seen = scene.real().observe(&stale).await.unwrap();
                usize::from(seen == Observation::Absent)
            }
            Self::Silent => closed(pool, session).await,
            Self::Old => usize::from(holds(pool, session, IS_REMOVED).await),
        }
    }
}

/// Makes an environment for a session of which no row tells.
async fn leak(scene: &Scene, like: ExamSessionId) {
    let nobodys = EnvironmentSpec {
        session_id: ExamSessionId::generate(),
        ..spec(scene.pool(), like, 1).await
    };
    scene.real().create(&nobodys).await.unwrap();
}

/// Lets a second attempt have taken the place of the first, which is still there.
async fn replace(scene: &Scene, session: ExamSessionId) {
    let pool = scene.pool();
    ready(scene, session).await;
    let later = spec(pool, session, 2).await;
    let later = scene.real().create(&later).await.unwrap();
    let replaced = format!(
        "UPDATE execution_environments SET attempt = 2, runtime_name = '{}', runtime_uid = '{}',
             version = version + 1
         WHERE session_id = $id",
        later.name, later.uid
    );
    change(pool, session, &replaced).await;
}

/// Lets a terminal have been attached of which nothing has been heard for a minute.
async fn attach(pool: &PgPool, session: ExamSessionId) {
    let mut conn = pool.acquire().await.unwrap();
    let (process, login) = (TerminalProcessId::generate(), LoginId::new("l"));
    let epoch = take_epoch(&mut conn, session, process, &login, None).await;
    let opened = open_attachment(&mut conn, session, epoch.unwrap(), Duration::ZERO);
    opened.await.unwrap();
    change(pool, session, SILENT).await;
}

/// How many attaches were closed as of their last word.
async fn closed(pool: &PgPool, session: ExamSessionId) -> usize {
    let mut conn = pool.acquire().await.unwrap();
    let all = attachments(&mut conn, session).await.unwrap();
    let closed = all.iter().filter(|it| it.detached_at == Some(it.seen_at));
    closed.count()
}

/// How often a session failed, and with this code.
async fn failures(scene: &Scene, session: ExamSessionId, expected: &str) -> usize {
    let times = endings(scene, session, "failed").await;
    if times > 0 {
        assert_eq!(scene.failure_code(session).await, expected);
    }
    times
}

/// How often a session came to its end, which it does together with what follows.
async fn endings(scene: &Scene, session: ExamSessionId, state: &str) -> usize {
    let asked_for = jobs(scene.pool(), session, TEARDOWN).await;
    let has_ended = scene.state(session).await == state;
    assert_eq!(asked_for > 0, has_ended);
    asked_for
}
