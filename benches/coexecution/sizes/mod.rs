//! Does a split ever lose? Settled dispatches of every size, all devices beside each of them alone.
//!
//! What is timed has had its first dispatches: rates are known, the data is where it is needed, and a split that doesn't pay
//! has been found out. Candidates take turns, and a sample is as many dispatches as take a millisecond.

use super::machine::{Devices, Machine, Setup};
use super::model::Costs;
use super::row::median;
use super::session::Session;
use super::size_table::Sized;
use super::turns::Repeating;
use super::workloads::Workload;
use std::time::{Duration, Instant};

/// How often all is done anew where processors are real: where the system puts the data in memory is worth some per cent.
const ROUNDS: usize = 3;
/// Turns that each candidate has: the most, and no fewer than some when they have taken long.
const MOST_TURNS: usize = 20;
const LEAST_TURNS: usize = 5;
const LONG: Duration = Duration::from_millis(1000);
/// A device alone that takes so many times what the best one does has no more turns.
const SLOW: f64 = 2.0;
/// What the fastest scripted device takes: so many times what the cores do, which compute for all, but no less than this,
/// beside which it doesn't count how late the system lets a device go on that has slept.
const OVER_CORES: f64 = 4.0;
const LEAST_SCRIPTED: f64 = 1e-3;

/// Times a workload on a machine: the medians of rounds.
pub fn measure(machine: &Machine, workload: &Workload) -> Sized {
    let scripted_seconds = match machine.is_real {
        true => 0.0,
        false => (OVER_CORES * on_the_cores(workload)).max(LEAST_SCRIPTED),
    };
    let setup = machine.setup(workload, &Costs::new(workload), scripted_seconds);
    let rounds = if machine.is_real { ROUNDS } else { 1 };
    let rounds: Vec<Round> = (0..rounds).map(|_| round(&setup, workload)).collect();
    let of = |seconds: &dyn Fn(&Round) -> f64| {
        median(rounds.iter().map(seconds)).expect("there is a round")
    };
    Sized {
        machine: machine.name.clone(),
        workload: workload.name.to_owned(),
        invocations: workload.invocations(),
        together_seconds: of(&|round| round.together_seconds),
        alone_seconds: (0..setup.count())
            .map(|device| of(&|round| round.alone_seconds[device]))
            .collect(),
    }
}

/// Seconds of an iteration: all devices, and each of them alone.
struct Round {
    together_seconds: f64,
    alone_seconds: Vec<f64>,
}

/// Candidates in turn, each in a runtime of its own.
fn round(setup: &Setup, workload: &Workload) -> Round {
    let of = |devices| Session::new(setup, devices, None, workload);
    let sessions: Vec<_> = (0..setup.count()).map(|i| of(Devices::Alone(i))).collect();
    let all = of(Devices::All);
    let mut alone: Vec<_> = sessions.iter().map(Repeating::after_settling).collect();
    let mut together = Repeating::after_settling(&all);
    alone.iter_mut().for_each(Repeating::turn);
    let first = alone.iter().map(Repeating::settled);
    let best = first.fold(f64::INFINITY, f64::min);
    let start = Instant::now();
    for turn in 1..MOST_TURNS {
        if turn >= LEAST_TURNS && start.elapsed() > LONG {
            break;
        }
        let is_quick = |one: &&mut Repeating<'_>| one.settled() <= SLOW * best;
        alone.iter_mut().filter(is_quick).for_each(Repeating::turn);
        together.turn();
    }
    Round {
        together_seconds: together.settled(),
        alone_seconds: alone.iter().map(Repeating::settled).collect(),
    }
}

/// Seconds of an iteration on all cores.
fn on_the_cores(workload: &Workload) -> f64 {
    let setup = Machine::cores().setup(workload, &Costs::new(workload), 0.0);
    let session = Session::new(&setup, Devices::All, None, workload);
    let mut cores = Repeating::after_settling(&session);
    cores.turn();
    cores.settled()
}
