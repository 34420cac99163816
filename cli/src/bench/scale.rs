//! How the numbers of an axis become places, and which of them are marked.
//!
//! Invariant: no place is outside of the axis, whatever the number.

/// How numbers become places.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    Linear { from: f64, to: f64 },
    Log { from: f64, to: f64 },
}

impl Scale {
    /// From zero to a little more than the largest.
    pub(super) fn from_zero(numbers: impl Iterator<Item = f64>) -> Self {
        let most = numbers.fold(0.0, f64::max);
        let to = if most > 0.0 { most * 1.08 } else { 1.0 };
        Scale::Linear { from: 0.0, to }
    }

    /// From 1, 2 or 5 times a power of ten to another, with the numbers between them.
    pub(super) fn log(numbers: impl Iterator<Item = f64> + Clone) -> Self {
        let positive = numbers.filter(|number| *number > 0.0);
        let least = positive.clone().fold(f64::INFINITY, f64::min);
        let most = positive.fold(0.0, f64::max);
        if most <= 0.0 {
            return Scale::Log {
                from: 1.0,
                to: 10.0,
            };
        }
        // What is at an end belongs to it.
        let from = 1.0 / round_step(0.999 / least);
        let to = round_step(most);
        let to = if to > from * 1.5 {
            to
        } else {
            round_step(from * 1.5)
        };
        Scale::Log { from, to }
    }

    /// The place of a number, from 0 to 1.
    pub(super) fn place(self, number: f64) -> f64 {
        let place = match self {
            Scale::Linear { from, to } => (number - from) / (to - from),
            Scale::Log { from, to } => (number.max(from) / from).log10() / (to / from).log10(),
        };
        place.clamp(0.0, 1.0)
    }

    /// Round numbers along the scale.
    pub(super) fn ticks(self) -> Vec<f64> {
        match self {
            Scale::Linear { from, to } => {
                let step = round_step((to - from) / 5.0);
                let first = (from / step).ceil() as i64;
                let last = (to / step).floor() as i64;
                (first..=last).map(|i| i as f64 * step).collect()
            }
            Scale::Log { from, to } => {
                let within = |tick: &f64| (from * 0.999..=to * 1.001).contains(tick);
                let first = from.log10().floor() as i32;
                let decades = (to / from).log10();
                // As many as have room for their labels.
                if decades < MOST_OF_STEPS {
                    let steps = (first..=first + decades.ceil() as i32 + 1)
                        .flat_map(|power| [1.0, 2.0, 5.0].map(|times| times * 10_f64.powi(power)));
                    return steps.filter(within).collect();
                }
                let step = (decades / MOST_DECADES) as usize + 1;
                let powers = (first..=first + decades.ceil() as i32).step_by(step);
                powers
                    .map(|power| 10_f64.powi(power))
                    .filter(within)
                    .collect()
            }
        }
    }
}

/// Up to how many decades have a mark at 1, 2 and 5, and up to how many each has one.
const MOST_OF_STEPS: f64 = 1.9;
const MOST_DECADES: f64 = 7.0;

/// 1, 2 or 5 times a power of ten, no less than the step.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|times| times * power >= step * 0.999);
    times.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_put_their_ends_at_the_ends_and_nothing_outside() {
        let log = Scale::log([30.0, 3000.0].into_iter());
        assert_eq!(
            log,
            Scale::Log {
                from: 20.0,
                to: 5000.0
            }
        );
        assert_eq!((log.place(20.0), log.place(5000.0)), (0.0, 1.0));
        assert_eq!((log.place(0.0), log.place(1e9)), (0.0, 1.0));
        assert_eq!(log.ticks(), [100.0, 1000.0]);
        let linear = Scale::from_zero([3.0, 10.0].into_iter());
        assert_eq!(linear.place(0.0), 0.0);
        assert_eq!(linear.ticks(), [0.0, 5.0, 10.0]);
    }

    #[test]
    fn a_number_at_the_end_needs_no_more_and_a_single_one_has_an_axis() {
        let ends = |numbers: &[f64]| match Scale::log(numbers.iter().copied()) {
            Scale::Log { from, to } => (from.log10(), to.log10()),
            Scale::Linear { from, to } => (from, to),
        };
        let is_near = |(a, b): (f64, f64), (c, d): (f64, f64)| {
            assert!((a - c).abs() < 1e-9 && (b - d).abs() < 1e-9, "{a} to {b}");
        };
        is_near(ends(&[1e-3, 1e-2]), (-3.0, -2.0));
        is_near(ends(&[1e-3]), (-3.0, (2e-3_f64).log10()));
        is_near(ends(&[3.0, 4.0]), (2_f64.log10(), 5_f64.log10()));
    }

    #[test]
    fn short_axes_have_marks_within_decades_and_long_ones_have_not() {
        let marks = |numbers: [f64; 2]| Scale::log(numbers.into_iter()).ticks().len();
        assert_eq!(marks([10.0, 100.0]), 4);
        assert_eq!(marks([1.0, 1e5]), 6);
        assert_eq!(marks([1.0, 1e12]), 7);
    }
}
