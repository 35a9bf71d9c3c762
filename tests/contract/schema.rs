//! The schema from empty, and the words that code and rows share.

use std::collections::BTreeSet;

use execution_environment::{CleanupBlock, EnvironmentAction, EnvironmentState};
use failure_classification::FailureClass;
use session_lifecycle::{EndingKind, SessionState, TRANSITIONS, is_allowed};
use sqlx::PgPool;
use system_tests::database::TestDatabase;
use system_tests::settings::setting;

#[tokio::test]
async fn migrations_apply_to_an_empty_database_and_once_only() {
    let database = TestDatabase::create(&setting("DATABASE_URL")).await;
    let applied = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM pg_tables WHERE schemaname = 'public'"#
    );
    let before = applied.fetch_one(&database.pool).await.unwrap();
    assert!(before > 10, "{before} tables");
    migrations::MIGRATOR.run(&database.pool).await.unwrap();
    let again = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM pg_tables WHERE schemaname = 'public'"#
    );
    assert_eq!(again.fetch_one(&database.pool).await.unwrap(), before);
}

#[test]
fn every_migration_says_first_who_owns_it() {
    for migration in migrations::MIGRATOR.iter() {
        let first = migration.sql.as_str().lines().next().unwrap_or_default();
        let owner = first
            .strip_prefix("-- Owner: ")
            .and_then(|rest| rest.split('.').next());
        let owners = [
            "execution-environment",
            "session-lifecycle",
            "environment-access",
            "job-queue",
            "session-recording",
        ];
        assert!(
            owner.is_some_and(|owner| owners.contains(&owner)),
            "{first}"
        );
    }
}

#[tokio::test]
async fn the_transition_table_in_code_is_the_one_the_trigger_enforces() {
    let database = TestDatabase::create(&setting("DATABASE_URL")).await;
    let mut allowed = 0;
    for from in SessionState::ALL {
        for to in SessionState::ALL {
            let (from_word, to_word) = (from.as_str(), to.as_str());
            let in_database = sqlx::query_scalar!(
                r#"SELECT session_transition_allowed($1, $2) AS "allowed!""#,
                from_word,
                to_word
            );
            let in_database = in_database.fetch_one(&database.pool).await.unwrap();
            assert_eq!(
                is_allowed(from, to),
                in_database,
                "{from_word} to {to_word}"
            );
            allowed += usize::from(in_database);
        }
    }
    assert_eq!(allowed, TRANSITIONS.len());
    for state in SessionState::TERMINAL {
        assert!(
            SessionState::ALL.iter().all(|to| !is_allowed(state, *to)),
            "final is final"
        );
    }
}

#[tokio::test]
async fn every_closed_set_of_words_is_the_same_in_code_and_in_its_check() {
    let database = TestDatabase::create(&setting("DATABASE_URL")).await;
    let pool = &database.pool;
    let states = SessionState::ALL.map(SessionState::as_str);
    assert_eq!(checked(pool, "exam_sessions_state").await, set(states));
    let endings = EndingKind::ALL.map(EndingKind::as_str);
    assert_eq!(
        checked(pool, "exam_sessions_ending_kind").await,
        set(endings)
    );
    let environments = EnvironmentState::ALL.map(EnvironmentState::as_str);
    assert_eq!(
        checked(pool, "execution_environments_state").await,
        set(environments)
    );
    let blocks = CleanupBlock::ALL.map(CleanupBlock::as_str);
    assert_eq!(
        checked(pool, "execution_environments_cleanup_blocked").await,
        set(blocks)
    );
    let actions = EnvironmentAction::ALL.map(EnvironmentAction::as_str);
    assert_eq!(
        checked(pool, "environment_actions_verb").await,
        set(actions)
    );
    let classes = FailureClass::ALL.map(FailureClass::as_str);
    assert_eq!(
        checked(pool, "exam_sessions_failure_class").await,
        set(classes)
    );
}

fn set(words: impl IntoIterator<Item = &'static str>) -> BTreeSet<String> {
    words.into_iter().map(str::to_owned).collect()
}

/// The words between quotes in a CHECK.
async fn checked(pool: &PgPool, constraint: &str) -> BTreeSet<String> {
    let definition = sqlx::query_scalar!(
        r#"SELECT pg_get_constraintdef(oid) AS "definition!" FROM pg_constraint WHERE conname = $1"#,
        constraint
    );
    let definition = definition.fetch_one(pool).await.unwrap();
    definition
        .split('\'')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}
