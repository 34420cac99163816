//! How soon is a wrong belief mended? Dispatches until a split is as good as the best fixed shares again.
//!
//! A profile is learned on a machine with a device of another speed, or a device changes its speed while it is used. Counted
//! are dispatches from the first one that is off, up to the first of two in a row that are near what they should be.

use super::machine::{Devices, Machine};
use super::model::{Before, Costs, Model};
use super::recovery_table::Recovery;
use super::row::median;
use super::session::{self, Session};
use super::turns::timed;
use super::workloads::Workload;
use divvy::Policy;

/// What counts as near: this much over the best fixed shares.
const NEAR: f64 = 1.05;
/// What counts as off.
const OFF: f64 = 1.15;
/// Tasks of a device before it changes its speed: enough for all to have settled.
const BEFORE: usize = 60;
/// Dispatches that are looked at.
const DISPATCHES: usize = 24;
/// Each is done so many times.
const ROUNDS: usize = 5;

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrong {
    /// The profile takes the slowest device for so many times as fast as it is.
    Profile(f64),
    /// The fastest device goes on at this multiple of its speed.
    Change(f64),
}

const ALL: [(&str, Wrong); 4] = [
    ("profile 4x too fast", Wrong::Profile(4.0)),
    ("profile 4x too slow", Wrong::Profile(0.25)),
    ("2x slower in mid-run", Wrong::Change(0.5)),
    ("2x faster in mid-run", Wrong::Change(2.0)),
];

/// All that can go wrong, for a workload on a machine of scripted devices.
pub fn measure(machine: &Machine, workload: &Workload, scripted_seconds: f64) -> Vec<Recovery> {
    let costs = Costs::new(workload);
    let patterns = session::patterns(workload);
    let last = machine.count() - 1;
    let of = |(what, wrong): (&'static str, Wrong)| {
        let setup = |machine: &Machine| machine.setup(workload, &costs, scripted_seconds);
        let after = match wrong {
            Wrong::Profile(_) => setup(machine),
            Wrong::Change(multiple) => setup(&machine.with_speed(last, multiple)),
        };
        let model = Model {
            workload,
            costs: &costs,
            specs: after.specs.as_deref().expect("its devices are scripted"),
            patterns: &patterns,
            before: Before::Settled,
        };
        let fixed = Policy::Fixed(model.shares());
        let session = Session::new(&after, Devices::All, None, workload);
        let mut data = session.data();
        let best = (0..DISPATCHES).map(|_| timed(|| drop(data.iterate(Some(&fixed)))));
        let best_seconds = median(best).expect("there are dispatches");
        let round = || match wrong {
            Wrong::Profile(multiple) => {
                let folder = tempfile::tempdir().expect("a folder");
                let other = setup(&machine.with_speed(0, multiple));
                let in_folder =
                    |setup| Session::new(setup, Devices::All, Some(folder.path()), workload);
                // It writes what it believes when it goes.
                run(&in_folder(&other), DISPATCHES);
                run(&in_folder(&after), DISPATCHES)
            }
            Wrong::Change(multiple) => {
                let mut changing = setup(machine);
                changing.change(last, BEFORE, multiple);
                let session = Session::new(&changing, Devices::All, None, workload);
                let seconds = run(&session, 2 * BEFORE + DISPATCHES);
                let usual = median(seconds[BEFORE / 4..BEFORE / 2].iter().copied());
                let usual = usual.expect("there are dispatches");
                let is_off = |one: &f64| *one > OFF * usual || *one * OFF < usual;
                let from = seconds[BEFORE / 2..].iter().position(is_off);
                seconds[BEFORE / 2 + from.unwrap_or(0)..].to_vec()
            }
        };
        let rounds: Vec<Vec<f64>> = (0..ROUNDS).map(|_| round()).collect();
        let until = |seconds: &Vec<f64>| {
            let is_near = |pair: &[f64]| pair.iter().all(|one| *one <= NEAR * best_seconds);
            seconds.windows(2).position(is_near)
        };
        Recovery {
            machine: machine.name.clone(),
            workload: workload.name.to_owned(),
            what: what.to_owned(),
            dispatches: rounds.iter().map(until).collect(),
            best_seconds,
            seconds: rounds.into_iter().next_back().unwrap_or_default(),
        }
    };
    ALL.into_iter().map(of).collect()
}

/// Seconds of so many dispatches.
fn run(session: &Session<'_>, dispatches: usize) -> Vec<f64> {
    let mut data = session.data();
    (0..dispatches)
        .map(|_| timed(|| drop(data.iterate(None))))
        .collect()
}
