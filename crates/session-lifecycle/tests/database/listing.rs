//! Sessions by what operators ask for.

use session_identity::UserId;
use session_lifecycle::{
    SessionFilter, SessionState, count_sessions, find_sessions, list_sessions,
};
use sqlx::{Connection as _, PgConnection, PgPool};

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

/// Ended sessions of another exam, all newer than the others.
const OTHERS: i32 = 5_000;

async fn add_others(conn: &mut PgConnection) {
    sqlx::query!(
        "INSERT INTO exams (name, version, title, definition, digest, applied_by)
         VALUES ('other', 1, 'Other', '{}', '', 'test')"
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    sqlx::query!(
        "INSERT INTO exam_sessions (id, user_id, environment_id, exam_name, exam_version, ready_by,
                                    absolute_end)
         SELECT ('ffffffff-ffff-7fff-8000-' || lpad(to_hex(number), 12, '0'))::uuid,
                'u-' || number, gen_random_uuid(), 'other', 1, now(), now() + interval '1 h'
         FROM generate_series(1, $1::integer) AS number",
        OTHERS
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    sqlx::raw_sql("ANALYZE exam_sessions")
        .execute(conn)
        .await
        .unwrap();
}

/// Lists by a filter that one session passes, and says how many rows were read for it.
async fn read_to_find_one(pool: &PgPool, filter: &SessionFilter) -> i64 {
    // Of its own: a connection counts for a second what its earlier transactions read, too.
    let mut connection = PgConnection::connect_with(&pool.connect_options())
        .await
        .unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let found = list_sessions(&mut transaction, filter, 9).await.unwrap();
    assert_eq!(found.len(), 1, "{filter:?}");
    sqlx::query_scalar!(
        r#"SELECT COALESCE(seq_tup_read, 0) + COALESCE(idx_tup_fetch, 0) AS "read!"
           FROM pg_stat_xact_user_tables WHERE relname = 'exam_sessions'"#
    )
    .fetch_one(&mut *transaction)
    .await
    .unwrap()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_index_spares_who_asks_for_an_exam_or_a_reference_all_other_sessions(pool: PgPool) {
    let mut conn = with_exam(&pool).await;
    let wanted = session_in(&mut conn, "u-1", SessionState::Ready).await;
    add_others(&mut conn).await;
    let by_exam = SessionFilter {
        exam_name: Some(EXAM.to_owned()),
        ..SessionFilter::default()
    };
    let by_reference = SessionFilter {
        id_tail: u32::try_from(wanted.id.as_uuid().as_u128() & 0x3FFF_FFFF).ok(),
        ..SessionFilter::default()
    };
    for (filter, index) in [
        (by_exam, "DROP INDEX exam_sessions_exam"),
        (by_reference, "DROP INDEX exam_sessions_reference"),
    ] {
        let read = read_to_find_one(&pool, &filter).await;
        assert!(read <= 10, "{read} rows were read with {filter:?}");
        sqlx::raw_sql(index).execute(&pool).await.unwrap();
        let read = read_to_find_one(&pool, &filter).await;
        assert!(read >= i64::from(OTHERS), "{read} without the index");
    }
}
