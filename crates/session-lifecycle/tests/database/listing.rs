//! Sessions by what operators ask for.

use session_identity::UserId;
use session_lifecycle::{SessionFilter, SessionState, count_sessions, list_sessions};
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
async fn every_state_is_counted_also_those_without_sessions(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    session_in(&mut conn, "u-1", SessionState::Ready).await;
    session_in(&mut conn, "u-2", SessionState::Ready).await;
    let counts = count_sessions(&mut conn).await.unwrap();
    let wanted =
        SessionState::ALL.map(|state| (state, i64::from(state == SessionState::Ready) * 2));
    assert_eq!(counts, wanted);
}
