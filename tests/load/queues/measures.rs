//! What is told of each contender, out of what was measured of it.

use crate::contenders::Contender;
use crate::rounds::{Bounds, Drained, Figures};

type Figure = dyn Fn(&Figures) -> Option<f64>;

/// What is told of each contender, and how many digits of it.
pub(crate) struct Measure {
    pub(crate) name: String,
    digits: usize,
    of: Box<Figure>,
    /// Whether it says anything to hold it against another's.
    pub(crate) is_compared: bool,
}

pub(crate) fn measures(bounds: &Bounds) -> Vec<Measure> {
    let mut measures = vec![
        measure("enqueue/s, one by one", 0, |all| median(&all.singles)),
        measure("enqueue/s, 1,000 a call", 0, |all| median(&all.batched)),
    ];
    for &backlog in &bounds.backlogs {
        measures.push(measure(
            &format!("run/s of {backlog} waiting"),
            0,
            move |all| median_of(drains(all, backlog).map(|one| one.done.rate())),
        ));
    }
    for percent in [50, 99] {
        measures.push(measure(
            &format!("idle start, p{percent} ms"),
            1,
            move |all| percentile(&all.idle, percent),
        ));
    }
    for percent in [50, 99] {
        measures.push(measure(
            &format!("start under load, p{percent} ms"),
            1,
            move |all| percentile(&all.loaded, percent),
        ));
    }
    measures.push(Measure {
        is_compared: false,
        ..measure("that load, jobs/s", 0, |all| median(&all.background))
    });
    measures.extend(costs(bounds.backlogs.first().copied().unwrap_or_default()));
    measures
}

/// Of the first backlog alone, since all have drained it in the same state and as often.
fn costs(first: u32) -> [Measure; 3] {
    [
        measure("client's CPU, s for 1,000 jobs", 3, move |all| {
            let each = |one: &Drained| one.done.cpu_seconds / f64::from(one.done.jobs) * 1000.0;
            median_of(drains(all, first).map(each))
        }),
        measure("PostgreSQL's CPU, s for 1,000 jobs", 3, move |all| {
            let each = |one: &Drained| one.server_cpu.map(|cpu| cpu * 1000.0);
            median_of(drains(all, first).filter_map(each))
        }),
        measure("database time, ms for a job", 3, move |all| {
            median_of(drains(all, first).filter_map(|one| one.statements))
        }),
    ]
}

fn measure(name: &str, digits: usize, of: impl Fn(&Figures) -> Option<f64> + 'static) -> Measure {
    let (name, of) = (name.to_owned(), Box::new(of));
    Measure {
        name,
        digits,
        of,
        is_compared: true,
    }
}

impl Measure {
    /// The cell of a contender.
    pub(crate) fn cell(&self, figures: &Figures) -> String {
        let Some(value) = (self.of)(figures) else {
            return "—".to_owned();
        };
        let is_cut_off = |one: &Drained| {
            one.is_cut_off() && self.name == format!("run/s of {} waiting", one.backlog)
        };
        let mark = if figures.drains.iter().any(is_cut_off) {
            " †"
        } else {
            ""
        };
        format!("{value:.*}{mark}", self.digits)
    }

    /// Each Carrel's figure over the other's.
    pub(crate) fn ratios(&self, carrels: &[&Contender], other: &Contender) -> String {
        let Some(beside) = (self.of)(&other.figures).filter(|&beside| beside > 0.0) else {
            return "—".to_owned();
        };
        let ratio = |carrel: &&Contender| match (self.of)(&carrel.figures) {
            Some(value) => format!("{:.2}", value / beside),
            None => "—".to_owned(),
        };
        let ratios: Vec<String> = carrels.iter().map(ratio).collect();
        ratios.join(" / ")
    }
}

fn drains(all: &Figures, backlog: u32) -> impl Iterator<Item = &Drained> {
    all.drains.iter().filter(move |one| one.backlog == backlog)
}

fn median_of(values: impl Iterator<Item = f64>) -> Option<f64> {
    median(&values.collect::<Vec<f64>>())
}

fn median(values: &[f64]) -> Option<f64> {
    percentile(values, 50)
}

/// The nearest rank, so that every figure was seen.
pub(crate) fn percentile(values: &[f64], percent: usize) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.max(1) - 1).copied()
}
