//! Typed UUIDs: one type per thing, so that no id stands in for another.

use uuid::Uuid;

/// Says why a text is not an id of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not {kind}: {problem}")]
pub struct IdError {
    /// What the text should have named, with its article: `an exam session id`.
    pub kind: &'static str,
    /// The text as given, cut to 64 characters.
    pub value: String,
    /// What is wrong with it.
    pub problem: IdProblem,
}

/// What is wrong with the text of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum IdProblem {
    /// There is none.
    #[error("it is empty")]
    Empty,
    /// It is not in the one form that ids are written in; braces, `urn:` and the form without hyphens
    /// would be second names of one thing.
    #[error("expected a UUID such as 01982f6e-5d4c-7aa0-8000-1c2d3e4f5a6b")]
    Malformed,
    /// It is all zeros or all ones, which programs write where they know of none.
    #[error("this UUID names nothing")]
    NamesNothing,
}

/// The length of the one form: 32 digits and 4 hyphens.
const LENGTH: usize = 36;

/// Reads an id in the one form that ids are written in, in capitals too.
#[doc(hidden)]
pub fn parse_id(kind: &'static str, text: &str) -> Result<Uuid, IdError> {
    let wrong = |problem| IdError {
        kind,
        value: text.chars().take(64).collect(),
        problem,
    };
    if text.is_empty() {
        return Err(wrong(IdProblem::Empty));
    }
    let id = (text.len() == LENGTH).then(|| Uuid::try_parse(text).ok());
    let id = id.flatten().ok_or(wrong(IdProblem::Malformed))?;
    if id.is_nil() || id.is_max() {
        return Err(wrong(IdProblem::NamesNothing));
    }
    Ok(id)
}

/// Defines a UUID newtype: `Copy`, ordered by time of creation, transparent in JSON and SQL.
#[macro_export]
macro_rules! define_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[derive(::serde::Serialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "postgres", derive(::sqlx::Type), sqlx(transparent))]
        pub struct $name($crate::uuid::Uuid);

        impl $name {
            /// Mints a new id (UUIDv7: later ids sort after earlier ones).
            pub fn generate() -> Self {
                Self($crate::uuid::Uuid::now_v7())
            }

            /// Takes a UUID that is known to be an id of this kind, as from a row.
            pub const fn from_uuid(uuid: $crate::uuid::Uuid) -> Self {
                Self(uuid)
            }

            /// Gives the bare UUID.
            pub const fn as_uuid(&self) -> $crate::uuid::Uuid {
                self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::IdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::parse_id($kind, text).map(Self)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <::std::borrow::Cow<'de, str> as ::serde::Deserialize>::deserialize(from)?;
                text.parse().map_err(::serde::de::Error::custom)
            }
        }
    };
}

define_id!(
    /// Names one candidate's exam, for its whole life and after.
    ExamSessionId,
    "an exam session id"
);
define_id!(
    /// Names the one execution environment of a session.
    ExecutionEnvironmentId,
    "an execution environment id"
);
define_id!(
    /// Names one durable job.
    JobId,
    "a job id"
);
define_id!(
    /// Names one life of a worker process. A restarted worker is another incarnation.
    WorkerIncarnation,
    "a worker incarnation"
);
define_id!(
    /// Names one life of a terminal process.
    TerminalProcessId,
    "a terminal process id"
);
define_id!(
    /// Names one database of Carrel; environments carry it, so that no other takes them for its own.
    InstallId,
    "an installation id"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_text_and_json() {
        let id = ExamSessionId::generate();
        assert_eq!(id.to_string().parse::<ExamSessionId>().unwrap(), id);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, format!("\"{id}\""));
        assert_eq!(serde_json::from_str::<ExamSessionId>(&json).unwrap(), id);
    }

    #[test]
    fn a_malformed_id_is_refused_with_the_kind_that_was_expected() {
        let id = "01982f6e-5d4c-7aa0-8000-1c2d3e4f5a6b";
        for (text, problem) in [
            ("", IdProblem::Empty),
            ("42", IdProblem::Malformed),
            ("01982f6e", IdProblem::Malformed),
            ("zzzzzzzz-5d4c-7aa0-8000-1c2d3e4f5a6b", IdProblem::Malformed),
            (&id.replace('-', ""), IdProblem::Malformed),
            (&format!("{{{id}}}"), IdProblem::Malformed),
            (&format!("urn:uuid:{id}"), IdProblem::Malformed),
            (&format!(" {id}"), IdProblem::Malformed),
            (
                "00000000-0000-0000-0000-000000000000",
                IdProblem::NamesNothing,
            ),
            (
                "ffffffff-ffff-ffff-ffff-ffffffffffff",
                IdProblem::NamesNothing,
            ),
        ] {
            let error = text.parse::<ExamSessionId>().unwrap_err();
            assert_eq!(error.problem, problem, "{text}");
            assert!(error.to_string().contains("an exam session id"), "{error}");
            let json = serde_json::to_string(text).unwrap();
            assert!(
                serde_json::from_str::<ExamSessionId>(&json).is_err(),
                "{text}"
            );
        }
        assert_eq!(
            id.to_uppercase()
                .parse::<ExamSessionId>()
                .unwrap()
                .to_string(),
            id
        );
    }

    #[test]
    fn an_overlong_text_is_not_echoed_whole() {
        let error = "x".repeat(10_000).parse::<JobId>().unwrap_err();
        assert_eq!(error.value.len(), 64);
    }

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        let ids: Vec<_> = (0..100).map(|_| JobId::generate()).collect();
        assert!(ids.is_sorted());
    }
}
