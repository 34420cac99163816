//! What the [`Device`] trait asks, one rule at a time, with a few tasks and no runtime.
//!
//! Every rule has buffers of its own, on a device that may have done anything before; a device that computes in the host's
//! memory has less to do for some, and fails none for it.

use crate::Outcome;
use crate::tasks::{
    BINS, COUNT, SORT, WORDS, answers_of, buffer, count, counted, down, execute, expect, host, run,
    up,
};
use divvy::buffer::Storage;
use divvy::device::{Device, DeviceError, Home, Task};
use divvy::{Access, Combine, Kernel, Span};
use std::sync::Arc;

/// One thing that the [`Device`] trait asks.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The rule, in a sentence.
    pub name: &'static str,
    check: fn(&dyn Device) -> Outcome,
}

impl Rule {
    /// Checks it on a device that nobody else uses meanwhile.
    ///
    /// # Errors
    ///
    /// With what the device does instead.
    pub fn run(&self, device: &dyn Device) -> Outcome {
        (self.check)(device)
    }
}

/// All rules.
#[must_use]
pub fn rules() -> &'static [Rule] {
    const fn rule(name: &'static str, check: fn(&dyn Device) -> Outcome) -> Rule {
        Rule { name, check }
    }
    const {
        &[
            rule("it_says_the_same_of_itself_always", says_the_same),
            rule("every_task_is_answered_once_and_in_order", answers),
            rule(
                "a_task_sees_what_those_before_it_did",
                sees_what_came_before,
            ),
            rule("any_thread_may_drive_it", any_thread),
            rule("copies_touch_the_bytes_that_are_named", copies_named_bytes),
            rule("memory_starts_zeroed_and_again_after_a_free", starts_zeroed),
            rule("a_fill_sets_every_word", fills),
            rule("a_chunk_is_its_own_part_of_the_whole", runs_its_chunk),
            rule("what_accumulates_adds_to_what_is_there", accumulates),
            rule("nothing_is_begun_behind_a_failure", begins_nothing_more),
        ]
    }
}

fn says_the_same(device: &dyn Device) -> Outcome {
    let before = device.info().clone();
    if before.name.trim().is_empty() {
        return Err("it has no name".into());
    }
    let x = buffer(WORDS);
    execute(device, vec![count(&x)?, Task::Free(x.id())])?;
    if *device.info() != before {
        return Err(format!("it was {before:?} and is {:?}", device.info()).into());
    }
    let kernel = Kernel::from_wgsl(COUNT)?;
    match device.accepts(&kernel) == device.accepts(&kernel) {
        true => Ok(()),
        false => Err("it takes a kernel at one time and not at another".into()),
    }
}

fn answers(device: &dyn Device) -> Outcome {
    execute(device, Vec::new())?;
    let (x, y) = (buffer(WORDS), buffer(WORDS));
    let fill = Task::Fill(y.clone(), 7);
    let frees = [&x, &y].map(|buffer| Task::Free(buffer.id()));
    let mut tasks = vec![up(&x), fill, count(&x)?, down(&y), count(&y)?, down(&x)];
    tasks.extend(frees);
    execute(device, tasks)
}

fn sees_what_came_before(device: &dyn Device) -> Outcome {
    let mut x = buffer(WORDS);
    host(&mut x)?.fill(5);
    let tasks = vec![up(&x), count(&x)?, count(&x)?, down(&x)];
    execute(device, tasks)?;
    expect(&mut x, |i| 5 + 2 * counted(i))?;
    // What was computed stays, from call to call, until it is freed.
    execute(device, vec![count(&x)?])?;
    execute(device, vec![down(&x)])?;
    expect(&mut x, |i| 5 + 3 * counted(i))?;
    execute(device, vec![Task::Free(x.id())])
}

fn any_thread(device: &dyn Device) -> Outcome {
    let mut x = buffer(WORDS);
    for _ in 0..2 {
        let task = count(&x)?;
        let elsewhere = std::thread::scope(|scope| {
            let drive = || execute(device, vec![task]).map_err(|error| error.to_string());
            scope.spawn(drive).join()
        });
        elsewhere.map_err(|_| "it panicked on another thread")??;
        execute(device, vec![count(&x)?])?;
    }
    execute(device, vec![down(&x), Task::Free(x.id())])?;
    expect(&mut x, |i| 4 * counted(i))
}

fn copies_named_bytes(device: &dyn Device) -> Outcome {
    let mut x = buffer(WORDS);
    let bytes = |words: std::ops::Range<u64>| Span::new(words.start * 4, words.end * 4);
    host(&mut x)?.fill(1);
    execute(device, vec![up(&x)])?;
    host(&mut x)?.fill(2);
    execute(device, vec![Task::Upload(x.clone(), bytes(10..20))])?;
    host(&mut x)?.fill(3);
    execute(
        device,
        vec![Task::Download(x.clone(), bytes(5..15)), Task::Free(x.id())],
    )?;
    let in_host = device.info().home == Home::Host;
    expect(&mut x, |i| match i {
        _ if in_host => 3,
        5..10 => 1,
        10..15 => 2,
        _ => 3,
    })
}

fn starts_zeroed(device: &dyn Device) -> Outcome {
    // More than once: memory that was given back may be given away again.
    for _ in 0..3 {
        let mut x = buffer(WORDS);
        execute(device, vec![count(&x)?, down(&x), Task::Free(x.id())])?;
        expect(&mut x, counted)?;
        let mut never_written = buffer(WORDS);
        let tasks = vec![down(&never_written), Task::Free(never_written.id())];
        execute(device, tasks)?;
        expect(&mut never_written, |_| 0)?;
        let mut sent_in_part = buffer(WORDS);
        host(&mut sent_in_part)?.fill(7);
        let part = Task::Upload(sent_in_part.clone(), Span::new(40, 80));
        let tasks = vec![part, count(&sent_in_part)?, down(&sent_in_part)];
        execute(device, tasks)?;
        let in_host = device.info().home == Home::Host;
        expect(&mut sent_in_part, |i| {
            counted(i)
                + if in_host || (10..20).contains(&i) {
                    7
                } else {
                    0
                }
        })?;
        execute(device, vec![Task::Free(sent_in_part.id())])?;
    }
    Ok(())
}

fn fills(device: &dyn Device) -> Outcome {
    for word in [0, 0xfedc_ba98] {
        let mut x = buffer(WORDS);
        let tasks = vec![count(&x)?, Task::Fill(x.clone(), word), down(&x)];
        execute(device, tasks)?;
        expect(&mut x, |_| word)?;
        execute(device, vec![Task::Free(x.id())])?;
    }
    Ok(())
}

fn runs_its_chunk(device: &dyn Device) -> Outcome {
    let kernel = Kernel::from_wgsl(COUNT)?;
    for units in [0..8, 8..40, 40..WORDS as u64, 0..WORDS as u64] {
        let mut x = buffer(WORDS);
        let task = run(&kernel, WORDS, units.clone(), &[(&x, Access::OneToOne)])?;
        execute(device, vec![task, down(&x), Task::Free(x.id())])?;
        let word = |i: usize| match units.contains(&(i as u64)) {
            true => counted(i),
            false => 0,
        };
        expect(&mut x, word).map_err(|error| format!("units {units:?}: {error}"))?;
    }
    Ok(())
}

fn accumulates(device: &dyn Device) -> Outcome {
    let kernel = Kernel::from_wgsl(SORT)?;
    let access = Access::Accumulate(Combine::Add);
    let mut bins = buffer(BINS);
    let part = |units| run(&kernel, 64, units, &[(&bins, access)]);
    let fill = Task::Fill(bins.clone(), 100);
    let tasks = vec![
        fill,
        part(0..24)?,
        part(40..64)?,
        down(&bins),
        Task::Free(bins.id()),
    ];
    execute(device, tasks)?;
    let ids = || (0..24).chain(40..64_u32);
    expect(&mut bins, |bin| {
        100 + ids().filter(|id| *id as usize % BINS == bin).sum::<u32>()
    })
}

fn begins_nothing_more(device: &dyn Device) -> Outcome {
    let mut x = buffer(WORDS);
    execute(device, vec![Task::Fill(x.clone(), 3)])?;
    // No memory has room for a quarter of all that can be addressed.
    let endless = Arc::new(Storage::new(buffer(0).id(), 1 << 62));
    let tasks = vec![count(&x)?, Task::Fill(endless, 0), count(&x)?, down(&x)];
    let answers = answers_of(device, tasks)?;
    if !matches!(
        &answers[1],
        Err(DeviceError::OutOfMemory { .. } | DeviceError::Failed { .. })
    ) {
        return Err(format!("a buffer without end was answered with {:?}", answers[1]).into());
    }
    if answers[2..] != [Err(DeviceError::NotBegun), Err(DeviceError::NotBegun)] {
        return Err(format!("behind a failure came {:?}", &answers[2..]).into());
    }
    let before = answers[0].is_ok();
    execute(device, vec![down(&x), Task::Free(x.id())])?;
    // What came before the failure may have been given up with it, if the device says so.
    if before {
        expect(&mut x, |i| 3 + counted(i))?;
    }
    Ok(())
}
