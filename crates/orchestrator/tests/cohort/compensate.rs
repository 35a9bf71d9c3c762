//! What the platform owes, given back once whoever asks and however often.

use chrono::{DateTime, TimeDelta, Utc};
use environment_access::{close_attachment, open_attachment, take_epoch, wire::CloseCode};
use orchestrator::{CohortError, CohortOutcome, Compensation, Consent, Debt, compensate_session};
use session_identity::{Actor, ExamSessionId, LoginId, TerminalProcessId, UserId};
use session_lifecycle::{ExtendError, Extension, extensions};
use sqlx::{PgConnection, PgPool};

use crate::fixtures::{end, ends_at, extend, quarter, running};

fn dana() -> Compensation {
    Compensation {
        actor: Actor::Staff(UserId::parse("dana").unwrap()),
        reason: "INC-7".to_owned(),
    }
}

/// The clock has run since an hour ago, and so many restarts took ten seconds each, two minutes apart.
async fn restarts(conn: &mut PgConnection, id: ExamSessionId, from: i64, count: i64) {
    let login = LoginId::new("l");
    for number in from..=from + count {
        let epoch = take_epoch(conn, id, TerminalProcessId::generate(), &login, None)
            .await
            .unwrap();
        let now = std::time::Duration::ZERO;
        open_attachment(conn, id, epoch, now).await.unwrap();
        let is_last = number == from + count;
        if !is_last {
            close_attachment(conn, id, epoch, CloseCode::Restart, now)
                .await
                .unwrap();
        }
        let begins = at(conn, id, number * 120).await;
        let over = begins + TimeDelta::seconds(110);
        sqlx::query!(
            "UPDATE terminal_attachments
             SET attached_at = $3, opened_at = $3, seen_at = $4::timestamptz,
                 detached_at = CASE WHEN close_code IS NOT NULL THEN $4::timestamptz END
             WHERE session_id = $1 AND epoch = $2",
            id.as_uuid(),
            epoch,
            begins,
            over,
        )
        .execute(&mut *conn)
        .await
        .unwrap();
    }
}

async fn at(conn: &mut PgConnection, id: ExamSessionId, second: i64) -> DateTime<Utc> {
    let began: DateTime<Utc> = sqlx::query_scalar!(
        "SELECT running_at AS \"at!\" FROM exam_sessions WHERE id = $1",
        id.as_uuid(),
    )
    .fetch_one(conn)
    .await
    .unwrap();
    began + TimeDelta::seconds(second)
}

async fn hour_old(conn: &mut PgConnection, id: ExamSessionId) {
    sqlx::query!(
        "UPDATE exam_sessions SET running_at = running_at - interval '1 hour', version = version + 1
         WHERE id = $1",
        id.as_uuid(),
    )
    .execute(conn)
    .await
    .unwrap();
}

async fn due(conn: &mut PgConnection, id: ExamSessionId) -> u64 {
    Debt::of(conn, id).await.unwrap().due_seconds
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_was_given_back_is_not_owed_again_and_what_follows_is(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id = running(&mut conn, 1).await[0].id;
    hour_old(&mut conn, id).await;
    restarts(&mut conn, id, 0, 3).await;
    assert_eq!(due(&mut conn, id).await, 30);
    let before = ends_at(&mut conn, id).await;
    let given = compensate_session(&pool, id, &dana()).await.unwrap();
    assert!(matches!(given, CohortOutcome::Granted { .. }), "{given:?}");
    assert_eq!(
        ends_at(&mut conn, id).await - before,
        TimeDelta::seconds(30)
    );

    // The last attach, open until now, ends as well.
    let epoch = 4;
    let now = std::time::Duration::ZERO;
    close_attachment(&mut conn, id, epoch, CloseCode::Restart, now)
        .await
        .unwrap();
    let (seen, over) = (at(&mut conn, id, 360).await, at(&mut conn, id, 470).await);
    sqlx::query!(
        "UPDATE terminal_attachments SET seen_at = $2, detached_at = $3
         WHERE session_id = $1 AND epoch = 4",
        id.as_uuid(),
        seen,
        over,
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    restarts(&mut conn, id, 4, 0).await;
    assert_eq!(due(&mut conn, id).await, 10);
    compensate_session(&pool, id, &dana()).await.unwrap();
    assert_eq!(
        ends_at(&mut conn, id).await - before,
        TimeDelta::seconds(40)
    );
    let keys = extensions(&mut conn, id).await.unwrap();
    assert_eq!(keys.len(), 2);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn of_many_who_give_at_once_one_does(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id = running(&mut conn, 1).await[0].id;
    hour_old(&mut conn, id).await;
    restarts(&mut conn, id, 0, 2).await;
    let before = ends_at(&mut conn, id).await;
    let racing: Vec<_> = (0..6)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { compensate_session(&pool, id, &dana()).await.unwrap() })
        })
        .collect();
    let mut granted = 0;
    for one in racing {
        match one.await.unwrap() {
            CohortOutcome::Granted { .. } => granted += 1,
            CohortOutcome::NothingOwed => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(granted, 1);
    assert_eq!(
        ends_at(&mut conn, id).await - before,
        TimeDelta::seconds(20)
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_cap_leaves_the_rest_owed_and_an_end_leaves_all_of_it(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let made = running(&mut conn, 2).await;
    let (capped, over) = (made[0].id, made[1].id);
    for id in [capped, over] {
        hour_old(&mut conn, id).await;
        restarts(&mut conn, id, 0, 3).await;
    }
    let left = made[0].absolute_end - ends_at(&mut conn, capped).await;
    let nearly = Extension {
        session_id: capped,
        by: (left - TimeDelta::seconds(12)).to_std().unwrap(),
        actor: dana().actor,
        reason: "long exam".to_owned(),
        idempotency_key: "k".to_owned(),
    };
    let whole = std::time::Duration::from_secs(nearly.by.as_secs());
    let nearly = Extension {
        by: whole,
        ..nearly
    };
    orchestrator::extend_session(&pool, &nearly).await.unwrap();
    let given = compensate_session(&pool, capped, &dana()).await.unwrap();
    assert!(matches!(given, CohortOutcome::Capped { .. }), "{given:?}");
    assert!((17..=18).contains(&due(&mut conn, capped).await));
    let again = compensate_session(&pool, capped, &dana()).await.unwrap();
    assert!(
        matches!(
            again,
            CohortOutcome::Refused {
                code: "extension.beyond_cap",
                ..
            }
        ),
        "nothing is left to give: {again:?}"
    );

    end(&mut conn, over).await;
    let late = compensate_session(&pool, over, &dana()).await.unwrap();
    assert!(
        matches!(late, CohortOutcome::AlreadyEnded { .. }),
        "{late:?}"
    );
    assert_eq!(due(&mut conn, over).await, 30, "and it stays on record");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn nobody_passes_an_extension_off_as_a_compensation(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id = running(&mut conn, 1).await[0].id;
    let forged = Extension {
        session_id: id,
        by: std::time::Duration::from_mins(15),
        actor: dana().actor,
        reason: "INC-7".to_owned(),
        idempotency_key: "interruptions:1".to_owned(),
    };
    let refused = orchestrator::extend_session(&pool, &forged).await;
    assert!(matches!(
        refused,
        Err(ExtendError::Invalid {
            field: "idempotency_key",
            ..
        })
    ));
    let refused = extend(&pool, &quarter("interruptions"), Consent::Sessions(1)).await;
    assert!(matches!(refused, Err(CohortError::Invalid(_))));
}
