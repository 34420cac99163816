//! Does a split ever lose? Settled dispatches of every size, all devices beside each of them alone.
//!
//! What is timed has had its first dispatches: rates are known, the data is where it is needed, and a split that doesn't pay
//! has been found out. Candidates take turns; each turn is as many dispatches as take a few milliseconds.

use super::machine::{Devices, Machine};
use super::model::Costs;
use super::row::median;
use super::session::{Data, Session};
use super::size_table::Sized;
use super::turns::timed;
use super::workloads::Workload;
use std::time::{Duration, Instant};

/// Dispatches and seconds after which nothing is learned any more, whichever comes first.
const SETTLED: usize = 400;
const SETTLING: Duration = Duration::from_millis(800);
/// What a turn takes at least, and turns that each candidate has.
const TURN: Duration = Duration::from_millis(4);
const TURNS: usize = 15;
/// A device alone that takes so many times what the best one does has no more turns.
const SLOW: f64 = 2.0;

/// Iterations that go on and on.
struct Runner<'a> {
    data: Data<'a>,
    in_turn: usize,
    samples: Vec<f64>,
}

impl<'a> Runner<'a> {
    /// One that has settled.
    fn new(session: &'a Session<'a>) -> Self {
        let mut data = session.data();
        let start = Instant::now();
        let mut took = Vec::new();
        while took.len() < 2 || (took.len() < SETTLED && start.elapsed() < SETTLING) {
            took.push(timed(|| drop(data.iterate(None))));
        }
        // The first ones are no measure: some try what is slow.
        let one = median(took.drain(took.len() / 2..)).expect("it ran");
        let in_turn = (TURN.as_secs_f64() / one).ceil() as usize;
        Self {
            data,
            in_turn,
            samples: Vec::new(),
        }
    }

    fn turn(&mut self) {
        // For what another left in the caches, of the program too.
        let start = Instant::now();
        for i in 0..self.in_turn {
            if i > 0 && start.elapsed() > TURN / 4 {
                break;
            }
            self.data.iterate(None);
        }
        let start = Instant::now();
        for _ in 0..self.in_turn {
            self.data.iterate(None);
        }
        self.samples
            .push(start.elapsed().as_secs_f64() / self.in_turn as f64);
    }

    fn seconds(&self) -> f64 {
        median(self.samples.iter().copied()).expect("it had a turn")
    }
}

/// Times a workload on a machine.
pub fn measure(machine: &Machine, workload: &Workload, scripted_seconds: f64) -> Sized {
    let setup = machine.setup(workload, &Costs::new(workload), scripted_seconds);
    let of = |devices| Session::new(&setup, devices, None, workload);
    let sessions: Vec<_> = (0..setup.count()).map(|i| of(Devices::Alone(i))).collect();
    let all = of(Devices::All);
    let mut alone: Vec<_> = sessions.iter().map(Runner::new).collect();
    let mut together = Runner::new(&all);
    alone.iter_mut().for_each(Runner::turn);
    let first = alone.iter().map(Runner::seconds);
    let best = first.fold(f64::INFINITY, f64::min);
    for _ in 1..TURNS {
        let is_quick = |one: &&mut Runner<'_>| one.seconds() <= SLOW * best;
        alone.iter_mut().filter(is_quick).for_each(Runner::turn);
        together.turn();
    }
    Sized {
        machine: machine.name.clone(),
        workload: workload.name.to_owned(),
        invocations: workload.invocations(),
        together_seconds: together.seconds(),
        alone_seconds: alone.iter().map(Runner::seconds).collect(),
    }
}
