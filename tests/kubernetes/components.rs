//! Faults of the cluster itself. Each stops a component, so each has the cluster for itself; on a
//! cluster that is not ours to stop, they are left out.

mod api_server_gone;
mod default_account_missing;
mod network_policy_not_enforced;
mod node_not_ready;
mod restarted_under_an_open_terminal;
