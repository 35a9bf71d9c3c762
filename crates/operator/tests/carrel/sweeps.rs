//! What the sweeps would do, asked before they do it.

use serde_json::json;
use sqlx::PgPool;

use crate::run::Carrel;
use crate::sessions::{NOBODY, running};

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_plan_names_whom_each_sweep_of_the_rows_would_concern_and_changes_nothing(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let over = running(&carrel, "u-over").await;
    let stuck = carrel.session("u-stuck").await;
    running(&carrel, "u-working").await;
    let left = running(&carrel, "u-left").await;
    let words = [
        "lifecycle",
        "transition",
        "--as",
        "cli",
        "--session-id",
        &left,
        "--to",
        "terminated",
    ];
    carrel
        .data(&[&words[..], &["--reason", "INC-7"]].concat())
        .await;
    for cause in [
        format!(
            "UPDATE exam_sessions SET ends_at = now() - interval '1 s', version = version + 1
             WHERE id = '{over}'"
        ),
        format!(
            "UPDATE exam_sessions SET ready_by = now() - interval '1 s', version = version + 1
             WHERE id = '{stuck}'"
        ),
        format!(
            "UPDATE execution_environments SET state = 'creating', version = version + 1
             WHERE session_id = '{left}'"
        ),
    ] {
        let cause = sqlx::AssertSqlSafe(cause);
        sqlx::raw_sql(cause).execute(&pool).await.unwrap();
    }
    for _ in 0..2 {
        let plan = carrel.data(&["cleanup", "plan", "--rows-only"]).await;
        assert_eq!(
            plan["expired"],
            json!([{ "session_id": over, "ending": "time_expired" }])
        );
        assert_eq!(plan["stuck"], json!([stuck]));
        assert_eq!(plan["teardowns"], json!([left]));
        assert_eq!(plan["runtime"], json!(null));
    }
}

/// Lets a session's time be over.
async fn pass_end(pool: &PgPool, id: &str) {
    sqlx::query!(
        "UPDATE exam_sessions SET ends_at = now() - interval '1 s', version = version + 1
         WHERE id = $1::text::uuid",
        id
    )
    .execute(pool)
    .await
    .unwrap();
}

/// State, ending and who ended it, as the row has them.
async fn row(pool: &PgPool, id: &str) -> (String, Option<String>, Option<String>) {
    let row = sqlx::query!(
        "SELECT state, ending_kind, ending_actor FROM exam_sessions WHERE id = $1::text::uuid",
        id
    );
    let row = row.fetch_one(pool).await.unwrap();
    (row.state, row.ending_kind, row.ending_actor)
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_sweep_ends_whose_time_is_over_by_either_name_and_nobody_else(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let working = running(&carrel, "u-working").await;
    for sweep in [&["sweep"][..], &["cleanup", "sweep"]] {
        let over = running(&carrel, &format!("u-{}", sweep.len())).await;
        pass_end(&pool, &over).await;
        let ended = json!([{ "session_id": over, "ending": "time_expired" }]);
        let dry = carrel.data(&[sweep, &["--dry-run"]].concat()).await;
        assert_eq!((&dry["dry_run"], &dry["ended"]), (&true.into(), &ended));
        assert_eq!(row(&pool, &over).await.0, "running");

        let signed = [sweep, &["--as", "dana"]].concat();
        let done = carrel.data(&signed).await;
        assert_eq!((&done["dry_run"], &done["ended"]), (&false.into(), &ended));
        let by_dana = ["terminated", "time_expired", "staff:dana"].map(ToOwned::to_owned);
        let [state, ending, actor] = by_dana;
        assert_eq!(row(&pool, &over).await, (state, Some(ending), Some(actor)));
        assert_eq!(carrel.data(&signed).await["ended"], json!([]), "once");
    }
    assert_eq!(row(&pool, &working).await.0, "running");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_check_says_what_comes_next_and_changes_nothing(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let id = running(&carrel, "u-1").await;
    let check = ["cleanup", "check", "--session-id", &id];
    let waits = carrel.data(&check).await;
    assert_eq!(
        (&waits["session_id"], &waits["state"], &waits["next"]),
        (
            &id.as_str().into(),
            &"running".into(),
            &"it ends at its deadline".into()
        )
    );
    assert_eq!(waits["verdict"]["verdict"], "wait");
    assert!(waits["remaining_ms"].as_i64().unwrap() > 0);

    pass_end(&pool, &id).await;
    let over = carrel.data(&check).await;
    assert_eq!(over["verdict"]["verdict"], "expire");
    assert_eq!(over["verdict"]["ending"], "time_expired");
    assert_eq!(over["deadline"], over["verdict"]["passed"]);
    assert!(over["remaining_ms"].as_i64().unwrap() < 0);
    assert_eq!(row(&pool, &id).await.0, "running");

    carrel.data(&["sweep", "--as", "dana"]).await;
    let ended = carrel.data(&check).await;
    assert_eq!(
        (&ended["state"], &ended["verdict"]["verdict"]),
        (&"terminated".into(), &"final".into())
    );
    assert_eq!(ended["deadline"], json!(null));
    let missing = ["cleanup", "check", "--session-id", NOBODY];
    assert_eq!(carrel.run(&missing).await.exit, 3);
}
