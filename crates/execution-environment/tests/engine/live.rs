//! What operators ask about an environment that is there, or was.

use std::panic::AssertUnwindSafe;

use execution_environment::conformance::Bench;
use execution_environment::engine::EngineHardening;
use execution_environment::{
    EnvironmentSpec, Phase, Protection, SignedActionFilter, SignedEnvironmentAction,
    list_environment_actions, record_created,
};
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::commands::{Ended, call, engine};
use crate::fixtures::{begin, session};
use crate::support::{bench, bench_without};

/// An environment of a session, made as a worker makes it.
struct Made<'a> {
    pool: &'a PgPool,
    bench: Bench,
    spec: EnvironmentSpec,
}

impl Made<'_> {
    /// Asks the command line about the session.
    async fn ask(&self, verb: &str, more: &[&str]) -> Ended {
        let id = self.spec.session_id.to_string();
        let words = [&[verb, "--session-id", &id][..], more].concat();
        call(self.pool, &words, &engine(), "").await
    }
}

/// Tells a story about an environment, and destroys it whatever became of it.
async fn on_made(pool: &PgPool, bench: Bench, shell: &str, story: impl AsyncFnOnce(&Made<'_>)) {
    let mut exam = bench.exam.clone();
    exam.shell = vec![shell.to_owned()];
    let mut conn = pool.acquire().await.expect("connected");
    let spec = session(&mut conn, exam).await;
    assert!(begin(&mut conn, &spec, 0).await);
    let created = bench.runtime.create(&spec).await.expect("create");
    let recorded = record_created(&mut conn, spec.session_id, 1, &created.uid).await;
    recorded.expect("written").expect("the attempt is current");
    drop(conn);
    let install_id = spec.install_id;
    let bench = Bench {
        install_id,
        ..bench
    };
    let made = Made { pool, bench, spec };
    let ended = AssertUnwindSafe(story(&made)).catch_unwind().await;
    made.bench.clear().await;
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_sound_environment_is_proven_again_and_both_views_agree(pool: PgPool) {
    on_made(&pool, bench(), "/bin/bash", async |made| {
        let proven = made.ask("verify", &[]).await;
        assert_eq!(proven.exit, Some(0), "{proven:?}");
        assert_eq!(proven.data["proven"], true);
        let held = proven.data["protections"].as_array().expect("a list");
        assert_eq!(held.len(), Protection::ALL.len());
        assert!(held.iter().all(|one| one["holds"] == true), "{held:?}");
        let agreed = made.ask("status", &["--from", "both"]).await;
        assert_eq!(agreed.exit, Some(0), "{agreed:?}");
        assert_eq!(agreed.data["agrees"], true);
        let one_view = made.ask("status", &["--from", "runtime"]).await;
        assert_eq!(one_view.data["agrees"], Value::Null);
        // No cluster is reachable, and none needs to be.
        let other = ["--from", "both", "--runtime", "kubernetes"];
        let other = made.ask("status", &other).await;
        assert_eq!(other.exit, Some(9), "{other:?}");
        assert_eq!(other.data["differences"][0]["what"], "runtime", "{other:?}");
        let elsewhere = made.ask("verify", &["--runtime", "kubernetes"]).await;
        assert_eq!(elsewhere.exit, Some(2), "{elsewhere:?}");
        assert_eq!(elsewhere.error["next"], "--runtime engine");
    })
    .await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_environment_that_lacks_a_protection_is_told_with_9(pool: PgPool) {
    let weak = bench_without(EngineHardening::default().without(Protection::MemoryLimit));
    on_made(&pool, weak, "/bin/bash", async |made| {
        let found = made.ask("verify", &[]).await;
        assert_eq!(found.exit, Some(9), "{found:?}");
        assert_eq!(found.data["proven"], false);
        let all = found.data["protections"].as_array().expect("a list");
        let weaker: Vec<_> = all.iter().filter(|one| one["holds"] == false).collect();
        assert_eq!(weaker.len(), 1, "{weaker:?}");
        assert_eq!(weaker[0]["protection"], "memory_limit");
        assert!(weaker[0]["declared"].is_string() && weaker[0]["found"].is_string());
        let text = made.ask("verify", &["--output", "text"]).await;
        assert_eq!(text.exit, Some(9), "{text:?}");
    })
    .await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_vanished_behind_the_row_is_named_and_never_taken_for_another(pool: PgPool) {
    on_made(&pool, bench(), "/bin/bash", async |made| {
        let name = made.spec.runtime_name();
        made.bench
            .runtime
            .destroy(&name, None)
            .await
            .expect("destroy");
        let differs = made.ask("status", &["--from", "both"]).await;
        assert_eq!(differs.exit, Some(9), "{differs:?}");
        assert_eq!(differs.data["agrees"], false);
        let named = json!([{ "what": "presence", "database": "creating", "runtime": "absent" }]);
        assert_eq!(differs.data["differences"], named);
        // The same name again, as nobody should: another uid proves nothing about this one.
        made.bench.runtime.create(&made.spec).await.expect("create");
        let differs = made.ask("status", &["--from", "both"]).await;
        assert_eq!(differs.data["differences"][0]["what"], "uid", "{differs:?}");
        for verb in ["verify", "logs"] {
            let unknown = made.ask(verb, &[]).await;
            assert_eq!(unknown.exit, Some(3), "{unknown:?}");
            assert_eq!(unknown.error["code"], "infra.pod_vanished");
        }
    })
    .await;
}

/// Whether the keeper's last remark is among at most five lines. Podman may lose the beginning of a
/// line that was written in pieces, so its end is looked for.
fn is_said(lines: &Value) -> bool {
    let lines = lines.as_array().expect("a list");
    let said = |line: &Value| {
        line.as_str()
            .is_some_and(|it| it.contains("/no/such/shell"))
    };
    lines.len() <= 5 && lines.iter().any(said)
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_log_is_read_while_there_is_one_and_from_the_evidence_after(pool: PgPool) {
    on_made(&pool, bench(), "/no/such/shell", async |made| {
        let name = made.spec.runtime_name();
        let stopped = |phase: &Phase| matches!(phase, Phase::Stopped { .. });
        made.bench.until(&name, stopped).await;
        let log = made.ask("logs", &["--tail", "5"]).await;
        assert_eq!(log.exit, Some(0), "{log:?}");
        assert_eq!(log.data["from"], "runtime");
        assert!(is_said(&log.data["lines"]), "{log:?}");

        let id = made.spec.session_id.to_string();
        let destroyed = made.ask("destroy", &["--confirm", &id]).await;
        assert_eq!(destroyed.exit, Some(0), "{destroyed:?}");
        let kept = made.ask("logs", &["--tail", "5"]).await;
        assert_eq!(kept.data["from"], "evidence", "{kept:?}");
        assert!(is_said(&kept.data["lines"]), "{kept:?}");
        let agreed = made.ask("status", &["--from", "both"]).await;
        assert_eq!(agreed.data["agrees"], true, "{agreed:?}");
        assert_eq!(made.ask("verify", &[]).await.exit, Some(3));
    })
    .await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn who_creates_and_destroys_by_hand_is_on_record_and_is_asked_no_name(pool: PgPool) {
    on_made(&pool, bench(), "/bin/bash", async |made| {
        let signed = ["--as", "dana", "--reason", "the worker is away"];
        let created = made.ask("create", &signed).await;
        assert_eq!(created.exit, Some(0), "{created:?}");
        assert_eq!(created.data["created"]["adopted"], true, "{created:?}");
        let bare = made.ask("destroy", &[]).await;
        assert_eq!(bare.exit, Some(6), "{bare:?}");
        let id = made.spec.session_id.to_string();
        let confirmed = ["--confirm", &*id];
        // No engine answers there: what was begun is on record all the same.
        let nowhere = [
            &confirmed[..],
            &["--docker-host", "tcp://127.0.0.1:9"],
            &signed,
        ]
        .concat();
        assert_eq!(made.ask("destroy", &nowhere).await.exit, Some(5));
        let destroyed = made.ask("destroy", &confirmed).await;
        assert_eq!(destroyed.exit, Some(0), "{destroyed:?}");
        assert_eq!(destroyed.data["environment"]["state"], "gone");
        // What is gone is not destroyed by anybody.
        assert_eq!(made.ask("destroy", &confirmed).await.exit, Some(0));

        let mut conn = made.pool.acquire().await.expect("connected");
        let all = SignedActionFilter::default();
        let rows = list_environment_actions(&mut conn, &all, 50).await;
        let rows = rows.expect("listed");
        let told = |row: &SignedEnvironmentAction| {
            json!([row.verb, row.actor, row.reason, row.detail["from"]])
        };
        let newest_first = [
            json!(["environment.destroy", "system:cli", null, "destroying"]),
            json!(["environment.destroy", "staff:dana", signed[3], "creating"]),
            json!(["environment.create", "staff:dana", signed[3], "creating"]),
        ];
        assert_eq!(rows.iter().map(told).collect::<Vec<_>>(), newest_first);
    })
    .await;
}
