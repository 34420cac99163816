//! What the benches share: candidates measured in turn, so that a machine whose speed drifts is fair to all of them.

pub mod raw;

use criterion::{BenchmarkGroup, measurement::WallTime};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Something to be measured, and its name.
pub type Candidate<'a> = (String, Box<dyn FnMut() + 'a>);

/// Runs before anything is measured: enough for whoever learns to have learned.
const WARM_UP: usize = 12;
const LEAST_ROUNDS: usize = 9;
const MOST_ROUNDS: usize = 400;

/// Seconds of everything measured so far, by row and candidate.
#[derive(Default)]
pub struct Times(BTreeMap<(String, String), Vec<f64>>);

impl Times {
    /// Measures the candidates in turn, round after round, and gives criterion the samples.
    pub fn compare(
        &mut self,
        group: &mut BenchmarkGroup<'_, WallTime>,
        at: &str,
        mut candidates: Vec<Candidate<'_>>,
    ) {
        let mut samples = vec![Vec::new(); candidates.len()];
        for (_, work) in &mut candidates {
            (0..WARM_UP).for_each(|_| work());
        }
        let budget = Duration::from_millis(700) * candidates.len() as u32;
        let start = Instant::now();
        while samples[0].len() < LEAST_ROUNDS
            || (start.elapsed() < budget && samples[0].len() < MOST_ROUNDS)
        {
            for ((_, work), samples) in candidates.iter_mut().zip(&mut samples) {
                let start = Instant::now();
                work();
                samples.push(start.elapsed());
            }
        }
        for ((name, _), samples) in candidates.iter().zip(samples) {
            // Criterion asks for the time of so many iterations: the next so many samples, from the first again.
            let mut next = samples.iter().cycle();
            group.bench_function(format!("{at}/{name}"), |bencher| {
                bencher.iter_custom(|iterations| next.by_ref().take(iterations as usize).sum());
            });
            let seconds = samples.iter().map(Duration::as_secs_f64).collect();
            self.0.insert((at.to_owned(), name.clone()), seconds);
        }
    }

    /// The median of a candidate, if it was measured.
    pub fn median(&self, at: &str, name: &str) -> Option<f64> {
        let mut samples = self.0.get(&(at.to_owned(), name.to_owned()))?.clone();
        samples.sort_by(f64::total_cmp);
        samples.get(samples.len() / 2).copied()
    }
}
