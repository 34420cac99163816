//! What became of a dispatch: who did what, how fast, and why a device did nothing.
//!
//! Numbers and their printing; they are gathered while the commands end.
//!
//! Invariant: the shares add up to the whole range.

use std::fmt;
use std::sync::Arc;

/// What one device did for a dispatch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeviceReport {
    /// The device's name.
    pub device: Arc<str>,
    /// How many chunks it ran.
    pub chunks: usize,
    /// Invocations of the range that it ran.
    pub invocations: u64,
    /// Its part of the range, from 0 to 1.
    pub share: f64,
    /// Seconds of its chunks, by its own clock where it has one.
    pub seconds: f64,
    /// Seconds of the chunk that took longest.
    pub longest_seconds: f64,
    /// Bytes copied to its memory.
    pub bytes_to_device: u64,
    /// Bytes copied from its memory.
    pub bytes_from_device: u64,
    /// Seconds of copies to its memory and from it.
    pub copy_seconds: f64,
    /// Why it was given nothing, where there is more to say than that it would have been too slow.
    pub left_out: Option<String>,
}

impl DeviceReport {
    /// Invocations per second, or zero if it ran none.
    #[must_use]
    pub fn invocations_per_second(&self) -> f64 {
        if self.seconds > 0.0 {
            self.invocations as f64 / self.seconds
        } else {
            0.0
        }
    }
}

/// How a dispatch compares with the devices alone; see [`Report::comparison`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Seconds that the best device alone would take, as predicted from the profile, over those it took; where it overlaps
    /// the dispatch before it, over what it took longer than that one.
    pub speedup: f64,
    /// The sum of the devices' rates over the largest of them: the most that any split could win.
    pub s_max: f64,
}

impl Comparison {
    /// Co-execution efficiency: speedup over `s_max`.
    #[must_use]
    pub fn efficiency(&self) -> f64 {
        self.speedup / self.s_max
    }
}

/// What became of a dispatch.
///
/// ```
/// use divvy::{Kernel, Runtime};
///
/// let runtime = Runtime::builder().devices("cpu").build()?;
/// # let count = Kernel::from_wgsl(
/// #     "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
/// #      @compute @workgroup_size(64)
/// #      fn count(@builtin(global_invocation_id) id: vec3<u32>) {
/// #          if id.x < arrayLength(&x) { x[id.x] += id.x; }
/// #      }",
/// # )?;
/// let x = runtime.buffer::<u32>(1000)?;
/// let report = runtime.dispatch(&count, 1000).bind("x", &x).run()?;
/// println!("{report}"); // for people: a line for each device
/// assert_eq!((report.entry.as_str(), report.range.as_str()), ("count", "1000"));
/// let cpu = &report.devices[0];
/// assert_eq!((&*cpu.device, cpu.share, cpu.invocations), ("cpu", 1.0, 1000));
/// assert_eq!(report.bytes_moved(), 0); // the CPU computes in the host's memory
/// # Ok::<(), divvy::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The kernel's entry point.
    pub entry: String,
    /// The range, as text.
    pub range: String,
    /// Seconds from the start of its first command to the end of its last. What a device does before, for dispatches that
    /// were submitted earlier, isn't counted.
    pub seconds: f64,
    /// What each device did, in the order of the runtime's devices.
    pub devices: Vec<DeviceReport>,
    /// Comparison with the devices alone, once every device's rate is known.
    pub comparison: Option<Comparison>,
    /// What a user may want to know: why the dispatch wasn't split, that a device was lost.
    pub notes: Vec<String>,
}

impl Report {
    /// Bytes copied between memories, both ways, by all devices.
    #[must_use]
    pub fn bytes_moved(&self) -> u64 {
        self.devices
            .iter()
            .map(|device| device.bytes_to_device + device.bytes_from_device)
            .sum()
    }

    /// How evenly the devices ended: the least over the most seconds that one of those that took part was busy with chunks
    /// and copies.
    #[must_use]
    pub fn balance(&self) -> f64 {
        let busy = || {
            self.devices
                .iter()
                .filter(|device| device.chunks > 0)
                .map(|device| device.seconds + device.copy_seconds)
        };
        let most = busy().fold(0.0, f64::max);
        if most > 0.0 {
            busy().fold(f64::INFINITY, f64::min) / most
        } else {
            1.0
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} over {} in {}",
            self.entry,
            self.range,
            Seconds(self.seconds)
        )?;
        let width = self
            .devices
            .iter()
            .map(|device| device.device.chars().count())
            .max()
            .unwrap_or(0);
        for device in &self.devices {
            write!(
                f,
                "  {:width$}  {:5.1} %",
                device.device,
                device.share * 100.0
            )?;
            if device.chunks > 0 {
                let (time, rate) = (
                    Seconds(device.seconds).to_string(),
                    device.invocations_per_second(),
                );
                write!(f, "  {time:>9}  {:>8} /s", Scaled(rate).to_string())?;
                if device.chunks > 1 {
                    write!(f, "  {} chunks", device.chunks)?;
                }
            }
            if device.bytes_to_device + device.bytes_from_device > 0 {
                let (to, from) = (
                    Scaled(device.bytes_to_device as f64),
                    Scaled(device.bytes_from_device as f64),
                );
                let time = Seconds(device.copy_seconds);
                write!(f, "  {to}B to it, {from}B from it in {time}")?;
            }
            if let Some(reason) = &device.left_out {
                write!(f, "  left out: {reason}")?;
            }
            writeln!(f)?;
        }
        if let Some(comparison) = &self.comparison {
            writeln!(
                f,
                "  speedup {:.2} over the best device alone, of {:.2} possible: efficiency {:.2}",
                comparison.speedup,
                comparison.s_max,
                comparison.efficiency()
            )?;
        }
        for note in &self.notes {
            writeln!(f, "  {note}")?;
        }
        Ok(())
    }
}

/// Prints seconds with a unit that suits them.
struct Seconds(f64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            seconds if seconds >= 1.0 => write!(f, "{seconds:.2} s"),
            seconds if seconds >= 1e-3 => write!(f, "{:.2} ms", seconds * 1e3),
            seconds => write!(f, "{:.1} us", seconds * 1e6),
        }
    }
}

/// Prints a number with a decimal prefix.
struct Scaled(f64);

impl fmt::Display for Scaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (scale, prefix) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")] {
            if self.0 >= scale {
                return write!(f, "{:.2} {prefix}", self.0 / scale);
            }
        }
        write!(f, "{:.0} ", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_copies_is_busy() {
        let device = |seconds, copy_seconds| DeviceReport {
            chunks: 1,
            seconds,
            copy_seconds,
            ..DeviceReport::default()
        };
        let report = Report {
            devices: vec![device(1.0, 0.0), device(0.5, 0.3), DeviceReport::default()],
            ..Report::default()
        };
        assert_eq!(report.balance(), 0.8);
    }

    #[test]
    fn a_report_says_who_did_what_and_why_not() {
        let busy = DeviceReport {
            device: "cpu".into(),
            chunks: 1,
            invocations: 1_000_000,
            share: 1.0,
            seconds: 2e-3,
            ..DeviceReport::default()
        };
        let idle = DeviceReport {
            device: "gpu".into(),
            left_out: Some("it is lost".to_owned()),
            bytes_to_device: 2_000_000,
            copy_seconds: 1e-3,
            ..DeviceReport::default()
        };
        let report = Report {
            entry: "main".to_owned(),
            range: "1000 x 1000".to_owned(),
            seconds: 2e-3,
            devices: vec![busy, idle],
            comparison: Some(Comparison {
                speedup: 1.8,
                s_max: 2.0,
            }),
            notes: vec!["not split".to_owned()],
        };
        let text = report.to_string();
        for part in [
            "100.0 %",
            "2.00 ms",
            "500.00 M /s",
            "left out: it is lost",
            "2.00 MB to it, 0 B from it in 1.00 ms",
            "efficiency 0.90",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }
}
