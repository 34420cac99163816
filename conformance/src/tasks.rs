//! Tasks for a device, and what became of them.
//!
//! Builds buffers, tasks and runs as the queue would, and checks the form of the answers; what they should be is the rules'
//! affair.

use crate::Outcome;
use divvy::buffer::Storage;
use divvy::device::{Bound, Device, DeviceError, Run, Task, Timing};
use divvy::id::BufferId;
use divvy::{Access, Chunk, Kernel, Range, Span};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Adds its index, and how many workgroups the undivided dispatch has, to every element.
pub(crate) const COUNT: &str = "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
    @compute @workgroup_size(8)
    fn count(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) all: vec3<u32>) {
        if id.x < arrayLength(&x) { x[id.x] += id.x + 1000u * all.x; }
    }";

/// Adds its index to one of [`BINS`] elements.
pub(crate) const SORT: &str =
    "@group(0) @binding(0) var<storage, read_write> bins: array<atomic<u32>, 5>;
    @compute @workgroup_size(8)
    fn sort(@builtin(global_invocation_id) id: vec3<u32>) { atomicAdd(&bins[id.x % 5u], id.x); }";

pub(crate) const BINS: usize = 5;

/// How many words most rules work on: no multiple of a workgroup.
pub(crate) const WORDS: usize = 61;

/// A buffer that no rule has used before.
pub(crate) fn buffer(words: usize) -> Arc<Storage> {
    // Far from those that a runtime gives away, should the device have had one.
    static NEXT: AtomicU64 = AtomicU64::new(1 << 40);
    let id = BufferId(NEXT.fetch_add(1, Ordering::Relaxed));
    Arc::new(Storage::new(id, words as u64 * 4))
}

/// The words of a buffer in the host's memory, which are nobody else's while no task is under way.
pub(crate) fn host(storage: &mut Arc<Storage>) -> Result<&mut [u32], Box<dyn Error>> {
    let storage = Arc::get_mut(storage);
    let storage = storage.ok_or("the device holds on to a buffer of a task that has ended")?;
    Ok(bytemuck::cast_slice_mut(storage.bytes_mut()?))
}

pub(crate) fn all(storage: &Storage) -> Span {
    Span::new(0, storage.bytes())
}

pub(crate) fn up(storage: &Arc<Storage>) -> Task {
    Task::Upload(storage.clone(), all(storage))
}

pub(crate) fn down(storage: &Arc<Storage>) -> Task {
    Task::Download(storage.clone(), all(storage))
}

/// A run of these units of the kernel over `extent` invocations, with these buffers, by these patterns.
pub(crate) fn run(
    kernel: &Kernel,
    extent: usize,
    units: std::ops::Range<u64>,
    buffers: &[(&Arc<Storage>, Access)],
) -> Result<Task, Box<dyn Error>> {
    let whole = Chunk::whole(Range::from(extent), kernel.facts()?.workgroup);
    let bound = buffers
        .iter()
        .map(|(buffer, _)| Bound::Buffer((*buffer).clone()));
    Ok(Task::Run(Run {
        kernel: kernel.clone(),
        chunk: Chunk {
            units: units.into(),
            ..whole
        },
        bound: bound.collect(),
        accesses: buffers.iter().map(|(_, access)| Some(*access)).collect(),
    }))
}

/// Counts all elements of a buffer of [`WORDS`].
pub(crate) fn count(x: &Arc<Storage>) -> Result<Task, Box<dyn Error>> {
    let kernel = Kernel::from_wgsl(COUNT)?;
    run(&kernel, WORDS, 0..WORDS as u64, &[(x, Access::OneToOne)])
}

/// What [`count`] adds to an element.
pub(crate) fn counted(i: usize) -> u32 {
    i as u32 + 1000 * WORDS.div_ceil(8) as u32
}

/// Has the device do the tasks, and says what became of each; fails unless each is answered once, in order.
pub(crate) fn answers_of(
    device: &dyn Device,
    tasks: Vec<Task>,
) -> Result<Vec<Result<Timing, DeviceError>>, Box<dyn Error>> {
    for task in &tasks {
        if let Task::Run(run) = task {
            device.accepts(&run.kernel)?;
        }
    }
    let mut order = Vec::new();
    let mut answers = Vec::new();
    device.execute(&tasks, &mut |i, answer| {
        order.push(i);
        answers.push(answer);
    });
    if !order.iter().copied().eq(0..tasks.len()) {
        return Err(format!("{} tasks were answered in the order {order:?}", tasks.len()).into());
    }
    for timing in answers.iter().flatten() {
        let is_time = |seconds: f64| seconds.is_finite() && seconds >= 0.0;
        if !is_time(timing.seconds) || !is_time(timing.overhead_seconds) {
            return Err(format!("no task takes {timing:?}").into());
        }
    }
    Ok(answers)
}

/// Has the device do the tasks; fails with the first that does.
pub(crate) fn execute(device: &dyn Device, tasks: Vec<Task>) -> Outcome {
    for answer in answers_of(device, tasks)? {
        answer?;
    }
    Ok(())
}

/// Fails unless the buffer's words in the host's memory are these.
pub(crate) fn expect(storage: &mut Arc<Storage>, word: impl Fn(usize) -> u32) -> Outcome {
    for (i, found) in host(storage)?.iter().enumerate() {
        if *found != word(i) {
            return Err(format!("word {i} is {found}, not {}", word(i)).into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expecting::Known;
    use divvy::{Combine, Runtime};

    #[test]
    fn what_tasks_say_of_their_kernels_can_be_proven() -> Outcome {
        let runtime = Runtime::builder().devices("cpu").build()?;
        let kernels = [
            (COUNT, "x", WORDS, Access::OneToOne),
            (SORT, "bins", BINS, Access::Accumulate(Combine::Add)),
        ];
        for (wgsl, name, words, access) in kernels {
            let (kernel, buffer) = (Kernel::from_wgsl(wgsl)?, runtime.buffer::<u32>(words)?);
            let dispatch = runtime.dispatch(&kernel, WORDS).bind(name, &buffer);
            dispatch.proven(&[(name, access)])?.run()?;
        }
        Ok(())
    }
}
