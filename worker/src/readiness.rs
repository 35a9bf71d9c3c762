//! Can this process do its work now?

use execution_environment::{RuntimeFinding, RuntimeHealth};
use sqlx::PgPool;
use telemetry::{BoxFuture, Readiness};

/// Ready means that a job could be claimed and done: the database answers and has Carrel's schema,
/// and the last look at the runtime found nothing wrong.
pub(crate) fn readiness(pool: PgPool, runtime: RuntimeHealth) -> BoxFuture<Readiness> {
    Box::pin(async move {
        match wrong_with_database(&pool)
            .await
            .or_else(|| wrong_with_runtime(runtime.findings()))
        {
            None => Readiness::Ready,
            Some(reason) => Readiness::NotReady { reason },
        }
    })
}

async fn wrong_with_database(pool: &PgPool) -> Option<String> {
    let known = sqlx::query_scalar!(r#"SELECT to_regclass('jobs') IS NOT NULL AS "known!""#)
        .fetch_one(pool)
        .await;
    match known {
        Ok(true) => None,
        Ok(false) => Some("the schema is missing: carrel migrate up".to_owned()),
        Err(error) => Some(format!("the database does not answer: {error}")),
    }
}

/// Only operators reach the admin port, so they are told how to mend it.
fn wrong_with_runtime(findings: Option<Vec<RuntimeFinding>>) -> Option<String> {
    let Some(findings) = findings else {
        return Some("the runtime has not answered yet".to_owned());
    };
    let lines = findings.iter().map(|finding| {
        let RuntimeFinding {
            code,
            message,
            mend,
        } = finding;
        format!("{code}: {message}; {mend}")
    });
    let lines = lines.collect::<Vec<_>>().join("\n");
    (!lines.is_empty()).then_some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_is_fine_once_a_check_found_nothing_and_else_every_finding_is_told() {
        let finding = |code| RuntimeFinding {
            code,
            message: "it is wrong".to_owned(),
            mend: "mend it".to_owned(),
        };
        assert!(wrong_with_runtime(None).is_some());
        assert_eq!(wrong_with_runtime(Some(Vec::new())), None);
        let told = wrong_with_runtime(Some(vec![finding("a.b"), finding("c.d")])).unwrap();
        assert_eq!(told, "a.b: it is wrong; mend it\nc.d: it is wrong; mend it");
    }
}
