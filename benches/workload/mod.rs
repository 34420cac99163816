//! What the benches share: times collected beside criterion's, so that ratios can be printed.

pub mod raw;

use criterion::{BenchmarkGroup, measurement::WallTime};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Median seconds of everything measured so far, by group and name.
#[derive(Default)]
pub struct Times(BTreeMap<(String, String), Vec<f64>>);

impl Times {
    /// Measures `work` with criterion, after running it often enough for whoever learns to have learned.
    pub fn measure(
        &mut self,
        group: &mut BenchmarkGroup<'_, WallTime>,
        at: &str,
        name: &str,
        mut work: impl FnMut(),
    ) {
        for _ in 0..12 {
            work();
        }
        let samples = self.0.entry((at.to_owned(), name.to_owned())).or_default();
        group.bench_function(format!("{at}/{name}"), |bencher| {
            bencher.iter_custom(|iterations| {
                let mut total = Duration::ZERO;
                for _ in 0..iterations {
                    let start = Instant::now();
                    work();
                    let elapsed = start.elapsed();
                    samples.push(elapsed.as_secs_f64());
                    total += elapsed;
                }
                total
            });
        });
    }

    /// The median, if it was measured.
    pub fn median(&self, at: &str, name: &str) -> Option<f64> {
        let mut samples = self.0.get(&(at.to_owned(), name.to_owned()))?.clone();
        samples.sort_by(f64::total_cmp);
        samples.get(samples.len() / 2).copied()
    }
}
