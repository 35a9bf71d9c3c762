//! What the library of the states tells of one session.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::run::Carrel;
use crate::sessions::{NOBODY, running};

fn of<'a>(verb: &'a str, id: &'a str) -> [&'a str; 4] {
    ["lifecycle", verb, "--session-id", id]
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn show_gives_the_row_and_what_may_follow(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let id = running(&carrel, "u-1").await;
    let shown = carrel.data(&of("show", &id)).await;
    let row = sqlx::query!(
        "SELECT state, version, user_id, exam_name FROM exam_sessions WHERE id = $1::text::uuid",
        id
    );
    let row = row.fetch_one(&pool).await.unwrap();
    let session = &shown["session"];
    assert_eq!(session["id"], id.as_str());
    assert_eq!(session["state"], row.state);
    assert_eq!(session["version"], row.version);
    assert_eq!(session["user_id"], row.user_id);
    assert_eq!(session["exam_name"], row.exam_name);
    assert_eq!(shown["allowed"], json!(["terminated", "failed"]));
    assert_eq!(carrel.run(&of("show", NOBODY)).await.exit, 3);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn history_gives_every_transition_and_extension_as_the_tables_have_them(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let id = running(&carrel, "u-1").await;
    let extend = ["sessions", "extend", &id, "--by", "10m"];
    let why = ["--reason", "INC-7", "--as", "dana"];
    carrel.data(&[&extend[..], &why].concat()).await;

    let told = carrel.data(&of("history", &id)).await;
    assert_eq!(told["session_id"], id.as_str());
    let rows = sqlx::query!(
        "SELECT from_state, to_state, version, actor, cause FROM session_transitions
         WHERE session_id = $1::text::uuid ORDER BY version",
        id
    );
    let rows = rows.fetch_all(&pool).await.unwrap();
    let transitions = told["transitions"].as_array().unwrap();
    assert_eq!((transitions.len(), rows.len()), (4, 4));
    for (told, row) in transitions.iter().zip(rows) {
        assert_eq!(
            told["from"],
            row.from_state.map_or(Value::Null, Value::from)
        );
        assert_eq!(told["to"], row.to_state);
        assert_eq!(told["version"], row.version);
        assert_eq!(told["actor"], row.actor);
        assert_eq!(told["cause"], row.cause);
    }
    let extensions = told["extensions"].as_array().unwrap();
    assert_eq!(extensions.len(), 1);
    assert_eq!(extensions[0]["by_seconds"], 600);
    assert_eq!(carrel.run(&of("history", NOBODY)).await.exit, 3);
}
