//! GPUs, through wgpu.
//!
//! Opens a device, keeps compiled kernels, and hands tasks to a batch that records, submits and waits for them.
//!
//! Invariant: nothing that a user or a driver does makes wgpu's default handlers panic.

mod adapters;
mod around;
mod batch;
mod clock;
mod memory;
mod pipeline;
mod uncleared;

pub use adapters::{FoundGpu, find_gpus};

use super::{Device, DeviceError, DeviceInfo, Home, Task, Timing};
use crate::kernel::rebase::Fold;
use crate::kernel::{Facts, Kernel};
use crate::prompt::Prompt;
use batch::Batch;
use memory::Memory;
use pipeline::Pipeline;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use wgpu::{DeviceDescriptor, ErrorScopeGuard, ExperimentalFeatures, Features, MemoryHints, Trace};

/// A GPU.
#[derive(Debug)]
pub struct GpuDevice {
    info: DeviceInfo,
    gpu: Gpu,
    memory: Mutex<Memory>,
}

/// What the parts of the device share.
#[derive(Debug)]
struct Gpu {
    name: String,
    device: wgpu::Device,
    queue: wgpu::Queue,
    /// What the driver said when the device was lost.
    lost: Arc<Mutex<Option<String>>>,
    pipelines: Mutex<HashMap<(u128, Fold), Compiled>>,
}

/// A compiled kernel, or why it can't be.
type Compiled = Result<Arc<Pipeline>, String>;

impl GpuDevice {
    /// Opens a GPU.
    ///
    /// # Errors
    ///
    /// If the driver doesn't give it.
    pub fn open(found: &FoundGpu) -> Result<Self, DeviceError> {
        // Drivers start threads that are woken at each submission.
        let _prompt = Prompt::begin();
        let name = found.info.name.clone();
        let wanted = Features::TIMESTAMP_QUERY
            | Features::SHADER_F16
            | Features::SHADER_F64
            | Features::SHADER_INT64
            | Features::SHADER_INT64_ATOMIC_ALL_OPS
            | Features::SHADER_INT64_ATOMIC_MIN_MAX
            | Features::SHADER_I16
            | Features::SHADER_FLOAT32_ATOMIC
            | Features::SUBGROUP
            | Features::SUBGROUP_BARRIER;
        let limits = found.adapter.limits();
        let most_binding_bytes = limits
            .max_storage_buffer_binding_size
            .min(limits.max_buffer_size);
        let opened = pollster::block_on(found.adapter.request_device(&DeviceDescriptor {
            label: Some("divvy"),
            required_features: found.adapter.features() & wanted,
            required_limits: limits,
            experimental_features: ExperimentalFeatures::disabled(),
            memory_hints: MemoryHints::Performance,
            trace: Trace::Off,
        }));
        let (device, queue) = opened.map_err(|error| DeviceError::Failed {
            device: name.clone(),
            message: error.to_string(),
        })?;
        let lost = Arc::new(Mutex::new(None));
        let place = lost.clone();
        device.set_device_lost_callback(move |_, message| {
            place
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert(message);
        });
        // What isn't caught by a scope belongs to no task; the default handler would end the program.
        device.on_uncaptured_error(Arc::new(|error: wgpu::Error| log::error!("{error}")));
        let info = DeviceInfo {
            name: name.clone(),
            kind: found.kind(),
            detail: format!(
                "{} {} {}",
                found.info.driver, found.info.driver_info, found.info.backend
            ),
            home: Home::Own,
            most_binding_bytes,
        };
        let memory = Mutex::new(Memory::new(&device, &queue));
        Ok(Self {
            info,
            gpu: Gpu {
                name,
                device,
                queue,
                lost,
                pipelines: Mutex::default(),
            },
            memory,
        })
    }

    /// Opens a GPU under another name, for a machine with two of the same.
    ///
    /// # Errors
    ///
    /// As [`GpuDevice::open`].
    pub fn open_as(found: &FoundGpu, name: &str) -> Result<Self, DeviceError> {
        let mut opened = Self::open(found)?;
        name.clone_into(&mut opened.info.name);
        name.clone_into(&mut opened.gpu.name);
        Ok(opened)
    }
}

impl Gpu {
    /// The kernel compiled, now or earlier.
    fn pipeline(&self, facts: &Facts, fold: Fold) -> Result<Arc<Pipeline>, DeviceError> {
        let place = (facts.key, fold);
        let known = self
            .pipelines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&place)
            .cloned();
        let compiled = known.unwrap_or_else(|| {
            let compiled = pipeline::compile(&self.device, facts, fold).map(Arc::new);
            let mut pipelines = self
                .pipelines
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            pipelines.entry(place).or_insert(compiled).clone()
        });
        compiled.map_err(|reason| DeviceError::Refused {
            device: self.name.clone(),
            reason,
        })
    }

    /// The error of a loss, if there was one.
    fn lost(&self) -> Option<DeviceError> {
        let message = self
            .lost
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()?;
        Some(DeviceError::Lost {
            device: self.name.clone(),
            message,
        })
    }

    fn failed(&self, message: String) -> DeviceError {
        self.lost().unwrap_or_else(|| DeviceError::Failed {
            device: self.name.clone(),
            message,
        })
    }
}

/// Ends scopes, in the reverse order of their beginning, and returns what the outermost that caught something caught.
fn last_error<const N: usize>(scopes: [ErrorScopeGuard; N]) -> Option<wgpu::Error> {
    let popped = scopes.into_iter().rev();
    let errors = popped.filter_map(|scope| pollster::block_on(scope.pop()));
    errors.last()
}

impl Device for GpuDevice {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn accepts(&self, kernel: &Kernel) -> Result<(), DeviceError> {
        let refused = |reason| DeviceError::Refused {
            device: self.info.name.clone(),
            reason,
        };
        let facts = kernel.facts().map_err(|error| refused(error.to_string()))?;
        self.gpu.pipeline(facts, Fold::Straight).map(|_| ())
    }

    fn execute(&self, tasks: &[Task], done: &mut dyn FnMut(usize, Result<Timing, DeviceError>)) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let mut begun = 0;
        let mut failure = None;
        while begun < tasks.len() && failure.is_none() {
            let mut batch = Batch::new(&self.gpu, &mut memory);
            let first = begun;
            while begun < tasks.len() && !batch.is_full(&tasks[begun]) {
                if let Err(error) = batch.record(&tasks[begun]) {
                    failure = Some(error);
                    break;
                }
                begun += 1;
            }
            let finished = batch.finish();
            memory.ended(finished.as_ref().is_ok_and(|timings| !timings.is_empty()));
            match finished {
                Ok(timings) => timings
                    .into_iter()
                    .zip(first..)
                    .for_each(|(timing, i)| done(i, Ok(timing))),
                Err(error) => {
                    // The first is blamed; none of them can be relied on.
                    (first..begun).for_each(|i| done(i, Err(error.clone())));
                    failure = Some(DeviceError::NotBegun);
                }
            }
        }
        if let Some(error) = failure {
            let mut error = Some(error);
            (begun..tasks.len())
                .for_each(|i| done(i, Err(error.take().unwrap_or(DeviceError::NotBegun))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With no GPU there is nothing to ask.
    #[test]
    fn a_gpu_refuses_the_atomics_that_it_lacks_and_no_others() {
        let kernel = |ty: &str, operation: &str| {
            let kernel = Kernel::from_wgsl(&format!(
                "@group(0) @binding(0) var<storage, read_write> x: array<atomic<{ty}>>;
                @compute @workgroup_size(1) fn main() {{ {operation}; }}"
            ));
            kernel.expect("it is valid")
        };
        for found in find_gpus() {
            let gpu = GpuDevice::open(&found).expect("it opens");
            for (has, kernel) in [
                (true, kernel("u32", "atomicAdd(&x[0], 1u)")),
                (
                    found.has_wide_atomics(),
                    kernel("u64", "atomicAdd(&x[0], 1lu)"),
                ),
                (
                    found.has_float_atomics(),
                    kernel("f32", "atomicAdd(&x[0], 1.0)"),
                ),
            ] {
                match gpu.accepts(&kernel) {
                    Ok(()) => assert!(has, "{}", found.name()),
                    Err(DeviceError::Refused { reason, .. }) => {
                        assert!(!has && reason.contains("SHADER_"), "{reason}");
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        }
    }
}
