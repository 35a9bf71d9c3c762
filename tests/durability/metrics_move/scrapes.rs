//! What processes have told of themselves, scrape by scrape.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use system_tests::http::Http;
use system_tests::logins::SECRET;
use system_tests::ports::free_port;
use system_tests::process::Process;
use system_tests::wait::until;

/// Far beyond the minute that a count may be late.
const TOLD_WITHIN: Duration = Duration::from_mins(3);

/// Every value that each series has had; one that is not there yet has 0.
#[derive(Debug)]
pub(super) struct Scrapes {
    addresses: Vec<String>,
    last: BTreeMap<String, f64>,
    seen: BTreeMap<String, BTreeSet<String>>,
    /// By process, whether it was ever scraped.
    count: Vec<usize>,
}

impl Scrapes {
    pub(super) fn of(addresses: &[String]) -> Self {
        Self {
            addresses: addresses.to_vec(),
            last: BTreeMap::new(),
            seen: BTreeMap::new(),
            count: vec![0; addresses.len()],
        }
    }

    /// Waits until this process has told something.
    pub(super) async fn await_one(&mut self, process: usize) {
        until("a process tells its metrics", TOLD_WITHIN, async || {
            self.take().await;
            (self.count[process] > 0).then_some(())
        })
        .await;
    }

    /// Scrapes every process that answers.
    pub(super) async fn take(&mut self) {
        for process in 0..self.addresses.len() {
            let probe = Http::new(&format!("http://{}", self.addresses[process]));
            let answer = probe.request(reqwest::Method::GET, "/metrics").send().await;
            let Ok(answer) = answer else { continue };
            let text = answer.text().await.unwrap_or_default();
            self.note(process, &text);
        }
    }

    fn note(&mut self, process: usize, text: &str) {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        for (series, value) in lines.filter_map(|line| line.rsplit_once(' ')) {
            let value: f64 = value.parse().unwrap();
            let seen = self.seen.entry(format!("{process} {series}")).or_default();
            if seen.is_empty() && self.count[process] > 0 {
                seen.insert("0".to_owned());
            }
            seen.insert(value.to_string());
            self.last.insert(series.to_owned(), value);
        }
        self.count[process] += usize::from(!text.is_empty());
    }

    /// The newest value of a series, written as it is scraped; 0 if it was never there.
    pub(super) fn last(&self, series: &str) -> f64 {
        self.last.get(series).copied().unwrap_or(0.0)
    }

    /// Scrapes until a series is as large.
    pub(super) async fn reach(&mut self, series: &str, at_least: f64) {
        until(
            &format!("{series} is {at_least}"),
            TOLD_WITHIN,
            async || {
                self.take().await;
                (self.last(series) >= at_least).then_some(())
            },
        )
        .await;
    }

    /// Scrapes until a gauge is nothing again.
    pub(super) async fn reach_zero(&mut self, series: &str) {
        until(&format!("{series} is 0"), TOLD_WITHIN, async || {
            self.take().await;
            (self.last(series) == 0.0).then_some(())
        })
        .await;
    }

    /// Whether any series of a metric has had two values.
    pub(super) fn has_moved(&self, metric: &str) -> bool {
        self.seen.iter().any(|(series, values)| {
            let name = series.split_once(' ').map_or("", |(_, series)| series);
            let name = name.split('{').next().unwrap_or_default();
            let is_its = name == metric || name.strip_suffix("_count") == Some(metric);
            is_its && values.len() > 1
        })
    }
}

/// A series as it is scraped.
pub(super) fn series_named(metric: &str, labels: &[(&str, &str)]) -> String {
    let labels = labels.iter();
    let labels: Vec<_> = labels
        .map(|(name, value)| format!("{name}=\"{value}\""))
        .collect();
    format!("{metric}{{{}}}", labels.join(","))
}

/// The real api on a database, for the numbers of the whole service.
pub(super) fn start_api(database_url: &str, admin: &str, folder: &Path) -> Process {
    let listen = format!("127.0.0.1:{}", free_port());
    let arguments = [("--listen", &*listen), ("--admin-listen", admin)];
    let environment = [
        ("CARREL_DATABASE_URL", database_url),
        ("CARREL_TOKEN_HS256_SECRET", SECRET),
        ("CARREL_LOG_FORMAT", "text"),
    ];
    let arguments = arguments.iter().flat_map(|(flag, value)| [*flag, *value]);
    let environment = environment.iter();
    Process::start(
        "api",
        "carrel-api",
        arguments.map(str::to_owned).collect(),
        environment
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        folder,
    )
}
