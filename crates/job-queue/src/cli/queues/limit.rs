//! How many jobs of a queue, or of all queues together, may run at once, how many runs may be
//! started a second, and how soon waiting raises a job.

use std::time::Duration;

use clap::Args;
use command_line::{CliError, Document, parse_duration};
use sqlx::{Connection as _, PgConnection};

use super::must_be_known;
use super::write::change_queue;
use crate::cli::ActionArgs;
use crate::cli::act::{RehearsalArgs, act};
use crate::{
    AllQueues, JobAction, age_queue, limit_all_queues, limit_queue, limit_queue_rate,
    load_all_queues,
};

const SCHEMA: &str = "job-queue/queues-set.v1";

/// Which queue or all, how many, who and why.
#[derive(Args, Debug)]
pub struct LimitArgs {
    /// The queue's name.
    #[arg(required_unless_present = "all")]
    queue: Option<String>,
    /// All queues together, instead of one; counts beside the limits of each.
    #[arg(long, conflicts_with = "queue")]
    all: bool,
    /// What is set.
    #[command(flatten)]
    settings: SettingArgs,
    /// Whether at all.
    #[command(flatten)]
    rehearsal: RehearsalArgs,
    /// Who and why.
    #[command(flatten)]
    action: ActionArgs,
}

/// What is set; the rest stays as it is.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
struct SettingArgs {
    /// At most so many run at once, or `none` for as many as workers have slots.
    #[arg(long, value_name = "N", value_parser = parse_limit)]
    concurrency: Option<Limit>,
    /// At most so many runs are started a second, such as 20/s or 0.5/s, or `none` for as many as
    /// workers have slots. Of one queue only.
    #[arg(long, value_name = "N/s", value_parser = parse_rate)]
    rate: Option<Rate>,
    /// A job that has waited so long, such as 10m, counts as one priority higher, and so on; `none`
    /// has higher priorities always go first. Of one queue only.
    #[arg(long, value_name = "DURATION", value_parser = parse_age)]
    priority_age: Option<PriorityAge>,
}

/// How many may run at once; `None` for no limit.
#[derive(Clone, Copy, Debug)]
struct Limit(Option<i32>);

/// How many may be started a second; `None` for no limit.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rate(Option<f64>);

/// How long a job waits for one step of priority; `None` for no such steps.
#[derive(Clone, Copy, Debug, PartialEq)]
struct PriorityAge(Option<Duration>);

/// Shorter than this and priority would say next to nothing.
const SHORTEST_AGE: Duration = Duration::from_secs(1);

/// One start in eleven days; as the column's check has it.
const LOWEST_RATE: f64 = 0.000_001;
/// More than any database claims.
const HIGHEST_RATE: f64 = 1_000_000.0;

fn parse_limit(text: &str) -> Result<Limit, String> {
    if text == "none" {
        return Ok(Limit(None));
    }
    match text.parse() {
        Ok(limit @ 1..) => Ok(Limit(Some(limit))),
        _ => {
            Err("a whole number of at least 1, or `none`; to stop claims: queues pause".to_owned())
        }
    }
}

fn parse_rate(text: &str) -> Result<Rate, String> {
    if text == "none" {
        return Ok(Rate(None));
    }
    let number = text.strip_suffix("/s").unwrap_or(text);
    let rate = number.parse().ok();
    let rate = rate.filter(|rate| (LOWEST_RATE..=HIGHEST_RATE).contains(rate));
    rate.map(|rate| Rate(Some(rate))).ok_or_else(|| {
        "starts a second, from 0.000001 to a million, such as 20/s, or `none`; to stop claims: \
         queues pause"
            .to_owned()
    })
}

fn parse_age(text: &str) -> Result<PriorityAge, String> {
    if text == "none" {
        return Ok(PriorityAge(None));
    }
    let age = parse_duration(text)?;
    if age < SHORTEST_AGE {
        return Err("a step of priority takes at least 1s, such as 10m, or `none`".to_owned());
    }
    Ok(PriorityAge(Some(age)))
}

impl SettingArgs {
    /// All of it or nothing.
    async fn write(
        &self,
        connection: &mut PgConnection,
        queue: &str,
        action: &JobAction,
    ) -> Result<(), sqlx::Error> {
        let mut transaction = connection.begin().await?;
        if let Some(Limit(concurrency)) = self.concurrency {
            limit_queue(&mut transaction, queue, concurrency, action).await?;
        }
        if let Some(Rate(rate)) = self.rate {
            limit_queue_rate(&mut transaction, queue, rate, action).await?;
        }
        if let Some(PriorityAge(age)) = self.priority_age {
            age_queue(&mut transaction, queue, age, action).await?;
        }
        transaction.commit().await
    }

    /// What may be set of all queues together.
    fn of_all(&self) -> Result<Option<i32>, CliError> {
        let refusal = match (self.concurrency, self.rate, self.priority_age) {
            (Some(Limit(concurrency)), None, None) => return Ok(concurrency),
            (_, Some(_), _) => CliError::usage("rate", "a rate is of one queue"),
            _ => CliError::usage("priority-age", "a priority age is of one queue"),
        };
        Err(refusal.next("name the queue in place of --all, or set --concurrency alone"))
    }
}

impl LimitArgs {
    pub(super) async fn set(&self, connection: &mut PgConnection) -> Result<Document, CliError> {
        let Some(queue) = &self.queue else {
            return self.set_all(connection).await;
        };
        must_be_known(connection, "queue", queue).await?;
        change_queue(connection, self.rehearsal, (queue, SCHEMA), async |it| {
            self.settings.write(it, queue, &self.action.action()).await
        })
        .await
    }

    async fn set_all(&self, connection: &mut PgConnection) -> Result<Document, CliError> {
        let concurrency = self.settings.of_all()?;
        let change = async |it: &mut PgConnection| {
            Ok(limit_all_queues(it, concurrency, &self.action.action()).await?)
        };
        let tell = async |it: &mut PgConnection, ()| {
            let all = load_all_queues(it).await?;
            let data = serde_json::json!({ "all": all });
            Ok(Document::new(SCHEMA, data).with_text(line(all)))
        };
        act(connection, self.rehearsal, &[], change, tell).await
    }
}

/// How all queues together stand, for people.
pub(super) fn line(all: AllQueues) -> String {
    let AllQueues {
        running,
        concurrency,
    } = all;
    let limit = concurrency.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
    format!("all queues together: running {running}/{limit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_age_is_a_second_at_least_or_none() {
        let minutes = PriorityAge(Some(Duration::from_mins(10)));
        assert_eq!(parse_age("10m"), Ok(minutes));
        assert_eq!(parse_age("1s"), Ok(PriorityAge(Some(SHORTEST_AGE))));
        assert_eq!(parse_age("none"), Ok(PriorityAge(None)));
        for text in ["", "0s", "999ms", "-10m", "10", "400d"] {
            assert!(parse_age(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_rate_is_a_number_of_starts_a_second_or_none() {
        assert_eq!(parse_rate("20/s"), Ok(Rate(Some(20.0))));
        assert_eq!(parse_rate("0.5/s"), Ok(Rate(Some(0.5))));
        assert_eq!(parse_rate("20"), Ok(Rate(Some(20.0))));
        assert_eq!(parse_rate("none"), Ok(Rate(None)));
        for text in ["", "0/s", "-1/s", "20/m", "NaN", "inf/s", "1e7/s", "1e-9/s"] {
            assert!(parse_rate(text).is_err(), "{text}");
        }
    }
}
