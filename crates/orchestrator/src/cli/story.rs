//! `sessions show` and `sessions explain`: what is known about one session, as one story.

mod event;
mod evidence;
mod facts;
mod long;
mod place;
mod read;
mod runs;
mod text;
mod timeline;
pub(super) mod words;

use command_line::{CliError, Document, GlobalArgs};
use serde::Serialize;
use session_identity::ExamSessionId;
use sqlx::PgConnection;

use super::{ShowArgs, failure, id};

pub(super) use event::Event;
pub(super) use long::{Columns, line};

/// The story with every piece of evidence in its timeline.
#[derive(Debug, Serialize)]
pub(super) struct Explained {
    #[serde(flatten)]
    pub(super) story: facts::Story,
    #[serde(flatten)]
    evidence: evidence::Evidence,
}

pub(super) async fn show(args: &ShowArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let mut connection = globals.connect().await?.acquire().await?;
    let id = id::find(&mut connection, &args.id).await?;
    let story = read::load(&mut connection, id).await?;
    let story = story.ok_or_else(|| failure::no_session(id))?;
    let text = text::write(&story);
    Ok(Document::new("orchestrator/sessions-show.v1", story).with_text(text))
}

pub(super) async fn explain(args: &ShowArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let mut connection = globals.connect().await?.acquire().await?;
    let id = id::find(&mut connection, &args.id).await?;
    let explained = load(&mut connection, id).await?;
    let text = long::write(&explained);
    Ok(Document::new("orchestrator/sessions-explain.v1", explained).with_text(text))
}

/// Loads all there is.
///
/// # Errors
/// Not found when there is no such session.
pub(super) async fn load(
    conn: &mut PgConnection,
    id: ExamSessionId,
) -> Result<Explained, CliError> {
    let story = read::load(conn, id).await?;
    let mut story = story.ok_or_else(|| failure::no_session(id))?;
    let evidence = evidence::load(conn, &story).await?;
    let told = std::mem::take(&mut story.timeline);
    let beside = evidence::events(&story, &evidence);
    story.timeline = event::in_order(told.into_iter().chain(beside));
    Ok(Explained { story, evidence })
}
