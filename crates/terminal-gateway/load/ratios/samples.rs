//! What a process was seen to hold, in the order of time.

/// What one look found.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sample {
    pub(crate) resident_kib: u64,
    pub(crate) open_files: usize,
    pub(crate) attached: f64,
    pub(crate) legs: usize,
}

/// All looks.
#[derive(Debug, Default)]
pub(crate) struct Samples(Vec<Sample>);

impl Samples {
    pub(crate) fn add(&mut self, sample: Sample) {
        self.0.push(sample);
    }

    /// The medians of the first quarter and of the last.
    pub(crate) fn quarters(&self) -> (Sample, Sample) {
        let quarter = self.0.len().div_ceil(4);
        assert!(quarter > 0, "nobody looked");
        let last = &self.0[self.0.len() - quarter..];
        (medians(&self.0[..quarter]), medians(last))
    }
}

fn medians(samples: &[Sample]) -> Sample {
    Sample {
        resident_kib: median(samples, |it| it.resident_kib),
        open_files: median(samples, |it| it.open_files),
        attached: median(samples, |it| it.attached),
        legs: median(samples, |it| it.legs),
    }
}

fn median<T: PartialOrd + Copy>(samples: &[Sample], field: impl Fn(&Sample) -> T) -> T {
    let mut values: Vec<T> = samples.iter().map(field).collect();
    values.sort_unstable_by(|one, other| one.partial_cmp(other).expect("no value is no number"));
    values[values.len() / 2]
}
