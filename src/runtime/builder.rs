//! How a runtime is set up.
//!
//! Finds the devices that were asked for; the builder's word counts before the environment's.
//!
//! Invariant: a device that was asked for by name is there, or the build fails.

use super::{Inner, Runtime};
use crate::device::gpu::{FoundGpu, find_gpus};
use crate::device::{CheckedCpu, CpuDevice, Device, DeviceKind, GpuDevice};
use crate::error::{Error, Result};
use crate::lanes::Level;
use crate::profile::{self, Profile};
use crate::queue::{LONGEST_RUN_SECONDS, Queue, Resolved};
use crate::split::Policy;
use crate::trace::Recorder;
use std::collections::HashMap;
use std::env::{self, VarError};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Sets a [`Runtime`] up; see [`Runtime::builder`].
///
/// ```
/// use divvy::device::VirtualDevice;
/// use divvy::{Policy, Runtime};
///
/// let runtime = Runtime::builder()
///     .device(VirtualDevice::new("mine", Default::default()))
///     .devices("cpu")
///     .threads(2)
///     .split(Policy::Guided)
///     .without_profile_dir()
///     .build()?;
/// let names: Vec<_> = runtime.devices().map(|device| device.name.as_str()).collect();
/// assert_eq!(names, ["mine", "cpu"]);
/// # Ok::<(), divvy::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Builder {
    devices: Option<String>,
    own: Vec<Arc<dyn Device>>,
    threads: usize,
    policy: Option<Policy>,
    profile: Option<Option<PathBuf>>,
    trace: Option<PathBuf>,
    checked: Option<bool>,
    longest_run: Option<Duration>,
}

impl Builder {
    /// Which devices to use, as in `DIVVY_DEVICES`: names set apart by commas.
    ///
    /// `cpu`; `gpu`, every GPU; `gpu0`, one of them; a part of a device's name; `all`, everything there is, GPUs that
    /// are run in software included. Without a choice it is the CPU and every GPU that isn't run in software.
    #[must_use]
    pub fn devices(mut self, names: &str) -> Self {
        self.devices = Some(names.to_owned());
        self
    }

    /// Adds a device that was made elsewhere. With one, the machine's own are used only if [`Builder::devices`] names
    /// them.
    #[must_use]
    pub fn device(mut self, device: impl Device + 'static) -> Self {
        self.own.push(Arc::new(device));
        self
    }

    /// How many threads the CPU has; zero, as at first, means `RAYON_NUM_THREADS` or one for each core. At most 1,024, or four
    /// for each core where that is more.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// How dispatches are split, unless one says otherwise; `DIVVY_SPLIT`.
    #[must_use]
    pub fn split(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Where what was measured is kept between processes; `DIVVY_PROFILE_DIR`. Without a choice it is a folder in the
    /// user's cache.
    #[must_use]
    pub fn profile_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.profile = Some(Some(folder.into()));
        self
    }

    /// Keeps what was measured in memory only.
    #[must_use]
    pub fn without_profile_dir(mut self) -> Self {
        self.profile = Some(None);
        self
    }

    /// Writes a trace for Perfetto or Chrome when the runtime goes; `DIVVY_TRACE`.
    #[must_use]
    pub fn trace(mut self, file: impl Into<PathBuf>) -> Self {
        self.trace = Some(file.into());
        self
    }

    /// How long a run on a GPU may be predicted to take; `DIVVY_LONGEST_RUN`, in seconds. Half a second without a choice.
    ///
    /// Drivers end what takes too long, and the device with it: after two seconds on Windows, sooner on some systems that
    /// draw with the same GPU. What would take longer is run in slices, so far as it can be divided; a kernel that was never
    /// measured begins with a small one. Slices that wait may be done by another device after all.
    #[must_use]
    pub fn longest_run(mut self, longest: Duration) -> Self {
        self.longest_run = Some(longest);
        self
    }

    /// Whether kernels run checked; `DIVVY_CHECKED`, which is `1` or `0`.
    ///
    /// A checked runtime runs every dispatch whole, on the CPU alone and on one thread, and looks at each access. One that
    /// finds faults ends with [`Error::Checked`], which says for each where in the WGSL it is, which invocation did it, and
    /// with which values; see [`Fault`](crate::Fault) for what is found. The dispatch has run to its end all the same: its
    /// buffers hold what it wrote, and the runtime goes on.
    ///
    /// The WGSL is what is checked: native bodies are not called. Devices, threads and split policies that were chosen count
    /// for nothing, so that a program needs no change to be checked, and nothing that is measured is kept.
    ///
    /// ```
    /// use divvy::{Error, Kernel, Runtime};
    ///
    /// let runtime = Runtime::builder().checked(true).build()?;
    /// let shift = Kernel::from_wgsl(
    ///     "@group(0) @binding(0) var<storage, read> x: array<f32>;
    ///      @group(0) @binding(1) var<storage, read_write> y: array<f32>;
    ///      @compute @workgroup_size(64)
    ///      fn shift(@builtin(global_invocation_id) id: vec3<u32>) {
    ///          y[id.x] = x[id.x + 1u];
    ///      }",
    /// )?;
    /// let (x, y) = (runtime.buffer_from(&[1.0_f32; 64])?, runtime.buffer::<f32>(64)?);
    /// let result = runtime.dispatch(&shift, 64).bind("x", &x).bind("y", &y).run();
    ///
    /// let Err(Error::Checked(findings)) = result else { panic!("the last one reads past the end") };
    /// println!("{findings}");
    /// assert_eq!(findings.found[0].place.line, 5);
    /// assert_eq!(findings.found[0].invocation.global, [63, 0, 0]);
    /// # Ok::<(), divvy::Error>(())
    /// ```
    #[must_use]
    pub fn checked(mut self, checked: bool) -> Self {
        self.checked = Some(checked);
        self
    }

    /// Builds the runtime.
    ///
    /// # Errors
    ///
    /// If a device that was asked for isn't there, a setting can't be understood, the system gives no threads, or the trace
    /// or the profile's folder that was asked for can't be written.
    pub fn build(self) -> Result<Runtime> {
        let is_checked = is_checked(self.checked)?;
        let policy = match self.policy {
            _ if is_checked => Policy::default(),
            Some(policy) => policy,
            None => variable("DIVVY_SPLIT")?.map_or(Ok(Policy::default()), |text| {
                text.parse()
                    .map_err(|error: crate::split::UnknownPolicy| Error::Setting {
                        setting: "DIVVY_SPLIT",
                        text,
                        expected: error.to_string(),
                    })
            })?,
        };
        let names = match self.devices {
            None if self.own.is_empty() => variable("DIVVY_DEVICES")?,
            chosen => chosen,
        };
        let mut devices = self.own;
        match names {
            _ if is_checked => devices = vec![Arc::new(CheckedCpu::default())],
            Some(names) => devices.extend(named(&names, self.threads)?),
            None if devices.is_empty() => devices.extend(found(self.threads)?),
            None => {}
        }
        check_simd()?;
        let names: Vec<_> = devices
            .iter()
            .map(|device| device.info().name.as_str())
            .collect();
        Resolved::new(&policy, &names)?;
        // What it takes to check says nothing of what it takes to run.
        let profile = self.profile.filter(|_| !is_checked);
        let profile = profile.or(is_checked.then_some(None));
        let may_be_cached = profile.is_none();
        let profile_folder = profile.unwrap_or_else(profile::named);
        if let Some(folder) = &profile_folder {
            let setting = "`.profile_dir(folder)` or DIVVY_PROFILE_DIR";
            let opened = Profile::try_open(folder);
            opened.map_err(unwritable("profile's folder", folder.clone(), setting))?;
        }
        // Nobody asked for the cache, so that it can't be used is no reason to fail.
        let profile_folder = profile_folder.or_else(|| profile::cache().filter(|_| may_be_cached));
        let profile = profile_folder
            .as_deref()
            .map(Profile::load)
            .unwrap_or_default();
        let trace = self.trace.or_else(|| profile::path("DIVVY_TRACE"));
        let names = devices.iter().map(|device| device.info().name.clone());
        let trace = trace.map(|path| {
            let opened = Recorder::new(path.clone(), names.collect());
            let setting = "`.trace(file)` or DIVVY_TRACE";
            opened.map_err(unwritable("trace", path, setting))
        });
        let trace = trace.transpose()?;
        let longest_run = longest_run(self.longest_run)?;
        let queue = Queue::new(devices, profile, trace, longest_run)?;
        Ok(Runtime {
            inner: Arc::new(Inner {
                queue,
                policy,
                profile_folder,
                is_checked,
                accepted: Mutex::new(HashMap::new()),
            }),
        })
    }
}

/// Whether kernels are to run checked, by the builder or else by the environment.
fn is_checked(chosen: Option<bool>) -> Result<bool> {
    if let Some(chosen) = chosen {
        return Ok(chosen);
    }
    match variable("DIVVY_CHECKED")? {
        None => Ok(false),
        Some(text) => match text.trim() {
            "1" => Ok(true),
            "0" => Ok(false),
            _ => Err(Error::Setting {
                setting: "DIVVY_CHECKED",
                text,
                expected: "1 runs kernels checked, 0 doesn't".to_owned(),
            }),
        },
    }
}

/// How many seconds a run may be predicted to take, by the builder or else by the environment.
fn longest_run(chosen: Option<Duration>) -> Result<f64> {
    let is_sound = |seconds: &f64| *seconds > 0.0;
    let (given, text) = match chosen {
        Some(chosen) => (Some(chosen.as_secs_f64()), format!("{chosen:?}")),
        None => match variable("DIVVY_LONGEST_RUN")? {
            None => return Ok(LONGEST_RUN_SECONDS),
            Some(text) => (text.trim().parse().ok(), text),
        },
    };
    given.filter(is_sound).ok_or_else(|| Error::Setting {
        setting: "longest run",
        text,
        expected: "seconds, more than none, as 0.25".to_owned(),
    })
}

/// What is wrong with a place that was asked for and can't be written.
fn unwritable(
    what: &'static str,
    path: PathBuf,
    setting: &'static str,
) -> impl FnOnce(io::Error) -> Error {
    move |error| Error::Unwritable {
        what,
        path,
        why: error.to_string(),
        setting,
    }
}

/// What an environment variable says, if it says anything.
fn variable(setting: &'static str) -> Result<Option<String>> {
    match env::var(setting) {
        Ok(text) => Ok(Some(text).filter(|text| !text.trim().is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(text)) => Err(Error::Setting {
            setting,
            text: text.to_string_lossy().into_owned(),
            expected: "it is to be text in UTF-8".to_owned(),
        }),
    }
}

/// What is used when nothing is asked for: the CPU, and every GPU that doesn't run on its cores.
fn found(threads: usize) -> Result<Vec<Arc<dyn Device>>> {
    let mut chosen = Chosen::default();
    chosen.cpu(threads)?;
    for (i, gpu) in find_gpus().iter().enumerate() {
        if gpu.kind() != DeviceKind::Gpu {
            let name = gpu.name();
            log::info!(
                "`{name}` is left out, as it runs on the CPU's cores; DIVVY_DEVICES=all uses it too"
            );
            continue;
        }
        // Nobody named it, so that it can't be opened is no reason to fail.
        if let Err(error) = chosen.gpu(i, gpu) {
            log::warn!("`{}` is left out: {error}", gpu.name());
        }
    }
    Ok(chosen.devices)
}

/// What the names stand for, in their order, each device once.
fn named(names: &str, threads: usize) -> Result<Vec<Arc<dyn Device>>> {
    let mut chosen = Chosen::default();
    // Looking for GPUs takes a while, and who wants the CPU alone needs none.
    let gpus = if names.trim() == "cpu" {
        Vec::new()
    } else {
        find_gpus()
    };
    for name in names.split(',').map(|name| name.trim().to_lowercase()) {
        let is_meant = |i: usize, gpu: &FoundGpu| match name.as_str() {
            "all" | "gpu" => true,
            "" => false,
            name => name == format!("gpu{i}") || gpu.name().to_lowercase().contains(name),
        };
        if name == "cpu" || name == "all" {
            chosen.cpu(threads)?;
        }
        let mut is_found = name == "cpu" || name == "all";
        for (i, gpu) in gpus.iter().enumerate().filter(|(i, gpu)| is_meant(*i, gpu)) {
            is_found = true;
            chosen.gpu(i, gpu)?;
        }
        if !is_found {
            let mut found = vec!["cpu".to_owned()];
            found.extend(
                gpus.iter()
                    .enumerate()
                    .map(|(i, gpu)| format!("gpu{i}: {}", gpu.name())),
            );
            return Err(Error::UnknownDevice { name, found });
        }
    }
    Ok(chosen.devices)
}

/// Devices chosen so far.
#[derive(Default)]
struct Chosen {
    devices: Vec<Arc<dyn Device>>,
    has_cpu: bool,
    gpus: Vec<usize>,
}

impl Chosen {
    fn cpu(&mut self, threads: usize) -> Result<()> {
        if !self.has_cpu {
            self.has_cpu = true;
            self.devices.push(Arc::new(CpuDevice::new(threads)?));
        }
        Ok(())
    }

    fn gpu(&mut self, index: usize, gpu: &FoundGpu) -> Result<()> {
        if self.gpus.contains(&index) {
            return Ok(());
        }
        self.gpus.push(index);
        let twins = self
            .devices
            .iter()
            .filter(|device| device.info().name.starts_with(gpu.name()))
            .count();
        let name = if twins == 0 {
            gpu.name().to_owned()
        } else {
            format!("{} #{}", gpu.name(), twins + 1)
        };
        self.devices.push(Arc::new(GpuDevice::open_as(gpu, &name)?));
        Ok(())
    }
}

/// Whether what `DIVVY_SIMD` asks for is known.
fn check_simd() -> Result<()> {
    let Some(text) = variable("DIVVY_SIMD")? else {
        return Ok(());
    };
    if Level::NAMES.iter().any(|(name, _)| *name == text) {
        return Ok(());
    }
    let names: Vec<&str> = Level::NAMES.iter().map(|(name, _)| *name).collect();
    Err(Error::Setting {
        setting: "DIVVY_SIMD",
        text,
        expected: names.join(", "),
    })
}
