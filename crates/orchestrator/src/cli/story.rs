//! `sessions show`: everything that is known about one session, as one story.

mod facts;
mod place;
mod text;
mod timeline;
mod words;

use command_line::{CliError, Document, GlobalArgs};

use super::{ShowArgs, failure};

pub(super) async fn run(args: &ShowArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let mut connection = globals.connect().await?.acquire().await?;
    let story = facts::load(&mut connection, args.id).await?;
    let story = story.ok_or_else(|| failure::no_session(args.id))?;
    let text = text::write(&story);
    Ok(Document::new("orchestrator/sessions-show.v1", story).with_text(text))
}
