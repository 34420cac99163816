//! A device of one's own: an accelerator on a thread and in a memory of its own, with which the CPU shares every dispatch.
//! Only WGSL, bytes and numbers go to it and come back, so it might as well be a board, or another machine.

mod board;
#[path = "../show/mod.rs"]
mod show;

use board::{Answer, Argument, Board, NAME, Order, refused};
use divvy::buffer::Storage;
use divvy::device::{
    Bound, Device, DeviceError, DeviceInfo, DeviceKind, Home, Lent, Run, Task, Timing,
    lend_in_order,
};
use divvy::{Kernel, Policy, Runtime};
use show::{Example, Outcome};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// The near side, which the runtime sees: every task becomes an order, and is answered when the order is.
#[derive(Debug)]
struct Accelerator {
    info: DeviceInfo,
    line: Mutex<(Sender<Order>, Receiver<Answer>)>,
}

impl Accelerator {
    fn new() -> Result<Self, DeviceError> {
        let ((orders, inbox), (outbox, answers)) = (channel(), channel());
        let mut board = Board::new()?;
        // It ends when the device is dropped, and the other end of the line with it.
        thread::spawn(move || {
            let mut obeyed = inbox.iter().map(|order| board.obey(order));
            obeyed.try_for_each(|answer| outbox.send(answer))
        });
        let info = DeviceInfo {
            name: NAME.to_owned(),
            kind: DeviceKind::Other,
            detail: "one core, on a board".to_owned(),
            home: Home::Own,
            most_binding_bytes: 1 << 30,
        };
        let line = Mutex::new((orders, answers));
        Ok(Self { info, line })
    }

    /// Sends an order and waits for the answer. If the line is dead, so is what is behind it.
    fn ask(&self, order: Order) -> Answer {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = line.0.send(order).ok().and_then(|()| line.1.recv().ok());
        let (device, message) = (NAME.to_owned(), "the line is dead".to_owned());
        answer.unwrap_or(Err(DeviceError::Lost { device, message }))
    }

    fn run(&self, run: &Run) -> Answer {
        let key = run.kernel.facts().map_err(refused)?.key;
        let argument = |bound: &Bound| match bound {
            Bound::Buffer(buffer) => Argument::Buffer((buffer.id(), buffer.bytes())),
            Bound::Value(bytes) => Argument::Value(bytes.to_vec()),
        };
        let arguments = run.bound.iter().map(argument).collect();
        self.ask(Order::Run(key, run.chunk, arguments, run.accesses.clone()))
    }
}

impl Device for Accelerator {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn accepts(&self, kernel: &Kernel) -> Result<(), DeviceError> {
        let facts = kernel.facts().map_err(refused)?;
        let constants = kernel.constants();
        let constants = constants.map(|(name, value)| (name.to_owned(), value));
        let wgsl = kernel.source().to_owned();
        let program = (wgsl, facts.entry.clone(), constants.collect());
        self.ask(Order::Compile(facts.key, program)).map(drop)
    }

    fn execute(&self, tasks: &[Task], done: &mut dyn FnMut(usize, Result<Timing, DeviceError>)) {
        let named = |buffer: &Storage| (buffer.id(), buffer.bytes());
        lend_in_order(tasks, done, |task| {
            let start = Instant::now();
            match task {
                Lent::Upload { buffer, at, bytes } => {
                    self.ask(Order::Write(named(buffer), at, bytes.to_vec()))?;
                }
                Lent::Download { buffer, at, bytes } => {
                    let order = Order::Read(named(buffer), at, bytes.len());
                    bytes.copy_from_slice(&self.ask(order)?);
                }
                Lent::Fill { buffer, word } => drop(self.ask(Order::Fill(named(buffer), word))?),
                Lent::Run(run) => drop(self.run(run)?),
                Lent::Free(id) => drop(self.ask(Order::Free(id))?),
                other => return Err(refused(format!("it doesn't know {other:?}"))),
            }
            // What measures the device better than a watch at this end of the line would go here.
            let seconds = start.elapsed().as_secs_f64();
            Ok(Timing {
                seconds,
                ..Timing::default()
            })
        });
    }
}

fn main() -> Outcome {
    let about =
        "A device that Divvy doesn't know, beside the CPU: every dispatch is split over both.";
    let runtime = Runtime::builder()
        .device(Accelerator::new()?)
        .devices("cpu") // beside it; without this it would be alone
        .split(Policy::Fixed(vec![0.3, 0.7])); // without this, each has what its measured rate earns
    let mut show = Example::new("own_device", about)
        .size(1 << 20, 1 << 10..=1 << 27, "how many x and y")
        .open_as(runtime)?;
    let (runtime, n) = (show.runtime.clone(), show.options.size);
    let saxpy = Kernel::from_wgsl(include_str!("../../shaders/saxpy.wgsl"))?;
    let x = runtime.buffer_from(&vec![1.0_f32; n])?;
    let y = runtime.buffer_from(&vec![2.0_f32; n])?;

    let dispatch = runtime.dispatch(&saxpy, n).value("a", 3.0_f32);
    show.submit(dispatch.bind("x", &x).bind("y", &y))?;
    show.wait()?;

    let found = runtime.read(&y)?;
    show.check("every y is 5", found.iter().all(|&y| y == 5.0));
    let its_own = show.invocations(NAME);
    show.check("both did some of it", 0 < its_own && its_own < n as u64);

    // What is asked of every device. All cases in all settings would take a little longer.
    let is_wanted = |name: &str| name.starts_with("contract::") || name.ends_with("::split");
    let make = || Accelerator::new().expect("there is a thread for it");
    let held = divvy_conformance::check(make, is_wanted)?;
    show.number("rules and cases that hold", held);
    show.end()
}
