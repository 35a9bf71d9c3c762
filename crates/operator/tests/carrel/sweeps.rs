//! What the sweeps would do, asked before they do it.

use serde_json::json;
use sqlx::PgPool;

use crate::run::Carrel;
use crate::sessions::running;

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
