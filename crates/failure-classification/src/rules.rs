//! The taxonomy, one table per class.

mod access;
mod infra;
mod init;
mod runtime;

use crate::Rule;

/// Every table; together they hold each code exactly once.
pub(crate) static TABLES: &[&[Rule]] = &[init::RULES, runtime::RULES, access::RULES, infra::RULES];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::TABLES;
    use crate::{Attribution, FailureCode, RetryRule, Rule, rule};

    /// Words of the machinery. A candidate can do nothing with them.
    const INTERNAL_WORDS: &[&str] = &[
        "pod",
        "pods",
        "node",
        "nodes",
        "container",
        "containers",
        "namespace",
        "cluster",
        "kubernetes",
        "kubelet",
        "postgres",
        "database",
        "docker",
        "podman",
        "image",
        "registry",
        "exec",
        "keeper",
        "worker",
        "queue",
        "job",
        "quota",
        "scheduler",
        "runtime",
        "api",
        "oom",
        "uid",
        "sql",
        "websocket",
        "epoch",
    ];

    fn all() -> impl Iterator<Item = &'static Rule> {
        TABLES.iter().flat_map(|table| table.iter())
    }

    fn words(text: &str) -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric())
            .map(str::to_lowercase)
            .collect()
    }

    #[test]
    fn every_code_has_exactly_one_rule_in_the_table_of_its_class() {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for table in TABLES {
            for rule in *table {
                assert_eq!(
                    rule.class, table[0].class,
                    "{} is in the wrong table",
                    rule.code
                );
                *seen.entry(rule.code.as_str()).or_default() += 1;
            }
        }
        for code in FailureCode::ALL {
            assert_eq!(seen.get(code.as_str()), Some(&1), "{code}");
            assert_eq!(rule(*code).code, *code);
        }
        assert_eq!(seen.len(), FailureCode::ALL.len());
    }

    #[test]
    fn every_rule_has_a_sentence_for_the_candidate_and_one_for_the_operator() {
        for rule in all() {
            let last = rule.candidate_text.chars().last();
            assert!(
                matches!(last, Some('.' | '?')),
                "{}: {}",
                rule.code,
                rule.candidate_text
            );
            assert!(rule.operator_text.len() >= 12, "{}", rule.code);
            assert!(
                !rule.operator_text.ends_with('.'),
                "{}: the message follows",
                rule.code
            );
            assert!(rule.observations >= 1, "{}", rule.code);
        }
    }

    #[test]
    fn no_candidate_text_names_the_machinery() {
        for rule in all() {
            for text in [Some(rule.candidate_text), rule.waiting_text]
                .into_iter()
                .flatten()
            {
                for word in words(text) {
                    let leaks = INTERNAL_WORDS.contains(&word.as_str());
                    assert!(!leaks, "{} says {word:?} to candidates", rule.code);
                }
            }
        }
    }

    #[test]
    fn what_is_retried_or_waited_for_says_so_meanwhile() {
        for rule in all() {
            let goes_on = rule.retry != RetryRule::Never;
            assert_eq!(goes_on, rule.waiting_text.is_some(), "{}", rule.code);
        }
    }

    #[test]
    fn a_platform_fault_after_ready_tells_the_candidate_it_is_not_theirs() {
        for rule in all().filter(|rule| rule.code.as_str().starts_with("infra.")) {
            assert_eq!(rule.attribution, Attribution::Platform, "{}", rule.code);
            assert!(
                rule.candidate_text.contains("not your fault"),
                "{}",
                rule.code
            );
        }
    }

    #[test]
    fn every_runbook_anchor_exists() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/runbooks.md");
        let page = std::fs::read_to_string(page).expect("deploy/runbooks.md is in the repository");
        for rule in all() {
            let heading = format!("\n## {}\n", rule.runbook);
            assert!(
                page.contains(&heading),
                "{}: no heading {:?}",
                rule.code,
                rule.runbook
            );
        }
    }
}
