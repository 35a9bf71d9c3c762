//! Whether what is notified through the database's address is heard where processes listen.

use std::time::Duration;

use session_identity::JobId;
use sqlx::{PgConnection, PgPool, postgres::PgListener};
use tokio::time::timeout;

use super::report::Check;

const NAME: &str = "notifications";
/// A notification takes a millisecond or two.
const HEARD_WITHIN: Duration = Duration::from_secs(2);
/// What each process has to be told as well.
const NEXT: &str = "give PostgreSQL's own address, past the pooler and of the same database, as \
                    CARREL_DIRECT_DATABASE_URL: here, and to worker, API and terminal process";

/// Sends one notification and waits for it. A pooler in transaction mode takes LISTEN and says
/// that all is well, so that only hearing proves anything.
pub(super) async fn heard(connection: &mut PgConnection, listening: &PgPool) -> Check {
    // Of its own, since a pooler would leave a connection behind that listens.
    let channel = format!("carrel_doctor_{}", JobId::generate().as_uuid().simple());
    let mut listener = match listen(listening, &channel).await {
        Ok(listener) => listener,
        Err(error) => return Check::bad(NAME, format!("listening failed: {error}"), NEXT),
    };
    match timeout(
        HEARD_WITHIN,
        sent_and_heard(connection, &mut listener, &channel),
    )
    .await
    {
        Ok(Ok(())) => Check::ok(NAME, "heard where processes listen"),
        Ok(Err(error)) => Check::bad(NAME, format!("notifying failed: {error}"), NEXT),
        Err(_) => Check::bad(
            NAME,
            "not heard: jobs start at the next poll, within a second, and ended terminals are cut \
             within two",
            NEXT,
        ),
    }
}

/// Within the time that the pool has to connect.
async fn listen(listening: &PgPool, channel: &str) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(listening).await?;
    listener.listen(channel).await?;
    Ok(listener)
}

async fn sent_and_heard(
    connection: &mut PgConnection,
    listener: &mut PgListener,
    channel: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT pg_notify($1, '')", channel)
        .execute(connection)
        .await?;
    while listener.recv().await?.channel() != channel {}
    listener.unlisten_all().await
}
