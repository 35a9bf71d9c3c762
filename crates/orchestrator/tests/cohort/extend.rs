//! More time for everybody: once per key, whole or as far as the cap lets it, and never for others.

use std::time::Duration;

use chrono::TimeDelta;
use orchestrator::{CohortError, CohortOutcome, Consent, RequestError};
use session_identity::{Actor, UserId};
use session_lifecycle::{Extension, SessionRecord, SessionState, extensions, load_session};
use sqlx::{Connection as _, PgConnection, PgPool};

use crate::fixtures::{
    EXAM, OTHER, counts, end, ends_at, exam, extend, minutes_more, outcome, quarter, running,
    session, somebody_waits,
};

/// Gives one session so much of what its cap leaves that `left` remains.
async fn leave(conn: &mut PgConnection, session: &SessionRecord, left: TimeDelta) {
    let by = session.absolute_end - session.ends_at.unwrap() - left;
    let extension = Extension {
        session_id: session.id,
        by: Duration::from_secs(by.num_seconds().try_into().unwrap()),
        actor: Actor::Staff(UserId::parse("dana").unwrap()),
        reason: "before".to_owned(),
        idempotency_key: "before".to_owned(),
    };
    session_lifecycle::extend(conn, &extension).await.unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn every_live_session_of_the_exam_and_of_no_other_gets_the_time_once(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let made = running(&mut conn, 3).await;
    exam(&mut conn, OTHER, "another").await;
    let other = session(&mut conn, (OTHER, 1), "u-0", SessionState::Running).await;
    let ended = session(&mut conn, (EXAM, 1), "gone", SessionState::Running).await;
    end(&mut conn, ended.id).await;

    let given = extend(&pool, &quarter("k"), Consent::Sessions(3))
        .await
        .unwrap();
    assert_eq!(counts(&given), [3, 0, 0, 0]);
    assert_eq!((given.matched(), given.left()), (3, 0));
    assert_eq!(minutes_more(&mut conn, &made).await, [15, 15, 15]);
    assert_eq!(minutes_more(&mut conn, &[other, ended]).await, [0, 0]);
    let row = &extensions(&mut conn, made[0].id).await.unwrap()[0];
    assert_eq!(
        (row.actor.as_str(), row.reason.as_str()),
        ("staff:dana", "INC-7")
    );
    assert_eq!(row.idempotency_key, format!("k:{}", made[0].id));

    let again = extend(&pool, &quarter("k"), Consent::Sessions(3))
        .await
        .unwrap();
    assert_eq!(counts(&again), [0, 3, 0, 0]);
    assert_eq!(minutes_more(&mut conn, &made).await, [15, 15, 15]);
    let more = extend(&pool, &quarter("k-2"), Consent::Sessions(3))
        .await
        .unwrap();
    assert_eq!(counts(&more), [3, 0, 0, 0]);
    assert_eq!(minutes_more(&mut conn, &made).await, [30, 30, 30]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn one_version_of_an_exam_is_extended_without_the_other(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let first = running(&mut conn, 2).await;
    assert_eq!(exam(&mut conn, EXAM, "the second").await, 2);
    let second = session(&mut conn, (EXAM, 2), "u-9", SessionState::Running).await;
    let mut asked = quarter("k");
    asked.cohort.exam_version = Some(2);
    let given = extend(&pool, &asked, Consent::Sessions(1)).await.unwrap();
    assert_eq!(counts(&given), [1, 0, 0, 0]);
    assert_eq!(minutes_more(&mut conn, &[second]).await, [15]);
    assert_eq!(minutes_more(&mut conn, &first).await, [0, 0]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn who_has_no_deadline_or_ended_meanwhile_is_told_and_stops_nobody(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let made = running(&mut conn, 3).await;
    let early = session(&mut conn, (EXAM, 1), "early", SessionState::Ready).await;
    let mut ending = conn.begin().await.unwrap();
    end(&mut ending, made[1].id).await;
    // It is live for whoever looks now, and has ended for whoever waits for its row.
    let asked = quarter("k");
    let (given, ()) = tokio::join!(extend(&pool, &asked, Consent::Sessions(4)), async {
        somebody_waits(&pool).await;
        ending.commit().await.unwrap();
    });
    let given = given.unwrap();
    assert_eq!(counts(&given), [2, 0, 0, 2]);
    let refused = given.refused();
    assert_eq!(
        (refused["session.no_deadline_yet"], refused["session.ended"]),
        (1, 1)
    );
    for id in [early.id, made[1].id] {
        assert!(!outcome(&given, id).is_as_asked());
        assert_eq!(extensions(&mut conn, id).await.unwrap(), []);
    }
    let rest = [made[0].clone(), made[2].clone()];
    assert_eq!(minutes_more(&mut conn, &rest).await, [15, 15]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_cap_gives_what_it_leaves_and_the_same_key_asks_for_no_more(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let made = running(&mut conn, 3).await;
    leave(&mut conn, &made[0], TimeDelta::minutes(5)).await;
    leave(&mut conn, &made[1], TimeDelta::zero()).await;
    let given = extend(&pool, &quarter("k"), Consent::Sessions(3))
        .await
        .unwrap();
    assert_eq!(counts(&given), [1, 0, 1, 1]);
    let CohortOutcome::Capped {
        previous_end,
        new_end,
    } = outcome(&given, made[0].id)
    else {
        panic!("{given:?}");
    };
    assert_eq!((*new_end - *previous_end).num_minutes(), 5);
    assert!(made[0].absolute_end - *new_end < TimeDelta::seconds(1));
    assert_eq!(ends_at(&mut conn, made[0].id).await, *new_end);
    assert_eq!(given.refused()["extension.beyond_cap"], 1);

    let again = extend(&pool, &quarter("k"), Consent::Sessions(3))
        .await
        .unwrap();
    assert_eq!(counts(&again), [0, 2, 0, 1]);
    assert_eq!(ends_at(&mut conn, made[0].id).await, *new_end);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_key_that_stands_for_another_extension_is_refused_before_anybody_gets_it(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let mut made = running(&mut conn, 2).await;
    extend(&pool, &quarter("k"), Consent::Sessions(2))
        .await
        .unwrap();
    made.push(session(&mut conn, (EXAM, 1), "late", SessionState::Running).await);
    let mut longer = quarter("k");
    longer.by = Duration::from_mins(20);
    let mut otherwise = quarter("k");
    otherwise.reason = "INC-8".to_owned();
    for asked in [longer, otherwise] {
        for consent in [Consent::Rehearsal, Consent::Sessions(3)] {
            let refused = extend(&pool, &asked, consent).await.unwrap_err();
            assert!(
                matches!(refused, CohortError::KeyReused { .. }),
                "{refused}"
            );
        }
    }
    assert_eq!(minutes_more(&mut conn, &made).await, [15, 15, 0]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_rehearsal_tells_of_more_than_a_page_and_writes_nothing(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let made = running(&mut conn, 250).await;
    let told = extend(&pool, &quarter("k"), Consent::Rehearsal)
        .await
        .unwrap();
    assert_eq!(counts(&told), [250, 0, 0, 0]);
    for agreed in [0, 249, 251] {
        let refused = extend(&pool, &quarter("k"), Consent::Sessions(agreed)).await;
        let refused = refused.unwrap_err();
        let counted = matches!(refused, CohortError::CountDiffers { found: 250, .. });
        assert!(counted, "{refused}");
    }
    for session in &made {
        let now = load_session(&mut conn, session.id).await.unwrap().unwrap();
        assert_eq!(&now, session);
        assert_eq!(extensions(&mut conn, session.id).await.unwrap(), []);
    }

    let given = extend(&pool, &quarter("k"), Consent::Sessions(250))
        .await
        .unwrap();
    assert_eq!(counts(&given), [250, 0, 0, 0]);
    assert_eq!(minutes_more(&mut conn, &made).await, [15; 250]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn unknown_exams_and_malformed_requests_are_refused_before_anything(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let made = running(&mut conn, 1).await;
    let mut unknown = quarter("k");
    unknown.cohort.exam_name = "linux".to_owned();
    let mut version = quarter("k");
    version.cohort.exam_version = Some(7);
    for (asked, lacking) in [(unknown, None), (version, Some(7))] {
        let refused = extend(&pool, &asked, Consent::Sessions(1)).await;
        let refused = refused.unwrap_err();
        assert!(
            matches!(
                refused,
                CohortError::Exam(RequestError::UnknownExam { version, .. }) if version == lacking
            ),
            "{refused}"
        );
    }
    let mut short = quarter("k");
    short.by = Duration::from_millis(1_500);
    for asked in [short, quarter(&"k".repeat(219))] {
        let refused = extend(&pool, &asked, Consent::Rehearsal).await;
        let refused = refused.unwrap_err();
        assert!(matches!(refused, CohortError::Invalid(_)), "{refused}");
    }
    let longest = quarter(&"k".repeat(218));
    extend(&pool, &longest, Consent::Sessions(1)).await.unwrap();
    assert_eq!(minutes_more(&mut conn, &made).await, [15]);
}
