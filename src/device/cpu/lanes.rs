//! Runs a kernel's WGSL over a chunk, as lanes.
//!
//! Cuts the chunk into blocks and gives them to the threads of the pool; what a block does is the program's affair.
//!
//! Invariant: every invocation of the chunk's workgroups is in exactly one block.

use super::body::surviving;
use crate::buffer::Storage;
use crate::device::{Bound, DeviceError, Run, allocate};
use crate::kernel::Kernel;
use crate::lanes::{Bank, Block, Layout, Machine, Program, cache_bytes};
use crate::range::Chunk;
use crate::span::Span;
use rayon::ThreadPool;
use std::cell::Cell;
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Parts for each thread: enough that uneven ones even out.
const PARTS_PER_THREAD: usize = 16;
/// The shortest row that is worth a block.
const LEAST_LANES: u64 = 64;
/// What the calling thread does by itself: to wake another takes as long, and it has to be waited for when it comes late.
const SHORT: Duration = Duration::from_micros(30);

/// What a kernel is made a program for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// Rows that are long enough to fill a block, where the kernel can run in rows.
    Rows,
    /// Rows that are too short for that.
    ShortRows,
    /// Workgroups, with every access checked.
    Checked,
}

impl Form {
    /// Unchecked, for ranges of this extent along x.
    fn of(kernel: &Kernel, extent: u64) -> Result<Self, String> {
        let facts = kernel.facts().map_err(|error| error.to_string())?;
        Ok(match Program::is_short(facts, extent) {
            true => Form::ShortRows,
            false => Form::Rows,
        })
    }
}

/// A program, and what it took.
#[derive(Debug)]
pub(super) struct Made {
    program: Program,
    /// Picoseconds for an invocation on one thread, when it ran last; zero before.
    picoseconds: AtomicU64,
}

impl Deref for Made {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.program
    }
}

impl Made {
    /// Whether so many invocations are expected to be done before another thread is awake.
    fn is_short(&self, invocations: u64) -> bool {
        match self.picoseconds.load(Ordering::Relaxed) {
            0 => false,
            each => u128::from(each) * u128::from(invocations) < SHORT.as_nanos() * 1000,
        }
    }

    fn took(&self, nanoseconds: u64, invocations: u64) {
        let each = nanoseconds.saturating_mul(1000) / invocations.max(1);
        self.picoseconds.store(each.max(1), Ordering::Relaxed);
    }
}

/// The programs of kernels that were asked for, by key.
#[derive(Debug, Default)]
pub(super) struct Programs(Mutex<HashMap<(u128, Form), Arc<Made>>>);

impl Programs {
    /// Whether the kernel can be made a program for any range; if not, why.
    pub(super) fn accept(&self, kernel: &Kernel) -> Result<(), String> {
        let form = Form::of(kernel, u64::MAX)?;
        self.of(kernel, form).map(drop)
    }

    pub(super) fn of(&self, kernel: &Kernel, form: Form) -> Result<Arc<Made>, String> {
        let facts = kernel.facts().map_err(|error| error.to_string())?;
        let mut programs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = programs.get(&(facts.key, form)) {
            return Ok(program.clone());
        }
        let source = kernel.source();
        let program = match form {
            Form::Rows | Form::ShortRows => Program::new(facts, form == Form::ShortRows)
                .map_err(|error| error.in_source(source))?,
            Form::Checked => {
                Program::checked(facts).map_err(|error| error.in_checked_source(source))?
            }
        };
        let made = Arc::new(Made {
            program,
            picoseconds: AtomicU64::new(0),
        });
        programs.insert((facts.key, form), made.clone());
        Ok(made)
    }
}

/// Runs the chunk on the calling thread, and on the threads of the pool if it takes long enough.
pub(super) fn run(
    device: &str,
    programs: &Programs,
    pool: Option<&ThreadPool>,
    run: &Run,
) -> Result<(), DeviceError> {
    let refused = |reason: String| DeviceError::Refused {
        device: device.to_owned(),
        reason,
    };
    let extents = run.chunk.range.extents();
    let form = Form::of(&run.kernel, extents[0]).map_err(refused)?;
    let program = programs.of(&run.kernel, form).map_err(refused)?;
    let facts = run.kernel.facts();
    let facts = facts.map_err(|error| refused(error.to_string()))?;
    let values = values(run);
    let banks = banks(device, run, &values)?;
    let threads = pool.map_or(1, ThreadPool::current_num_threads);
    let blocks = Blocks::new(&program, &run.chunk, threads);
    let count = blocks.count();
    let parts = (threads * PARTS_PER_THREAD).min(count);
    // Whoever is free takes the next part; a thread that comes when all are taken makes no machine.
    let next = AtomicUsize::new(0);
    let nanoseconds = AtomicU64::new(0);
    let work = |after_block: &dyn Fn(Instant)| {
        let start = Instant::now();
        let mut machine = None;
        loop {
            let part = next.fetch_add(1, Ordering::Relaxed);
            if part >= parts {
                break;
            }
            let machine =
                machine.get_or_insert_with(|| Machine::new(&program, &banks, blocks.workgroups));
            for block in count * part / parts..count * (part + 1) / parts {
                machine.run(&blocks.at(block));
                after_block(start);
            }
        }
        let took = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        nanoseconds.fetch_add(took, Ordering::Relaxed);
    };
    let invocations = run.chunk.invocations();
    let on_all = || {
        let helpers = Cell::new(threads.min(parts).saturating_sub(1));
        let Some(pool) = pool.filter(|_| helpers.get() > 0) else {
            return work(&|_| ());
        };
        pool.in_place_scope(|scope| {
            let call = || (0..helpers.take()).for_each(|_| scope.spawn(|_| work(&|_| ())));
            if !program.is_short(invocations) {
                call();
            }
            work(&|start| {
                if helpers.get() > 0 && start.elapsed() > SHORT {
                    call();
                }
            });
        });
    };
    surviving(&facts.entry, on_all)?;
    program.took(nanoseconds.into_inner(), invocations);
    Ok(())
}

/// The words of what is bound by value, one list for each binding.
pub(super) fn values(run: &Run) -> Vec<Vec<u32>> {
    let words = |bound: &Bound| match bound {
        Bound::Value(bytes) => {
            let mut padded = bytes.to_vec();
            padded.resize(bytes.len().next_multiple_of(4), 0);
            bytemuck::pod_collect_to_vec(&padded)
        }
        Bound::Buffer(_) => Vec::new(),
    };
    run.bound.iter().map(words).collect()
}

/// What is bound, as words. Lives as long as the buffers and `values` do.
pub(super) fn banks(
    device: &str,
    run: &Run,
    values: &[Vec<u32>],
) -> Result<Vec<Bank>, DeviceError> {
    for buffer in run.bound.iter().filter_map(Bound::buffer) {
        allocate(buffer, device)?;
    }
    let bank = |(bound, value): (&Bound, &Vec<u32>)| match bound {
        Bound::Value(_) => Bank {
            words: value.as_ptr().cast_mut(),
            len: value.len(),
            passes_caches: false,
        },
        Bound::Buffer(storage) => words(storage, &run.chunk),
    };
    Ok(run.bound.iter().zip(values).map(bank).collect())
}

/// A buffer as words.
fn words(storage: &Storage, chunk: &Chunk) -> Bank {
    let whole = Span::new(0, storage.bytes());
    // What each invocation writes a word of, if it writes it at all.
    let written = storage.bytes().min(4 * chunk.invocations());
    // The queue lets nobody else touch what a chunk writes, or write what it reads, until the chunk has ended.
    Bank {
        words: storage.pointer(whole).cast(),
        len: (storage.bytes() / 4) as usize,
        passes_caches: written > cache_bytes(),
    }
}

/// The blocks of a chunk.
pub(super) struct Blocks {
    layout: Layout,
    lanes: u64,
    /// The first block along each axis, and how many there are: along x in blocks of lanes, or all in workgroups.
    first: [u64; 3],
    counts: [u64; 3],
    /// Where invocations end along x.
    end: u64,
    invocations: usize,
    pub(super) workgroups: [u32; 3],
}

impl Blocks {
    /// For so many threads.
    pub(super) fn new(program: &Program, chunk: &Chunk, threads: usize) -> Self {
        let extents = chunk.range.extents();
        let workgroup = program.workgroup.map(u64::from);
        let mut spans: [Span; 3] =
            std::array::from_fn(|i| Span::new(0, extents[i].next_multiple_of(workgroup[i])));
        let slowest = chunk.slowest;
        // Workgroups that reach past the range run whole.
        spans[slowest] = Span::new(
            chunk.units.start,
            chunk.units.end.next_multiple_of(workgroup[slowest]),
        );
        // Shorter rows where there would be too few for all threads.
        let all = spans.iter().map(|span| span.len()).product::<u64>();
        let parts = (threads * PARTS_PER_THREAD) as u64;
        let lanes = (all / parts)
            .next_multiple_of(LEAST_LANES)
            .clamp(LEAST_LANES, LEAST_LANES.max(program.lanes as u64));
        let unit: [u64; 3] = match program.layout {
            Layout::Workgroup => workgroup,
            Layout::Row => [1, 1, 1],
        };
        let mut counts: [u64; 3] = std::array::from_fn(|i| spans[i].len().div_ceil(unit[i]));
        if program.layout == Layout::Row {
            counts[0] = spans[0].len().div_ceil(lanes);
        }
        Self {
            layout: program.layout,
            lanes,
            first: std::array::from_fn(|i| spans[i].start / unit[i]),
            counts,
            end: spans[0].end,
            invocations: workgroup.iter().product::<u64>() as usize,
            workgroups: std::array::from_fn(|i| extents[i].div_ceil(workgroup[i]) as u32),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.counts.iter().product::<u64>() as usize
    }

    pub(super) fn at(&self, index: usize) -> Block {
        let index = index as u64;
        let [x, y, _] = self.counts;
        let place = [index % x, index / x % y, index / x / y];
        let mut first: [u64; 3] = std::array::from_fn(|i| self.first[i] + place[i]);
        let lanes = match self.layout {
            Layout::Workgroup => self.invocations,
            Layout::Row => {
                first[0] = self.first[0] + place[0] * self.lanes;
                (self.end - first[0]).min(self.lanes) as usize
            }
        };
        Block {
            first: first.map(|id| id as u32),
            lanes,
        }
    }
}
