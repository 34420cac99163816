//! What a batch takes besides its runs and what the host copies.
//!
//! Submitting and waiting, which every batch takes about as long for; and copies that the driver makes in the meantime,
//! which no clock shows and which can take as long as the host's part of them.
//!
//! Invariant: nothing is lost: what isn't counted to copies is counted to the runs.

/// The least bytes whose copy shows beside submitting and waiting.
const LEAST_BYTES: u64 = 64 * 1024;
/// By how much a batch may take longer than the one before without being out of the ordinary.
const GROWTH: f64 = 1.1;

/// The part of what its runs are taken for by which a batch without copies must be late, beside as much again as usual, for
/// that to be doubted.
const DOUBTED: f64 = 0.25;

/// What batches without copies have taken.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Around {
    /// The least of late.
    usual: Option<f64>,
}

impl Around {
    /// Whether a batch took so long around its runs, which are taken for `busy` seconds, that they must have taken longer.
    pub(super) fn is_late(&self, seconds: f64, busy: f64, copied: &[u64]) -> bool {
        let has_copies = copied.iter().sum::<u64>() >= LEAST_BYTES;
        let is_late = |usual: f64| seconds - usual > usual + DOUBTED * busy;
        !has_copies && self.usual.is_some_and(is_late)
    }

    /// Shares the seconds around a batch: what is left for its runs, and what a copied byte has taken.
    pub(super) fn share(&mut self, seconds: f64, copied: &[u64]) -> (f64, f64) {
        let bytes: u64 = copied.iter().sum();
        let usual = self
            .usual
            .map_or(seconds, |usual| seconds.min(usual * GROWTH));
        if bytes < LEAST_BYTES {
            self.usual = Some(usual);
            return (seconds, 0.0);
        }
        (usual, (seconds - usual) / bytes as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_copies_take_is_told_from_what_every_batch_takes() {
        let mut around = Around::default();
        // Nothing is known yet.
        assert_eq!(around.share(5e-3, &[1 << 20]), (5e-3, 0.0));
        assert_eq!(around.share(1e-3, &[0, 16]), (1e-3, 0.0));
        assert_eq!(around.share(1e-4, &[]), (1e-4, 0.0));
        let (runs, byte) = around.share(2e-3, &[1 << 20, 0, 1 << 20]);
        assert!((1e-4..1.2e-4).contains(&runs), "{runs}");
        assert!((runs + byte * f64::from(1 << 21) - 2e-3).abs() < 1e-12);
        // A batch that took less than usual has nothing to share.
        assert_eq!(around.share(5e-5, &[1 << 20]), (5e-5, 0.0));
    }

    #[test]
    fn a_batch_that_takes_much_longer_than_usual_tells_of_its_runs() {
        let mut around = Around::default();
        assert!(!around.is_late(1.0, 1e-3, &[]));
        around.share(1e-4, &[]);
        assert!(!around.is_late(1.9e-4, 1e-5, &[]));
        assert!(around.is_late(2.1e-4, 1e-5, &[]));
        assert!(!around.is_late(4e-4, 1e-3, &[]));
        assert!(around.is_late(5e-4, 1e-3, &[8]));
        assert!(!around.is_late(5e-4, 1e-3, &[LEAST_BYTES]));
    }
}
