//! A GPU's memory: the buffers of the runtime, and those that bytes pass through.
//!
//! Allocates, reuses and gives up; what is copied when is the batch's affair.
//!
//! Invariant: a buffer of the runtime starts zeroed, and has exactly the size that `arrayLength` is to see.

use super::clock::Clock;
use super::pipeline::{Pipeline, Source};
use super::{DeviceError, Gpu, last_error};
use crate::buffer::Storage;
use crate::id::BufferId;
use crate::kernel::rebase::Fold;
use std::collections::HashMap;
use wgpu::{
    BindGroup, BindGroupDescriptor, BindGroupEntry, BindingResource, Buffer, BufferBinding,
    BufferDescriptor, BufferUsages, CommandEncoder, Device, ErrorFilter, Queue,
};

/// Bytes of uniforms of one submission, unless a single run needs more.
const UNIFORM_BYTES: u64 = 256 * 1024;
/// Bytes that are kept for reuse when buffers are given up.
const KEPT_BYTES: u64 = 64 << 20;

const USAGES: BufferUsages = BufferUsages::STORAGE
    .union(BufferUsages::COPY_SRC)
    .union(BufferUsages::COPY_DST);

/// What a GPU has in its memory.
#[derive(Debug)]
pub(super) struct Memory {
    buffers: HashMap<BufferId, Buffer>,
    /// Given up and not yet asked for again.
    kept: Vec<Buffer>,
    kept_bytes: u64,
    bind_groups: HashMap<BindKey, BindGroup>,
    pub(super) uniforms: Buffer,
    /// What the front of the uniforms holds.
    written: Vec<u8>,
    pub(super) clock: Option<Clock>,
    readback: Vec<Buffer>,
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
            kept: Vec::new(),
            kept_bytes: 0,
            bind_groups: HashMap::new(),
            uniforms: uniform_buffer(device, UNIFORM_BYTES),
            written: Vec::new(),
            clock: Clock::new(device, queue),
            readback: Vec::new(),
        }
    }

    /// The device's memory of a buffer; allocated, and cleared if it was another's before, at the first call.
    pub(super) fn buffer(
        &mut self,
        gpu: &Gpu,
        storage: &Storage,
        encoder: &mut CommandEncoder,
    ) -> Result<Buffer, DeviceError> {
        if let Some(buffer) = self.buffers.get(&storage.id()) {
            return Ok(buffer.clone());
        }
        // A buffer of no bytes can't be made; nobody ever binds or copies it.
        let size = storage.bytes().max(4);
        let buffer = match self.kept.iter().position(|kept| kept.size() == size) {
            Some(place) => {
                let buffer = self.kept.swap_remove(place);
                self.kept_bytes -= size;
                encoder.clear_buffer(&buffer, 0, None);
                buffer
            }
            None => self.allocate(gpu, size, USAGES)?,
        };
        self.buffers.insert(storage.id(), buffer.clone());
        Ok(buffer)
    }

    fn allocate(
        &mut self,
        gpu: &Gpu,
        size: u64,
        usage: BufferUsages,
    ) -> Result<Buffer, DeviceError> {
        let scopes = [ErrorFilter::Validation, ErrorFilter::OutOfMemory]
            .map(|f| gpu.device.push_error_scope(f));
        let descriptor = BufferDescriptor {
            label: None,
            size,
            usage,
            mapped_at_creation: false,
        };
        let buffer = gpu.device.create_buffer(&descriptor);
        match last_error(scopes) {
            None => Ok(buffer),
            Some(wgpu::Error::OutOfMemory { .. }) => {
                self.kept.clear();
                self.kept_bytes = 0;
                Err(DeviceError::OutOfMemory {
                    device: gpu.name.clone(),
                    bytes: size,
                })
            }
            Some(error) => Err(gpu.failed(error.to_string())),
        }
    }

    /// Gives up the memory of a buffer.
    pub(super) fn free(&mut self, id: BufferId) {
        let Some(buffer) = self.buffers.remove(&id) else {
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
