//! Who gets what of a dispatch.
//!
//! Brings together what the split needs: who can take part, how fast they are, what would have to be copied. Planning
//! what was chosen is the state's affair.
//!
//! Invariant: a dispatch that can't be divided gets one chunk.

use super::habit::{Habit, UNSETTLED};
use super::operation::{Dispatch, Operation, Resolved};
use super::state::{Known, Member, State};
use crate::error::Error;
use crate::id::DeviceId;
use crate::plan::Placed;
use crate::profile::Key;
use crate::range::Range;
use crate::span::Span;
use crate::split::{
    Demand, Density, Estimate, Guided, Handout, Prediction, give, partition, single, spare_grain,
};

/// Dispatches in which devices are given the chance to show how fast they are, at the least and at the most.
const PATIENCE: [u32; 2] = [4, 24];
/// How many of them each has where the range has too few grains for all at once: the first tells nothing, and of two that
/// may be disturbed the better is believed.
const TRIES: usize = 3;

/// What a split must save against the best device alone to be worth it. Predictions are hardly better than this; whether
/// processors at work together slow each other down is for a trial to find.
const WORTH: f64 = 0.04;
/// The same for a dispatch that may be the only one, so that nothing will be found.
const WORTH_ONCE: f64 = 0.08;
/// What it must save besides. Waking a thread takes 5 to 50 us, by luck: by how deep its core sleeps, and who is on it.
const WAKE_SECONDS: f64 = 10e-6;
/// What a grain may be believed to take a device that is only given it to be measured, in times of the whole dispatch: what
/// is believed of it is of another time, and it is given it when probes are due, in few dispatches of many.
const MOST_TO_SEE: f64 = 1.5;
/// What moving boundaries must save: as much as predictions are off by, within these bounds.
const LEAST_DEAD_BAND: f64 = 0.005;
const MOST_DEAD_BAND: f64 = 0.02;

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
        if let Some((device, prediction)) = self.settled(dispatch, operation) {
            alone(device, dispatch.extent(), placed);
            return Ok(Choice::static_chunks(Some(prediction)));
        }
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
                if let Some(slices) = self.slices(dispatch, &chunks) {
                    self.chunks = chunks;
                    return Ok(Choice::Handout {
                        handout: Handout::Slices(slices),
                        prediction: None,
                    });
                }
            }
            Resolved::Measured if self.is_known(dispatch) => {
                let expected = self.decide(dispatch, &mut chunks);
                prediction = Some(expected);
                let speedup = expected.best_single_seconds / expected.seconds;
                let is_settled = self.deviation(dispatch) < UNSETTLED
                    && self
                        .habits
                        .get(&place(dispatch))
                        .is_none_or(Habit::is_settled);
                let change = if is_settled {
                    self.change_seconds(expected.best_single) / expected.seconds
                } else {
                    f64::INFINITY
                };
                let habit = self.habits.entry(place(dispatch)).or_default();
                if is_split(&chunks) && habit.trial.prefers_alone(speedup, change) {
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
            _ if extent <= grain => {
                // Whoever is slower would leave it to the others, and never show whether it still is.
                self.chunks = chunks;
                return Ok(self.whole(dispatch, self.least_known(), None, placed));
            }
            _ => {
                self.chunks = chunks;
                return Ok(self.guided(dispatch, vec![Span::new(0, extent)], grain));
            }
        }
        self.place(dispatch, &chunks, placed);
        self.chunks = chunks;
        Ok(Choice::static_chunks(prediction))
    }

    /// Who does a dispatch that is so short that it isn't decided anew each time.
    fn settled(
        &mut self,
        dispatch: &Dispatch,
        operation: &Operation,
    ) -> Option<(usize, Prediction)> {
        let is_new = operation.done.is_empty() && operation.halves.is_empty();
        if !is_new || !matches!(dispatch.policy, Resolved::Measured) || !dispatch.is_divisible() {
            return None;
        }
        let (device, prediction) = self.habits.get_mut(&place(dispatch))?.settled()?;
        let is_able = self
            .reason_against(dispatch, &operation.dropped, device)
            .is_none();
        let id = DeviceId(device as u32);
        let has_all = || {
            self.planner.is_seen_to_lack_nothing(&dispatch.touches, id)
                || self.missing_bytes(dispatch, device, dispatch.chunk.units) == 0
        };
        (is_able && has_all()).then_some((device, prediction))
    }

    /// The whole range on one device; in slices, if it would take longer than a run of the device may, or nobody knows.
    fn whole(
        &mut self,
        dispatch: &Dispatch,
        device: usize,
        note: Option<String>,
        placed: &mut Vec<Placed>,
    ) -> Choice {
        let extent = dispatch.extent();
        if dispatch.is_divisible() {
            let mut chunks = std::mem::take(&mut self.chunks);
            chunks.clear();
            chunks.resize(self.members.len(), Span::default());
            single(device, extent, &mut chunks);
            let slices = self.slices(dispatch, &chunks);
            self.chunks = chunks;
            if let Some(slices) = slices {
                return Choice::Handout {
                    handout: Handout::Slices(slices),
                    prediction: None,
                };
            }
        }
        alone(device, extent, placed);
        Choice::Chunks {
            prediction: None,
            note,
        }
    }

    /// Whether the devices' rates are known, or as far as they will be: one that has got nothing to do in several dispatches
    /// is too slow for them.
    fn is_known(&mut self, dispatch: &Dispatch) -> bool {
        let able = self.estimates.iter().filter(|known| known.is_able);
        let count = able.clone().count();
        let is_crowded = dispatch.extent().div_ceil(dispatch.grain()) < count as u64;
        let least_samples = if is_crowded { TRIES - 1 } else { 1 };
        let is_known = |known: &Known| known.samples >= least_samples;
        if able.clone().all(is_known) {
            return true;
        }
        let [least, most] = PATIENCE;
        let patience = ((TRIES * count) as u32).clamp(least, most);
        let habit = self.habits.entry(place(dispatch)).or_default();
        habit.unknown += 1;
        habit.unknown > patience && able.clone().any(|known| known.rate.is_some())
    }

    /// The partition of a kernel whose rates are known on every device.
    fn decide(&mut self, dispatch: &Dispatch, chunks: &mut Vec<Span>) -> Prediction {
        let mut habit = self.habits.remove(&place(dispatch)).unwrap_or_default();
        let mut decider = std::mem::take(&mut self.decider);
        let mut whole_missing = std::mem::take(&mut self.whole_missing);
        self.missing_whole(dispatch, &mut whole_missing);
        let mut standing = std::mem::take(&mut self.standing);
        self.standing_seconds(dispatch, &mut standing);
        let mut alone = std::mem::take(&mut self.alone);
        alone.clear();
        if habit.horizon.is_new() {
            // Of one that is repeated a trial finds out, and goes on finding out.
            let (key, per_unit) = (key(dispatch), dispatch.per_unit() as f64);
            let rate = |member: &Member| self.profile.rate_alone(key, &member.key).unwrap_or(0.0);
            alone.extend(self.members.iter().map(|member| rate(member) / per_unit));
        }
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
        let (worth, worth_seconds) = match (habit.horizon.is_new(), habit.probe.is_due()) {
            (true, _) => (WORTH_ONCE, WAKE_SECONDS),
            (false, true) => (0.0, 0.0),
            (false, false) => (WORTH, WAKE_SECONDS),
        };
        let demand = Demand {
            extent: dispatch.extent(),
            grain: dispatch.grain(),
            density: self.profile.density(key(dispatch)),
            whole_missing: &whole_missing,
            recurring: habit.horizon.recurring(),
            horizon: habit.horizon.dispatches(),
            standing: &standing,
            alone: &alone,
            worth,
            worth_seconds,
            dead_band: habit.deviation.map_or(MOST_DEAD_BAND, |deviation| {
                deviation.clamp(LEAST_DEAD_BAND, MOST_DEAD_BAND)
            }),
        };
        let estimates = self.estimates.iter().map(|known| known.estimate);
        let mut missing_bytes = missing_bytes;
        let prediction = decider.decide(&demand, estimates, &mut missing_bytes, chunks);
        if habit.horizon.is_new() {
            let is_seen = |device: &usize| self.seen.contains(&(key(dispatch), *device));
            habit.unseen = (0..self.members.len()).filter(|i| !is_seen(i)).collect();
        } else {
            if habit.probe.is_due() {
                let longest = MOST_TO_SEE * prediction.seconds;
                self.see(dispatch, &habit.unseen, longest, chunks);
            }
            habit.probe.decided(is_split(chunks));
            let has_all =
                |device: &usize| whole_missing.get(*device).is_none_or(|bytes| *bytes == 0);
            let first = chunks.iter().position(|chunk| !chunk.is_empty());
            habit.decided(
                first.filter(|_| !is_split(chunks)).filter(has_all),
                prediction,
            );
        }
        habit.horizon.goes_on();
        habit.partition.clear();
        habit.partition.extend_from_slice(chunks);
        self.decider = decider;
        self.whole_missing = whole_missing;
        self.standing = standing;
        self.alone = alone;
        self.habits.insert(place(dispatch), habit);
        prediction
    }

    /// Gives devices a grain that would have nothing to do, if it isn't believed to take them longer than that.
    fn see(&self, dispatch: &Dispatch, unseen: &[usize], longest: f64, chunks: &mut [Span]) {
        let (grain, density) = (dispatch.grain(), self.profile.density(key(dispatch)));
        for &device in unseen {
            let Known { rate, estimate, .. } = self.estimates[device];
            if rate.is_none() || !chunks[device].is_empty() {
                continue;
            }
            let Some(spare) = spare_grain(device, grain, chunks) else {
                continue;
            };
            let weight = density.weight(spare, dispatch.extent());
            if estimate.overhead_seconds + weight / estimate.units_per_second <= longest {
                give(device, spare, chunks);
            }
        }
    }

    /// The device of whose speed the least is known.
    fn least_known(&self) -> usize {
        let able = (0..self.members.len()).filter(|i| self.estimates[*i].is_able);
        able.min_by_key(|i| self.estimates[*i].samples).unwrap_or(0)
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

    fn guided(&self, dispatch: &Dispatch, left: Vec<Span>, grain: u64) -> Choice {
        let pace =
            |(device, known): (usize, &Known)| known.is_able.then(|| self.pace(dispatch, device));
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

/// Whether more than one device has a chunk.
fn is_split(chunks: &[Span]) -> bool {
    chunks.iter().filter(|chunk| !chunk.is_empty()).count() > 1
}

/// Places the whole range on one device.
fn alone(device: usize, extent: u64, placed: &mut Vec<Placed>) {
    placed.push(Placed {
        device: DeviceId(device as u32),
        units: Span::new(0, extent),
    });
}

fn why_whole(dispatch: &Dispatch) -> String {
    let Some((name, obstacle)) = dispatch.facts.obstacle_of(&dispatch.proof) else {
        return "not split: elements of 2 bytes are written two to a word, and a unit of the range has an odd number of \
                them; give each invocation two, or rows of an even length"
            .to_owned();
    };
    let at = match obstacle.line {
        0 => String::new(),
        line => format!(" in line {line}"),
    };
    format!(
        "not split: `{name}` is written{at} where it can't be proven that parts of the range don't meet: {obstacle}\n  \
         if they don't, declare it with `.access(\"{name}\", ...)`"
    )
}
