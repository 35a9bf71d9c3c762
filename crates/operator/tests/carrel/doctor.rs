//! Each finding of `carrel doctor` is caused once and found.

use std::time::Duration;

use job_queue::{Schedule, tick};
use serde_json::Value;
use session_identity::WorkerIncarnation;
use sqlx::{ConnectOptions as _, PgPool};

use crate::run::{Carrel, Ended};

/// One that lives, however long the calls beside it take.
const WORKER: &str =
    "INSERT INTO workers (incarnation, name, host, build, queues, kinds, slots, seen_at)
     VALUES (gen_random_uuid(), 'w', 'h', 'b', '{environments,sessions}', '{}', 1,
             now() + interval '10 minutes')";

fn findings(ended: &Ended) -> Vec<&str> {
    let checks = ended.data["checks"].as_array().unwrap().iter();
    let bad = checks.filter(|check| check["verdict"] == "bad");
    bad.inspect(|check| assert!(check["next"].is_string(), "{check}"))
        .map(|check| check["name"].as_str().unwrap())
        .collect()
}

async fn let_sweeps_tick(pool: &PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    for name in [
        "sweep_expired",
        "sweep_stuck",
        "sweep_teardowns",
        "sweep_runtime",
        "sweep_attachments",
        "sweep_history",
    ] {
        let schedule = Schedule {
            name,
            every: Duration::from_secs(1),
            is_pausable: true,
        };
        let worker = WorkerIncarnation::generate();
        let claimed = tick(&mut connection, schedule, worker).await.unwrap();
        assert!(claimed.is_some());
    }
}

#[sqlx::test(migrations = false)]
async fn an_empty_database_lacks_its_schema_and_the_rest_is_not_guessed(pool: PgPool) {
    let ended = Carrel::on(&pool).run(&["doctor"]).await;
    assert_eq!((ended.exit, findings(&ended)), (9, vec!["schema"]));
    let checks = ended.data["checks"].as_array().unwrap();
    let skipped = checks.iter().filter(|check| check["verdict"] == "skipped");
    assert_eq!(skipped.count(), 14);
}

#[sqlx::test(migrations = false)]
async fn a_check_that_is_asked_for_alone_never_looks_healthy_without_its_schema(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let only = carrel
        .run(&["doctor", "--only", "queues", "--fix-sql"])
        .await;
    assert_eq!((only.exit, findings(&only)), (9, vec!["schema"]));
    let fixes = only.data["fix_sql"].as_array().unwrap();
    assert_eq!(fixes.len(), migrations::MIGRATOR.iter().count());
    let apart = carrel.run(&["doctor", "--only", "server_version"]).await;
    assert_eq!(apart.exit, 0);
    let checks = apart.data["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 1, "{checks:?}");
    let unknown = carrel.run(&["doctor", "--only", "weather"]).await;
    assert_eq!((unknown.exit, &unknown.error["field"]), (2, &"only".into()));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn keys_for_logins_that_nobody_shows_are_a_finding(pool: PgPool) {
    let_sweeps_tick(&pool).await;
    let carrel = Carrel::on(&pool);
    let away = ["doctor", "--token-jwks-url", "http://127.0.0.1:1/jwks"];
    let ended = carrel.run(&away).await;
    assert_eq!((ended.exit, findings(&ended)), (9, vec!["token_keys"]));
    let secret = "0123456789abcdef0123456789abcdef";
    let there = ["doctor", "--token-hs256-secret", secret];
    let ended = carrel.run(&there).await;
    assert_eq!(findings(&ended), [""; 0]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_database_that_does_not_answer_is_a_finding_and_a_malformed_address_a_usage_error(
    pool: PgPool,
) {
    let carrel = Carrel::on(&pool);
    let nobody = [
        "doctor",
        "--database-url",
        "postgres://nobody@127.0.0.1:1/nothing",
    ];
    let ended = carrel.run(&nobody).await;
    assert_eq!((ended.exit, findings(&ended)), (9, vec!["database"]));
    let ended = carrel.run(&["doctor", "--database-url", "nothing"]).await;
    assert_eq!(
        (ended.exit, &ended.error["field"]),
        (2, &"database-url".into())
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn notifications_that_are_not_heard_are_found(pool: PgPool) {
    let_sweeps_tick(&pool).await;
    let carrel = Carrel::on(&pool);
    let elsewhere = pool.connect_options().as_ref().clone().database("postgres");
    let elsewhere = elsewhere.to_url_lossy().to_string();
    let nobody = "postgres://nobody@127.0.0.1:1/nothing";
    let one = ["--max-connections", "1"];
    for (address, words) in [(&*elsewhere, "not heard"), (nobody, "listening failed")] {
        let deaf = ["doctor", "--direct-database-url", address];
        let ended = carrel.run(&[&deaf[..], &one].concat()).await;
        assert_eq!((ended.exit, findings(&ended)), (9, vec!["notifications"]));
        assert!(ended.data.to_string().contains(words), "{}", ended.data);
    }
    let alone = carrel.run(&[&["doctor"][..], &one].concat()).await;
    assert_eq!(alone.exit, 0, "one connection is enough to hear");
    let ended = carrel
        .run(&["doctor", "--direct-database-url", "nothing"])
        .await;
    assert_eq!(
        (ended.exit, &ended.error["field"]),
        (2, &"direct-database-url".into())
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn sweeps_that_never_ran_and_jobs_that_nobody_takes_are_found(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    assert_eq!(findings(&carrel.run(&["doctor"]).await), ["sweeps"]);
    let_sweeps_tick(&pool).await;
    let healthy = carrel.run(&["doctor"]).await;
    assert_eq!(
        (healthy.exit, &healthy.data["findings"]),
        (0, &Value::from(0))
    );

    let run = ["schedules", "run", "sweep_stuck", "--as", "dana"];
    assert_eq!(carrel.run(&run).await.exit, 0);
    assert_eq!(carrel.run(&["doctor"]).await.exit, 0, "it is only due");
    let waits =
        "UPDATE schedules SET due_since = now() - interval '2 minutes' WHERE due_since IS NOT NULL";
    sqlx::raw_sql(waits).execute(&pool).await.unwrap();
    let ended = carrel.run(&["doctor"]).await;
    assert_eq!(findings(&ended), ["sweeps"]);
    assert!(
        ended.data.to_string().contains("was made due"),
        "{}",
        ended.data
    );
    let ticks = "UPDATE schedules SET last_tick_at = now()";
    sqlx::raw_sql(ticks).execute(&pool).await.unwrap();

    carrel.apply_exam().await;
    carrel.session("u-1").await;
    assert_eq!(findings(&carrel.run(&["doctor"]).await), ["queues"]);
    sqlx::raw_sql(WORKER).execute(&pool).await.unwrap();
    let ended = carrel.run(&["doctor"]).await;
    assert_eq!(findings(&ended), ["handlers"], "it reads no kind at all");
    let reads = "UPDATE workers SET kinds = (SELECT array_agg(DISTINCT kind) FROM jobs)";
    sqlx::raw_sql(reads).execute(&pool).await.unwrap();
    assert_eq!(carrel.run(&["doctor"]).await.exit, 0);
    let holds = "UPDATE workers SET holds_because = 'no rights in exams', held_kinds = '{make}'";
    sqlx::raw_sql(holds).execute(&pool).await.unwrap();
    assert_eq!(carrel.run(&["doctor"]).await.exit, 0, "it has just started");
    let long_ago = "UPDATE workers SET started_at = now() - interval '2 minutes'";
    sqlx::raw_sql(long_ago).execute(&pool).await.unwrap();
    let ended = carrel.run(&["doctor"]).await;
    assert_eq!(findings(&ended), ["queues"]);
    assert!(
        ended.data.to_string().contains("no rights in exams"),
        "{}",
        ended.data
    );
    let drained = "UPDATE workers SET holds_because = NULL, held_kinds = NULL,
                          drain_requested_at = now(), drain_requested_by = 'staff:dana'";
    sqlx::raw_sql(drained).execute(&pool).await.unwrap();
    assert_eq!(findings(&carrel.run(&["doctor"]).await), ["queues"]);
    let goes_on = "UPDATE workers SET drain_requested_at = NULL, drain_requested_by = NULL";
    sqlx::raw_sql(goes_on).execute(&pool).await.unwrap();
    let silent = "UPDATE workers SET seen_at = now() - interval '1 minute'";
    sqlx::raw_sql(silent).execute(&pool).await.unwrap();
    assert_eq!(findings(&carrel.run(&["doctor"]).await), ["queues"]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn sweeps_that_a_new_worker_has_not_begun_yet_are_no_finding(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    sqlx::raw_sql(WORKER).execute(&pool).await.unwrap();
    assert_eq!(carrel.run(&["doctor"]).await.exit, 0);
    let old = "UPDATE workers SET started_at = now() - interval '2 minutes'";
    sqlx::raw_sql(old).execute(&pool).await.unwrap();
    assert_eq!(findings(&carrel.run(&["doctor"]).await), ["sweeps"]);
}

/// More jobs run than one look reads, and the one that was made first has lost its lease.
#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_lost_lease_is_found_however_many_jobs_run(pool: PgPool) {
    let running = "INSERT INTO jobs (id, queue, kind, payload, state, run_token, started_at,
                                     lease_owner, lease_until)
                   SELECT lpad(to_hex(n), 32, '0')::uuid, 'environments', 'ping', '{}', 'running', 1,
                          now(), (SELECT incarnation FROM workers),
                          now() + CASE WHEN n = 1 THEN interval '-1 minute' ELSE '1 hour' END
                   FROM generate_series(1, 501) AS n";
    sqlx::raw_sql(WORKER).execute(&pool).await.unwrap();
    sqlx::raw_sql(running).execute(&pool).await.unwrap();
    let carrel = Carrel::on(&pool);
    let lost = carrel.run(&["doctor", "--only", "leases"]).await;
    assert_eq!(findings(&lost), ["leases"]);
    let taken_over = "UPDATE jobs SET lease_until = now() + interval '1 hour'";
    sqlx::raw_sql(taken_over).execute(&pool).await.unwrap();
    let well = carrel.run(&["doctor", "--only", "leases"]).await;
    assert_eq!(well.exit, 0, "{well:?}");
    assert!(
        well.data.to_string().contains("501 running jobs"),
        "{well:?}"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn lost_leases_dead_jobs_and_whatever_is_stuck_are_found(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let_sweeps_tick(&pool).await;
    carrel.apply_exam().await;
    carrel.session("u-1").await;
    for (cause, found) in [
        (
            "UPDATE jobs SET state = 'running', lease_owner = gen_random_uuid(), run_token = 1,
                    lease_until = now() - interval '1 minute', started_at = now()",
            &["leases"][..],
        ),
        (
            "UPDATE jobs SET lease_until = now() + interval '1 hour',
                    started_at = now() - interval '1 minute'",
            &["leases"],
        ),
        (
            "UPDATE jobs SET state = 'dead', lease_owner = NULL, lease_until = NULL, finished_at = now()",
            &["dead_jobs"],
        ),
        (
            "UPDATE exam_sessions SET ready_by = now() - interval '1 minute', version = version + 1",
            &["dead_jobs", "startup"],
        ),
        (
            "UPDATE execution_environments SET state = 'creating', version = version + 1;
             UPDATE execution_environments SET state = 'destroying', version = version + 1,
                    destroying_at = now() - interval '6 minutes'",
            &["dead_jobs", "startup", "teardown"],
        ),
        (
            // What is known to be blocked is told before it is late.
            "UPDATE execution_environments SET version = version + 1, destroying_at = now(),
                    cleanup_blocked = 'node_lost', cleanup_blocked_at = now()",
            &["dead_jobs", "startup", "teardown"],
        ),
        (
            "UPDATE schedules SET last_tick_at = now() - interval '2 minutes'",
            &["dead_jobs", "startup", "teardown", "sweeps"],
        ),
        (
            "DELETE FROM installation",
            &["installation", "dead_jobs", "startup", "teardown", "sweeps"],
        ),
    ] {
        sqlx::raw_sql(cause).execute(&pool).await.unwrap();
        let ended = carrel.run(&["doctor"]).await;
        assert_eq!(
            (ended.exit, findings(&ended)),
            (9, found.to_vec()),
            "{cause}"
        );
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_session_that_nobody_begins_is_a_finding_with_its_reason(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let_sweeps_tick(&pool).await;
    carrel.apply_exam().await;
    let session = carrel.session("u-1").await;
    let mut transaction = pool.begin().await.unwrap();
    // When a session was created never changes, so that a trigger would not have it.
    sqlx::raw_sql(
        "SET LOCAL session_replication_role = replica;
         UPDATE exam_sessions SET created_at = now() - interval '40 s', ready_by = now() + interval '1 h'",
    )
    .execute(&mut *transaction)
    .await
    .unwrap();
    transaction.commit().await.unwrap();
    for (cause, reason) in [
        (
            "",
            "no live worker takes provision_environment of version 1",
        ),
        (
            "INSERT INTO queues (name, paused_at, paused_by, paused_reason)
             VALUES ('environments', now(), 'staff:dana', 'INC-7')
             ON CONFLICT (name) DO UPDATE
             SET paused_at = now(), paused_by = 'staff:dana', paused_reason = 'INC-7'",
            "queue environments paused by staff:dana: INC-7",
        ),
        (
            "UPDATE jobs SET state = 'dead', finished_at = now(), outcome_class = 'infra'",
            "its job has ended: dead (infra)",
        ),
        ("DELETE FROM jobs", "no job prepares it"),
    ] {
        sqlx::raw_sql(cause).execute(&pool).await.unwrap();
        let ended = carrel.run(&["doctor"]).await;
        let checks = ended.data["checks"].as_array().unwrap();
        let startup = checks.iter().find(|check| check["name"] == "startup");
        let startup = startup.unwrap().to_string();
        assert!(
            startup.contains(reason) && startup.contains(&session),
            "{startup}"
        );
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn days_of_history_that_run_out_are_found(pool: PgPool) {
    let_sweeps_tick(&pool).await;
    let carrel = Carrel::on(&pool);
    assert_eq!(carrel.run(&["doctor"]).await.exit, 0);
    let days = "DO $$ DECLARE ahead integer; BEGIN
        FOR ahead IN 2..7 LOOP
            EXECUTE format('DROP TABLE job_attempts_%s',
                to_char((now() AT TIME ZONE 'UTC')::date + ahead, 'YYYYMMDD'));
        END LOOP; END $$";
    sqlx::raw_sql(days).execute(&pool).await.unwrap();
    let ended = carrel.run(&["doctor"]).await;
    assert_eq!((ended.exit, findings(&ended)), (9, vec!["history"]));
    let again = "SELECT job_attempts_add_days(7)";
    sqlx::raw_sql(again).execute(&pool).await.unwrap();
    assert_eq!(carrel.run(&["doctor"]).await.exit, 0);
}
