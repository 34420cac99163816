//! Who gets what of a dispatch.
//!
//! Brings together what the split needs: who can take part, how fast they are, what would have to be copied. Planning
//! what was chosen is the state's affair.
//!
//! Invariant: a dispatch that can't be divided gets one chunk.

use super::operation::{Dispatch, Operation, Resolved};
use super::state::{Known, State};
use crate::device::Home;
use crate::error::Error;
use crate::id::DeviceId;
use crate::kernel::{Access, BindingKind};
use crate::plan::{Placed, Touch};
use crate::profile::Key;
use crate::range::Range;
use crate::span::Span;
use crate::split::{Estimate, Guided, Handout, Prediction, Tail, partition};

/// What a copy is taken to cost before one was measured.
const BYTES_PER_SECOND: f64 = 4e9;
/// What a submission to a device with a memory of its own is taken to cost before one was measured.
const OVERHEAD_SECONDS: f64 = 50e-6;
/// What giving a chunk to the CPU costs.
const CPU_OVERHEAD_SECONDS: f64 = 10e-6;

/// Dispatches below this are too short for a tail: each of its chunks costs a wake-up.
const TAIL_SECONDS: f64 = 5e-3;
/// The least part of a dispatch that a chunk of its tail takes.
const TAIL_CHUNK: f64 = 0.005;
/// How many times its overhead it takes at least.
const TAIL_OVERHEADS: f64 = 10.0;
/// The most that copies for open boundaries may take, as a part of the dispatch.
const TAIL_COPIES: f64 = 0.02;

/// What was chosen for a dispatch.
pub(super) enum Choice {
    /// These chunks, and no more.
    Chunks {
        prediction: Option<Prediction>,
        note: Option<String>,
    },
    /// Chunks as devices ask for them.
    Handout {
        handout: Handout,
        prediction: Option<Prediction>,
    },
}

impl Choice {
    /// Chunks that need no explanation.
    fn static_chunks(prediction: Option<Prediction>) -> Self {
        Self::Chunks {
            prediction,
            note: None,
        }
    }
}

impl State {
    /// Why a device can't take part.
    pub(super) fn reason_against<'a>(
        &'a self,
        dispatch: &'a Dispatch,
        dropped: &'a [Option<String>],
        device: usize,
    ) -> Option<&'a str> {
        let lost = self.members[device].lost.as_deref();
        lost.or(dispatch.left_out[device].as_deref())
            .or(dropped[device].as_deref())
    }

    /// Decides who gets what. For static chunks `placed` is filled; it is empty at first.
    pub(super) fn choose(
        &mut self,
        dispatch: &Dispatch,
        operation: &Operation,
        placed: &mut Vec<Placed>,
    ) -> Result<Choice, Error> {
        self.look(dispatch, operation);
        let able = self.estimates.iter().filter(|known| known.is_able).count();
        if able == 0 {
            return Err(self.no_device(dispatch, operation));
        }
        let (extent, grain) = (dispatch.extent(), dispatch.grain());
        let is_divisible = dispatch.is_divisible();
        if let Resolved::Only(device) = dispatch.policy {
            if !self.estimates[device].is_able {
                return Err(self.no_device(dispatch, operation));
            }
            alone(device, extent, placed);
            return Ok(Choice::static_chunks(None));
        }
        if is_divisible && !(operation.done.is_empty() && operation.halves.is_empty()) {
            let left = operation.left(extent);
            return Ok(if left.is_empty() {
                Choice::static_chunks(None)
            } else {
                self.guided(dispatch, left, grain)
            });
        }
        if !is_divisible || able == 1 {
            let note = (able > 1).then(|| why_whole(dispatch));
            alone(self.best(dispatch), extent, placed);
            return Ok(Choice::Chunks {
                prediction: None,
                note,
            });
        }
        let mut prediction = None;
        let mut chunks = std::mem::take(&mut self.chunks);
        match &dispatch.policy {
            Resolved::Fixed(shares) => {
                let share = |i: usize| shares.get(i).copied().unwrap_or(0.0);
                let is_able = |i: usize| self.estimates[i].is_able;
                let mut able: Vec<f64> = (0..self.members.len())
                    .map(|i| if is_able(i) { share(i) } else { 0.0 })
                    .collect();
                if able.iter().sum::<f64>() <= 0.0 {
                    // All who were to have a share are gone: the others do it evenly.
                    able = (0..self.members.len())
                        .map(|i| f64::from(u8::from(is_able(i))))
                        .collect();
                }
                partition(extent, grain, &able, &mut chunks);
            }
            Resolved::Measured
                if self
                    .estimates
                    .iter()
                    .all(|known| !known.is_able || known.rate.is_some()) =>
            {
                let expected = self.decide(dispatch, &mut chunks);
                prediction = Some(expected);
                let parts = chunks.iter().filter(|chunk| !chunk.is_empty()).count();
                let trial = self.trials.entry(place(dispatch)).or_default();
                let speedup = expected.best_single_seconds / expected.seconds;
                if parts > 1 && trial.prefers_alone(speedup) {
                    self.chunks = chunks;
                    alone(expected.best_single, extent, placed);
                    return Ok(Choice::static_chunks(prediction));
                }
                if parts > 1
                    && let Some(tail) = self.tail(dispatch, &chunks, expected.seconds)
                {
                    self.chunks = chunks;
                    return Ok(Choice::Handout {
                        handout: Handout::Tail(tail),
                        prediction,
                    });
                }
            }
            _ => {
                self.chunks = chunks;
                return Ok(self.guided(dispatch, vec![Span::new(0, extent)], grain));
            }
        }
        let place = |(i, units): (usize, &Span)| Placed {
            device: DeviceId(i as u32),
            units: *units,
        };
        placed.extend(chunks.iter().enumerate().map(place));
        self.chunks = chunks;
        Ok(Choice::static_chunks(prediction))
    }

    /// Looks up what is known of each device for the dispatch.
    fn look(&mut self, dispatch: &Dispatch, operation: &Operation) {
        let mut estimates = std::mem::take(&mut self.estimates);
        estimates.clear();
        let (key, per_unit) = (key(dispatch), dispatch.per_unit() as f64);
        for (i, member) in self.members.iter().enumerate() {
            let rate = self.profile.rate(key, &member.key);
            let is_able = self
                .reason_against(dispatch, &operation.dropped, i)
                .is_none();
            let overhead_seconds = match member.info.home {
                Home::Host => CPU_OVERHEAD_SECONDS,
                Home::Own => self
                    .profile
                    .overhead(&member.key)
                    .unwrap_or(OVERHEAD_SECONDS),
            };
            let estimate = Estimate {
                units_per_second: if is_able {
                    rate.unwrap_or(0.0) / per_unit
                } else {
                    0.0
                },
                overhead_seconds,
                bytes_per_second: self
                    .profile
                    .bandwidth(&member.key)
                    .unwrap_or(BYTES_PER_SECOND),
            };
            estimates.push(Known {
                is_able,
                rate,
                estimate,
            });
        }
        self.estimates = estimates;
    }

    /// The partition of a kernel whose rates are known on every device.
    fn decide(&mut self, dispatch: &Dispatch, chunks: &mut Vec<Span>) -> Prediction {
        let place = place(dispatch);
        chunks.clear();
        chunks.extend_from_slice(self.partitions.get(&place).map_or(&[], Vec::as_slice));
        let mut decider = std::mem::take(&mut self.decider);
        let mut missing_bytes =
            |device: usize, units: Span| self.missing_bytes(dispatch, device, units);
        let (extent, grain) = (dispatch.extent(), dispatch.grain());
        let estimates = self.estimates.iter().map(|known| known.estimate);
        let prediction = decider.decide(extent, grain, estimates, &mut missing_bytes, chunks);
        self.decider = decider;
        let kept = self.partitions.entry(place).or_default();
        kept.clear();
        kept.extend_from_slice(chunks);
        prediction
    }

    /// Bytes that a device would have to be sent before it could run the units.
    fn missing_bytes(&self, dispatch: &Dispatch, device: usize, units: Span) -> u64 {
        let chunk = Placed {
            device: DeviceId(device as u32),
            units,
        };
        let mut bytes = 0;
        self.planner.count_missing(
            dispatch.extent(),
            &dispatch.touches,
            chunk,
            |touch, elements| {
                bytes += elements
                    * self
                        .buffers
                        .get(&touch.buffer)
                        .map_or(0, |buffer| buffer.element_bytes);
            },
        );
        bytes
    }

    /// The device for a dispatch that isn't divided: the one with the largest share if shares are fixed; otherwise one
    /// that was never measured, to learn its rate, or the one that is expected to end soonest.
    fn best(&self, dispatch: &Dispatch) -> usize {
        let able = || (0..self.members.len()).filter(|i| self.estimates[*i].is_able);
        if let Resolved::Fixed(shares) = &dispatch.policy {
            let share = |i: &usize| shares.get(*i).copied().unwrap_or(0.0);
            return able()
                .max_by(|a, b| share(a).total_cmp(&share(b)).then(b.cmp(a)))
                .unwrap_or(0);
        }
        let seconds = |i: &usize| {
            let Estimate {
                units_per_second,
                overhead_seconds,
                bytes_per_second,
            } = self.estimates[*i].estimate;
            let bytes = self.missing_bytes(dispatch, *i, dispatch.chunk.units) as f64;
            overhead_seconds
                + dispatch.extent() as f64 / units_per_second
                + bytes / bytes_per_second
        };
        let unknown = able().find(|i| self.estimates[*i].rate.is_none());
        unknown
            .or_else(|| able().min_by(|a, b| seconds(a).total_cmp(&seconds(b))))
            .unwrap_or(0)
    }

    /// The partition with its boundaries left open, if what that may move is little to what the dispatch takes.
    fn tail(&self, dispatch: &Dispatch, chunks: &[Span], seconds: f64) -> Option<Tail> {
        let accumulates = |touch: &Touch| matches!(touch.access, Some(Access::Accumulate(_)));
        if seconds < TAIL_SECONDS || dispatch.touches.iter().any(accumulates) {
            return None;
        }
        let estimates = || self.estimates.iter().map(|known| known.estimate);
        let rates: Vec<f64> = estimates().map(|known| known.units_per_second).collect();
        let least_seconds: Vec<f64> = estimates()
            .map(|known| (TAIL_CHUNK * seconds).max(TAIL_OVERHEADS * known.overhead_seconds))
            .collect();
        let tail = Tail::new(chunks, dispatch.grain(), &rates, &least_seconds);
        let more_seconds = |device: usize, widest: Span| {
            let bytes = self
                .missing_bytes(dispatch, device, widest)
                .saturating_sub(self.missing_bytes(dispatch, device, chunks[device]));
            bytes as f64 / self.estimates[device].estimate.bytes_per_second
        };
        let moved_seconds: f64 = tail
            .zones()
            .map(|(zone, [before, after])| {
                more_seconds(before, Span::new(chunks[before].start, zone.end))
                    + more_seconds(after, Span::new(zone.start, chunks[after].end))
            })
            .sum();
        (moved_seconds < TAIL_COPIES * seconds).then_some(tail)
    }

    fn guided(&self, dispatch: &Dispatch, left: Vec<Span>, grain: u64) -> Choice {
        let per_unit = dispatch.per_unit() as f64;
        let rates: Vec<_> = self
            .estimates
            .iter()
            .map(|known| known.rate.map(|rate| rate / per_unit))
            .collect();
        Choice::Handout {
            handout: Handout::Guided(Guided::new(left, grain, &rates)),
            prediction: None,
        }
    }

    fn no_device(&self, dispatch: &Dispatch, operation: &Operation) -> Error {
        let reason = |i: usize| self.reason_against(dispatch, &operation.dropped, i);
        let members = self.members.iter().enumerate();
        Error::no_device(members.map(|(i, member)| (member.info.name.as_str(), reason(i))))
    }
}

/// What the rates of a dispatch go by.
pub(super) fn key(dispatch: &Dispatch) -> Key {
    Key::new(dispatch.facts.key, dispatch.chunk.invocations())
}

/// What a repeated dispatch is known by.
pub(super) fn place(dispatch: &Dispatch) -> (u128, Range) {
    (dispatch.facts.key, dispatch.chunk.range)
}

/// Places the whole range on one device.
fn alone(device: usize, extent: u64, placed: &mut Vec<Placed>) {
    placed.push(Placed {
        device: DeviceId(device as u32),
        units: Span::new(0, extent),
    });
}

fn why_whole(dispatch: &Dispatch) -> String {
    let facts = &dispatch.facts;
    let mut bindings = facts.bindings.iter().zip(&facts.patterns);
    let undeclared = bindings.find(|(binding, pattern)| {
        pattern.is_none() && matches!(binding.kind, BindingKind::Storage(_))
    });
    let Some((binding, _)) = undeclared else {
        return "not split: elements of 2 bytes are written two to a word, and a unit of the range has an odd number of \
                them; give each invocation two, or rows of an even length"
            .to_owned();
    };
    let name = &binding.name;
    format!(
        "not split: `{name}` is written and nothing says where; declare it with `.access(\"{name}\", ...)`"
    )
}
