//! Decisions to do without a proof of isolation: their rows, and their command line.

#![expect(
    clippy::unwrap_used,
    reason = "a row that cannot be had is a failed test"
)]

use std::process::Output;
use std::time::Duration;

use execution_environment::{
    IsolationWaiver, Protection, find_valid_waiver, grant_waiver, list_waivers, revoke_waiver,
};
use serde_json::Value;
use session_identity::{Actor, UserId};
use sqlx::{ConnectOptions as _, PgConnection, PgPool};
use uuid::Uuid;

const DAY: Duration = Duration::from_hours(24);

fn dana() -> Actor {
    Actor::Staff(UserId::parse("dana").unwrap())
}

async fn grant(conn: &mut PgConnection, reason: &str, lasts: Duration) -> IsolationWaiver {
    grant_waiver(conn, reason, lasts, &dana()).await.unwrap()
}

async fn valid(conn: &mut PgConnection) -> Option<Uuid> {
    let found = find_valid_waiver(conn, Protection::NoNetwork).await;
    found.unwrap().map(|waiver| waiver.id)
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_waiver_counts_until_it_is_revoked(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    assert_eq!(valid(&mut conn).await, None);
    let granted = grant(&mut conn, "no policies here", DAY).await;
    assert!(granted.valid);
    assert_eq!(granted.granted_by, "staff:dana");
    assert_eq!(granted.expires_at - granted.granted_at, chrono_of(DAY));
    assert_eq!(valid(&mut conn).await, Some(granted.id));

    let revoke = revoke_waiver(&mut conn, granted.id, &Actor::System("test"));
    let revoked = revoke.await.unwrap().unwrap();
    assert!(!revoked.valid);
    assert_eq!(revoked.revoked_by.as_deref(), Some("system:test"));
    assert_eq!(valid(&mut conn).await, None);

    let again = revoke_waiver(&mut conn, granted.id, &dana()).await.unwrap();
    assert_eq!(again.unwrap(), revoked, "the first revocation stays");
    let unknown = revoke_waiver(&mut conn, Uuid::nil(), &dana()).await;
    assert_eq!(unknown.unwrap(), None);
}

fn chrono_of(duration: Duration) -> chrono::TimeDelta {
    chrono::TimeDelta::from_std(duration).unwrap()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_waiver_ends_by_itself_and_stays_in_the_list(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let brief = grant(&mut conn, "a moment", Duration::from_millis(1)).await;
    sqlx::query_scalar!(r#"SELECT pg_sleep(0.01)::text AS "slept""#)
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert_eq!(valid(&mut conn).await, None);
    let lasting = grant(&mut conn, "longer", DAY).await;
    assert_eq!(valid(&mut conn).await, Some(lasting.id));
    let listed = list_waivers(&mut conn, 50).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|one| (one.id, one.valid)).collect();
    assert_eq!(listed, [(lasting.id, true), (brief.id, false)]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn of_several_the_one_that_counts_longest_is_named(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    grant(&mut conn, "short", DAY).await;
    let long = grant(&mut conn, "long", DAY * 9).await;
    grant(&mut conn, "shorter", DAY / 2).await;
    assert_eq!(valid(&mut conn).await, Some(long.id));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn nothing_but_the_network_can_be_waived(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    grant(&mut conn, "no policies here", DAY).await;
    for protection in Protection::ALL {
        let found = find_valid_waiver(&mut conn, protection).await.unwrap();
        let waived = protection == Protection::NoNetwork;
        assert_eq!(found.is_some(), waived, "{protection}");
    }
    let refused = sqlx::query!(
        "INSERT INTO isolation_waivers (id, protection, reason, granted_by, expires_at)
         VALUES (gen_random_uuid(), 'memory_limit', 'r', 'a', now() + interval '1 h')"
    )
    .execute(&mut *conn)
    .await;
    assert!(refused.is_err());
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_was_decided_can_be_neither_changed_nor_deleted(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let waiver = grant(&mut conn, "no policies here", DAY).await;
    let changed = sqlx::query!("UPDATE isolation_waivers SET reason = 'another'")
        .execute(&mut *conn)
        .await;
    assert!(changed.is_err());
    let deleted = sqlx::query!("DELETE FROM isolation_waivers")
        .execute(&mut *conn)
        .await;
    assert!(deleted.is_err());
    assert_eq!(list_waivers(&mut conn, 1).await.unwrap(), [waiver]);
    let endless = grant_waiver(&mut conn, "r", DAY * 367, &dana()).await;
    assert!(endless.is_err());
}

async fn run(pool: &PgPool, words: &[&str]) -> Output {
    let url = pool.connect_options().to_url_lossy().to_string();
    tokio::process::Command::new(env!("CARGO_BIN_EXE_execution-environment"))
        .arg("isolation")
        .args(words)
        .args(["--database-url", &url])
        .output()
        .await
        .expect("the binary runs")
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_operator_waives_lists_and_revokes(pool: PgPool) {
    let waive = [
        "waive",
        "--reason",
        "no policies",
        "--as",
        "dana",
        "--for",
        "30d",
    ];
    let unconfirmed = run(&pool, &waive).await;
    assert_eq!(unconfirmed.status.code(), Some(6));
    assert!(unconfirmed.stdout.is_empty());
    let error: Value = serde_json::from_slice(&unconfirmed.stderr).unwrap();
    assert_eq!(error["next"], "--confirm no_network");
    let other = [waive.as_slice(), &["--confirm", "memory_limit"]].concat();
    assert_eq!(run(&pool, &other).await.status.code(), Some(6));

    let confirmed = [waive.as_slice(), &["--confirm", "no_network"]].concat();
    let granted = document(&run(&pool, &confirmed).await);
    assert_eq!(
        granted["schema"],
        "execution-environment/isolation-waive.v1"
    );
    assert_eq!(granted["data"]["protection"], "no_network");
    assert_eq!(granted["data"]["valid"], true);

    let listed = document(&run(&pool, &["list"]).await);
    assert_eq!(listed["data"]["waivers"][0], granted["data"]);

    let id = granted["data"]["id"].as_str().unwrap();
    let revoked = document(&run(&pool, &["revoke", "--id", id, "--actor", "erin"]).await);
    assert_eq!(revoked["data"]["revoked_by"], "staff:erin");
    assert_eq!(revoked["data"]["valid"], false);
    let nil = Uuid::nil().to_string();
    let unknown = run(&pool, &["revoke", "--id", &nil, "--as", "erin"]).await;
    assert_eq!(unknown.status.code(), Some(3));
}
