//! What the benches share: candidates measured in turn, so that a machine whose speed drifts is fair to all of them.

mod answers;
pub mod raw;

use criterion::Criterion;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What a candidate is asked to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Run once.
    Run,
    /// Run once, and return what came out; asked first of all, outside the timing.
    #[allow(dead_code, reason = "not every bench has answers")]
    Answer,
}

/// Something to be measured, and its name. Returns nothing but an answer; one that is there for comparison has none.
pub type Candidate<'a> = (String, Box<dyn FnMut(Turn) -> Vec<f32> + Send + 'a>);

/// Runs before anything is measured, as long as they take no more than the time.
const WARM_UP: usize = 4;
const LONG_WARM_UP: Duration = Duration::from_secs(1);
/// The same for who has to learn a split: enough to have learned.
const WARM_UP_SPLIT: usize = 80;
/// How long a candidate runs before it is timed, each time; once at least, unless it takes so long that what it finds
/// in the caches doesn't matter.
const WARMING: Duration = Duration::from_millis(10);
const LONG: Duration = Duration::from_millis(200);
const LEAST_ROUNDS: usize = 5;
const MOST_ROUNDS: usize = 400;

/// Seconds of everything measured so far, by row and candidate, in order of length.
#[derive(Default)]
pub struct Times {
    found: BTreeMap<(String, String), Vec<f64>>,
    criterion: Criterion,
}

impl Times {
    /// Measures the candidates in turn, round after round, and lets criterion say how each did, beside the time before.
    pub fn compare(&mut self, at: &str, candidates: &mut [Candidate<'_>]) {
        check(at, candidates);
        let mut samples = vec![Vec::new(); candidates.len()];
        for (name, work) in candidates.iter_mut() {
            let runs = if name == "split" {
                WARM_UP_SPLIT
            } else {
                WARM_UP
            };
            let start = Instant::now();
            for run in 0..runs {
                if run > 0 && name != "split" && start.elapsed() > LONG_WARM_UP {
                    break;
                }
                work(Turn::Run);
            }
        }
        let budget = Duration::from_secs(2) * candidates.len() as u32;
        let start = Instant::now();
        while samples[0].len() < LEAST_ROUNDS
            || (start.elapsed() < budget && samples[0].len() < MOST_ROUNDS)
        {
            for ((_, work), samples) in candidates.iter_mut().zip(&mut samples) {
                // Some before, so that none pays for what the one before it left in the caches, or for processors that
                // rested or ran hot meanwhile.
                let warming = Instant::now();
                let is_long = samples.last().is_some_and(|last| *last > LONG);
                while !is_long && {
                    work(Turn::Run);
                    warming.elapsed() < WARMING
                } {}
                let start = Instant::now();
                work(Turn::Run);
                samples.push(start.elapsed());
            }
        }
        let mut group = self.criterion.benchmark_group(at);
        let instant = Duration::from_nanos(1);
        group
            .sample_size(10)
            .warm_up_time(instant)
            .measurement_time(instant);
        for ((name, _), samples) in candidates.iter().zip(samples) {
            // Criterion asks for the time of so many iterations: the next so many samples, from the first again.
            let mut next = samples.iter().cycle();
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|iterations| next.by_ref().take(iterations as usize).sum());
            });
            let mut seconds: Vec<f64> = samples.iter().map(Duration::as_secs_f64).collect();
            seconds.sort_by(f64::total_cmp);
            self.found.insert((at.to_owned(), name.clone()), seconds);
        }
    }

    /// Runs these of the candidates at the same time, and returns how often they end in a second, all told: what
    /// processors do that share a memory and a clock, with nobody splitting anything.
    #[allow(dead_code, reason = "not every bench asks")]
    pub fn at_once(candidates: &mut [Candidate<'_>], is_one: impl Fn(&str) -> bool) -> f64 {
        let (least, budget) = (4, Duration::from_secs(2));
        let chosen: Vec<_> = candidates
            .iter_mut()
            .filter(|(name, _)| is_one(name))
            .collect();
        let slow = AtomicUsize::new(chosen.len());
        let start = Instant::now();
        let run = |(_, work): &mut Candidate<'_>| {
            let (mut ended, mut last) = (0, 0.0);
            // All go on until the slowest has had its turns.
            while slow.load(Ordering::Relaxed) > 0 || start.elapsed() < budget {
                work(Turn::Run);
                (ended, last) = (ended + 1, start.elapsed().as_secs_f64());
                if ended == least {
                    slow.fetch_sub(1, Ordering::Relaxed);
                }
            }
            f64::from(ended) / last
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = chosen
                .into_iter()
                .map(|one| scope.spawn(|| run(one)))
                .collect();
            let rates = threads.into_iter().map(|thread| thread.join());
            rates.map(|rate| rate.expect("it runs")).sum()
        })
    }

    /// The median of a candidate, if it was measured.
    #[allow(dead_code, reason = "not every bench asks")]
    pub fn median(&self, at: &str, name: &str) -> Option<f64> {
        let seconds = self.found.get(&(at.to_owned(), name.to_owned()))?;
        Some(seconds[seconds.len() / 2])
    }

    /// The median of each candidate of a row.
    pub fn medians(&self, at: &str) -> BTreeMap<String, f64> {
        let its = self.found.iter().filter(|((row, _), _)| row == at);
        its.map(|((_, name), seconds)| (name.clone(), seconds[seconds.len() / 2]))
            .collect()
    }
}

/// Lets every candidate run once, and panics if they don't come to the same answer.
fn check(at: &str, candidates: &mut [Candidate<'_>]) {
    let answer = |(name, work): &mut Candidate<'_>| (name.clone(), work(Turn::Answer));
    let answers: Vec<(String, Vec<f32>)> = candidates.iter_mut().map(answer).collect();
    let has_answer = |(_, answer): &&(String, Vec<f32>)| !answer.is_empty();
    let Some((by, expected)) = answers.iter().rfind(has_answer) else {
        return;
    };
    for (name, found) in answers.iter().filter(has_answer) {
        answers::check(&format!("{at}: {name} and {by}"), found, expected);
    }
}
