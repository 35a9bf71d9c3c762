//! What is seen of the whole service. The metrics are a process's: this one has no other database's.

mod support;

use std::time::Duration;

use environment_access::{Leaving, begin_reading, leave_shells, take_epoch};
use session_identity::{ExamSessionId, LoginId, TerminalProcessId};
use sqlx::PgPool;
use support::{TestApi, exams};

/// However busy the machine is.
const PATIENCE: Duration = Duration::from_mins(1);

async fn await_line(api: &TestApi, line: &str) {
    let shown = async {
        loop {
            let metrics = reqwest::get(format!("http://{}/metrics", api.admin)).await;
            let metrics = metrics.expect("it answers").text().await.expect("text");
            if metrics.lines().any(|it| it == line) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, shown).await;
    waited.unwrap_or_else(|_| panic!("{line:?} is not there in time"));
}

/// Has a terminal process attach to a shell that must be on record, and end.
async fn leave_unread(pool: &PgPool, session_id: ExamSessionId) -> Result<(), sqlx::Error> {
    let mut conn = pool.acquire().await?;
    let (process, login) = (TerminalProcessId::generate(), LoginId::new("l"));
    let epoch = take_epoch(&mut conn, session_id, process, &login, None).await?;
    begin_reading(&mut conn, process, (session_id, epoch), true).await?;
    let left = [(session_id, epoch, Leaving::Unread(Duration::ZERO))];
    leave_shells(&mut conn, process, &left).await
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_shell_that_nobody_reads_shows_where_no_terminal_process_lives(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let session = api.session_of("u-unread").await;
    exams::run(&pool, &session).await;
    await_line(&api, "carrel_terminal_unread 0").await;
    leave_unread(&pool, session.parse().unwrap()).await.unwrap();
    await_line(&api, "carrel_terminal_unread 1").await;
    exams::end(&pool, &session).await;
    await_line(&api, "carrel_terminal_unread 0").await;
    api.stop().await;
}
