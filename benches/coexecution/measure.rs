//! Runs a workload on a machine in every mode, each time with what it is compared with in turn.
//!
//! Candidates take turns, so that a machine whose speed drifts is fair to all of them. Answers are looked at outside the
//! timing.

use super::answers::check;
use super::machine::{Devices, Setup};
use super::model::{Before, Costs, Model};
use super::native::Native;
use super::raw::Raw;
use super::row::{Alone, Fixed, Mode, Row, Summary, median};
use super::session::Session;
use super::sweep::{best_of, swept};
use super::turns::{Repeating, at_once, timed, turn};
use super::workloads::Workload;
use divvy::kernel::Pattern;
use divvy::{Policy, profile};
use std::fs;
use std::path::Path;
use std::time::Instant;

/// Fixed shares of two devices that are tried: every twentieth.
const STEPS: usize = 20;
/// Of more devices: what one of them has more, or less, at the cost of another than the model says.
const MOVED: [f64; 6] = [-0.05, -0.03, -0.015, 0.015, 0.03, 0.05];
/// One-shots that a profile is learned from: as many as it takes until the best device has been tried alone.
const LEARNING: usize = 10;
/// Iterations that answers are looked at after.
const CHECKED: usize = 3;
/// A device alone that takes so many times what the best does is timed no more than is needed to know.
const SLOW: f64 = 3.0;

/// How much is run.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Turns that candidates take.
    pub rounds: usize,
    /// Iterations of the mode that repeats: the most, and seconds after which fewer will do, but no fewer than some.
    pub most_iterations: usize,
    pub iterating: f64,
    pub least_iterations: usize,
    /// Seconds that the fastest scripted device takes for an iteration.
    pub scripted_seconds: f64,
}

/// A workload on a machine.
pub struct Bench<'a> {
    pub machine: &'a str,
    pub is_real: bool,
    pub setup: &'a Setup,
    pub workload: &'a Workload,
    pub costs: &'a Costs,
    pub patterns: &'a [Vec<Pattern>],
    pub effort: Effort,
    /// A GPU that is driven by hand, if it is the one of the machine.
    pub raw: Option<&'a Raw>,
}

impl Bench<'_> {
    fn at(&self, mode: Mode) -> String {
        format!("{}/{}/{}", self.machine, self.workload.name, mode.name())
    }

    fn all(&self, profile: Option<&Path>) -> Session<'_> {
        Session::new(self.setup, Devices::All, profile, self.workload)
    }

    fn alone(&self, device: usize) -> Session<'_> {
        Session::new(self.setup, Devices::Alone(device), None, self.workload)
    }

    fn model(&self, before: Before) -> Option<Model<'_>> {
        Some(Model {
            workload: self.workload,
            costs: self.costs,
            specs: self.setup.specs.as_deref()?,
            patterns: self.patterns,
            before,
        })
    }

    /// Fixed shares worth trying: every twentieth for two devices; for more, what the model says, and that with a little less
    /// for one of them and a little more for another.
    fn candidates(&self, before: Before) -> Vec<Vec<f64>> {
        if self.setup.count() == 2 {
            let share = |i: usize| i as f64 / STEPS as f64;
            return (0..=STEPS)
                .map(|i| vec![share(i), share(STEPS - i)])
                .collect();
        }
        let Some(model) = self.model(before) else {
            return Vec::new();
        };
        let best = model.shares();
        let mut tried = vec![best.clone()];
        let pairs = (1..best.len()).flat_map(|to| (0..to).map(move |from| (from, to)));
        for (from, to) in pairs {
            for step in MOVED {
                let mut shares = best.clone();
                shares[from] -= step;
                shares[to] += step;
                if shares.iter().all(|share| *share >= 0.0) {
                    tried.push(shares);
                }
            }
        }
        tried
    }

    fn row(&self, mode: Mode, before: Before) -> Row {
        let device = |device: &String| Alone {
            device: device.clone(),
            seconds: 0.0,
            busy_seconds: None,
            share: 0.0,
        };
        Row {
            machine: self.machine.to_owned(),
            workload: self.workload.name.to_owned(),
            mode,
            extent: self.workload.extent(),
            iterations: 1,
            devices: self.setup.names.iter().map(device).collect(),
            split_seconds: 0.0,
            best_single_seconds: 0.0,
            settled_seconds: None,
            balance: None,
            whole_iterations: 0,
            bytes_moved: 0,
            fixed: Vec::new(),
            beside_fixed_seconds: 0.0,
            sweep: Vec::new(),
            model_seconds: self.model(before).map(|model| model.optimum().0),
            overhead: None,
            late: 0.0,
            report: String::new(),
        }
    }

    /// What the best device alone takes more than by its script.
    fn over_script(&self, row: &Row, before: Before) -> Option<f64> {
        let model = self.model(before)?;
        let whole = 0..self.workload.extent();
        let scripted = (0..self.setup.count()).map(|device| model.seconds(device, &whole));
        let alone = row.devices.iter().map(|device| device.seconds);
        let (alone, scripted) = alone.zip(scripted).min_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(alone / scripted - 1.0)
    }

    /// Once, cold and warm.
    pub fn one_shots(&self) -> Vec<Row> {
        let expected = self.workload.expected(1);
        let folder = tempfile::tempdir().expect("a folder");
        let learning = self.all(Some(folder.path()));
        for _ in 0..LEARNING {
            learning.one_shot(None);
        }
        drop(learning);
        // What fixed shares show is another matter: they would have each device seen at the edges of the range.
        let beside = tempfile::tempdir().expect("a folder");
        let [from, to] = [&folder, &beside].map(|folder| folder.path().join(profile::FILE));
        fs::copy(from, to).expect("it was saved");
        // Each in a runtime of its own, as all one-shots: a device that kept its memory has less to do.
        let sweep = swept(self.candidates(Before::AllHome), |shares| {
            let policy = Policy::Fixed(shares.to_vec());
            // Where rates are known nobody feels its way.
            self.all(Some(beside.path())).one_shot(Some(&policy)).0
        });
        let mut best = best_of(&sweep);
        let devices = self.setup.count();
        let (mut alone, mut fixed) = (vec![Vec::new(); devices], vec![Vec::new(); best.len()]);
        let modes = [(Mode::Cold, None), (Mode::Warm, Some(folder.path()))];
        let mut split = modes.map(|_| (Vec::new(), Vec::new()));
        for _ in 0..self.effort.rounds {
            for (device, samples) in alone.iter_mut().enumerate() {
                samples.push(self.alone(device).one_shot(None).0);
            }
            for ((mode, profile), (samples, summaries)) in modes.iter().zip(&mut split) {
                let (seconds, reports, answer) = self.all(*profile).one_shot(None);
                check(&self.at(*mode), &answer, &expected);
                samples.push(seconds);
                summaries.push(Summary::of(&reports));
            }
            for (one, samples) in best.iter().zip(&mut fixed) {
                let policy = Policy::Fixed(one.shares.clone());
                let all = self.all(Some(beside.path()));
                samples.push(all.one_shot(Some(&policy)).0);
            }
        }
        for (one, samples) in best.iter_mut().zip(fixed) {
            one.seconds = median(samples).expect("there are rounds");
        }
        let late = self.setup.late();
        let row = |(mode, (samples, mut summaries)): (Mode, (Vec<f64>, Vec<Summary>))| {
            let balance = median(summaries.iter().filter_map(|one| one.balance));
            let summary = summaries.pop().expect("there are rounds");
            let mut row = self.row(mode, Before::AllHome);
            for (i, device) in row.devices.iter_mut().enumerate() {
                device.seconds = median(alone[i].iter().copied()).expect("there are rounds");
                device.share = summary.shares[i];
            }
            row.split_seconds = median(samples).expect("there are rounds");
            row.best_single_seconds = row.best_single().seconds;
            row.balance = balance;
            row.whole_iterations = usize::from(summary.is_whole);
            row.bytes_moved = summary.bytes_moved;
            row.beside_fixed_seconds = row.split_seconds;
            row.fixed.clone_from(&best);
            row.sweep.clone_from(&sweep);
            row.overhead = self.over_script(&row, Before::AllHome);
            row.late = late;
            row.report = summary.report;
            row
        };
        [Mode::Cold, Mode::Warm]
            .into_iter()
            .zip(split)
            .map(row)
            .collect()
    }

    /// Many times, beginning cold.
    pub fn repeated(&self) -> Row {
        let checked = self.all(None);
        let mut data = checked.data();
        for _ in 0..CHECKED {
            data.iterate(None);
        }
        data.check(&self.at(Mode::Repeated));
        drop(data);
        drop(checked);

        let devices = self.setup.count();
        let sessions: Vec<_> = (0..devices).map(|device| self.alone(device)).collect();
        let mut alone: Vec<_> = sessions.iter().map(Repeating::begun).collect();
        let first = |one: &Repeating<'_>| one.settled();
        let best = alone.iter().map(first).fold(f64::INFINITY, f64::min);
        let most = (self.effort.iterating / best) as usize;
        let iterations = most.clamp(self.effort.least_iterations, self.effort.most_iterations);

        let session = self.all(None);
        let mut split = Repeating::new(&session, None);
        let mut summaries = Vec::new();
        let start = Instant::now();
        for _ in 0..iterations {
            summaries.push(split.data.iterate(None));
        }
        split.data.words();
        let total = start.elapsed().as_secs_f64();
        let summaries: Vec<Summary> = summaries.iter().map(|one| Summary::of(one)).collect();

        let fixed_session = self.all(None);
        let sweep = {
            let mut data = fixed_session.data();
            swept(self.candidates(Before::Settled), |shares| {
                let policy = Policy::Fixed(shares.to_vec());
                // Boundaries have moved; and there are two buffers.
                (0..2).for_each(|_| drop(data.iterate(Some(&policy))));
                timed(|| drop(data.iterate(Some(&policy))))
            })
        };
        let mut best_fixed = best_of(&sweep);
        let policy = |one: &Fixed| Policy::Fixed(one.shares.clone());
        let mut fixed: Vec<_> = best_fixed
            .iter()
            .map(|one| Repeating::new(&fixed_session, Some(policy(one))))
            .collect();
        alone.iter_mut().for_each(|one| {
            if one.settled() <= SLOW * best {
                one.samples.clear();
            }
        });
        for _ in 0..self.effort.rounds {
            let is_quick =
                |one: &&mut Repeating<'_>| one.samples.is_empty() || one.settled() <= SLOW * best;
            alone.iter_mut().filter(is_quick).for_each(Repeating::turn);
            split.turn();
            fixed.iter_mut().for_each(Repeating::turn);
        }
        for (one, repeating) in best_fixed.iter_mut().zip(&fixed) {
            one.seconds = repeating.settled();
        }
        let busy = self.is_real.then(|| {
            at_once(devices, |device| {
                let session = &sessions[device];
                let mut data = session.data();
                move || timed(|| drop(data.iterate(None)))
            })
        });

        let mut row = self.row(Mode::Repeated, Before::Settled);
        let last = summaries.last().expect("there are iterations");
        for (i, device) in row.devices.iter_mut().enumerate() {
            device.seconds = alone[i].settled();
            // Nobody is faster for others being there; but who runs on and on finds its data in the caches.
            device.busy_seconds = busy.as_ref().map(|busy| busy[i].max(device.seconds));
            device.share = last.shares[i];
        }
        let later = || &summaries[iterations / 2..];
        row.iterations = iterations;
        row.split_seconds = total / iterations as f64;
        let totals = alone.iter().map(|one| one.total(iterations));
        row.best_single_seconds = totals.fold(f64::INFINITY, f64::min) / iterations as f64;
        row.settled_seconds = Some([split.settled(), row.best_single().seconds]);
        row.balance = median(later().iter().filter_map(|one| one.balance));
        row.whole_iterations = summaries.iter().filter(|one| one.is_whole).count();
        row.bytes_moved = median(later().iter().map(|one| one.bytes_moved as f64))
            .expect("there are iterations") as u64;
        row.beside_fixed_seconds = split.settled();
        row.fixed = best_fixed;
        row.sweep = sweep;
        row.overhead = match self.raw {
            Some(raw) => Some(self.over_native(raw, alone.last_mut().expect("there is a GPU"))),
            None => self.over_script(&row, Before::Settled),
        };
        row.report.clone_from(&last.report);
        drop((alone, split, fixed));
        drop((sessions, session, fixed_session));
        row.late = self.setup.late();
        row
    }

    /// What a GPU alone takes more than by hand.
    fn over_native(&self, raw: &Raw, gpu: &mut Repeating<'_>) -> f64 {
        let mut native = Native::new(raw, self.workload);
        let mut samples = Vec::new();
        gpu.samples.clear();
        for _ in 0..self.effort.rounds {
            gpu.turn();
            turn(&mut samples, 1, || native.iterate());
        }
        gpu.settled() / median(samples).expect("there are rounds") - 1.0
    }
}
