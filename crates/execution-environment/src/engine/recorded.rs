//! Documents and answers of a real engine (Podman 4.3 with runc), read as what they mean. `recorded/`
//! holds them as they were, states without what names a process of the machine.

use bollard::errors::Error;
use bollard::models::ContainerState;
use failure_classification::{Phase as Stage, Signal, classify};
use serde_json::Value;
use session_identity::{ExamSessionId, ExecutionEnvironmentId, InstallId, UserId};

use super::call::within;
use super::{create, exec, inspect};
use crate::{EnvironmentSpec, ExamDefinition, Phase, RuntimeError, RuntimeUid};

macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!("recorded/", $name, ".json"))
    };
}

/// What a document is read as: how far the container is, and the codes before and after ready.
type Read = (&'static str, Option<(&'static str, &'static str)>);

const EXITED: Option<(&str, &str)> = Some(("init.exited_early", "runtime.exited"));

const STATES: [(&str, Read); 8] = [
    (recorded!("created"), ("pending", None)),
    // Its start was refused, which was told to whoever asked for it.
    (recorded!("never_started"), ("pending", None)),
    (recorded!("running"), ("running", None)),
    (recorded!("paused"), ("running", None)),
    (recorded!("exited_0"), ("stopped", EXITED)),
    (recorded!("exited_3"), ("stopped", EXITED)),
    (recorded!("killed"), ("stopped", EXITED)),
    // Podman does not say that it was the kernel for memory; Docker does, and is believed.
    (recorded!("out_of_memory"), ("stopped", EXITED)),
];

#[test]
fn a_recorded_state_is_read_as_what_it_means() {
    for (document, (name, codes)) in STATES {
        let state: ContainerState = serde_json::from_str(document).expect("a recorded state");
        let phase = inspect::phase(&state);
        let found = match phase {
            Phase::Pending { .. } => "pending",
            Phase::Running => "running",
            Phase::Stopped { .. } => "stopped",
        };
        assert_eq!(found, name, "{document}");
        let code = |stage| {
            let signal = phase.signal()?;
            Some(classify(&signal, stage).code().as_str())
        };
        let found = code(Stage::BeforeReady).zip(code(Stage::AfterReady));
        assert_eq!(found, codes, "{document}");
    }
}

#[test]
fn a_state_that_says_so_was_killed_for_memory() {
    let mut state: Value = serde_json::from_str(recorded!("out_of_memory")).unwrap();
    state["OOMKilled"] = true.into();
    let state: ContainerState = serde_json::from_value(state).unwrap();
    let signal = inspect::phase(&state).signal().unwrap();
    let code = |stage| classify(&signal, stage).code().as_str();
    assert_eq!(code(Stage::BeforeReady), "init.memory_too_small");
    assert_eq!(code(Stage::AfterReady), "runtime.memory_exceeded");
}

/// Makes of a recorded answer the fault that the client makes of it.
async fn fault(document: &str) -> super::call::Fault {
    let recorded: Value = serde_json::from_str(document).expect("a recorded answer");
    let status = recorded["status"].as_u64().expect("a status");
    let error = Error::DockerResponseServerError {
        status_code: u16::try_from(status).expect("a status"),
        message: recorded["answer"]["message"]
            .as_str()
            .expect("words")
            .to_owned(),
    };
    let refused = async { Err::<(), _>(error) };
    let limit = std::time::Duration::from_mins(1);
    within("test", limit, refused)
        .await
        .expect_err("it is refused")
}

fn spec() -> EnvironmentSpec {
    let exam = ExamDefinition::parse(include_str!("../../tests/exam.json"));
    EnvironmentSpec {
        install_id: InstallId::generate(),
        session_id: ExamSessionId::generate(),
        user_id: UserId::parse("candidate-1").expect("a name"),
        environment_id: ExecutionEnvironmentId::generate(),
        attempt: 1,
        exam: exam.expect("the sample is sound"),
        deadline: None,
        avoid: Vec::new(),
    }
}

fn code(error: &RuntimeError) -> &'static str {
    classify(&error.signal, Stage::BeforeReady).code().as_str()
}

const CREATING: [(&str, &str); 3] = [
    (recorded!("image_missing"), "init.image_missing"),
    (recorded!("image_name_invalid"), "init.image_name_invalid"),
    // Podman cannot be told from one that is broken here; the creation names what it read.
    (recorded!("malformed"), "infra.api_unavailable"),
];

const STARTING: [&str; 3] = [
    recorded!("command_missing"),
    recorded!("command_not_executable"),
    recorded!("user_missing"),
];

/// What the recorded states and refusals are read as.
pub(crate) async fn signals() -> Vec<Signal> {
    let states = STATES.map(|(document, _)| {
        let state: ContainerState = serde_json::from_str(document).expect("a recorded state");
        inspect::phase(&state).signal()
    });
    let mut signals: Vec<Signal> = states.into_iter().flatten().collect();
    for (document, _) in CREATING {
        signals.push(create::refused(&spec(), fault(document).await).signal);
    }
    for document in STARTING {
        signals.push(create::start_failed("uid", fault(document).await).signal);
    }
    signals
}

#[tokio::test]
async fn a_recorded_refusal_of_a_creation_is_read_as_what_it_means() {
    let spec = spec();
    for (document, expected) in CREATING {
        let error = create::refused(&spec, fault(document).await);
        assert_eq!(code(&error), expected, "{document}");
    }
    let taken = fault(recorded!("name_taken")).await;
    assert!(create::is_name_taken(&taken), "what bears it decides");
}

#[tokio::test]
async fn a_recorded_refusal_of_a_start_is_the_environment_s_own() {
    for document in STARTING {
        let error = create::start_failed("uid", fault(document).await);
        assert_eq!(code(&error), "init.start_failed", "{document}");
    }
}

#[tokio::test]
async fn an_environment_that_has_ended_or_gone_is_no_shell_that_does_not_start() {
    let uid = RuntimeUid::from_runtime("uid");
    let ended = exec::refused("verify", &uid, fault(recorded!("exec_in_ended")).await);
    assert_eq!(ended.signal.kind(), "exec_target_missing");
    let gone = exec::refused("verify", &uid, fault(recorded!("not_found")).await);
    assert_eq!(gone.signal.kind(), "vanished");
    let lost = exec::not_begun("attach", &uid, fault(recorded!("not_found")).await);
    assert_eq!(lost.signal.kind(), "exec_target_missing", "of the exec");
}
