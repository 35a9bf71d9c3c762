//! Stopped midway: what was done is told, with what goes on.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use session_lifecycle::lock_session;
use sqlx::{Connection as _, PgPool};
use tokio::process::Child;

use super::{extend, extended_minutes};
use crate::run::{Carrel, Ended};
use crate::sessions::running;

fn spawn(carrel: &Carrel, call: &[&str]) -> Child {
    let mut command = carrel.command(call);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Sends what Ctrl-C sends.
async fn interrupt(call: Child) -> Ended {
    let id = i32::try_from(call.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(id).unwrap(), Signal::INT).unwrap();
    Ended::of(&call.wait_with_output().await.unwrap())
}

/// Waits until so many sessions have been extended.
async fn so_many_are_extended(pool: &PgPool, ids: &[String], count: usize) {
    let look = async || {
        let mut done = 0;
        for id in ids {
            done += usize::from(extended_minutes(pool, id).await > 0);
        }
        done
    };
    for _ in 0..1_000 {
        if look().await == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{count} sessions were never extended");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_interrupt_tells_what_was_done_and_the_key_that_goes_on(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let mut made = Vec::new();
    for user in ["u-1", "u-2", "u-3"] {
        made.push(running(&carrel, user).await);
    }
    let mut conn = pool.acquire().await.unwrap();
    let mut holding = conn.begin().await.unwrap();
    // The oldest is the last.
    let oldest = made[0].parse().unwrap();
    lock_session(&mut holding, oldest).await.unwrap();
    let call = spawn(&carrel, &extend(&["--confirm", "3"]));
    so_many_are_extended(&pool, &made, 2).await;
    let ended = interrupt(call).await;
    assert_eq!((ended.exit, &ended.error), (7, &Value::Null), "{ended:?}");
    assert_eq!(
        (&ended.data["granted"], &ended.data["left"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(ended.data["stopped"]["because"], "interrupted");
    let key = ended.data["key"].as_str().unwrap();
    let next = ended.data["stopped"]["next"].as_str().unwrap();
    assert!(next.contains(&format!("--key {key}")), "{next}");
    holding.rollback().await.unwrap();

    let rest = carrel
        .data(&extend(&["--confirm", "3", "--key", key]))
        .await;
    assert_eq!(
        (&rest["granted"], &rest["already_granted"]),
        (&json!(1), &json!(2))
    );
    for id in &made {
        assert_eq!(extended_minutes(&pool, id).await, 15);
    }
}

/// Waits until a statement waits for a lock.
async fn somebody_waits(pool: &PgPool) {
    let waiting = "DO $$ BEGIN
        FOR i IN 1..2000 LOOP
            PERFORM pg_stat_clear_snapshot();
            IF EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'
                                                      AND datname = current_database()) THEN
                RETURN;
            END IF;
            PERFORM pg_sleep(0.01);
        END LOOP;
        RAISE 'nobody waits';
    END $$";
    sqlx::raw_sql(waiting).execute(pool).await.unwrap();
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_interrupt_before_the_first_session_knows_no_number(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let id = running(&carrel, "u-1").await;
    let mut conn = pool.acquire().await.unwrap();
    let mut holding = conn.begin().await.unwrap();
    lock_session(&mut holding, id.parse().unwrap())
        .await
        .unwrap();
    let call = spawn(&carrel, &extend(&["--confirm", "1"]));
    somebody_waits(&pool).await;
    let ended = interrupt(call).await;
    assert_eq!(
        (ended.exit, &ended.data["matched"]),
        (7, &Value::Null),
        "{ended:?}"
    );
    holding.rollback().await.unwrap();
    assert_eq!(extended_minutes(&pool, &id).await, 0);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_error_of_the_database_names_the_key_whether_or_not_anything_was_done(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let made = [running(&carrel, "u-1").await, running(&carrel, "u-2").await];
    // For connections from now on.
    let impatient = "DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I SET lock_timeout = 100', current_database());
    END $$";
    sqlx::raw_sql(impatient).execute(&pool).await.unwrap();
    let call = extend(&["--confirm", "2", "--key", "k"]);
    // The newest is the first.
    for (held, exit) in [(&made[1], 5), (&made[0], 7)] {
        let mut conn = pool.acquire().await.unwrap();
        let mut holding = conn.begin().await.unwrap();
        lock_session(&mut holding, held.parse().unwrap())
            .await
            .unwrap();
        let ended = carrel.run(&call).await;
        assert_eq!(ended.exit, exit, "{ended:?}");
        let stopped = &ended.data["stopped"];
        let next = ended.error["next"].as_str().or(stopped["next"].as_str());
        assert!(next.unwrap().contains("--key k"), "{ended:?}");
        if exit == 7 {
            assert_eq!(
                (&ended.data["granted"], &ended.data["left"]),
                (&json!(1), &json!(1))
            );
            let because = stopped["because"].as_str().unwrap();
            assert!(because.contains("lock timeout"), "{because}");
        }
        holding.rollback().await.unwrap();
    }
    assert_eq!(carrel.data(&call).await["already_granted"], 1);
    for id in &made {
        assert_eq!(extended_minutes(&pool, id).await, 15);
    }
}
