//! A file of ids, one a line.

use std::io::Read as _;
use std::path::Path;

use command_line::CliError;
use session_identity::JobId;

/// As many as one statement should be given.
const MOST_IDS: usize = 10_000;

pub(super) fn read_ids(path: &Path) -> Result<Vec<JobId>, CliError> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|error| {
        let message = format!("{} could not be read", path.display());
        CliError::usage("id-file", message).caused_by(&error)
    })?;
    let ids = parse_ids(&text)?;
    match ids.len() {
        0 => Err(CliError::usage("id-file", "it names no job")),
        1..=MOST_IDS => Ok(ids),
        many => Err(CliError::usage(
            "id-file",
            format!("it names {many} jobs; at most {MOST_IDS} at once"),
        )),
    }
}

fn parse_ids(text: &str) -> Result<Vec<JobId>, CliError> {
    let lines = text.lines().map(str::trim).enumerate();
    let ids = lines
        .filter(|(_, line)| !line.is_empty())
        .map(|(index, line)| {
            line.parse().map_err(|_| {
                let number = index + 1;
                CliError::usage("id-file", format!("line {number} is no job id: {line:?}"))
            })
        });
    ids.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01931f4e-0000-7000-8000-000000000001";

    #[test]
    fn a_file_has_one_id_a_line_and_a_bad_line_is_named() {
        assert_eq!(parse_ids(&format!("{ID}\n\n  {ID}\r\n")).unwrap().len(), 2);
        let error = parse_ids(&format!("{ID}\nnine\n")).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("id-file"));
        assert_eq!(error.message, "line 2 is no job id: \"nine\"");
    }
}
