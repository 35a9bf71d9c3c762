//! Sessions by what operators ask for.

use session_identity::UserId;
use session_lifecycle::{
    SessionFilter, SessionState, count_sessions, find_sessions, list_sessions,
};
use sqlx::PgPool;

use crate::fixtures::{EXAM, session_in, with_exam};

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_list_is_newest_first_and_each_filter_narrows_it(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let mut all = Vec::new();
    for state in SessionState::ALL {
        all.push(session_in(&mut conn, &format!("u-{state}"), state).await);
    }
    all.reverse();
    let mut list = async |filter: SessionFilter, limit| {
        list_sessions(&mut conn, &filter, limit).await.unwrap()
    };
    let none = SessionFilter::default;
    assert_eq!(list(none(), 100).await, all);
    assert_eq!(list(none(), 2).await, all[..2]);
    assert_eq!(
        list(
            SessionFilter {
                before: Some(all[1].id),
                ..none()
            },
            2
        )
        .await,
        all[2..4]
    );
    let user_id = Some(UserId::parse("u-ready").unwrap());
    assert_eq!(
        list(SessionFilter { user_id, ..none() }, 9).await,
        all[3..4]
    );
    let states = vec![SessionState::Failed, SessionState::Terminated];
    assert_eq!(list(SessionFilter { states, ..none() }, 9).await, all[..2]);
    let exam_name = Some(EXAM.to_owned());
    assert_eq!(
        list(
            SessionFilter {
                exam_name,
                ..none()
            },
            9
        )
        .await
        .len(),
        all.len()
    );
    let exam_name = Some("other".to_owned());
    assert_eq!(
        list(
            SessionFilter {
                exam_name,
                ..none()
            },
            9
        )
        .await,
        []
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_list_is_narrowed_by_the_end_of_an_id_a_failure_code_and_a_time(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let old = session_in(&mut conn, "u-1", SessionState::Failed).await;
    let young = session_in(&mut conn, "u-2", SessionState::Ready).await;
    let mut list =
        async |filter: SessionFilter| list_sessions(&mut conn, &filter, 9).await.unwrap();
    let none = SessionFilter::default;
    for session in [&old, &young] {
        let id_tail = u32::try_from(session.id.as_uuid().as_u128() & 0x3FFF_FFFF).ok();
        let found = list(SessionFilter { id_tail, ..none() }).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), [session]);
    }
    let failure_code = Some("infra.unclassified".to_owned());
    let failed = SessionFilter {
        failure_code,
        ..none()
    };
    assert_eq!(list(failed).await, [old]);
    let created_from = Some(young.created_at);
    let since = SessionFilter {
        created_from,
        ..none()
    };
    assert_eq!(list(since).await, [young]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_session_is_found_by_the_beginning_of_its_id(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let old = session_in(&mut conn, "u-1", SessionState::Ready).await.id;
    let young = session_in(&mut conn, "u-2", SessionState::Ready).await.id;
    let mut find = async |text: &str| {
        let prefix = text.parse().unwrap();
        find_sessions(&mut conn, &prefix, 9).await.unwrap()
    };
    assert_eq!(find(&old.to_string()).await, [old]);
    assert_eq!(find(&old.to_string()[..6]).await, [young, old]);
    assert_eq!(find("ffffff").await, []);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn every_state_is_counted_also_those_without_sessions(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    session_in(&mut conn, "u-1", SessionState::Ready).await;
    session_in(&mut conn, "u-2", SessionState::Ready).await;
    let counts = count_sessions(&mut conn).await.unwrap();
    let wanted =
        SessionState::ALL.map(|state| (state, i64::from(state == SessionState::Ready) * 2));
    assert_eq!(counts, wanted);
}
