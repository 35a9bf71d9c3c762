//! Whether environments can be worked on.

use command_line::{CliError, counted};
use execution_environment::{
    EnvironmentRuntime, Purpose, RuntimeArgs, RuntimeChoice, RuntimeConfigError, RuntimeFinding,
    RuntimeKind, load_latest_exams,
};
use sqlx::PgConnection;

use super::args::DoctorArgs;
use super::facts::store;
use super::network_policy;
use super::report::{Check, Report};

/// Looks at the runtime that was named. What exams ask of it and what it has proven is in the
/// database; without one, the rest is looked at all the same.
pub(super) async fn examine(
    args: DoctorArgs,
    mut connection: Option<&mut PgConnection>,
    report: &mut Report,
) -> Result<(), CliError> {
    let Some((runtime, purpose)) = args.chosen() else {
        report.skip(
            "runtime",
            "none was named: give --runtime or set CARREL_RUNTIME",
        );
        return Ok(());
    };
    let is_cluster = runtime.runtime == RuntimeChoice::Kubernetes;
    let good = good(&runtime);
    match runtime.connect(purpose).await {
        Err(error) => report.add(setting(&error)),
        Ok(runtime) => {
            let findings = runtime.check(purpose).await;
            if findings.is_empty() {
                report.add(Check::ok("runtime", good));
                exams(&*runtime, purpose, connection.as_deref_mut(), report).await?;
            }
            for finding in findings {
                report.add(bad("runtime", finding));
            }
        }
    }
    match connection {
        Some(connection) if is_cluster => report.add(network_policy::proven(connection).await?),
        None if is_cluster => report.skip("network_policy", "needs the database"),
        Some(_) | None => {}
    }
    Ok(())
}

/// Asks for each exam's environments. Without the database nothing is known of exams.
async fn exams(
    runtime: &dyn EnvironmentRuntime,
    purpose: Purpose,
    connection: Option<&mut PgConnection>,
    report: &mut Report,
) -> Result<(), CliError> {
    let Some(connection) = connection else {
        report.skip("exams", "needs the database");
        return Ok(());
    };
    let exams = load_latest_exams(connection).await.map_err(store)?;
    let mut refused = 0;
    for exam in &exams {
        for finding in runtime.check_exam(exam).await {
            refused += 1;
            report.add(bad("exams", finding));
        }
    }
    if refused > 0 {
        return Ok(());
    }
    if runtime.kind() == RuntimeKind::Kubernetes && purpose != Purpose::Create {
        // Who may not rehearse an environment is told of none that would be refused.
        let next = "ask as who makes them: --rights-of worker, with that process's kubeconfig";
        report.skip("exams", next);
    } else {
        let exams = counted(exams.len(), "exam");
        let detail = format!("{exams}, none refused by the runtime");
        report.add(Check::ok("exams", detail));
    }
    Ok(())
}

fn good(runtime: &RuntimeArgs) -> String {
    match runtime.runtime {
        RuntimeChoice::Engine => format!("the engine at {} answers", runtime.engine.docker_host),
        RuntimeChoice::Kubernetes => {
            let namespace = &runtime.kubernetes.kube_namespace;
            format!("the cluster answers and lets us work in the namespace {namespace}")
        }
    }
}

/// A finding and not a wrong call: the database can be looked at all the same.
fn setting(error: &RuntimeConfigError) -> Check {
    let causes = std::iter::successors(std::error::Error::source(error), |&cause| cause.source());
    let words = std::iter::once(error.problem()).chain(causes.map(ToString::to_string));
    let detail = words.collect::<Vec<_>>().join(": ");
    Check::bad("runtime", detail, error.mend()).code(format!("settings.{}", error.flag()))
}

fn bad(name: &'static str, finding: RuntimeFinding) -> Check {
    Check::bad(name, finding.message, finding.mend).code(finding.code)
}
