//! The network's part of the judgement.

use carrel_keeper::report::{Network, read_target};

use super::{Gap, must};
use crate::{Admitted, AdmittedNetwork, ExamDefinition};

/// Without egress and without rules only loopback may exist at all, so that nothing depends on
/// which targets a probe happened to try. Behind rules, what they hold off must have been tried.
pub(super) fn no_network(found: &Network, admitted: &Admitted, exam: &ExamDefinition) -> Gap {
    let beyond = answers_beyond(found, &exam.egress);
    match &admitted.network {
        AdmittedNetwork::Filtered { must_not_answer } => {
            let untried = untried(found, must_not_answer);
            must(
                beyond.is_empty() && untried.is_empty() && !must_not_answer.is_empty(),
                "declared destinations only, all others tried and silent",
                &format_args!("answered {beyond:?}, untried {untried:?}"),
            )
        }
        AdmittedNetwork::None if exam.egress.is_empty() => {
            let others: Vec<&str> = found
                .interfaces
                .iter()
                .map(|one| one.name.as_str())
                .filter(|name| *name != "lo")
                .collect();
            must(
                others.is_empty() && beyond.is_empty(),
                "loopback only",
                &(others, beyond),
            )
        }
        AdmittedNetwork::None => must(beyond.is_empty(), "declared destinations only", &beyond),
    }
}

/// Lists what answered and is neither declared nor our own: in a network namespace of its own,
/// loopback leads nowhere else.
fn answers_beyond<'a>(found: &'a Network, egress: &[String]) -> Vec<&'a str> {
    let answers = found.reachable.iter().filter(|probe| probe.ok);
    answers
        .map(|probe| probe.target.as_str())
        .filter(|target| !read_target(target).is_some_and(|target| target.ip().is_loopback()))
        .filter(|target| !egress.iter().any(|allowed| allowed == target))
        .collect()
}

/// Lists what should have been tried and was not; addresses may be written in several ways.
fn untried<'a>(found: &Network, wanted: &'a [String]) -> Vec<&'a str> {
    let tried = |wanted: &str| {
        let wanted = read_target(wanted);
        let mut tried = found.reachable.iter();
        wanted.is_some() && tried.any(|probe| read_target(&probe.target) == wanted)
    };
    let wanted = wanted.iter().map(String::as_str);
    wanted.filter(|wanted| !tried(wanted)).collect()
}
