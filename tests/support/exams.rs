//! Exams on the run's test image.

use execution_environment::{ClockPolicy, ExamBasis, ExamDefinition, apply_exam};
use session_identity::Actor;
use sqlx::PgPool;

use crate::settings::{checkout, setting};

/// The name of the sample exam.
pub const SAMPLE: &str = "linux-fundamentals";

/// The sample exam of the checkout, on the image of this run.
pub fn sample() -> ExamDefinition {
    let path = checkout("deploy/exams/linux-fundamentals.json");
    let text = std::fs::read_to_string(path).expect("the sample exam is in the checkout");
    let mut exam = ExamDefinition::parse(&text).expect("the sample exam is sound");
    exam.image = setting("CARREL_TEST_IMAGE");
    // A busy machine is no fault; the stories about a missed budget set their own.
    exam.startup_budget_seconds = 180;
    exam
}

/// The sample exam with another name and another time.
pub fn lasting(name: &str, seconds: u64) -> ExamDefinition {
    ExamDefinition {
        name: name.to_owned(),
        clock: ClockPolicy::FromFirstAttach {
            duration_seconds: seconds,
        },
        ..sample()
    }
}

/// The sample exam with another name, changed as a story needs it.
pub fn changed(name: &str, change: impl FnOnce(&mut ExamDefinition)) -> ExamDefinition {
    let mut exam = ExamDefinition {
        name: name.to_owned(),
        ..sample()
    };
    change(&mut exam);
    exam
}

/// Stores an exam without a trial: what a story shows of an environment, its session proves.
pub async fn apply(pool: &PgPool, exam: &ExamDefinition) {
    let reason = "the story's own session proves it".to_owned();
    let basis = ExamBasis::Unproven { reason };
    let mut conn = pool.acquire().await.expect("the database answers");
    apply_exam(&mut conn, exam, &basis, &Actor::System("tests"))
        .await
        .expect("the exam is taken");
}
