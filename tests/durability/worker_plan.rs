//! How a worker is started.

use std::time::Duration;

/// A lease that ends within seconds, and that no slow machine loses.
pub(crate) const LEASE: Duration = Duration::from_secs(5);

/// The longest pause between two looks for work.
const POLL: Duration = Duration::from_millis(300);

/// The worker's flags, with values under which its failures show within seconds.
#[derive(Debug, Clone)]
pub(crate) struct WorkerPlan {
    pub(crate) name: String,
    /// The database's address if it is not the bench's own, such as a proxy's.
    pub(crate) url: Option<String>,
    pub(crate) listen_url: Option<String>,
    /// Where it tells its metrics.
    pub(crate) admin: Option<String>,
    pub(crate) slots: usize,
    pub(crate) threads: usize,
    pub(crate) pool: u32,
    pub(crate) lease: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) drain_grace: Duration,
    pub(crate) cancel_grace: Duration,
    /// The period of the schedule whose ticks it asks for.
    pub(crate) tick: Option<Duration>,
}

impl WorkerPlan {
    pub(crate) fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            url: None,
            listen_url: None,
            admin: None,
            slots: 8,
            threads: 2,
            pool: 4,
            lease: LEASE,
            heartbeat: Duration::from_millis(500),
            drain_grace: Duration::from_secs(1),
            cancel_grace: Duration::from_secs(1),
            tick: None,
        }
    }

    pub(crate) fn through(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    pub(crate) fn slots(mut self, slots: usize) -> Self {
        self.slots = slots;
        self
    }

    pub(crate) fn flags(&self, database_url: &str) -> Vec<String> {
        let ms = |duration: Duration| duration.as_millis().to_string();
        let url = self.url.as_deref().unwrap_or(database_url);
        let flags = [
            ("database-url", Some(url.to_owned())),
            ("listen-url", self.listen_url.clone()),
            ("admin", self.admin.clone()),
            ("name", Some(self.name.clone())),
            ("slots", Some(self.slots.to_string())),
            ("threads", Some(self.threads.to_string())),
            ("pool", Some(self.pool.to_string())),
            ("lease-ms", Some(ms(self.lease))),
            ("heartbeat-ms", Some(ms(self.heartbeat))),
            ("poll-ms", Some(ms(POLL))),
            ("drain-grace-ms", Some(ms(self.drain_grace))),
            ("cancel-grace-ms", Some(ms(self.cancel_grace))),
            ("tick-ms", self.tick.map(ms)),
        ];
        let given = flags.into_iter();
        let given = given.filter_map(|(name, value)| Some(format!("--{name}={}", value?)));
        given.collect()
    }
}
