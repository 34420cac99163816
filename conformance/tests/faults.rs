//! The rules find what is wrong with a device: each fault here breaks the rule that is for it.

use divvy::device::virtual_device::Script;
use divvy::device::{Device, DeviceError, DeviceInfo, Run, Task, Timing, VirtualDevice, in_order};
use divvy::id::BufferId;
use divvy::{Chunk, Kernel, Span};
use divvy_conformance::rules;
use std::collections::HashSet;
use std::sync::Mutex;
use std::thread::{self, ThreadId};

/// What is wrong with a device.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Nothing,
    IsNameless,
    AnswersTwice,
    AnswersBackwards,
    AnswersAllButTheLast,
    LosesWhatRunsWrote,
    StartsAnyhow,
    KnowsOneThread,
    CopiesWhole,
    FillsWithZero,
    RunsWhole,
    RunsNothingButTheFirstUnits,
    GoesOn,
    HoldsOn,
}

#[derive(Debug)]
struct Faulty {
    fault: Fault,
    good: VirtualDevice,
    nameless: DeviceInfo,
    held: Mutex<Vec<Task>>,
    known: Mutex<HashSet<BufferId>>,
    driver: Mutex<Option<ThreadId>>,
}

impl Faulty {
    fn new(fault: Fault) -> Self {
        let good = VirtualDevice::new("faulty", Script::default());
        let nameless = DeviceInfo {
            name: String::new(),
            ..good.info().clone()
        };
        Self {
            fault,
            good,
            nameless,
            held: Mutex::default(),
            known: Mutex::default(),
            driver: Mutex::default(),
        }
    }

    fn one(&self, task: &Task) -> Result<Timing, DeviceError> {
        let task = match (self.fault, task) {
            (Fault::CopiesWhole, Task::Upload(storage, _)) => {
                Task::Upload(storage.clone(), Span::new(0, storage.bytes()))
            }
            (Fault::CopiesWhole, Task::Download(storage, _)) => {
                Task::Download(storage.clone(), Span::new(0, storage.bytes()))
            }
            (Fault::FillsWithZero, Task::Fill(storage, _)) => Task::Fill(storage.clone(), 0),
            (Fault::RunsWhole, Task::Run(run)) => {
                let facts = run.kernel.facts().expect("it is complete");
                let chunk = Chunk::whole(run.chunk.range, facts.workgroup);
                Task::Run(Run {
                    chunk,
                    ..run.clone()
                })
            }
            (Fault::RunsNothingButTheFirstUnits, Task::Run(run)) => {
                let units = Span::new(0, run.chunk.units.len());
                Task::Run(Run {
                    chunk: Chunk { units, ..run.chunk },
                    ..run.clone()
                })
            }
            (Fault::StartsAnyhow, Task::Run(run)) => {
                for buffer in run.bound.iter().filter_map(|bound| bound.buffer()) {
                    if self.known.lock().expect("sound").insert(buffer.id()) {
                        let spoil = Task::Fill(buffer.clone(), 0x00ba_dbad);
                        self.good.execute(&[spoil], &mut |_, _| ());
                    }
                }
                task.clone()
            }
            (Fault::HoldsOn, task) => {
                self.held.lock().expect("sound").push(task.clone());
                task.clone()
            }
            _ => task.clone(),
        };
        let mut answer = Err(DeviceError::NotBegun);
        self.good.execute(&[task], &mut |_, good| answer = good);
        answer
    }
}

impl Device for Faulty {
    fn info(&self) -> &DeviceInfo {
        match self.fault {
            Fault::IsNameless => &self.nameless,
            _ => self.good.info(),
        }
    }

    fn accepts(&self, kernel: &Kernel) -> Result<(), DeviceError> {
        self.good.accepts(kernel)
    }

    fn execute(&self, tasks: &[Task], done: &mut dyn FnMut(usize, Result<Timing, DeviceError>)) {
        let here = thread::current().id();
        let driver = *self.driver.lock().expect("sound").get_or_insert(here);
        let count = tasks.len();
        match self.fault {
            Fault::KnowsOneThread if driver != here => {
                (0..count).for_each(|i| done(i, Err(DeviceError::NotBegun)));
            }
            Fault::AnswersTwice => in_order(
                tasks,
                &mut |i, answer| {
                    done(i, answer.clone());
                    done(i, answer);
                },
                |task| self.one(task),
            ),
            Fault::AnswersBackwards => {
                let mut answers = Vec::new();
                in_order(tasks, &mut |i, answer| answers.push((i, answer)), |task| {
                    self.one(task)
                });
                answers
                    .into_iter()
                    .rev()
                    .for_each(|(i, answer)| done(i, answer));
            }
            Fault::AnswersAllButTheLast => in_order(
                tasks,
                &mut |i, answer| {
                    if i + 1 < count {
                        done(i, answer);
                    }
                },
                |task| self.one(task),
            ),
            Fault::GoesOn => {
                for (i, task) in tasks.iter().enumerate() {
                    done(i, self.one(task));
                }
            }
            Fault::LosesWhatRunsWrote => in_order(tasks, done, |task| match task {
                Task::Run(run) => {
                    let timing = self.one(task);
                    for buffer in run.bound.iter().filter_map(|bound| bound.buffer()) {
                        self.one(&Task::Free(buffer.id()))?;
                    }
                    timing
                }
                _ => self.one(task),
            }),
            _ => in_order(tasks, done, |task| self.one(task)),
        }
    }
}

/// The rules that a device with this fault breaks.
fn broken(fault: Fault) -> Vec<&'static str> {
    let breaks = |rule: &&divvy_conformance::Rule| rule.run(&Faulty::new(fault)).is_err();
    let broken = rules().iter().filter(breaks);
    broken.map(|rule| rule.name).collect()
}

#[test]
fn a_sound_device_breaks_no_rule() {
    assert_eq!(broken(Fault::Nothing), [""; 0]);
}

#[test]
fn a_fault_breaks_the_rule_that_is_for_it() {
    for (fault, rule) in [
        (Fault::IsNameless, "it_says_the_same_of_itself_always"),
        (
            Fault::AnswersTwice,
            "every_task_is_answered_once_and_in_order",
        ),
        (
            Fault::AnswersBackwards,
            "every_task_is_answered_once_and_in_order",
        ),
        (
            Fault::AnswersAllButTheLast,
            "every_task_is_answered_once_and_in_order",
        ),
        (
            Fault::LosesWhatRunsWrote,
            "a_task_sees_what_those_before_it_did",
        ),
        (Fault::KnowsOneThread, "any_thread_may_drive_it"),
        (
            Fault::StartsAnyhow,
            "memory_starts_zeroed_and_again_after_a_free",
        ),
        (Fault::CopiesWhole, "copies_touch_the_bytes_that_are_named"),
        (Fault::FillsWithZero, "a_fill_sets_every_word"),
        (Fault::RunsWhole, "a_chunk_is_its_own_part_of_the_whole"),
        (
            Fault::RunsNothingButTheFirstUnits,
            "a_chunk_is_its_own_part_of_the_whole",
        ),
        (Fault::RunsWhole, "what_accumulates_adds_to_what_is_there"),
        (Fault::GoesOn, "nothing_is_begun_behind_a_failure"),
        (Fault::HoldsOn, "a_task_sees_what_those_before_it_did"),
    ] {
        let broken = broken(fault);
        assert!(broken.contains(&rule), "{fault:?} breaks {broken:?}");
    }
}
