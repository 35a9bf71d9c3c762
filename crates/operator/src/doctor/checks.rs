//! Every check by its name, in the order they are made.

/// Whether and how the server answers.
const OF_THE_SERVER: [&str; 5] = [
    "database",
    "server_version",
    "clock",
    "notifications",
    "schema",
];
/// What tables say, for which the schema has to be current.
pub(super) const OF_TABLES: [&str; 12] = [
    "installation",
    "connections",
    "notification_queue",
    "transactions",
    "history",
    "queues",
    "handlers",
    "leases",
    "dead_jobs",
    "startup",
    "teardown",
    "sweeps",
];
/// What lies beside the database.
const OF_SURROUNDINGS: [&str; 4] = ["token_keys", "runtime", "exams", "network_policy"];

/// Names them all.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let of_database = OF_THE_SERVER.into_iter().chain(OF_TABLES);
    of_database.chain(OF_SURROUNDINGS)
}
