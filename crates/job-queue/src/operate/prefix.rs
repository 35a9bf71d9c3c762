//! A job named by the beginning of its id.

use std::str::FromStr;

use session_identity::{IdPrefix, JobId};
use sqlx::PgConnection;

use super::OperateError;

/// As many candidates as an operator wants to read.
const CANDIDATES: i64 = 5;

/// A job's id or its beginning, in the form of [`IdPrefix`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobPrefix(IdPrefix);

/// What is no beginning of a job's id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read `{0}` as a job id or its beginning: at least 6 hexadecimal digits")]
pub struct JobPrefixError(String);

impl FromStr for JobPrefix {
    type Err = JobPrefixError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let prefix = text.parse().map_err(|_| JobPrefixError(text.to_owned()))?;
        Ok(Self(prefix))
    }
}

impl std::fmt::Display for JobPrefix {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
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
    let (first, last) = (prefix.0.first(), prefix.0.last());
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
