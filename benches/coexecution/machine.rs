//! The machines: which devices they have, and runtimes with all of these or one alone.
//!
//! A scripted machine is made anew for each workload, so that its fastest device always takes the same time for the whole.
//! Its first device computes in the host's memory, as a CPU does; the others have links of 2 GB/s.

use super::cores;
use super::model::{Costs, Spec};
use super::workloads::Workload;
use divvy::device::gpu::find_gpus;
use divvy::device::virtual_device::{Pace, Script};
use divvy::device::{
    Device, DeviceError, DeviceInfo, DeviceKind, Home, Task, Timing, VirtualDevice,
};
use divvy::{Kernel, Runtime};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

const BYTES_PER_SECOND: f64 = 2e9;
/// Of a device with a memory of its own, and of one at home in the host's.
const OVERHEAD_SECONDS: [f64; 2] = [20e-6, 10e-6];

/// A machine to split on.
#[derive(Clone)]
pub struct Machine {
    pub name: String,
    parts: Vec<Part>,
    /// Whether its devices are processors that take the time they take, and get into each other's way.
    pub is_real: bool,
}

#[derive(Clone)]
enum Part {
    /// By the name that a runtime knows it by, with so many threads if it is the CPU.
    Found { name: String, threads: usize },
    /// So many times as fast as the slowest, and what has become of that.
    Scripted { speed: f64, multiple: f64 },
}

/// A machine that is set up for a workload.
pub struct Setup {
    pub specs: Option<Vec<Spec>>,
    pub names: Vec<String>,
    parts: Vec<Made>,
    lateness: Arc<Mutex<Lateness>>,
}

enum Made {
    Found { name: String, threads: usize },
    Scripted(String, Script),
}

/// Which of its devices a runtime has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Devices {
    All,
    Alone(usize),
}

/// Seconds that scripted devices were busy, and how many of them the script knows nothing of.
#[derive(Clone, Copy, Debug, Default)]
struct Lateness {
    busy: f64,
    late: f64,
}

/// The machines that can be had here.
pub fn all() -> Vec<Machine> {
    let found = |name: &str, threads| Part::Found {
        name: name.to_owned(),
        threads,
    };
    let mut machines = Vec::new();
    for (i, gpu) in find_gpus().iter().enumerate() {
        let gpu_name = format!("gpu{i}");
        let is_lavapipe = gpu.name().contains("llvmpipe");
        let name = match is_lavapipe {
            true => "cpu+lavapipe".to_owned(),
            false => format!("cpu+{gpu_name}"),
        };
        // Lavapipe has one core, and leaves the others alone.
        let threads = usize::from(gpu.kind() == DeviceKind::SoftwareGpu);
        machines.push(Machine {
            name,
            parts: vec![found("cpu", threads), found(&gpu_name, 0)],
            is_real: true,
        });
    }
    let scripted: [&[f64]; 4] = [&[1.0, 1.0], &[1.0, 4.0], &[1.0, 16.0], &[1.0, 4.0, 16.0]];
    machines.extend(scripted.map(|speeds| {
        let names: Vec<_> = speeds.iter().map(f64::to_string).collect();
        let part = |speed: &f64| Part::Scripted {
            speed: *speed,
            multiple: 1.0,
        };
        Machine {
            name: names.join(":"),
            parts: speeds.iter().map(part).collect(),
            is_real: false,
        }
    }));
    machines
}

impl Machine {
    /// The CPU alone, with all its cores.
    pub fn cores() -> Self {
        let cpu = Part::Found {
            name: "cpu".to_owned(),
            threads: 0,
        };
        Self {
            name: "cpu".to_owned(),
            parts: vec![cpu],
            is_real: true,
        }
    }

    /// How many devices it has.
    pub fn count(&self) -> usize {
        self.parts.len()
    }

    /// The same machine with a scripted device at a multiple of its speed.
    pub fn with_speed(&self, device: usize, multiple: f64) -> Self {
        let mut machine = self.clone();
        if let Part::Scripted { multiple: of, .. } = &mut machine.parts[device] {
            *of = multiple;
        }
        machine
    }

    /// The machine for a workload: the fastest scripted device takes so many seconds for all of an iteration.
    pub fn setup(&self, workload: &Workload, costs: &Costs, seconds: f64) -> Setup {
        let speeds = self.parts.iter().map(|part| match part {
            Part::Scripted { speed, .. } => *speed,
            Part::Found { .. } => 0.0,
        });
        let fastest = speeds.fold(0.0, f64::max);
        let make = |(i, part): (usize, &Part)| match part {
            Part::Found { name, threads } => Made::Found {
                name: name.clone(),
                threads: *threads,
            },
            Part::Scripted { speed, multiple } => {
                let home = if i == 0 { Home::Host } else { Home::Own };
                let script = Script {
                    home,
                    pace: Pace::Kept,
                    items_per_second: costs.whole(workload) / seconds * speed / fastest * multiple,
                    costs: costs.of_kernels(),
                    bytes_per_second: BYTES_PER_SECOND,
                    overhead_seconds: OVERHEAD_SECONDS[usize::from(home == Home::Host)],
                    ..Script::default()
                };
                Made::Scripted(format!("v{i}"), script)
            }
        };
        let parts: Vec<Made> = self.parts.iter().enumerate().map(make).collect();
        let spec = |part: &Made| match part {
            Made::Scripted(_, script) => Some(Spec {
                is_host: script.home == Home::Host,
                items_per_second: script.items_per_second,
                bytes_per_second: script.bytes_per_second,
                overhead_seconds: script.overhead_seconds,
            }),
            Made::Found { .. } => None,
        };
        let specs = parts.iter().map(spec).collect();
        let mut setup = Setup {
            specs,
            names: Vec::new(),
            parts,
            lateness: Arc::default(),
        };
        let runtime = setup.runtime(Devices::All, None);
        setup.names = runtime.devices().map(|info| info.name.clone()).collect();
        setup
    }
}

impl Setup {
    /// Lets a scripted device run at a multiple of its speed from one of its tasks on.
    pub fn change(&mut self, device: usize, task: usize, multiple: f64) {
        if let Made::Scripted(_, script) = &mut self.parts[device] {
            script.changes_at = Some((task, multiple));
        }
    }

    /// How many devices there are.
    pub fn count(&self) -> usize {
        self.parts.len()
    }

    /// A runtime that has never seen anything but what is in the profile.
    pub fn runtime(&self, devices: Devices, profile: Option<&Path>) -> Runtime {
        let mut builder = Runtime::builder();
        builder = match profile {
            Some(folder) => builder.profile_dir(folder),
            None => builder.without_profile_dir(),
        };
        let mut names = Vec::new();
        for (i, part) in self.parts.iter().enumerate() {
            if matches!(devices, Devices::Alone(one) if one != i) {
                continue;
            }
            builder = match part {
                Made::Found { name, threads } => {
                    names.push(name.as_str());
                    if *threads > 0 {
                        builder.threads(*threads)
                    } else {
                        builder
                    }
                }
                Made::Scripted(name, script) => builder.device(Watched {
                    device: VirtualDevice::new(name, script.clone()),
                    lateness: self.lateness.clone(),
                }),
            };
        }
        if !names.is_empty() {
            builder = builder.devices(&names.join(","));
        }
        cores::together();
        let runtime = builder.build().expect("the devices are there");
        if self.shares_cores() {
            cores::apart();
        }
        runtime
    }

    /// Whether the CPU has a thread, and a software GPU the other cores.
    fn shares_cores(&self) -> bool {
        let has_threads = |part: &Made| matches!(part, Made::Found { threads, .. } if *threads > 0);
        self.parts.iter().any(has_threads)
    }

    /// The part of the time that scripted devices were busy which they took longer than by their script.
    pub fn late(&self) -> f64 {
        let lateness = self.lateness.lock().unwrap_or_else(PoisonError::into_inner);
        lateness.late / lateness.busy.max(f64::MIN_POSITIVE)
    }
}

/// A scripted device that says when it goes how well it kept to its script.
#[derive(Debug)]
struct Watched {
    device: VirtualDevice,
    lateness: Arc<Mutex<Lateness>>,
}

impl Device for Watched {
    fn info(&self) -> &DeviceInfo {
        self.device.info()
    }

    fn accepts(&self, kernel: &Kernel) -> Result<(), DeviceError> {
        self.device.accepts(kernel)
    }

    fn execute(&self, tasks: &[Task], done: &mut dyn FnMut(usize, Result<Timing, DeviceError>)) {
        let mut busy = 0.0;
        self.device.execute(tasks, &mut |i, result| {
            if let Ok(timing) = &result {
                busy += timing.seconds + timing.overhead_seconds;
            }
            done(i, result);
        });
        let mut lateness = self.lateness.lock().unwrap_or_else(PoisonError::into_inner);
        lateness.busy += busy;
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut lateness = self.lateness.lock().unwrap_or_else(PoisonError::into_inner);
        lateness.late += self.device.late().as_secs_f64();
    }
}
