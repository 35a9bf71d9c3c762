//! A job named by the beginning of its id.

use std::str::FromStr;

use session_identity::JobId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::OperateError;

/// Shorter ones would name whole days of jobs: ids begin with the time of their making.
const SHORTEST: usize = 6;
const WHOLE: usize = 32;
/// As many candidates as an operator wants to read.
const CANDIDATES: i64 = 5;

/// A job's id or its beginning: at least six hexadecimal digits, dashes where one likes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobPrefix(String);

/// What is no beginning of a job's id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read `{0}` as a job id or its beginning: at least 6 hexadecimal digits")]
pub struct JobPrefixError(String);

impl FromStr for JobPrefix {
    type Err = JobPrefixError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.replace('-', "").to_ascii_lowercase();
        let is_prefix = (SHORTEST..=WHOLE).contains(&digits.len())
            && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        if is_prefix {
            Ok(Self(digits))
        } else {
            Err(JobPrefixError(text.to_owned()))
        }
    }
}

impl std::fmt::Display for JobPrefix {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl JobPrefix {
    /// The first or last id that begins so.
    fn bound(&self, fill: &str) -> Uuid {
        let digits = format!("{}{}", self.0, fill.repeat(WHOLE - self.0.len()));
        digits.parse().expect("32 hexadecimal digits are a UUID")
    }
}

/// Finds the one job whose id begins so. A whole id is returned whether or not there is such a job.
///
/// # Errors
/// [`OperateError::NoneBegins`], [`OperateError::JobAmbiguous`].
pub async fn find_job(
    connection: &mut PgConnection,
    prefix: &JobPrefix,
) -> Result<JobId, OperateError> {
    let (first, last) = (prefix.bound("0"), prefix.bound("f"));
    if first == last {
        return Ok(JobId::from_uuid(first));
    }
    let found = sqlx::query_scalar!(
        r#"SELECT id AS "id: JobId" FROM jobs WHERE id BETWEEN $1 AND $2
           ORDER BY id DESC LIMIT $3"#,
        first,
        last,
        CANDIDATES,
    )
    .fetch_all(connection)
    .await?;
    match found[..] {
        [] => Err(OperateError::NoneBegins {
            prefix: prefix.clone(),
        }),
        [id] => Ok(id),
        _ => Err(OperateError::JobAmbiguous {
            prefix: prefix.clone(),
            candidates: found,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_and_case_do_not_matter_and_short_or_foreign_words_are_refused() {
        let prefix: JobPrefix = "01931F4E-00".parse().unwrap();
        assert_eq!(prefix.to_string(), "01931f4e00");
        for text in ["", "01931", "0-1-9-3-1", "nine-lives", &"0".repeat(33)] {
            assert!(text.parse::<JobPrefix>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_prefix_spans_every_id_that_begins_so() {
        let prefix: JobPrefix = "01931f4e".parse().unwrap();
        let first = "01931f4e-0000-0000-0000-000000000000";
        let last = "01931f4e-ffff-ffff-ffff-ffffffffffff";
        assert_eq!(prefix.bound("0"), first.parse::<Uuid>().unwrap());
        assert_eq!(prefix.bound("f"), last.parse::<Uuid>().unwrap());
    }
}
