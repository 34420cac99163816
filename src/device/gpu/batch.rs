//! Tasks that are recorded together, submitted and waited for.
//!
//! Order is kept by recording in order; an upload that would overtake what is recorded closes the recording first.
//!
//! Invariant: when a batch has finished, everything it recorded has been done or an error says otherwise.

#![expect(
    unsafe_code,
    reason = "copies between the GPU and the host's memory of buffers that others use elsewhere"
)]

use super::clock::{self, MOST_RUNS};
use super::memory::Memory;
use super::pipeline::Source;
use super::{DeviceError, Gpu, last_error};
use crate::buffer::Storage;
use crate::device::{Bound, Run, Task, Timing, allocate};
use crate::id::BufferId;
use crate::kernel::rebase::{Base, Based};
use crate::range::Chunk;
use crate::span::Span;
use smallvec::SmallVec;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;
use wgpu::{
    Buffer, CommandEncoder, CommandEncoderDescriptor, ComputePassDescriptor, ErrorFilter,
    ErrorScopeGuard, MapMode, PollType,
};

/// Offsets of uniforms are multiples of this on every device.
const UNIFORM_ALIGNMENT: usize = 256;

/// Tasks under way.
pub(super) struct Batch<'a> {
    gpu: &'a Gpu,
    memory: &'a mut Memory,
    encoder: CommandEncoder,
    /// Buffers that what is recorded and not submitted touches.
    touched: HashSet<BufferId>,
    /// Bytes of the uniforms, put in place when the batch is submitted.
    uniforms: Vec<u8>,
    steps: Vec<Step>,
    runs: u32,
    /// Runs that the device's clock is read for.
    timed: u32,
    start: Instant,
    scopes: [ErrorScopeGuard; 2],
}

enum Step {
    /// Nothing to wait for.
    Done {
        seconds: f64,
    },
    /// Bytes that the driver has, and copies to their place with what is submitted next.
    Upload {
        seconds: f64,
        bytes: u64,
    },
    /// With its place among the timed runs, or else what it is expected to take.
    Run {
        kernel: u128,
        chunk: Chunk,
        timed: Result<u32, Option<f64>>,
    },
    Download(Arc<Storage>, Span, Buffer),
}

impl<'a> Batch<'a> {
    pub(super) fn new(gpu: &'a Gpu, memory: &'a mut Memory) -> Self {
        Self {
            encoder: gpu
                .device
                .create_command_encoder(&CommandEncoderDescriptor { label: None }),
            scopes: [ErrorFilter::Validation, ErrorFilter::OutOfMemory]
                .map(|f| gpu.device.push_error_scope(f)),
            gpu,
            memory,
            touched: HashSet::new(),
            uniforms: Vec::new(),
            steps: Vec::new(),
            runs: 0,
            timed: 0,
            start: Instant::now(),
        }
    }

    /// Whether the task has to wait for the next batch. Others may be waiting for what is downloaded, and hear of it when
    /// the batch ends: no run comes between.
    pub(super) fn is_full(&self, task: &Task) -> bool {
        let Task::Run(run) = task else { return false };
        let is_download = |step: &Step| matches!(step, Step::Download(..));
        if self.steps.iter().any(is_download) {
            return true;
        }
        let needed = self.uniforms.len() + uniform_bytes(run);
        self.runs == MOST_RUNS || (self.runs > 0 && needed as u64 > self.memory.uniforms.size())
    }

    /// Records a task.
    pub(super) fn record(&mut self, task: &Task) -> Result<(), DeviceError> {
        if let Some(lost) = self.gpu.lost() {
            return Err(lost);
        }
        let step = match task {
            Task::Upload(storage, bytes) => self.upload(storage, *bytes)?,
            Task::Download(storage, bytes) => self.download(storage, *bytes)?,
            Task::Fill(storage, word) => self.fill(storage, *word)?,
            Task::Run(run) => self.run(run)?,
            Task::Free(id) => {
                // What is recorded keeps the buffer alive, and whoever is given it next is recorded later.
                self.memory.free(*id);
                Step::Done { seconds: 0.0 }
            }
        };
        self.steps.push(step);
        Ok(())
    }

    fn upload(&mut self, storage: &Storage, bytes: Span) -> Result<Step, DeviceError> {
        let start = Instant::now();
        allocate(storage, "the host")?;
        // SAFETY: the queue lets nobody write what an upload reads until it has ended.
        let source = unsafe { storage.read(bytes) };
        self.write(storage, bytes.start, source)?;
        Ok(Step::Upload {
            seconds: start.elapsed().as_secs_f64(),
            bytes: bytes.len(),
        })
    }

    fn fill(&mut self, storage: &Storage, word: u32) -> Result<Step, DeviceError> {
        let start = Instant::now();
        if word == 0 {
            let all = Span::new(0, storage.bytes());
            let buffer = self.memory.for_writing(self.gpu, storage, all)?;
            self.encoder.clear_buffer(&buffer, 0, None);
            self.touched.insert(storage.id());
        } else {
            let words = vec![word; (storage.bytes() / 4) as usize];
            self.write(storage, 0, bytemuck::cast_slice(&words))?;
        }
        Ok(Step::Done {
            seconds: start.elapsed().as_secs_f64(),
        })
    }

    fn write(&mut self, storage: &Storage, offset: u64, source: &[u8]) -> Result<(), DeviceError> {
        if source.is_empty() {
            return Ok(());
        }
        let bytes = Span::new(offset, offset + source.len() as u64);
        let buffer = self.memory.for_writing(self.gpu, storage, bytes)?;
        // Written bytes arrive before everything that is submitted after.
        self.touched.insert(storage.id());
        self.submit();
        self.gpu.queue.write_buffer(&buffer, offset, source);
        Ok(())
    }

    fn download(&mut self, storage: &Arc<Storage>, bytes: Span) -> Result<Step, DeviceError> {
        allocate(storage, "the host")?;
        if bytes.is_empty() {
            return Ok(Step::Done { seconds: 0.0 });
        }
        let buffer = self.touching(storage, [bytes])?;
        let readback = self.memory.take_readback(self.gpu, bytes.len())?;
        self.encoder
            .copy_buffer_to_buffer(&buffer, bytes.start, &readback, 0, bytes.len());
        self.touched.insert(storage.id());
        Ok(Step::Download(storage.clone(), bytes, readback))
    }

    fn touching(
        &mut self,
        storage: &Storage,
        pieces: impl IntoIterator<Item = Span>,
    ) -> Result<Buffer, DeviceError> {
        self.memory
            .for_touching(self.gpu, storage, pieces, &mut self.encoder)
    }

    fn run(&mut self, run: &Run) -> Result<Step, DeviceError> {
        let refused = |reason: String| DeviceError::Refused {
            device: self.gpu.name.clone(),
            reason,
        };
        let facts = run
            .kernel
            .facts()
            .map_err(|error| refused(error.to_string()))?
            .clone();
        let based = Based::new(&run.chunk, facts.workgroup)
            .ok_or_else(|| refused("the chunk is too large".to_owned()))?;
        let pipeline = self.gpu.pipeline(&facts, based.fold)?;
        let mut buffers = Vec::with_capacity(run.bound.len());
        for (place, bound) in run.bound.iter().enumerate() {
            buffers.push(match bound {
                Bound::Buffer(storage) => {
                    self.touched.insert(storage.id());
                    let pieces = run.touched(&facts, place, &run.chunk);
                    Some((storage.id(), self.touching(storage, pieces)?))
                }
                Bound::Value(_) => None,
            });
        }
        self.memory.grow_uniforms(
            &self.gpu.device,
            (self.uniforms.len() + uniform_bytes(run)) as u64,
        );
        let value_bytes = |source: Source| match source {
            Source::Value(i) => match &run.bound[i] {
                Bound::Value(bytes) => bytes.len() as u64,
                Bound::Buffer(_) => 0,
            },
            _ => size_of::<Base>() as u64,
        };
        let mut groups = Vec::with_capacity(pipeline.groups.len());
        for (place, group) in pipeline.groups.iter().enumerate() {
            let mut offsets = Vec::new();
            for (_, source) in &group.slots {
                match source {
                    Source::Buffer(_) => {}
                    Source::Base => offsets.push(self.put_uniform(bytemuck::bytes_of(&based.base))),
                    Source::Value(i) => {
                        if let Bound::Value(bytes) = &run.bound[*i] {
                            offsets.push(self.put_uniform(bytes));
                        }
                    }
                }
            }
            let device = &self.gpu.device;
            let bind_group = self.memory.bind_group(
                device,
                facts.key,
                based.fold,
                &pipeline,
                place,
                &buffers,
                &value_bytes,
            );
            groups.push((group.index, bind_group, offsets));
        }
        let timed = match &mut self.memory.clock {
            None => Err(None),
            Some(clock) => match clock.estimate(facts.key, &run.chunk) {
                Some(seconds) => Err(Some(seconds)),
                None => {
                    self.timed += 1;
                    Ok(self.timed - 1)
                }
            },
        };
        let clock = self.memory.clock.as_ref();
        let timestamp_writes = clock
            .zip(timed.ok())
            .map(|(clock, place)| clock.writes(place));
        let mut pass = self.encoder.begin_compute_pass(&ComputePassDescriptor {
            label: None,
            timestamp_writes,
        });
        pass.set_pipeline(&pipeline.pipeline);
        for (index, bind_group, offsets) in &groups {
            pass.set_bind_group(*index, bind_group, offsets);
        }
        let [x, y, z] = based.dispatch;
        pass.dispatch_workgroups(x, y, z);
        drop(pass);
        self.runs += 1;
        Ok(Step::Run {
            kernel: facts.key,
            chunk: run.chunk,
            timed,
        })
    }

    /// Puts bytes behind the other uniforms and returns their offset.
    fn put_uniform(&mut self, bytes: &[u8]) -> u32 {
        let offset = self.uniforms.len();
        self.uniforms.extend_from_slice(bytes);
        self.uniforms
            .resize(self.uniforms.len().next_multiple_of(UNIFORM_ALIGNMENT), 0);
        offset as u32
    }

    /// Submits what is recorded.
    fn submit(&mut self) {
        if self.touched.is_empty() {
            return;
        }
        self.touched.clear();
        // Uniforms only grow within a batch, so those of what was submitted before are written again as they are.
        self.memory.write_uniforms(&self.gpu.queue, &self.uniforms);
        let next = self
            .gpu
            .device
            .create_command_encoder(&CommandEncoderDescriptor { label: None });
        let full = std::mem::replace(&mut self.encoder, next);
        self.gpu.queue.submit([full.finish()]);
    }

    /// Submits, waits, and says how long each task took.
    pub(super) fn finish(mut self) -> Result<Vec<Timing>, DeviceError> {
        if self.steps.is_empty() {
            return Ok(Vec::new());
        }
        let runs = self.timed;
        if let Some(clock) = self.memory.clock.as_ref().filter(|_| runs > 0) {
            clock.hand_over(&mut self.encoder, runs);
        }
        self.memory.write_uniforms(&self.gpu.queue, &self.uniforms);
        let submission = self.gpu.queue.submit([self.encoder.finish()]);
        if let Some(clock) = self.memory.clock.as_ref().filter(|_| runs > 0) {
            let all = 0..clock::bytes(runs);
            clock.readback.map_async(MapMode::Read, all, |_| ());
        }
        for step in &self.steps {
            if let Step::Download(_, bytes, readback) = step {
                // Whether it worked is seen when the bytes are asked for.
                readback.map_async(MapMode::Read, 0..bytes.len(), |_| ());
            }
        }
        let polled = self.gpu.device.poll(PollType::Wait {
            submission_index: Some(submission),
            timeout: None,
        });
        let error = last_error(self.scopes);
        let is_sound = polled.is_ok() && error.is_none();
        if let Some(clock) = self.memory.clock.as_ref().filter(|_| runs > 0 && !is_sound) {
            clock.readback.unmap();
        }
        if let Some(lost) = self.gpu.lost() {
            return Err(lost);
        }
        if let Err(error) = polled {
            return Err(self.gpu.failed(error.to_string()));
        }
        if let Some(error) = error {
            return Err(match error {
                wgpu::Error::OutOfMemory { .. } => DeviceError::OutOfMemory {
                    device: self.gpu.name.clone(),
                    bytes: 0,
                },
                error => self.gpu.failed(error.to_string()),
            });
        }
        let clocked = match self.memory.clock.as_ref().filter(|_| runs > 0) {
            Some(clock) => clock.read(runs).map_err(|error| self.gpu.failed(error))?,
            None => Vec::new(),
        };
        let copied: Vec<u64> = self.steps.iter().map(Step::copied).collect();
        let mut estimated: SmallVec<[u128; 4]> = SmallVec::new();
        let mut timings = Vec::with_capacity(self.steps.len());
        for step in self.steps {
            timings.push(match step {
                Step::Done { seconds } | Step::Upload { seconds, .. } => Timing {
                    seconds,
                    ..Timing::default()
                },
                Step::Run {
                    kernel,
                    chunk,
                    timed,
                } => {
                    let seconds = match timed {
                        Ok(place) => clocked[place as usize],
                        Err(Some(estimate)) => {
                            estimated.push(kernel);
                            estimate
                        }
                        Err(None) => self.start.elapsed().as_secs_f64() / f64::from(self.runs),
                    };
                    if let (Some(clock), Ok(_)) = (&mut self.memory.clock, timed) {
                        clock.timed(kernel, chunk, seconds);
                    }
                    Timing {
                        seconds,
                        overhead_seconds: 0.0,
                        is_estimate: matches!(timed, Err(Some(_))),
                    }
                }
                Step::Download(storage, bytes, readback) => {
                    let start = Instant::now();
                    let view = readback.get_mapped_range(0..bytes.len());
                    let view = view.map_err(|error| self.gpu.failed(error.to_string()))?;
                    // SAFETY: the queue lets nobody touch what a download writes until it has ended.
                    unsafe { storage.write(bytes) }.copy_from_slice(&view);
                    drop(view);
                    readback.unmap();
                    self.memory.put_readback(readback);
                    Timing {
                        seconds: start.elapsed().as_secs_f64(),
                        ..Timing::default()
                    }
                }
            });
        }
        let busy: f64 = timings.iter().map(|timing| timing.seconds).sum();
        let around = (self.start.elapsed().as_secs_f64() - busy).max(0.0);
        if let Some(clock) = &mut self.memory.clock
            && self.memory.around.is_late(around, busy, &copied)
        {
            estimated.iter().for_each(|kernel| clock.doubt(*kernel));
        }
        let (around, copying) = self.memory.around.share(around, &copied);
        let runs = f64::from(self.runs.max(1));
        for (timing, bytes) in timings.iter_mut().zip(copied) {
            timing.seconds += copying * bytes as f64;
            // What the batch took besides is the cost of submitting it, borne by its runs.
            timing.overhead_seconds = around / runs;
        }
        Ok(timings)
    }
}

impl Step {
    /// Bytes that are copied while the batch is waited for.
    fn copied(&self) -> u64 {
        match self {
            Step::Upload { bytes, .. } => *bytes,
            Step::Download(_, bytes, _) => bytes.len(),
            Step::Done { .. } | Step::Run { .. } => 0,
        }
    }
}

/// Bytes of a run's uniforms, each at an offset of its own.
fn uniform_bytes(run: &Run) -> usize {
    let values = run.bound.iter().map(|bound| match bound {
        Bound::Value(bytes) => bytes.len().next_multiple_of(UNIFORM_ALIGNMENT),
        Bound::Buffer(_) => 0,
    });
    values.sum::<usize>() + UNIFORM_ALIGNMENT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::gpu::{GpuDevice, find_gpus};
    use crate::kernel::Kernel;
    use crate::range::Range;
    use std::sync::PoisonError;

    fn storage(id: u64) -> Arc<Storage> {
        Arc::new(Storage::new(BufferId(id), 256))
    }

    fn run(buffer: &Arc<Storage>) -> Task {
        let kernel = Kernel::from_wgsl(
            "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
            @compute @workgroup_size(64)
            fn main(@builtin(global_invocation_id) id: vec3<u32>) { x[id.x] += 1u; }",
        );
        Task::Run(Run {
            kernel: kernel.expect("it is valid"),
            chunk: Chunk::whole(Range::from(64), [64, 1, 1]),
            bound: Arc::new([Bound::Buffer(buffer.clone())]),
            accesses: Arc::new([None]),
        })
    }

    /// With no GPU there is nothing to record.
    #[test]
    fn what_others_wait_for_is_handed_over_before_the_next_run() {
        for found in find_gpus() {
            let device = GpuDevice::open(&found).expect("it opens");
            let mut memory = device.memory.lock().unwrap_or_else(PoisonError::into_inner);
            let (one, other) = (storage(1), storage(2));
            let all = Span::new(0, 256);
            let mut batch = Batch::new(&device.gpu, &mut memory);
            for (task, is_last) in [
                (Task::Upload(one.clone(), all), false),
                (run(&one), false),
                (Task::Download(one.clone(), all), true),
                (Task::Upload(other, all), true),
            ] {
                batch.record(&task).expect("it is possible");
                assert_eq!(batch.is_full(&run(&one)), is_last, "{task:?}");
            }
            assert_eq!(batch.finish().expect("it works").len(), 4);
        }
    }
}
