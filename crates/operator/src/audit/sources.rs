//! Each library's own rows, merged by time.

use std::cmp::Reverse;

use command_line::CliError;
use execution_environment::cli::errors;
use execution_environment::{list_environment_actions, list_signed_declarations};
use job_queue::list_signed_actions;
use session_lifecycle::{list_signed_extensions, list_signed_transitions};
use sqlx::PgConnection;

use super::args::Query;
use super::cursor::{Cursor, Source};
use super::entry::Found;
use super::failure::lifecycle;

/// Lists the newest entries after the cursor: of each source as many as the page could take, so that
/// the first of them all are among these.
pub(super) async fn newest(
    connection: &mut PgConnection,
    query: &Query,
    limit: i64,
) -> Result<Vec<Found>, CliError> {
    let mut found = actions(connection, query, limit).await?;
    found.extend(lifecycles(connection, query, limit).await?);
    // What is done to environments by hand is done in no job.
    if query.job_id.is_none() {
        found.extend(environments(connection, query, limit).await?);
    }
    // Exams and waivers concern neither one session nor one job.
    if query.session_id.is_none() && query.job_id.is_none() {
        found.extend(declarations(connection, query, limit).await?);
    }
    // A stable sort: within one source and moment the order is the library's own.
    found.sort_by_key(|it| (Reverse(it.entry.at), it.source));
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

async fn actions(
    connection: &mut PgConnection,
    query: &Query,
    limit: i64,
) -> Result<Vec<Found>, CliError> {
    let filter = job_queue::SignedFilter {
        actors: query.actors.clone(),
        session_id: query.session_id,
        job_id: query.job_id,
        from: query.from,
        before: query.before,
        after: numbered(query.cursor.as_ref(), Source::Action),
    };
    let rows = list_signed_actions(connection, &filter, limit).await?;
    Ok(rows.into_iter().map(Found::from).collect())
}

async fn lifecycles(
    connection: &mut PgConnection,
    query: &Query,
    limit: i64,
) -> Result<Vec<Found>, CliError> {
    let filter = |source| session_lifecycle::SignedFilter {
        actors: query.actors.clone(),
        session_id: query.session_id,
        job_id: query.job_id,
        from: query.from,
        before: query.before,
        after: numbered(query.cursor.as_ref(), source),
    };
    let transitions = list_signed_transitions(connection, &filter(Source::Transition), limit).await;
    let transitions = transitions.map_err(|error| lifecycle(&error))?;
    let extensions = list_signed_extensions(connection, &filter(Source::Extension), limit).await;
    let extensions = extensions.map_err(|error| lifecycle(&error))?;
    let extensions = extensions.into_iter().map(Found::from);
    Ok(transitions
        .into_iter()
        .map(Found::from)
        .chain(extensions)
        .collect())
}

async fn environments(
    connection: &mut PgConnection,
    query: &Query,
    limit: i64,
) -> Result<Vec<Found>, CliError> {
    let filter = execution_environment::SignedActionFilter {
        actors: query.actors.clone(),
        session_id: query.session_id,
        from: query.from,
        before: query.before,
        after: numbered(query.cursor.as_ref(), Source::Environment),
    };
    let rows = list_environment_actions(connection, &filter, limit).await;
    let rows = rows.map_err(errors::store)?;
    Ok(rows.into_iter().map(Found::from).collect())
}

async fn declarations(
    connection: &mut PgConnection,
    query: &Query,
    limit: i64,
) -> Result<Vec<Found>, CliError> {
    let filter = execution_environment::SignedFilter {
        actors: query.actors.clone(),
        from: query.from,
        before: query.before,
        after: query.cursor.as_ref().map(Cursor::named),
    };
    let rows = list_signed_declarations(connection, &filter, limit).await;
    let rows = rows.map_err(errors::store)?;
    Ok(rows.into_iter().map(Found::from).collect())
}

fn numbered(
    cursor: Option<&Cursor>,
    source: Source,
) -> Option<(chrono::DateTime<chrono::Utc>, i64)> {
    cursor.map(|cursor| cursor.numbered(source))
}
