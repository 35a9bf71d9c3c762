//! Random sequences of what may be asked of a session, against a model that knows nothing of SQL.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use session_identity::{Actor, ExamSessionId, UserId};
use session_lifecycle::{
    Expected, ExtendError, Extension, SessionState, TransitionError, advance, extend, history,
    load_session,
};
use sqlx::{PgConnection, PgPool};

use crate::fixtures::{apply_exam, by_test, insert, new_session, towards};

/// One thing a caller may ask.
#[derive(Clone, Copy, Debug)]
enum Ask {
    Advance { to: SessionState, stale: bool },
    Extend { minutes: u8, key: u8 },
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let to = prop::sample::select(&SessionState::ALL[1..]);
    let ask = prop_oneof![
        4 => (to, prop::bool::weighted(0.2)).prop_map(|(to, stale)| Ask::Advance { to, stale }),
        1 => (1u8..90, 0u8..3).prop_map(|(minutes, key)| Ask::Extend { minutes, key }),
    ];
    prop::collection::vec(ask, 1..14)
}

/// The session as the model believes it to be. The table is written out a second time on purpose.
#[derive(Debug)]
struct Model {
    state: SessionState,
    version: i64,
    transitions: usize,
    keys: Vec<(u8, u8)>,
}

impl Model {
    fn follows(&self, to: SessionState) -> bool {
        use SessionState::{Created, Failed, Initializing, Ready, Running, Terminated};
        match self.state {
            Terminated | Failed => false,
            Created => matches!(to, Initializing | Terminated | Failed),
            Initializing => matches!(to, Ready | Terminated | Failed),
            Ready => matches!(to, Running | Terminated | Failed),
            Running => matches!(to, Terminated | Failed),
        }
    }

    /// Two hours are the exam's, four its cap: 120 minutes may be granted.
    fn extends(&self, minutes: u8) -> bool {
        let granted: u32 = self
            .keys
            .iter()
            .map(|(_, minutes)| u32::from(*minutes))
            .sum();
        self.state == SessionState::Running && granted + u32::from(minutes) < 120
    }
}

async fn ask_to_advance(
    conn: &mut PgConnection,
    id: ExamSessionId,
    model: &mut Model,
    to: SessionState,
    stale: bool,
) -> Result<(), TestCaseError> {
    let expected = if stale {
        Expected::Version(model.version - 1)
    } else {
        Expected::AnyVersion
    };
    let step = towards(to).expect("only created has no transition towards it");
    let done = advance(conn, id, expected, step, &by_test()).await;
    match done {
        Ok(after) => {
            prop_assert!(!stale && model.follows(to));
            (model.state, model.version) = (to, model.version + 1);
            model.transitions += 1;
            prop_assert_eq!((after.state, after.version), (model.state, model.version));
        }
        Err(TransitionError::Conflict { actual, .. }) => {
            prop_assert!(stale && actual == model.version);
        }
        Err(TransitionError::Refused { from, .. }) => {
            prop_assert!(!stale && from == model.state && !model.follows(to));
        }
        Err(error) => return Err(TestCaseError::fail(error.to_string())),
    }
    Ok(())
}

async fn ask_to_extend(
    conn: &mut PgConnection,
    id: ExamSessionId,
    model: &mut Model,
    minutes: u8,
    key: u8,
) -> Result<(), TestCaseError> {
    let known = model
        .keys
        .iter()
        .find(|(known, _)| *known == key)
        .map(|(_, minutes)| *minutes);
    let extension = Extension {
        session_id: id,
        by: Duration::from_secs(u64::from(minutes) * 60),
        actor: Actor::System("test"),
        reason: "a test".to_owned(),
        idempotency_key: format!("k-{key}"),
    };
    match extend(conn, &extension).await {
        Ok(done) if done.already => prop_assert_eq!(known, Some(minutes)),
        Ok(done) => {
            prop_assert!(known.is_none() && model.extends(minutes));
            model.keys.push((key, minutes));
            model.version += 1;
            prop_assert_eq!(done.session.version, model.version);
        }
        Err(ExtendError::KeyReused { .. }) => prop_assert!(known.is_some_and(|m| m != minutes)),
        Err(ExtendError::Ended { .. }) => prop_assert!(model.state.is_terminal()),
        Err(ExtendError::NoDeadlineYet { .. }) => {
            prop_assert!(!model.state.is_terminal() && model.state != SessionState::Running);
        }
        Err(ExtendError::BeyondCap { .. }) => prop_assert!(!model.extends(minutes)),
        Err(error) => return Err(TestCaseError::fail(error.to_string())),
    }
    Ok(())
}

async fn play(pool: &PgPool, asks: &[Ask]) -> Result<(), TestCaseError> {
    let mut conn = pool.acquire().await.expect("the database answers");
    let mut new = new_session("u-1");
    new.user_id = UserId::parse(&new.id.to_string()).expect("an id is a valid user");
    let session = insert(&mut conn, &new).await;
    let mut model = Model {
        state: SessionState::Created,
        version: 1,
        transitions: 1,
        keys: Vec::new(),
    };
    for ask in asks {
        match *ask {
            Ask::Advance { to, stale } => {
                ask_to_advance(&mut conn, session.id, &mut model, to, stale).await?;
            }
            Ask::Extend { minutes, key } => {
                ask_to_extend(&mut conn, session.id, &mut model, minutes, key).await?;
            }
        }
        let now = load_session(&mut conn, session.id)
            .await
            .expect("the row is readable");
        let now = now.expect("a session is never deleted");
        prop_assert_eq!((now.state, now.version), (model.state, model.version));
    }
    let rows = history(&mut conn, session.id)
        .await
        .expect("the history is readable");
    prop_assert_eq!(rows.len(), model.transitions);
    prop_assert!(rows.windows(2).all(|pair| pair[1].from == Some(pair[0].to)));
    Ok(())
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn random_sequences_end_where_the_model_ends(pool: PgPool) {
    apply_exam(&mut pool.acquire().await.unwrap()).await;
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let config = Config {
            cases: 96,
            failure_persistence: None,
            ..Config::default()
        };
        TestRunner::new(config)
            .run(&asks(), |asks| runtime.block_on(play(&pool, &asks)))
            .unwrap();
    })
    .await
    .unwrap();
}
