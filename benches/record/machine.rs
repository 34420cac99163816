//! The machine that figures are from, as far as it tells.

use divvy::Runtime;
use divvy::device::DeviceKind;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display, Formatter};
use std::process::Command;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name for itself, and the widest vectors that matter here.
    pub cpu: String,
    /// What the process may use of it.
    pub cores: usize,
    pub memory_bytes: Option<u64>,
    pub os: String,
    pub rustc: Option<String>,
    /// Names and drivers.
    pub gpus: Vec<String>,
}

impl Machine {
    /// This one.
    pub fn here() -> Self {
        let read = |file| std::fs::read_to_string(file).unwrap_or_default();
        let cpu =
            after(&read("/proc/cpuinfo"), "model name").unwrap_or(std::env::consts::ARCH.into());
        let kilobytes = after(&read("/proc/meminfo"), "MemTotal");
        let kilobytes = kilobytes.and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
        let os = after(&read("/etc/os-release"), "PRETTY_NAME");
        Self {
            cpu: cpu + vectors(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: kilobytes.map(|kilobytes| kilobytes * 1024),
            os: os.unwrap_or(std::env::consts::OS.into()),
            rustc: rustc(),
            gpus: gpus(),
        }
    }
}

/// What follows a name, a colon or an equals sign, without quotes.
fn after(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let (_, value) = line.split_once([':', '='])?;
    Some(value.trim().trim_matches('"').to_owned())
}

#[cfg(target_arch = "x86_64")]
fn vectors() -> &'static str {
    match std::arch::is_x86_feature_detected!("avx512f") {
        true => " (AVX-512)",
        false => "",
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn vectors() -> &'static str {
    ""
}

fn rustc() -> Option<String> {
    let output = Command::new("rustc").arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.split(' ').nth(1)?.to_owned())
}

fn gpus() -> Vec<String> {
    let runtime = Runtime::builder()
        .devices("all")
        .without_profile_dir()
        .build();
    let Ok(runtime) = runtime else {
        return Vec::new();
    };
    let is_gpu = |kind| matches!(kind, DeviceKind::Gpu | DeviceKind::SoftwareGpu);
    let gpus = runtime.devices().filter(|info| is_gpu(info.kind));
    gpus.map(|info| format!("{}, {}", info.name, info.detail))
        .collect()
}

impl Display for Machine {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        write!(to, "{}, {} cores", self.cpu, self.cores)?;
        if let Some(bytes) = self.memory_bytes {
            write!(to, ", {:.0} GiB", bytes as f64 / (1 << 30) as f64)?;
        }
        write!(to, "; {}", self.os)?;
        self.gpus.iter().try_for_each(|gpu| write!(to, "; {gpu}"))?;
        self.rustc
            .iter()
            .try_for_each(|rustc| write!(to, "; rustc {rustc}"))
    }
}
