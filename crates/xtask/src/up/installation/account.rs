//! Kubeconfigs with the rights of the chart's service accounts.

use serde_json::{Value, json};

/// The name of everything in the kubeconfigs.
pub(super) const CONTEXT: &str = "carrel";
/// As long as the demo's link is good.
pub(super) const LIFETIME: &str = "--duration=24h";

/// Whose rights a process has. The api has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    /// Makes and removes environments.
    Worker,
    /// Enters them.
    Terminal,
    /// Looks at them, from the command line.
    Operator,
}

impl Account {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Worker, Self::Terminal, Self::Operator];

    /// As the chart calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Terminal => "terminal",
            Self::Operator => "operator",
        }
    }
}

/// The cluster of an administrator's kubeconfig, with another's token. JSON is YAML too.
pub(super) fn kubeconfig(admin: &Value, token: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": CONTEXT, "cluster": admin["clusters"][0]["cluster"] }],
        "users": [{ "name": CONTEXT, "user": { "token": token } }],
        "contexts": [{ "name": CONTEXT, "context": { "cluster": CONTEXT, "user": CONTEXT } }],
        "current-context": CONTEXT,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_gets_the_way_in_and_nothing_of_the_administrator_s_rights() {
        let admin = json!({
            "clusters": [{ "name": "site", "cluster": { "server": "https://site:6443" } }],
            "users": [{ "name": "admin", "user": { "client-key-data": "c2VjcmV0" } }],
        });
        let document = kubeconfig(&admin, "the-token");
        let server = &document["clusters"][0]["cluster"]["server"];
        assert_eq!(server, "https://site:6443");
        assert_eq!(
            document["users"][0]["user"],
            json!({ "token": "the-token" })
        );
        assert!(!document.to_string().contains("c2VjcmV0"));
    }

    #[test]
    fn every_account_is_one_of_the_chart_s() {
        let rights = include_str!("../../../../../deploy/chart/files/rights.yaml");
        for account in Account::ALL {
            let line = format!("\n{}:\n", account.name());
            assert!(rights.contains(&line), "{account:?}");
        }
    }
}
