//! Two tabs of one candidate: what one typed is never parted by what the other still had waiting.

use environment_access::wire::{ClientFrame, Resume};
use sqlx::PgPool;
use uuid::Uuid;

use crate::bench::Bench;
use crate::browser::{Browser, Page};

fn place(output_offset: u64, input_offset: u64) -> Resume {
    Resume {
        epoch: 1,
        output_offset,
        input_offset,
    }
}

/// What the access log says of attaches: whether, why not, and with which epoch.
async fn log(bench: &Bench) -> Vec<(bool, Option<String>, Option<i64>)> {
    let rows = sqlx::query!(
        "SELECT allowed, code, epoch FROM access_log
         WHERE session_id = $1 AND action = 'attach' ORDER BY id",
        bench.session_id.as_uuid(),
    );
    let rows = rows.fetch_all(&bench.pool).await.unwrap();
    let line = rows.into_iter().map(|it| (it.allowed, it.code, it.epoch));
    line.collect()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_tab_that_comes_back_by_itself_leaves_the_terminal_to_the_tab_that_typed_since(
    pool: PgPool,
) {
    let bench = Bench::start(pool).await;
    let (first, second) = (Page::drawn(), Page::drawn());
    let (mut a, welcome) = Browser::attach_as(&bench, first, None).await;
    a.type_at(0, b"echo ").await;
    a.output(0, 5).await;
    drop(a);
    // The paste it was about to send waits: 150 bytes from 5 on.
    let (mut b, _) = Browser::attach_as(&bench, second, None).await;
    b.type_at(5, b"twenty bytes of mine").await;
    assert_eq!(b.output(0, 25).await, b"echo twenty bytes of mine");
    let back = first.back(welcome.attach);
    let mut a = Browser::greet_as(&bench, back, Some(place(5, 155))).await;
    assert_eq!(a.closed().await, 4009);
    b.type_at(25, b"!").await;
    b.output(25, 1).await;
    assert_eq!(bench.keeper.typed(), b"echo twenty bytes of mine!");
    let refused = (false, Some("access.in_use".to_owned()), None);
    assert_eq!(
        log(&bench).await,
        [(true, None, Some(1)), (true, None, Some(2)), refused]
    );
    // Until a person says that it is to be used here.
    let (mut a, welcome) = Browser::attach_as(&bench, first, Some(place(5, 5))).await;
    assert_eq!((welcome.attach, welcome.input_offset), (3, 26));
    assert_eq!(b.closed().await, 4009);
    a.type_at(26, b"?").await;
    a.output(5, 22).await;
    assert_eq!(bench.keeper.typed(), b"echo twenty bytes of mine!?");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn attaches_of_its_own_that_a_page_never_learned_of_do_not_keep_it_out(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let page = Page::drawn();
    let (a, welcome) = Browser::attach_as(&bench, page, None).await;
    drop(a);
    let back = page.back(welcome.attach);
    bench.keeper.hold_starts.send_replace(true);
    // Admitted, and gone before WELCOME.
    let mut lost = Browser::greet_as(&bench, back, Some(place(0, 3))).await;
    while log(&bench).await.len() < 2 {
        tokio::task::yield_now().await;
    }
    lost.send(ClientFrame::Ping { opaque: 1 }).await;
    drop(lost);
    bench.keeper.hold_starts.send_replace(false);
    let (mut a, again) = Browser::attach_as(&bench, back, Some(place(0, 3))).await;
    assert_eq!((again.attach, again.input_offset), (3, 0));
    a.type_at(0, b"abc").await;
    a.output(0, 3).await;
    assert_eq!(bench.keeper.typed(), b"abc");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_tab_of_an_older_page_takes_over_and_keeps_newer_ones_out_alike(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let page = Page::drawn();
    let (mut a, welcome) = Browser::attach_as(&bench, page, None).await;
    let (_old, _) = Browser::attach(&bench, Some(place(0, 0))).await;
    assert_eq!(a.closed().await, 4009);
    let back = page.back(welcome.attach);
    let mut a = Browser::greet_as(&bench, back, Some(place(0, 0))).await;
    assert_eq!(a.closed().await, 4009);
}

impl Page {
    fn drawn() -> Self {
        Self {
            id: Some(Uuid::new_v4()),
            held: None,
        }
    }

    /// The page as it comes back by itself.
    fn back(self, held: i64) -> Self {
        Self {
            held: Some(held),
            ..self
        }
    }
}
