//! `exams`: definitions in, versions out.

mod apply;

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use command_line::{CliError, Column, Document, GlobalArgs, List, ListArgs, RunCommand};
use serde_json::json;

pub use apply::ApplyOptions;

use super::errors;
use crate::{ExamDefinition, ExamSummary, FieldError, RuntimeChoice, list_exams, load_exam};

/// Applies and shows exam definitions.
#[derive(Debug, Subcommand)]
pub enum ExamsCommand {
    /// Proves a definition on the runtime, then stores it as the next version of its exam, unless
    /// the latest is the same
    Apply {
        /// The definition, a JSON file; - reads standard input
        #[arg(short, long, value_name = "FILE")]
        file: PathBuf,
        /// What it is stored on, and whose decision that is.
        #[command(flatten)]
        options: Box<ApplyOptions>,
    },
    /// Checks a definition and writes nothing
    Validate {
        /// The definition, a JSON file; - reads standard input
        #[arg(short, long, value_name = "FILE")]
        file: PathBuf,
        /// The runtime that must be able to run it
        #[arg(long, env = "CARREL_RUNTIME", value_enum, default_value_t)]
        runtime: RuntimeChoice,
    },
    /// Lists the latest version of every exam, and whether it is proven
    List(ListArgs),
    /// Shows one version of an exam, with what its trial found
    Show {
        /// The exam
        name: String,
        /// The version; the latest when left out
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(1..))]
        exam_version: Option<i32>,
    },
}

impl RunCommand for ExamsCommand {
    async fn run(self, globals: &GlobalArgs) -> Result<Document, CliError> {
        match self {
            Self::Apply { file, options } => {
                let definition = options.named_in(read(&file)?);
                let definition = check(definition, options.runtime.runtime)?;
                Box::pin(apply::run(globals, definition, *options)).await
            }
            Self::Validate { file, runtime } => {
                let definition = check(read(&file)?, runtime)?;
                Ok(Document::new(
                    "execution-environment/exams-validate.v1",
                    json!({ "valid": true, "exam": definition }),
                ))
            }
            Self::List(args) => list(&args, globals).await,
            Self::Show { name, exam_version } => show(globals, &name, exam_version).await,
        }
    }
}

/// Larger than any definition; the parser's own limit decides.
const MAX_BYTES: u64 = 1024 * 1024;

fn read(file: &Path) -> Result<ExamDefinition, CliError> {
    let unreadable = |error: std::io::Error| {
        CliError::usage("file", format!("cannot read {}: {error}", file.display()))
    };
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin()
            .take(MAX_BYTES)
            .read_to_string(&mut text)
            .map_err(unreadable)?;
    } else {
        let opened = std::fs::File::open(file).map_err(unreadable)?;
        opened
            .take(MAX_BYTES)
            .read_to_string(&mut text)
            .map_err(unreadable)?;
    }
    ExamDefinition::parse(&text).map_err(errors::fields)
}

fn check(definition: ExamDefinition, runtime: RuntimeChoice) -> Result<ExamDefinition, CliError> {
    let faults: Vec<FieldError> = definition
        .validate()
        .into_iter()
        .chain(definition.unsupported_on(runtime.into()))
        .collect();
    if faults.is_empty() {
        Ok(definition)
    } else {
        Err(errors::fields(faults))
    }
}

const LIST: List<ExamSummary> = List {
    schema: "execution-environment/exams-list.v1",
    rows: "exams",
    empty: "no exam was applied",
    name: |exam| exam.name.clone(),
    columns: &[
        Column::new("name", |exam| exam.name.as_str().into()),
        Column::new("version", |exam| exam.version.into()),
        Column::new("title", |exam| exam.title.as_str().into()),
        Column::new("applied", |exam| exam.applied_at.into()),
        Column::new("applied_by", |exam| exam.applied_by.as_str().into()),
        Column::new("proven", |exam| exam.proven_at.into()),
        Column::wide("unproven_because", |exam| {
            exam.unproven_reason.as_deref().into()
        }),
    ],
};

async fn list(args: &ListArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let pool = globals.connect().await?;
    let mut conn = pool.acquire().await?;
    let exams = list_exams(&mut conn).await.map_err(errors::store)?;
    LIST.whole(globals, args, &exams)
}

async fn show(
    globals: &GlobalArgs,
    name: &str,
    version: Option<i32>,
) -> Result<Document, CliError> {
    let pool = globals.connect().await?;
    let mut conn = pool.acquire().await?;
    let exam = load_exam(&mut conn, name, version)
        .await
        .map_err(errors::store)?;
    let wanted = version.map_or_else(|| name.to_owned(), |version| format!("{name} v{version}"));
    let exam = exam.ok_or_else(|| {
        CliError::not_found(format!("no exam {wanted}")).next("see the names with `exams list`")
    })?;
    Ok(Document::new("execution-environment/exams-show.v1", exam))
}
