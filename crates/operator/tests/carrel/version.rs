//! `carrel version`: this binary beside the database and its workers.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::run::{Carrel, Ended};

const BINARY: &str = env!("CARGO_PKG_VERSION");

/// The last migration of this release.
fn newest() -> i64 {
    let all = migrations::MIGRATOR.iter();
    all.map(|migration| migration.version).max().unwrap()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_schema_as_this_carrel_knows_it_fits_and_so_does_a_newer_one(pool: PgPool) {
    let live = "INSERT INTO workers (incarnation, name, host, build, queues, kinds, slots, seen_at,
                                     stopped_at)
                VALUES (gen_random_uuid(), 'w-1', 'h', '0.1.0', '{q}', '{k}', 1,
                        now() + interval '1 hour', NULL),
                       (gen_random_uuid(), 'w-2', 'h', '0.0.9', '{q}', '{k}', 1,
                        now() + interval '1 hour', NULL),
                       (gen_random_uuid(), 'w-3', 'h', '0.0.8', '{q}', '{k}', 1, now(), now())";
    sqlx::raw_sql(live).execute(&pool).await.unwrap();
    let carrel = Carrel::on(&pool);
    let told = carrel.data(&["version"]).await;
    assert_eq!(told["binary"], BINARY);
    let schema = json!({ "binary": newest(), "database": newest(), "fits": true });
    assert_eq!(told["schema"], schema);
    assert_eq!(
        told["workers"],
        json!({ "0.0.9": 1, "0.1.0": 1 }),
        "w-3 has ended"
    );
    assert_eq!(told["too_old"], json!(["0.0.9"]));
    let said = text(&carrel).await;
    assert!(
        said.contains("1 worker of 0.0.9, too old, 1 worker of 0.1.0"),
        "{said}"
    );
    assert_eq!(told["database_error"], Value::Null);

    let newer =
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (29990101000000, 'of a later release', true, '', 0)";
    sqlx::raw_sql(newer).execute(&pool).await.unwrap();
    let told = carrel.data(&["version"]).await;
    assert_eq!(told["schema"]["database"], 29_990_101_000_000_i64);
    assert_eq!(told["schema"]["fits"], true);

    let other = "UPDATE _sqlx_migrations SET checksum = 'x' WHERE version < 29990101000000";
    sqlx::raw_sql(other).execute(&pool).await.unwrap();
    let told = carrel.data(&["version"]).await;
    assert_eq!(told["schema"]["fits"], false);
    assert_eq!(told["workers"], Value::Null, "another schema is not read");
    let said = text(&carrel).await;
    assert!(said.contains("carrel migrate status"), "{said}");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_migration_that_has_not_ended_does_not_fit(pool: PgPool) {
    let unfinished = "UPDATE _sqlx_migrations SET success = false
                      WHERE version = (SELECT max(version) FROM _sqlx_migrations)";
    sqlx::raw_sql(unfinished).execute(&pool).await.unwrap();
    let carrel = Carrel::on(&pool);
    let told = carrel.data(&["version"]).await;
    assert_eq!(told["schema"]["fits"], false);
    let status = carrel.data(&["migrate", "status"]).await;
    let last = status["migrations"].as_array().unwrap().last().unwrap();
    assert_eq!(last["state"], "unfinished");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_schema_that_is_held_is_told_as_a_database_that_did_not_say(pool: PgPool) {
    let mut holder = pool.begin().await.unwrap();
    let held = "LOCK TABLE _sqlx_migrations";
    sqlx::raw_sql(held).execute(&mut *holder).await.unwrap();
    let told = Carrel::on(&pool).run(&["version"]).await;
    assert_eq!((told.exit, &told.data["binary"]), (5, &json!(BINARY)));
    assert_eq!(told.data["database_error"], "database.too_slow");
    holder.rollback().await.unwrap();
}

async fn text(carrel: &Carrel) -> String {
    let output = carrel.command(&["version", "-o", "text"]).output().await;
    String::from_utf8(output.unwrap().stdout).unwrap()
}

#[sqlx::test(migrations = false)]
async fn an_empty_database_does_not_fit_and_says_what_to_do(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let told = carrel.data(&["version"]).await;
    let schema = json!({ "binary": newest(), "database": null, "fits": false });
    assert_eq!(told["schema"], schema);
    let said = text(&carrel).await;
    assert!(said.contains("carrel migrate up"), "{said}");
}

#[sqlx::test(migrations = false)]
async fn without_a_database_the_binary_is_told_and_one_that_is_away_is_told_beside_it(
    pool: PgPool,
) {
    let mut unnamed = Carrel::on(&pool).command(&["version"]);
    let unnamed = unnamed.env_remove("CARREL_DATABASE_URL").output().await;
    let unnamed = Ended::of(&unnamed.unwrap());
    assert_eq!(
        (unnamed.exit, &unnamed.data["schema"]["fits"]),
        (0, &Value::Null)
    );
    let away = [
        "version",
        "--database-url",
        "postgres://postgres@127.0.0.1:1/carrel",
    ];
    let away = Carrel::on(&pool).run(&away).await;
    assert_eq!((away.exit, &away.data["binary"]), (5, &json!(BINARY)));
    assert_eq!(away.data["database_error"], "database.unavailable");
    let malformed = ["version", "--database-url", "nonsense"];
    assert_eq!(Carrel::on(&pool).run(&malformed).await.exit, 2);
}
