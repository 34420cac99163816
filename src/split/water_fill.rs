//! The shares with which all devices finish together.
//!
//! Solves for the time; rounding the shares to whole workgroups is `partition`'s affair.
//!
//! Invariant: the shares add up to the items, and a device without a share could not have started before the end.

/// What a device would cost a dispatch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Seconds before its first item: overhead, and copies whose size doesn't depend on its share.
    pub fixed_seconds: f64,
    /// Seconds for each item, with the copies that grow with its share folded in. Not finite: the device sits out.
    pub seconds_per_item: f64,
}

impl Candidate {
    fn takes_part(&self) -> bool {
        self.fixed_seconds.is_finite()
            && self.seconds_per_item.is_finite()
            && self.seconds_per_item > 0.0
    }
}

/// Shares `items` so that the last device finishes as early as possible; returns that time in seconds.
///
/// With `c_i` the fixed seconds and `r_i = 1 / seconds_per_item`, it is the least `T` for which
/// `sum_i max(0, (T - c_i) * r_i) >= items`: water poured over columns that start at `c_i` and are `r_i` wide. A device
/// with `c_i >= T` gets nothing, so small dispatches stay on one device. Costs `n log n` for `n` devices, and allocates
/// nothing once `shares` and `order` have room for them.
///
/// `shares` is set to one share for each candidate, in items; `order` is scratch.
///
/// # Panics
///
/// If no candidate can take part: who is asked is the caller's decision.
pub fn water_fill(
    items: f64,
    candidates: &[Candidate],
    shares: &mut Vec<f64>,
    order: &mut Vec<usize>,
) -> f64 {
    order.clear();
    order.extend((0..candidates.len()).filter(|i| candidates[*i].takes_part()));
    assert!(
        !order.is_empty(),
        "at least one device takes part in a split"
    );
    order.sort_unstable_by(|a, b| {
        candidates[*a]
            .fixed_seconds
            .total_cmp(&candidates[*b].fixed_seconds)
    });

    // Raise the level past one column after another until the next would start above it.
    let (mut rate, mut rate_times_start, mut level) = (0.0, 0.0, f64::INFINITY);
    for &i in order.iter() {
        let Candidate {
            fixed_seconds,
            seconds_per_item,
        } = candidates[i];
        if fixed_seconds >= level {
            break;
        }
        rate += seconds_per_item.recip();
        rate_times_start += fixed_seconds / seconds_per_item;
        level = (items + rate_times_start) / rate;
    }

    shares.clear();
    shares.extend(candidates.iter().map(|candidate| {
        let time_left = level - candidate.fixed_seconds;
        if candidate.takes_part() && time_left > 0.0 {
            time_left / candidate.seconds_per_item
        } else {
            0.0
        }
    }));
    level
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fill(items: f64, candidates: &[(f64, f64)]) -> (f64, Vec<f64>) {
        let candidates: Vec<_> = candidates
            .iter()
            .map(|&(fixed_seconds, seconds_per_item)| Candidate {
                fixed_seconds,
                seconds_per_item,
            })
            .collect();
        let mut shares = Vec::new();
        let level = water_fill(items, &candidates, &mut shares, &mut Vec::new());
        (level, shares)
    }

    #[test]
    fn two_devices_meet_the_closed_form() {
        // x * a + s = (n - x) * b + t, solved for x: the split of SkePU's two-device model.
        let (n, (s, a), (t, b)) = (1000.0, (0.5, 0.01), (0.2, 0.03));
        let x = (n * b + t - s) / (a + b);
        let (level, shares) = fill(n, &[(s, a), (t, b)]);
        assert!((shares[0] - x).abs() < 1e-9);
        assert!((level - (s + x * a)).abs() < 1e-12);
    }

    #[test]
    fn a_small_dispatch_stays_on_one_device() {
        let (_, shares) = fill(10.0, &[(0.0, 1e-6), (1.0, 1e-9)]);
        assert!((shares[0] - 10.0).abs() < 1e-9);
        assert_eq!(shares[1], 0.0);
    }

    #[test]
    fn a_device_without_a_rate_sits_out() {
        let (_, shares) = fill(10.0, &[(0.0, f64::INFINITY), (0.0, 1.0), (f64::NAN, 1.0)]);
        assert_eq!(shares, [0.0, 10.0, 0.0]);
    }

    #[test]
    #[should_panic(expected = "takes part")]
    fn a_split_among_nobody_is_a_bug() {
        fill(1.0, &[]);
    }

    proptest! {
        #[test]
        fn everyone_with_work_ends_together_and_nobody_else_could_help(
            items in 1.0_f64..1e9,
            candidates in prop::collection::vec((0.0_f64..1.0, 1e-9_f64..1e-3), 1..50),
        ) {
            let (level, shares) = fill(items, &candidates);
            // A share is a difference of times near 1 s, exact to about 1e-16 s, times up to 1e9 items a second.
            let tolerance = 1e-6 * items + 1e-5;
            prop_assert!((shares.iter().sum::<f64>() - items).abs() < tolerance);
            for ((fixed, per_item), share) in candidates.iter().zip(&shares) {
                if *share > 0.0 {
                    prop_assert!((fixed + share * per_item - level).abs() <= 1e-9 * level.max(1.0));
                } else {
                    prop_assert!(*fixed >= level);
                }
            }
        }
    }
}
