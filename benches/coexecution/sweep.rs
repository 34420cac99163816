//! Fixed shares, tried one after the other.

use super::row::{Fixed, median};

/// Fixed shares that take longer than the best by this factor are tried once.
const HOPELESS: f64 = 1.5;
/// The best of them, which are run again in turn with the split: the best of many noisy figures is a lucky one.
const AGAIN: usize = 3;

/// Medians of what fixed shares take; hopeless ones are tried once.
pub fn swept(candidates: Vec<Vec<f64>>, mut run: impl FnMut(&[f64]) -> f64) -> Vec<Fixed> {
    const TRIES: usize = 3;
    let mut samples: Vec<Vec<f64>> = candidates.iter().map(|shares| vec![run(shares)]).collect();
    for _ in 1..TRIES {
        let least = samples
            .iter()
            .flatten()
            .copied()
            .fold(f64::INFINITY, f64::min);
        for (shares, samples) in candidates.iter().zip(&mut samples) {
            if samples[0] <= HOPELESS * least {
                samples.push(run(shares));
            }
        }
    }
    let fixed = |(shares, samples): (Vec<f64>, Vec<f64>)| Fixed {
        shares,
        seconds: median(samples).expect("each is tried"),
    };
    candidates.into_iter().zip(samples).map(fixed).collect()
}

pub fn best_of(sweep: &[Fixed]) -> Vec<Fixed> {
    let mut sorted = sweep.to_vec();
    sorted.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    sorted.truncate(AGAIN);
    sorted
}
