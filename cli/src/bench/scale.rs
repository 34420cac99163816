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

    /// Whole decades around the numbers.
    pub(super) fn decades(numbers: impl Iterator<Item = f64> + Clone) -> Self {
        let positive = numbers.filter(|number| *number > 0.0);
        let least = positive.clone().fold(f64::INFINITY, f64::min);
        let most = positive.fold(0.0, f64::max);
        if most <= 0.0 {
            return Scale::Log {
                from: 1.0,
                to: 10.0,
            };
        }
        // A decade's end belongs to it.
        let from = (least * 1.001).log10().floor();
        let to = (most * 0.999).log10().ceil().max(from + 1.0);
        Scale::Log {
            from: 10_f64.powf(from),
            to: 10_f64.powf(to),
        }
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
                let decades = (to / from).log10().round() as i32;
                // As many as have room for their labels.
                let step = (decades / 6 + 1) as usize;
                let first = from.log10().round() as i32;
                (0..=decades)
                    .step_by(step)
                    .map(|i| 10_f64.powi(first + i))
                    .collect()
            }
        }
    }
}

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
        let log = Scale::decades([20.0, 3000.0].into_iter());
        assert_eq!((log.place(10.0), log.place(10_000.0)), (0.0, 1.0));
        assert_eq!((log.place(0.0), log.place(1e9)), (0.0, 1.0));
        assert_eq!(log.ticks().len(), 4);
        let linear = Scale::from_zero([3.0, 10.0].into_iter());
        assert_eq!(linear.place(0.0), 0.0);
        assert_eq!(linear.ticks(), [0.0, 5.0, 10.0]);
    }

    #[test]
    fn a_number_at_the_end_of_a_decade_needs_no_other() {
        let log = Scale::decades([1e-3, 1e-2].into_iter());
        assert!(log.ticks().len() == 2, "{:?}", log.ticks());
    }
}
