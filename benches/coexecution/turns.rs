//! Iterations in turn with others, and at the same time as others.
//!
//! Invariant: what is timed has had an iteration just before, so that none pays for what another left in the caches.

use super::row::median;
use super::session::{Data, Session};
use divvy::Policy;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Iterations and seconds after which nothing is learned any more, both of them or the last alone.
const SETTLED: usize = 400;
const SETTLING: Duration = Duration::from_millis(50);
const MOST_SETTLING: Duration = Duration::from_millis(500);
/// What a sample takes at least once settled: the clock, and who is woken late, are little beside it.
const SAMPLE: Duration = Duration::from_millis(1);

/// Iterations that go on and on, in turn with others.
pub struct Repeating<'a> {
    pub data: Data<'a>,
    policy: Option<Policy>,
    /// Seconds of the first iteration, which brings the data, and of reading the answer.
    first: f64,
    reading: f64,
    /// Iterations that a sample is the mean of.
    batch: usize,
    pub samples: Vec<f64>,
}

impl<'a> Repeating<'a> {
    pub fn new(session: &'a Session<'a>, policy: Option<Policy>) -> Self {
        Self {
            data: session.data(),
            policy,
            first: 0.0,
            reading: 0.0,
            batch: 1,
            samples: Vec::new(),
        }
    }

    /// With nothing left to learn; samples are of as many iterations as are no longer short.
    pub fn after_settling(session: &'a Session<'a>) -> Self {
        let mut own = Self::new(session, None);
        let start = Instant::now();
        let mut took = Vec::new();
        let has_settled = |iterations: usize, spent: Duration| {
            iterations >= 2
                && (spent >= MOST_SETTLING || (iterations >= SETTLED && spent >= SETTLING))
        };
        while !has_settled(took.len(), start.elapsed()) {
            took.push(timed(|| drop(own.data.iterate(None))));
        }
        // The first ones are no measure: some try what is slow.
        let one = median(took.drain(took.len() / 2..)).expect("it ran");
        own.batch = (SAMPLE.as_secs_f64() / one).ceil() as usize;
        own
    }

    /// With what it takes besides known, and some samples.
    pub fn begun(session: &'a Session<'a>) -> Self {
        let mut own = Self::new(session, None);
        own.first = timed(|| drop(own.data.iterate(None)));
        own.turn();
        own.turn();
        own.reading = timed(|| drop(own.data.words()));
        own
    }

    pub fn turn(&mut self) {
        let policy = self.policy.as_ref();
        turn(&mut self.samples, self.batch, || {
            drop(self.data.iterate(policy));
        });
    }

    pub fn settled(&self) -> f64 {
        median(self.samples.iter().copied()).expect("it had a turn")
    }

    /// Seconds of so many iterations.
    pub fn total(&self, iterations: usize) -> f64 {
        self.first + (iterations - 1) as f64 * self.settled() + self.reading
    }
}

/// A few samples of so many iterations, as many as there are short; before, some that aren't kept, for what others left in
/// the caches, and for cores that slept meanwhile: woken again and again they soon sleep less deeply.
pub fn turn(samples: &mut Vec<f64>, batch: usize, mut iterate: impl FnMut()) {
    const LONG: Duration = Duration::from_millis(50);
    const MOST: usize = 5;
    const WARMING: Duration = Duration::from_millis(10);
    let mut sample = || timed(|| (0..batch).for_each(|_| iterate())) / batch as f64;
    let start = Instant::now();
    while start.elapsed() < WARMING {
        sample();
    }
    let start = Instant::now();
    for i in 0..MOST {
        if i > 0 && start.elapsed() > LONG {
            break;
        }
        samples.push(sample());
    }
}

pub fn timed(act: impl FnOnce()) -> f64 {
    let start = Instant::now();
    act();
    start.elapsed().as_secs_f64()
}

/// What each device takes for a problem of its own while all others have one as well: what processors do that share a
/// memory and a clock, with nobody splitting anything.
pub fn at_once<W: FnMut() -> f64>(devices: usize, work: impl Fn(usize) -> W + Sync) -> Vec<f64> {
    const LEAST: usize = 4;
    const BUDGET: Duration = Duration::from_millis(500);
    let slow = AtomicUsize::new(devices);
    let run = |device: usize| {
        let mut iterate = work(device);
        iterate();
        let start = Instant::now();
        let mut samples = Vec::new();
        // All go on until the slowest has had its turns.
        while slow.load(Ordering::Relaxed) > 0 || start.elapsed() < BUDGET {
            samples.push(iterate());
            if samples.len() == LEAST {
                slow.fetch_sub(1, Ordering::Relaxed);
            }
        }
        median(samples).expect("each had its turns")
    };
    std::thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = (0..devices)
            .map(|device| scope.spawn(move || run(device)))
            .collect();
        let seconds = threads.into_iter().map(|thread| thread.join());
        seconds.map(|seconds| seconds.expect("it runs")).collect()
    })
}
