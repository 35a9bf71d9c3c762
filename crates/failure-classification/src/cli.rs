//! The verbs of `failure-classification`.

use clap::Subcommand;
use command_line::{CliError, Document, GlobalArgs, RunCommand};
use serde::Serialize;
use serde_json::Value;

use crate::{Attribution, ContextError, FailureClass, FailureCode, Phase, Rule, classify_context};

/// Explains failures.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what a reported signal means: class, code, whose it is, retry, texts.
    Classify {
        /// A signal's kind (`image_missing`) or a Kubernetes reason (`ImagePullBackOff`).
        #[arg(long = "type", value_name = "TYPE")]
        kind: String,
        /// The signal's fields, as a JSON object.
        #[arg(long, value_name = "JSON", default_value = "{}")]
        context: String,
        /// On which side of the ready line it was seen.
        #[arg(long, value_enum, default_value = "before-ready")]
        phase: PhaseArg,
    },
    /// List every code with its rule.
    Codes {
        /// Only the codes of this class: init, runtime, access or infra.
        #[arg(long, value_enum)]
        class: Option<ClassArg>,
    },
}

/// The two sides of the ready line, as typed.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum PhaseArg {
    /// The session is created or initializing.
    BeforeReady,
    /// The session is or was ready or running.
    AfterReady,
}

/// The four classes, as typed.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum ClassArg {
    /// The environment cannot become ready by its own definition.
    Init,
    /// A ready environment stopped.
    Runtime,
    /// The candidate was not admitted.
    Access,
    /// The platform failed.
    Infra,
}

impl From<PhaseArg> for Phase {
    fn from(phase: PhaseArg) -> Self {
        match phase {
            PhaseArg::BeforeReady => Self::BeforeReady,
            PhaseArg::AfterReady => Self::AfterReady,
        }
    }
}

impl From<ClassArg> for FailureClass {
    fn from(class: ClassArg) -> Self {
        match class {
            ClassArg::Init => Self::Init,
            ClassArg::Runtime => Self::Runtime,
            ClassArg::Access => Self::Access,
            ClassArg::Infra => Self::Infra,
        }
    }
}

impl RunCommand for Command {
    async fn run(self, _globals: &GlobalArgs) -> Result<Document, CliError> {
        match self {
            Self::Classify {
                kind,
                context,
                phase,
            } => classified(&kind, &context, phase.into()),
            Self::Codes { class } => Ok(codes(class.map(Into::into))),
        }
    }
}

/// The verdict beside what was asked, so that the document stands alone.
#[derive(Serialize)]
struct Verdict<'a> {
    r#type: &'a str,
    phase: Phase,
    #[serde(flatten)]
    classified: crate::Classified,
}

fn classified(kind: &str, context: &str, phase: Phase) -> Result<Document, CliError> {
    let context: Value = serde_json::from_str(context).map_err(|error| {
        CliError::usage("context", format!("--context is not JSON: {error}"))
            .next("quote the object for your shell, as in --context '{}'")
    })?;
    let classified = classify_context(kind, &context, phase).map_err(|error| refused(&error))?;
    let text = verdict_text(&classified);
    let verdict = Verdict {
        r#type: kind,
        phase,
        classified,
    };
    Ok(Document::new("failure-classification/classify.v1", verdict).with_text(text))
}

fn refused(error: &ContextError) -> CliError {
    CliError::usage("context", error.to_string())
        .next("failure-classification classify --type <type> --context '{…}'")
}

fn verdict_text(classified: &crate::Classified) -> String {
    let rule = classified.rule;
    format!(
        "{code} ({attribution}, retry: {retry})\n  operator   {operator}\n  candidate  {candidate}\n  \
         runbook    deploy/runbooks.md#{runbook}",
        code = rule.code,
        attribution = classified.attribution,
        retry = classified.retry.as_str(),
        operator = classified.operator_text,
        candidate = rule.candidate_text,
        runbook = rule.runbook,
    )
}

#[derive(Serialize)]
struct Codes {
    codes: Vec<&'static Rule>,
}

fn codes(class: Option<FailureClass>) -> Document {
    let wanted = |code: &&FailureCode| class.is_none_or(|class| code.class() == class);
    let mut codes: Vec<_> = FailureCode::ALL
        .iter()
        .filter(wanted)
        .map(|code| crate::rule(*code))
        .collect();
    codes.sort_by_key(|rule| rule.code.as_str());
    let text = codes
        .iter()
        .map(|rule| line(rule))
        .collect::<Vec<_>>()
        .join("\n");
    Document::new("failure-classification/codes.v1", Codes { codes }).with_text(text)
}

fn line(rule: &Rule) -> String {
    let whose: Attribution = rule.attribution;
    format!(
        "{:<34} {:<12} {}",
        rule.code.as_str(),
        whose.as_str(),
        rule.operator_text
    )
}
