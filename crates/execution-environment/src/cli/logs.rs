//! `logs`: what the keeper said last. Terminal output never goes there.

use clap::Args;
use command_line::{CliError, Document, GlobalArgs};
use serde::Serialize;
use session_identity::ExamSessionId;

use super::{errors, meant, plain::plain};
use crate::{EnvironmentRecord, Purpose, RuntimeArgs, RuntimeName, RuntimeUid};

/// Names the session, the runtime and how much to show.
#[derive(Args, Debug)]
pub struct LogsArgs {
    /// The session whose environment's log to show
    #[arg(long, value_name = "UUID")]
    pub session_id: ExamSessionId,
    /// Lines from the end, 1 to 1000
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub tail: u32,
    /// Where the environments run; not asked once the environment is gone
    #[command(flatten)]
    pub runtime: RuntimeArgs,
}

/// Says where the lines come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Origin {
    /// An uncached read of the runtime.
    Runtime,
    /// What was kept before the environment was destroyed.
    Evidence,
}

#[derive(Serialize)]
struct Answer {
    session_id: ExamSessionId,
    from: Origin,
    name: Option<RuntimeName>,
    uid: Option<RuntimeUid>,
    lines: Vec<String>,
}

pub(super) async fn run(args: LogsArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let pool = globals.connect().await?;
    let record = meant::environment(&mut *pool.acquire().await?, args.session_id).await?;
    let (from, log) = match kept(&record) {
        Some(log) => (Origin::Evidence, log),
        None => (Origin::Runtime, read(&record, &args).await?),
    };
    let answer = Answer {
        session_id: args.session_id,
        from,
        name: record.runtime_name,
        uid: record.runtime_uid,
        lines: last(&log, args.tail),
    };
    let text = answer.lines.iter().map(|line| plain(line));
    let text = text.collect::<Vec<_>>().join("\n");
    Ok(Document::new("execution-environment/logs.v1", answer).with_text(text))
}

/// Of what is gone, only the evidence is left.
fn kept(record: &EnvironmentRecord) -> Option<String> {
    let snapshot = record
        .snapshot
        .as_ref()
        .filter(|_| record.gone_at.is_some());
    Some(snapshot?["log_tail"].as_str()?.to_owned())
}

async fn read(record: &EnvironmentRecord, args: &LogsArgs) -> Result<String, CliError> {
    let (name, uid) = meant::object(record)?;
    meant::must_be_on(record, &args.runtime)?;
    let runtime = args.runtime.clone().connect(Purpose::Read).await;
    let runtime = runtime.map_err(|error| errors::settings(&error))?;
    let log = runtime.log(name, uid, args.tail).await;
    log.map_err(|error| errors::runtime(&error))
}

/// Some runtimes count lines that are not ended as none.
fn last(log: &str, count: u32) -> Vec<String> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let lines: Vec<&str> = log.lines().collect();
    let begin = lines.len().saturating_sub(count);
    lines[begin..].iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_told_in_their_order() {
        assert_eq!(last("a\nb\nc\n", 2), ["b", "c"]);
        assert_eq!(last("a", 2), ["a"]);
        assert_eq!(last("", 2), Vec::<String>::new());
    }
}
