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
use crate::split::{
    Demand, Density, Estimate, Guided, Handout, Pace, Prediction, Tail, Taker, partition, single,
};

/// What a copy is taken to cost before one was measured.
const BYTES_PER_SECOND: f64 = 4e9;
/// What a submission to a device with a memory of its own is taken to cost before one was measured.
const OVERHEAD_SECONDS: f64 = 50e-6;
/// What giving a chunk to the CPU costs.
const CPU_OVERHEAD_SECONDS: f64 = 10e-6;

/// Dispatches in which every device is given the chance to show how fast it is.
const PATIENCE: u32 = 4;

/// What moving boundaries must save: as much as predictions are off by, within these bounds.
const LEAST_DEAD_BAND: f64 = 0.005;
const MOST_DEAD_BAND: f64 = 0.02;

/// How far off the prediction is taken to be of a dispatch that was measured only once or twice.
const UNKNOWN: f64 = 0.2;
/// How far off it is at least before it was put to the proof.
const LEAST_DEVIATION: f64 = 0.02;
/// How much longer than what predictions are off by the tail of a dispatch is.
const REACH: f64 = 2.0;
/// The most of a chunk that is left to be found on either side.
const MOST_REACH: f64 = 0.4;
/// What devices would wait for each other is so many overheads at least where a tail is worth its chunks.
const TAIL_WORTH: f64 = 20.0;
/// The least part of a dispatch that a chunk of its tail takes.
const TAIL_CHUNK: f64 = 0.005;
/// How many times its overhead it takes at least.
const TAIL_OVERHEADS: f64 = 5.0;
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
        let only = match dispatch.policy {
            Resolved::Only(device) => Some(device),
            _ => None,
        };
        if let Some(only) = only {
            if !self.estimates[only].is_able {
                return Err(self.no_device(dispatch, operation));
            }
            let others = self.estimates.iter_mut().enumerate();
            others.for_each(|(device, known)| known.is_able &= device == only);
        }
        if is_divisible && !(operation.done.is_empty() && operation.halves.is_empty()) {
            let left = operation.left(extent);
            return Ok(if left.is_empty() {
                Choice::static_chunks(None)
            } else {
                self.guided(dispatch, left, grain)
            });
        }
        if !is_divisible || able == 1 || only.is_some() {
            let is_chosen = able == 1 || only.is_some();
            let note = (!is_chosen).then(|| why_whole(dispatch));
            return Ok(self.whole(dispatch, self.best(dispatch), note, placed));
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
                partition(extent, grain, &Density::flat(), &able, &mut chunks);
            }
            Resolved::Measured if self.is_known(dispatch) => {
                let expected = self.decide(dispatch, &mut chunks);
                prediction = Some(expected);
                let parts = chunks.iter().filter(|chunk| !chunk.is_empty()).count();
                let speedup = expected.best_single_seconds / expected.seconds;
                let change = self.change_seconds(expected.best_single) / expected.seconds;
                let habit = self.habits.entry(place(dispatch)).or_default();
                if parts > 1 && habit.trial.prefers_alone(speedup, change) {
                    habit.was_followed = false;
                    single(expected.best_single, extent, &mut chunks);
                }
                if let Some(tail) = self.tail(dispatch, &chunks, expected.seconds) {
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

    /// The whole range on one device; in slices, if it would take longer than a run of the device may.
    fn whole(
        &mut self,
        dispatch: &Dispatch,
        device: usize,
        note: Option<String>,
        placed: &mut Vec<Placed>,
    ) -> Choice {
        let extent = dispatch.extent();
        let seconds = extent as f64 / self.estimates[device].estimate.units_per_second;
        if dispatch.is_divisible() && seconds.is_finite() && seconds > self.longest_seconds(device)
        {
            let mut chunks = std::mem::take(&mut self.chunks);
            chunks.clear();
            chunks.resize(self.members.len(), Span::default());
            single(device, extent, &mut chunks);
            self.whole_missing.clear();
            let tail = self.tail(dispatch, &chunks, seconds);
            self.chunks = chunks;
            if let Some(tail) = tail {
                return Choice::Handout {
                    handout: Handout::Tail(tail),
                    prediction: None,
                };
            }
        }
        // How long it takes isn't known: a part of it will tell.
        let is_exposed = self.longest_seconds(device).is_finite() && !seconds.is_finite();
        if is_exposed && dispatch.is_divisible() && !dispatch.touches.iter().any(accumulates) {
            let others = self.estimates.iter_mut().enumerate();
            others.for_each(|(other, known)| known.is_able &= other == device);
            return self.guided(dispatch, vec![Span::new(0, extent)], dispatch.grain());
        }
        alone(device, extent, placed);
        Choice::Chunks {
            prediction: None,
            note,
        }
    }

    /// Seconds around a chunk on a device.
    pub(super) fn overhead_seconds(&self, device: usize) -> f64 {
        let member = &self.members[device];
        match member.info.home {
            Home::Host => CPU_OVERHEAD_SECONDS,
            Home::Own => self
                .profile
                .overhead(&member.key)
                .unwrap_or(OVERHEAD_SECONDS),
        }
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
            let overhead_seconds = self.overhead_seconds(i);
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

    /// Whether the devices' rates are known, or as far as they will be: one that has got nothing to do in several dispatches
    /// is too slow for them.
    fn is_known(&mut self, dispatch: &Dispatch) -> bool {
        let is_known = |known: &Known| known.rate.is_some();
        let mut able = self.estimates.iter().filter(|known| known.is_able);
        if able.clone().all(is_known) {
            return true;
        }
        let habit = self.habits.entry(place(dispatch)).or_default();
        habit.unknown += 1;
        habit.unknown > PATIENCE && able.any(is_known)
    }

    /// The partition of a kernel whose rates are known on every device.
    fn decide(&mut self, dispatch: &Dispatch, chunks: &mut Vec<Span>) -> Prediction {
        let mut habit = self.habits.remove(&place(dispatch)).unwrap_or_default();
        let mut decider = std::mem::take(&mut self.decider);
        let mut whole_missing = std::mem::take(&mut self.whole_missing);
        self.missing_whole(dispatch, &mut whole_missing);
        let missing_bytes =
            |device: usize, units: Span| self.missing_bytes(dispatch, device, units);
        chunks.clear();
        chunks.extend_from_slice(&habit.partition);
        if whole_missing.is_empty() {
            habit.horizon.observe_nothing();
        } else if habit.was_followed {
            habit.horizon.observe(chunks, missing_bytes);
        }
        habit.was_followed = true;
        let demand = Demand {
            extent: dispatch.extent(),
            grain: dispatch.grain(),
            density: self.profile.density(key(dispatch)),
            whole_missing: &whole_missing,
            recurring: habit.horizon.recurring(),
            horizon: habit.horizon.dispatches(),
            dead_band: habit.deviation.map_or(MOST_DEAD_BAND, |deviation| {
                deviation.clamp(LEAST_DEAD_BAND, MOST_DEAD_BAND)
            }),
        };
        let estimates = self.estimates.iter().map(|known| known.estimate);
        let mut missing_bytes = missing_bytes;
        let prediction = decider.decide(&demand, estimates, &mut missing_bytes, chunks);
        habit.horizon.goes_on();
        habit.partition.clear();
        habit.partition.extend_from_slice(chunks);
        self.decider = decider;
        self.whole_missing = whole_missing;
        self.habits.insert(place(dispatch), habit);
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

    /// For each device, the bytes that it would have to be sent for the whole; none if nobody would be sent any.
    fn missing_whole(&self, dispatch: &Dispatch, bytes: &mut Vec<u64>) {
        let element_bytes = |touch: &Touch| {
            self.buffers
                .get(&touch.buffer)
                .map_or(0, |buffer| buffer.element_bytes)
        };
        let (extent, touches) = (dispatch.extent(), &dispatch.touches);
        self.planner
            .missing_whole(extent, touches, element_bytes, bytes);
        if bytes.iter().all(|bytes| *bytes == 0) {
            bytes.clear();
        }
    }

    /// Seconds that it takes to send a device all that it lacks of the whole.
    fn change_seconds(&self, device: usize) -> f64 {
        let bytes = self.whole_missing.get(device).copied().unwrap_or(0) as f64;
        bytes / self.estimates[device].estimate.bytes_per_second
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

    /// The partition with its boundaries left open, if what devices would wait for each other is more than what that costs;
    /// or with its chunks cut, if one would take longer than it may.
    fn tail(&self, dispatch: &Dispatch, chunks: &[Span], seconds: f64) -> Option<Tail> {
        let (extent, density) = (dispatch.extent(), self.profile.density(key(dispatch)));
        let is_too_long = |(device, chunk): (usize, &Span)| {
            let rate = self.estimates[device].estimate.units_per_second;
            density.weight(*chunk, extent) > rate * self.longest_seconds(device)
        };
        let is_cut = chunks
            .iter()
            .enumerate()
            .filter(|(_, chunk)| !chunk.is_empty())
            .any(is_too_long);
        let reach = self.reach(dispatch, chunks, seconds);
        if reach == 0.0 && !is_cut {
            return None;
        }
        let fetch_bytes = self.bytes_per_unit(dispatch) as f64;
        let takers = self.estimates.iter().enumerate().map(|(device, known)| {
            let estimate = known.estimate;
            Taker {
                rate: estimate.units_per_second,
                least_seconds: (TAIL_CHUNK * seconds)
                    .max(TAIL_OVERHEADS * estimate.overhead_seconds),
                longest_seconds: self.longest_seconds(device),
                fetch_seconds: fetch_bytes / estimate.bytes_per_second,
            }
        });
        let takers: Vec<Taker> = takers.collect();
        let open = |reach| {
            let grain = dispatch.grain();
            Tail::new(chunks, extent, grain, density.clone(), reach, &takers)
        };
        let tail = open(reach);
        if self.opening_seconds(dispatch, chunks, &tail) < TAIL_COPIES * seconds {
            return Some(tail);
        }
        is_cut.then(|| open(0.0))
    }

    /// How far off the prediction for a dispatch is taken to be: as far as the last ones were, or as the rates that it is
    /// made of are apart.
    fn deviation(&self, dispatch: &Dispatch) -> f64 {
        let habit = self.habits.get(&place(dispatch));
        if let Some(deviation) = habit.and_then(|habit| habit.deviation) {
            return deviation;
        }
        let key = key(dispatch);
        let able = self.members.iter().zip(&self.estimates);
        able.filter(|(_, known)| known.is_able)
            .map(|(member, _)| self.profile.spread(key, &member.key).unwrap_or(UNKNOWN))
            .fold(LEAST_DEVIATION, f64::max)
    }

    /// Which part of each chunk is left to be found on either side of a boundary; none if that isn't worth it.
    fn reach(&self, dispatch: &Dispatch, chunks: &[Span], seconds: f64) -> f64 {
        let taking_part = || (0..chunks.len()).filter(|device| !chunks[*device].is_empty());
        if taking_part().count() < 2 || dispatch.touches.iter().any(accumulates) {
            return 0.0;
        }
        let deviation = self.deviation(dispatch);
        let overhead = taking_part()
            .map(|device| self.estimates[device].estimate.overhead_seconds)
            .fold(0.0, f64::max);
        if deviation * seconds < TAIL_WORTH * overhead {
            return 0.0;
        }
        (REACH * deviation).min(MOST_REACH)
    }

    /// Seconds of the copies that it takes to leave the boundaries open.
    fn opening_seconds(&self, dispatch: &Dispatch, chunks: &[Span], tail: &Tail) -> f64 {
        if self.whole_missing.is_empty() {
            return 0.0;
        }
        let more_seconds = |device: usize, widest: Span| {
            let bytes = self
                .missing_bytes(dispatch, device, widest)
                .saturating_sub(self.missing_bytes(dispatch, device, chunks[device]));
            bytes as f64 / self.estimates[device].estimate.bytes_per_second
        };
        tail.zones()
            .map(|(zone, [before, after])| {
                more_seconds(before, Span::new(chunks[before].start, zone.end))
                    + more_seconds(after, Span::new(zone.start, chunks[after].end))
            })
            .sum()
    }

    /// Bytes that belong to a unit of the range, of all that a dispatch touches unit by unit.
    fn bytes_per_unit(&self, dispatch: &Dispatch) -> u64 {
        let by_unit = dispatch.touches.iter().filter(|touch| {
            let access = touch.access;
            matches!(access, Some(Access::OneToOne | Access::Neighborhood(_)))
        });
        by_unit
            .filter_map(|touch| self.buffers.get(&touch.buffer))
            .map(|buffer| buffer.committed.len() * buffer.element_bytes / dispatch.extent())
            .sum()
    }

    /// How long a run of the device may be predicted to take.
    fn longest_seconds(&self, device: usize) -> f64 {
        match self.members[device].info.home {
            Home::Host => f64::INFINITY,
            Home::Own => self.longest_run_seconds,
        }
    }

    fn guided(&self, dispatch: &Dispatch, left: Vec<Span>, grain: u64) -> Choice {
        let per_unit = dispatch.per_unit() as f64;
        let pace = |(device, known): (usize, &Known)| {
            known.is_able.then(|| Pace {
                rate: known.rate.map(|rate| rate / per_unit),
                overhead_seconds: known.estimate.overhead_seconds,
                longest_seconds: self.longest_seconds(device),
            })
        };
        let paces: Vec<_> = self.estimates.iter().enumerate().map(pace).collect();
        Choice::Handout {
            handout: Handout::Guided(Guided::new(left, grain, &paces)),
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

fn accumulates(touch: &Touch) -> bool {
    matches!(touch.access, Some(Access::Accumulate(_)))
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
