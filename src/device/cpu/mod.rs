//! The cores of the machine as a device.
//!
//! Cuts a chunk into parts and gives them to a pool of threads of its own; what a part does is the affair of the kernel's
//! hand-written body, or else of its WGSL as lanes.
//!
//! Invariant: every invocation of a chunk is run in exactly one part.

mod body;
mod checked;
mod lanes;

use lanes::Programs;

pub(crate) use checked::CheckedCpu;

pub(crate) use body::{combine, copy, fill, run_native};

use super::{Device, DeviceError, DeviceInfo, DeviceKind, Home, Task, Timing, allocate, in_order};
use crate::kernel::Kernel;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::time::Instant;

/// The CPU: kernels run on a pool of threads, in the host's memory.
#[derive(Debug)]
pub struct CpuDevice {
    info: DeviceInfo,
    pool: ThreadPool,
    programs: Programs,
}

impl CpuDevice {
    /// The CPU with this many threads; zero means `RAYON_NUM_THREADS`, or one for each core.
    ///
    /// # Errors
    ///
    /// If the system doesn't give the threads.
    pub fn new(threads: usize) -> Result<Self, DeviceError> {
        let name = "cpu".to_owned();
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("divvy-cpu-{i}"))
            .build();
        let pool = pool.map_err(|error| DeviceError::Failed {
            device: name.clone(),
            message: error.to_string(),
        })?;
        let info = DeviceInfo {
            name,
            kind: DeviceKind::Cpu,
            detail: format!("{} threads", pool.current_num_threads()),
            home: Home::Host,
            most_binding_bytes: u64::MAX,
        };
        Ok(Self {
            info,
            pool,
            programs: Programs::default(),
        })
    }

    /// How many threads it has.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }
}

/// Why a device that runs native bodies can't run a kernel without one.
pub(crate) fn accepts_native(device: &str, kernel: &Kernel) -> Result<(), DeviceError> {
    if kernel.native_body().is_some() {
        return Ok(());
    }
    let reason =
        "it has no native body; give it one with `.native(closure)`, or run it on a GPU".to_owned();
    Err(DeviceError::Refused {
        device: device.to_owned(),
        reason,
    })
}

impl Device for CpuDevice {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn accepts(&self, kernel: &Kernel) -> Result<(), DeviceError> {
        if kernel.native_body().is_some() {
            return Ok(());
        }
        let program = self.programs.of(kernel, u64::MAX);
        program.map(drop).map_err(|reason| DeviceError::Refused {
            device: self.info.name.clone(),
            reason,
        })
    }

    fn execute(&self, tasks: &[Task], done: &mut dyn FnMut(usize, Result<Timing, DeviceError>)) {
        in_order(tasks, done, |task| {
            let start = Instant::now();
            match task {
                Task::Run(run) => self.pool.install(|| {
                    let name = &self.info.name;
                    if run.kernel.native_body().is_some() {
                        run_native(name, run, run.bound.iter())
                    } else {
                        lanes::run(name, &self.programs, run)
                    }
                })?,
                Task::Fill(storage, word) => {
                    allocate(storage, &self.info.name)?;
                    fill(storage, *word);
                }
                // The host's memory is the CPU's own: there is nothing to copy, and buffers free themselves.
                Task::Upload(..) | Task::Download(..) | Task::Free(_) => {}
            }
            Ok(Timing {
                seconds: start.elapsed().as_secs_f64(),
                ..Timing::default()
            })
        });
    }
}

#[cfg(test)]
mod tests;
