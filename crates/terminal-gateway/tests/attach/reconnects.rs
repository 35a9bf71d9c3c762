//! Coming back: nothing is lost or doubled, whoever broke the connection and however many come.

use std::time::Duration;

use rand::RngExt as _;
use sqlx::PgPool;

use crate::bench::{Bench, start_gateway};
use crate::browser::PATIENCE;
use crate::steady::Steady;

/// As many as make a pattern of cuts unlikely to miss a place.
const RECONNECTS: usize = 50;
/// More than may start at once.
const CROWD: usize = 40;
/// As in the process.
const STARTING: usize = 32;

pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    rand::rng().fill(&mut bytes[..]);
    bytes
}

fn up_to(most: usize) -> usize {
    rand::rng().random_range(0..most)
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn fifty_forced_reconnects_lose_and_double_nothing_in_either_direction(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let mut steady = Steady::attach(bench.seat.clone(), noise(300_000)).await;
    for number in 0..RECONNECTS {
        bench.keeper.print(&noise(up_to(6_000)));
        for _ in 0..up_to(4) {
            steady.type_on(up_to(5_000)).await;
            steady.look().await;
        }
        // Under way in both directions when it happens.
        steady.type_on(up_to(5_000)).await;
        if number % 5 == 0 {
            bench.keeper.break_legs();
        }
        steady.reconnect().await;
    }
    steady.finish().await;
}

async fn crowd(bench: &Bench) -> Vec<Steady> {
    let mut crowd = Vec::new();
    for number in 0..CROWD {
        let seat = bench.seat(&format!("one-of-many-{number}")).await;
        crowd.push(Steady::attach(seat, noise(20_000)).await);
    }
    crowd
}

async fn together(crowd: Vec<Steady>, act: impl AsyncFn(Steady) + Clone + 'static) {
    let acts = crowd.into_iter().map(|one| {
        let act = act.clone();
        async move { act(one).await }
    });
    tokio::time::timeout(PATIENCE * 2, futures_util::future::join_all(acts))
        .await
        .expect("everybody is back in time");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_crowd_that_comes_back_at_once_is_let_in_and_goes_on(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let mut crowd = crowd(&bench).await;
    for one in &mut crowd {
        one.type_on(1_000).await;
    }
    // However slowly they come, some are there together.
    bench.keeper.hold_starts.send_replace(true);
    let several = async {
        while bench.keeper.starting.lock().unwrap().0 < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bench.keeper.hold_starts.send_replace(false);
    };
    let back = together(crowd, async |mut one: Steady| {
        one.reconnect().await;
        one.type_on(1_000).await;
        one.finish().await;
    });
    tokio::join!(several, back);
    let (now, most) = *bench.keeper.starting.lock().unwrap();
    assert_eq!(now, 0);
    assert!(
        (2..=STARTING).contains(&most),
        "{most} execs started at once"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_process_that_stops_under_a_crowd_that_types_loses_and_doubles_nothing(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let crowd = crowd(&bench).await;
    let (next, ..) = start_gateway(&bench.pool, &bench.keeper).await;
    bench.stop.cancel();
    together(crowd, async move |mut one: Steady| {
        let code = loop {
            one.type_on(200).await;
            one.seat.keeper.print(b"what time is it? ");
            if let Some(code) = one.look().await {
                break code;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(code, 1012);
        one.seat.address = next;
        one.reconnect().await;
        one.finish().await;
    })
    .await;
    let stopped = tokio::time::timeout(PATIENCE, bench.ended).await;
    stopped.expect("it ends").unwrap();
}
