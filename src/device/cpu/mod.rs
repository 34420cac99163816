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

pub(crate) use body::{combine, copy, fill};
pub(crate) use checked::CheckedCpu;

use super::{
    Device, DeviceError, DeviceInfo, DeviceKind, Home, Limits, Run, Task, Timing, allocate,
    in_order,
};
use crate::kernel::Kernel;
use crate::lanes::{MOST_BOUND_WORDS, MOST_INVOCATIONS, MOST_SHARED_WORDS};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::num::NonZero;
use std::time::Instant;
use std::{env, thread};

/// The largest buffer that the cores can run WGSL with, a little less than 8 GiB.
pub(crate) const MOST_BINDING_BYTES: u64 = 4 * MOST_BOUND_WORDS as u64;

/// The CPU: kernels run on a pool of threads, in the host's memory.
#[derive(Debug)]
pub struct CpuDevice {
    info: DeviceInfo,
    pool: ThreadPool,
    cores: Cores,
}

impl CpuDevice {
    /// The CPU with this many threads; zero means `RAYON_NUM_THREADS`, or one for each core.
    ///
    /// # Errors
    ///
    /// If there would be more threads than four for each core, and more than 1,024; or the system doesn't give them.
    pub fn new(threads: usize) -> Result<Self, DeviceError> {
        let name = "cpu".to_owned();
        let asked = match threads {
            0 => env::var("RAYON_NUM_THREADS").ok(),
            _ => None,
        };
        let asked = asked.map_or(threads, |text| text.parse().unwrap_or(0));
        let most = most_threads();
        if asked > most {
            return Err(DeviceError::TooManyThreads {
                device: name,
                asked,
                most,
            });
        }
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
            most_binding_bytes: MOST_BINDING_BYTES,
        };
        Ok(Self {
            info,
            pool,
            cores: Cores::default(),
        })
    }

    /// What kernels may ask of the CPU at most. Workgroups that share no memory and don't wait may be larger.
    ///
    /// ```
    /// assert_eq!(divvy::device::CpuDevice::limits().most_buffer_bytes, None);
    /// ```
    #[must_use]
    pub fn limits() -> Limits {
        Limits {
            most_buffer_bytes: None,
            most_binding_bytes: None,
            most_buffers: None,
            most_workgroup: [MOST_INVOCATIONS; 3],
            most_invocations: MOST_INVOCATIONS,
            most_workgroup_bytes: u64::from(MOST_SHARED_WORDS) * 4,
        }
    }

    /// How many threads it has.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }
}

/// The most threads there may be. Beyond this each chunk would be cut so small that handing out its parts takes longer than
/// they do, and making the threads takes minutes; far below it, more than one for each core is a fair thing to try.
fn most_threads() -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    cores.saturating_mul(4).max(1024)
}

/// How the cores run kernels: by the hand-written body if there is one, else their WGSL as lanes.
#[derive(Debug, Default)]
pub(crate) struct Cores {
    programs: Programs,
}

impl Cores {
    /// Whether they can run the kernel for the device of this name.
    pub(crate) fn accept(&self, device: &str, kernel: &Kernel) -> Result<(), DeviceError> {
        if kernel.native_body().is_some() {
            return Ok(());
        }
        let accepted = self.programs.accept(kernel);
        accepted.map_err(|reason| DeviceError::Refused {
            device: device.to_owned(),
            reason,
        })
    }

    /// Runs the chunk on the calling thread and those of the pool, if there is one; a body that was written by hand, on the
    /// pool alone, or else on the one that all of the process share.
    pub(crate) fn run(
        &self,
        device: &str,
        pool: Option<&ThreadPool>,
        run: &Run,
    ) -> Result<(), DeviceError> {
        if run.kernel.native_body().is_some() {
            match pool {
                Some(pool) => pool.install(|| body::run_native(device, run)),
                None => body::run_native(device, run),
            }
        } else {
            lanes::run(device, &self.programs, pool, run)
        }
    }
}

impl Device for CpuDevice {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn accepts(&self, kernel: &Kernel) -> Result<(), DeviceError> {
        self.cores.accept(&self.info.name, kernel)
    }

    fn execute(&self, tasks: &[Task], done: &mut dyn FnMut(usize, Result<Timing, DeviceError>)) {
        let name = &self.info.name;
        in_host_memory(name, tasks, done, |run| {
            self.cores.run(name, Some(&self.pool), run)
        });
    }
}

/// Does the tasks of a device whose memory is the host's, one after the other; how it runs kernels is its own affair.
fn in_host_memory(
    device: &str,
    tasks: &[Task],
    done: &mut dyn FnMut(usize, Result<Timing, DeviceError>),
    run_kernel: impl Fn(&Run) -> Result<(), DeviceError>,
) {
    in_order(tasks, done, |task| {
        let start = Instant::now();
        match task {
            Task::Run(run) => run_kernel(run)?,
            Task::Fill(storage, word) => {
                allocate(storage, device)?;
                fill(storage, *word);
            }
            // There is nothing to copy, and buffers free themselves.
            Task::Upload(..) | Task::Download(..) | Task::Free(_) => {}
        }
        Ok(Timing {
            seconds: start.elapsed().as_secs_f64(),
            ..Timing::default()
        })
    });
}

#[cfg(test)]
mod tests;
