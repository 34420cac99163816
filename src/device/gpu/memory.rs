//! A GPU's memory: the buffers of the runtime, and those that bytes pass through.
//!
//! Allocates, reuses and gives up; what is copied when is the batch's affair.
//!
//! Invariant: what a kernel or a copy may touch of a buffer of the runtime is zero until something is put there, and the
//! buffer has exactly the size that `arrayLength` is to see.

use super::around::Around;
use super::clock::Clock;
use super::pipeline::{Pipeline, Source};
use super::uncleared::{self, Refusal};
use super::{DeviceError, Gpu, last_error};
use crate::buffer::Storage;
use crate::id::BufferId;
use crate::interval::IntervalMap;
use crate::kernel::rebase::Fold;
use crate::span::Span;
use smallvec::SmallVec;
use std::collections::HashMap;
use wgpu::{
    BindGroup, BindGroupDescriptor, BindGroupEntry, BindingResource, Buffer, BufferBinding,
    BufferDescriptor, BufferUsages, CommandEncoder, Device, ErrorFilter, Queue,
};

/// Bytes of uniforms of one submission, unless a single run needs more.
const UNIFORM_BYTES: u64 = 256 * 1024;
/// Bytes that are kept for reuse when buffers are given up.
const KEPT_BYTES: u64 = 64 << 20;
/// Bytes of what is cleared at the least.
const WORD: u64 = wgpu::COPY_BUFFER_ALIGNMENT;

const USAGES: BufferUsages = BufferUsages::STORAGE
    .union(BufferUsages::COPY_SRC)
    .union(BufferUsages::COPY_DST);

/// What a GPU has in its memory.
#[derive(Debug)]
pub(super) struct Memory {
    buffers: HashMap<BufferId, Held>,
    /// Words of buffers that are cleared by what is recorded.
    cleared: Vec<(BufferId, Span)>,
    /// Given up and not yet asked for again.
    kept: Vec<Buffer>,
    kept_bytes: u64,
    bind_groups: HashMap<BindKey, BindGroup>,
    pub(super) uniforms: Buffer,
    /// What the front of the uniforms holds.
    written: Vec<u8>,
    pub(super) clock: Option<Clock>,
    pub(super) around: Around,
    readback: Vec<Buffer>,
}

/// The device's memory of a buffer of the runtime.
#[derive(Debug)]
struct Held {
    buffer: Buffer,
    /// For each word, whether something was put there: what the runtime has for it, or zero.
    is_set: IntervalMap<bool>,
}

impl Held {
    /// Takes `words` for set, and calls `each` with those that weren't.
    fn set(&mut self, words: Span, mut each: impl FnMut(Span)) {
        let unset = self
            .is_set
            .overlapping(words)
            .filter(|(_, is_set)| !**is_set);
        let mut is_any = false;
        unset.for_each(|(run, _)| {
            is_any = true;
            each(run);
        });
        if is_any {
            self.is_set.insert(words, true);
        }
    }
}

/// The words that bytes lie in.
fn words(bytes: Span) -> Span {
    Span::new(bytes.start / WORD, bytes.end.div_ceil(WORD))
}

/// What a bind group depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct BindKey {
    kernel: u128,
    fold: Fold,
    group: u32,
    buffers: Vec<BufferId>,
}

fn uniform_buffer(device: &Device, size: u64) -> Buffer {
    let usage = BufferUsages::UNIFORM | BufferUsages::COPY_DST;
    device.create_buffer(&BufferDescriptor {
        label: Some("uniforms"),
        size,
        usage,
        mapped_at_creation: false,
    })
}

impl Memory {
    pub(super) fn new(device: &Device, queue: &Queue) -> Self {
        Self {
            buffers: HashMap::new(),
            cleared: Vec::new(),
            kept: Vec::new(),
            kept_bytes: 0,
            bind_groups: HashMap::new(),
            uniforms: uniform_buffer(device, UNIFORM_BYTES),
            written: Vec::new(),
            clock: Clock::new(device, queue),
            around: Around::default(),
            readback: Vec::new(),
        }
    }

    /// The device's memory of a buffer, of which `pieces`, in bytes, are going to be read, or written in part. What nobody
    /// has put anything into is cleared by what is recorded.
    pub(super) fn for_touching(
        &mut self,
        gpu: &Gpu,
        storage: &Storage,
        pieces: impl IntoIterator<Item = Span>,
        encoder: &mut CommandEncoder,
    ) -> Result<Buffer, DeviceError> {
        let (id, held) = (storage.id(), self.held(gpu, storage)?);
        let (buffer, mut cleared) = (held.buffer.clone(), SmallVec::<[Span; 2]>::new());
        for piece in pieces {
            held.set(words(piece), |unset| cleared.push(unset));
        }
        for unset in cleared {
            let bytes = unset.scaled(WORD);
            encoder.clear_buffer(&buffer, bytes.start, Some(bytes.len()));
            self.cleared.push((id, unset));
        }
        Ok(buffer)
    }

    /// The device's memory of a buffer, of which all of `bytes` is going to be written.
    pub(super) fn for_writing(
        &mut self,
        gpu: &Gpu,
        storage: &Storage,
        bytes: Span,
    ) -> Result<Buffer, DeviceError> {
        let held = self.held(gpu, storage)?;
        held.set(words(bytes), |_| ());
        Ok(held.buffer.clone())
    }

    /// What was recorded has been done, or may not have been: then nothing is cleared by it.
    pub(super) fn ended(&mut self, is_done: bool) {
        for (id, words) in self.cleared.drain(..).filter(|_| !is_done) {
            if let Some(held) = self.buffers.get_mut(&id) {
                held.is_set.insert(words, false);
            }
        }
    }

    /// The device's memory of a buffer; allocated at the first call.
    fn held(&mut self, gpu: &Gpu, storage: &Storage) -> Result<&mut Held, DeviceError> {
        // A buffer of no bytes can't be made; nobody ever binds or copies it.
        let size = storage.bytes().max(WORD);
        if !self.buffers.contains_key(&storage.id()) {
            let buffer = match self.kept.iter().position(|kept| kept.size() == size) {
                Some(place) => {
                    self.kept_bytes -= size;
                    self.kept.swap_remove(place)
                }
                None => self.allocate(gpu, size, USAGES)?,
            };
            let is_set = IntervalMap::new(words(Span::new(0, size)).len(), false);
            self.buffers.insert(storage.id(), Held { buffer, is_set });
        }
        let held = self.buffers.get_mut(&storage.id());
        Ok(held.expect("it was there or is there now"))
    }

    /// A buffer. What it is to hold when it is storage is the caller's affair.
    fn allocate(
        &mut self,
        gpu: &Gpu,
        size: u64,
        usage: BufferUsages,
    ) -> Result<Buffer, DeviceError> {
        let descriptor = BufferDescriptor {
            label: None,
            size,
            usage,
            mapped_at_creation: false,
        };
        let scopes = [ErrorFilter::Validation, ErrorFilter::OutOfMemory]
            .map(|f| gpu.device.push_error_scope(f));
        let made = uncleared::create(&gpu.device, &descriptor)
            .unwrap_or_else(|| Ok(gpu.device.create_buffer(&descriptor)));
        let refusal = match (last_error(scopes), made) {
            (None, Ok(buffer)) => return Ok(buffer),
            (Some(wgpu::Error::OutOfMemory { .. }), _) => Refusal::OutOfMemory,
            (Some(error), _) => Refusal::Other(error.to_string()),
            (None, Err(refusal)) => refusal,
        };
        Err(match refusal {
            Refusal::OutOfMemory => {
                self.kept.clear();
                self.kept_bytes = 0;
                DeviceError::OutOfMemory {
                    device: gpu.name.clone(),
                    bytes: size,
                }
            }
            Refusal::Other(error) => gpu.failed(error),
        })
    }

    /// Gives up the memory of a buffer.
    pub(super) fn free(&mut self, id: BufferId) {
        let Some(Held { buffer, .. }) = self.buffers.remove(&id) else {
            return;
        };
        self.bind_groups.retain(|key, _| !key.buffers.contains(&id));
        if self.kept_bytes + buffer.size() <= KEPT_BYTES {
            self.kept_bytes += buffer.size();
            self.kept.push(buffer);
        }
    }

    /// A buffer that the host can read, of at least `bytes`.
    pub(super) fn take_readback(&mut self, gpu: &Gpu, bytes: u64) -> Result<Buffer, DeviceError> {
        let fitting = self
            .readback
            .iter()
            .enumerate()
            .filter(|(_, kept)| kept.size() >= bytes);
        match fitting
            .min_by_key(|(_, kept)| kept.size())
            .map(|(place, _)| place)
        {
            Some(place) => Ok(self.readback.swap_remove(place)),
            None => self.allocate(
                gpu,
                bytes.next_power_of_two().max(4096),
                BufferUsages::COPY_DST | BufferUsages::MAP_READ,
            ),
        }
    }

    /// Takes a buffer back that the host has read.
    pub(super) fn put_readback(&mut self, buffer: Buffer) {
        let kept: u64 = self.readback.iter().map(Buffer::size).sum();
        if kept + buffer.size() <= KEPT_BYTES * 4 {
            self.readback.push(buffer);
        }
    }

    /// Makes room for so many bytes of uniforms.
    pub(super) fn grow_uniforms(&mut self, device: &Device, bytes: u64) {
        if bytes > self.uniforms.size() {
            self.uniforms = uniform_buffer(device, bytes.next_power_of_two());
            self.written.clear();
            self.bind_groups.clear();
        }
    }

    /// Sets the front of the uniforms, before whatever is submitted next. Nothing is sent that is there already, so a
    /// dispatch that is repeated with the same values sends none.
    pub(super) fn write_uniforms(&mut self, queue: &Queue, bytes: &[u8]) {
        if self.written.get(..bytes.len()) != Some(bytes) {
            queue.write_buffer(&self.uniforms, 0, bytes);
            let kept = self.written.len().max(bytes.len());
            self.written.resize(kept, 0);
            self.written[..bytes.len()].copy_from_slice(bytes);
        }
    }

    /// A bind group of a run, made now or earlier. `ids` and `buffers` are those of the run's bindings.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a fact of its own, and there is one caller"
    )]
    pub(super) fn bind_group(
        &mut self,
        device: &Device,
        kernel: u128,
        fold: Fold,
        pipeline: &Pipeline,
        place: usize,
        buffers: &[Option<(BufferId, Buffer)>],
        value_bytes: &dyn Fn(Source) -> u64,
    ) -> BindGroup {
        let group = &pipeline.groups[place];
        let bound = |source: Source| match source {
            Source::Buffer(i) => buffers[i].as_ref(),
            Source::Value(_) | Source::Base => None,
        };
        let ids = group
            .slots
            .iter()
            .filter_map(|(_, source)| Some(bound(*source)?.0))
            .collect();
        let key = BindKey {
            kernel,
            fold,
            group: group.index,
            buffers: ids,
        };
        if let Some(known) = self.bind_groups.get(&key) {
            return known.clone();
        }
        let entry = |(binding, source): &(u32, Source)| BindGroupEntry {
            binding: *binding,
            resource: match bound(*source) {
                Some((_, buffer)) => buffer.as_entire_binding(),
                None => BindingResource::Buffer(BufferBinding {
                    buffer: &self.uniforms,
                    offset: 0,
                    size: std::num::NonZeroU64::new(value_bytes(*source)),
                }),
            },
        };
        let entries: Vec<_> = group.slots.iter().map(entry).collect();
        let descriptor = BindGroupDescriptor {
            label: None,
            layout: &group.layout,
            entries: &entries,
        };
        let made = device.create_bind_group(&descriptor);
        self.bind_groups.insert(key, made.clone());
        made
    }
}
