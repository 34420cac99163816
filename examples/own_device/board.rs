//! The far side of the device: orders in, bytes out. It stands for hardware, whose driver would be here.

use divvy::buffer::Storage;
use divvy::device::{Bound, CpuDevice, Device, DeviceError, Run, Task};
use divvy::id::BufferId;
use divvy::{Access, Chunk, Kernel, KernelError};
use std::collections::HashMap;
use std::sync::Arc;

pub(crate) const NAME: &str = "accelerator";

/// What the accelerator is told.
pub(crate) enum Order {
    /// A number for a kernel from now on, and its WGSL, entry point and constants.
    Compile(u128, (String, String, Vec<(String, f64)>)),
    /// Bytes to keep, and where in which buffer.
    Write(Buffer, usize, Vec<u8>),
    /// Which bytes to send back.
    Read(Buffer, usize, usize),
    /// A word for all of a buffer.
    Fill(Buffer, u32),
    Run(u128, Chunk, Vec<Argument>, Arc<[Option<Access>]>),
    Free(BufferId),
}

/// An id and a size: the accelerator allocates a buffer when it first hears of it.
pub(crate) type Buffer = (BufferId, u64);

pub(crate) enum Argument {
    Buffer(Buffer),
    Value(Vec<u8>),
}

/// The bytes that an order asks for, or what went wrong.
pub(crate) type Answer = Result<Vec<u8>, DeviceError>;

/// A memory, and something that runs WGSL. Here that is a core of this machine.
pub(crate) struct Board {
    core: CpuDevice,
    kernels: HashMap<u128, Kernel>,
    memory: HashMap<BufferId, Arc<Storage>>,
}

impl Board {
    pub(crate) fn new() -> Result<Self, DeviceError> {
        let (kernels, memory) = (HashMap::new(), HashMap::new());
        let core = CpuDevice::new(1)?;
        Ok(Self {
            core,
            kernels,
            memory,
        })
    }

    pub(crate) fn obey(&mut self, order: Order) -> Answer {
        match order {
            Order::Compile(key, (wgsl, entry, constants)) => {
                let kernel = compiled(&wgsl, &entry, &constants).map_err(refused)?;
                self.core.accepts(&kernel)?;
                self.kernels.insert(key, kernel);
            }
            Order::Write(buffer, first, bytes) => {
                self.bytes(buffer)?[first..][..bytes.len()].copy_from_slice(&bytes);
            }
            Order::Read(buffer, first, len) => {
                return Ok(self.bytes(buffer)?[first..][..len].to_vec());
            }
            Order::Fill(buffer, word) => {
                let words = self.bytes(buffer)?.chunks_exact_mut(4);
                words.for_each(|place| place.copy_from_slice(&word.to_le_bytes()));
            }
            Order::Run(key, chunk, arguments, accesses) => {
                let kernel = self.kernels.get(&key).cloned();
                let kernel = kernel.ok_or_else(|| refused("it was never compiled"))?;
                let bound = arguments.into_iter().map(|argument| match argument {
                    Argument::Buffer(buffer) => Bound::Buffer(self.own(buffer).clone()),
                    Argument::Value(bytes) => Bound::Value(bytes.into()),
                });
                let run = Run {
                    bound: bound.collect(),
                    kernel,
                    chunk,
                    accesses,
                };
                let mut outcome = Err(DeviceError::NotBegun);
                self.core
                    .execute(&[Task::Run(run)], &mut |_, answer| outcome = answer);
                outcome?;
            }
            Order::Free(id) => drop(self.memory.remove(&id)),
        }
        Ok(Vec::new())
    }

    /// The board's own memory of a buffer, which starts zeroed.
    fn own(&mut self, (id, bytes): Buffer) -> &mut Arc<Storage> {
        self.memory
            .entry(id)
            .or_insert_with(|| Arc::new(Storage::new(id, bytes)))
    }

    fn bytes(&mut self, buffer: Buffer) -> Result<&mut [u8], DeviceError> {
        let own = Arc::get_mut(self.own(buffer)).expect("no run is under way");
        let (device, bytes) = (NAME.to_owned(), buffer.1);
        own.bytes_mut()
            .map_err(|_| DeviceError::OutOfMemory { device, bytes })
    }
}

fn compiled(wgsl: &str, entry: &str, constants: &[(String, f64)]) -> Result<Kernel, KernelError> {
    let chosen = Kernel::from_wgsl(wgsl)?.entry(entry);
    let set = |kernel: Kernel, (name, value): &(String, f64)| kernel.constant(name, *value);
    constants.iter().try_fold(chosen?, set)
}

pub(crate) fn refused(reason: impl ToString) -> DeviceError {
    let (device, reason) = (NAME.to_owned(), reason.to_string());
    DeviceError::Refused { device, reason }
}
