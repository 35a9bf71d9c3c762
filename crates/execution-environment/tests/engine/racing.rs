//! Many creators of one session, as many workers that were handed the same job would be.

use std::sync::Arc;

use execution_environment::conformance::Bench;
use execution_environment::{
    Created, EnvironmentRuntime as _, EnvironmentSpec, load_environment, record_created,
};
use futures_util::future::join_all;
use sqlx::PgPool;
use tokio::sync::Barrier;

use crate::fixtures::{begin, session};
use crate::support::{bench, runtime};

/// More than any installation has workers; each has a client of its own.
const CREATORS: usize = 64;

/// What one creator came to.
#[derive(Debug)]
struct Came {
    begun: bool,
    created: Created,
    recorded: bool,
}

async fn create(pool: PgPool, spec: EnvironmentSpec, start: Arc<Barrier>) -> Came {
    let runtime = runtime();
    start.wait().await;
    let begun = begin(&mut pool.acquire().await.expect("connected"), &spec, 0).await;
    let created = runtime.create(&spec).await.expect("create");
    let mut conn = pool.acquire().await.expect("connected");
    let recorded = record_created(&mut conn, spec.session_id, 1, &created.uid).await;
    Came {
        begun,
        created,
        recorded: recorded.expect("written").is_some(),
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn sixty_four_racing_creators_of_one_session_end_with_one_environment(pool: PgPool) {
    let bench = bench();
    let mut conn = pool.acquire().await.expect("connected");
    let spec = session(&mut conn, bench.exam.clone()).await;
    drop(conn);
    let install_id = spec.install_id;
    let bench = Bench {
        install_id,
        ..bench
    };
    let start = Arc::new(Barrier::new(CREATORS));
    let creators = (0..CREATORS).map(|_| {
        let (pool, spec, start) = (pool.clone(), spec.clone(), Arc::clone(&start));
        tokio::spawn(create(pool, spec, start))
    });
    let ended = join_all(creators.collect::<Vec<_>>()).await;
    let listed = bench.runtime.list(install_id).await;
    bench.clear().await;

    let came: Vec<Came> = ended
        .into_iter()
        .map(|one| one.expect("no panic"))
        .collect();
    let listed = listed.expect("list");
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(came.iter().filter(|one| one.begun).count(), 1, "{came:?}");
    let made = came.iter().filter(|one| !one.created.adopted).count();
    assert_eq!(made, 1, "{came:?}");
    assert!(came.iter().all(|one| one.created.uid == listed[0].uid));
    assert!(came.iter().all(|one| one.recorded), "{came:?}");
    let mut conn = pool.acquire().await.expect("connected");
    let row = load_environment(&mut conn, spec.session_id).await;
    let row = row.expect("read").expect("the session has a row");
    assert_eq!(
        (row.attempt, row.runtime_uid.as_ref()),
        (1, Some(&listed[0].uid))
    );
}
