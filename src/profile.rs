//! What was measured: how fast each device runs each kernel, and what its copies and submissions cost.
//!
//! Keeps recent samples and answers with medians, in memory and, between processes, in a folder. What is done with the
//! rates is the split's affair.
//!
//! Invariant: nothing that is wrong with the folder ever stops a program: it is said in the log and the profile starts
//! empty.

use crate::split::{Density, Measured};
use etcetera::BaseStrategy;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Samples that a median is taken of: as few as keep out a spike, so that a change is followed soon.
const RECENT: usize = 5;
/// Samples that say something of how far apart they are.
const TELLING: usize = 3;
/// Two samples in a row that agree to this part of themselves and are further than [`DEPARTED`] from the median have left
/// the others behind: those are of another time.
const AGREED: f64 = 0.15;
const DEPARTED: f64 = 0.25;
/// The part of a copy's usual speed that one to memory which wasn't used before has at least: a slower one was disturbed.
const LEAST_FIRST: f64 = 0.125;
/// Changes whenever the file's content or meaning does; files of another version are ignored.
const VERSION: u32 = 2;
/// The file of a profile in its folder.
pub const FILE: &str = "profile.json";
/// The file that is locked while another process may write there.
pub const LOCK: &str = "profile.lock";

/// Where profiles are kept unless a [`Builder`](crate::Builder) says otherwise: `DIVVY_PROFILE_DIR`, or a folder in the
/// user's cache; nothing on a system that has neither.
///
/// ```
/// let folder = divvy::profile::default_folder().expect("this system has caches");
/// println!("{}", folder.join(divvy::profile::FILE).display());
/// ```
#[must_use]
pub fn default_folder() -> Option<PathBuf> {
    named().or_else(cache)
}

/// The folder that `DIVVY_PROFILE_DIR` names, if it does.
pub(crate) fn named() -> Option<PathBuf> {
    path("DIVVY_PROFILE_DIR")
}

/// The path that an environment variable names, if it does. Paths needn't be text.
pub(crate) fn path(variable: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable)?;
    let is_blank = named.to_str().is_some_and(|text| text.trim().is_empty());
    (!is_blank).then(|| PathBuf::from(named))
}

/// The folder in the user's cache, where there is one.
pub(crate) fn cache() -> Option<PathBuf> {
    let strategy = etcetera::choose_base_strategy().ok()?;
    Some(strategy.cache_dir().join("divvy"))
}

/// A kernel at one size. A rate holds for dispatches of about the same size: what one invocation costs may depend on
/// how many there are, as in an n-body step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// The kernel's key: a hash of its source, entry point, constants and workgroup.
    #[serde(with = "hex")]
    pub kernel: u128,
    /// The binary logarithm of the number of invocations, rounded down.
    pub size_class: u32,
}

impl Key {
    /// Of a dispatch of so many invocations.
    #[must_use]
    pub fn new(kernel: u128, invocations: u64) -> Self {
        Self {
            kernel,
            size_class: invocations.max(1).ilog2(),
        }
    }
}

mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{value:032x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<u128, D::Error> {
        u128::from_str_radix(&String::deserialize(deserializer)?, 16).map_err(D::Error::custom)
    }
}

/// The last few samples of something, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Samples {
    recent: Vec<f64>,
    /// How many of them, the last ones, aren't in the folder yet.
    #[serde(skip)]
    unsaved: usize,
}

impl Samples {
    fn add(&mut self, sample: f64) {
        if !(sample.is_finite() && sample >= 0.0) {
            return;
        }
        if self.recent.len() == RECENT {
            self.recent.remove(0);
        }
        self.recent.push(sample);
        self.unsaved = (self.unsaved + 1).min(RECENT);
        if self.has_departed() {
            self.recent.drain(..self.recent.len() - 2);
            self.unsaved = self.unsaved.min(2);
        }
    }

    /// Whether the last two samples leave those before them behind. One alone is a spike, two that agree are a change.
    fn has_departed(&self) -> bool {
        let [before @ .., one, two] = &self.recent[..] else {
            return false;
        };
        let Some(median) = median_of(before) else {
            return false;
        };
        let is_far = |sample: f64| {
            (sample - median).abs() > DEPARTED * sample.max(median)
                && (sample > median) == (*two > median)
        };
        is_agreed(*one, *two) && is_far(*one) && is_far(*two)
    }

    fn spread(&self) -> Option<f64> {
        let least = self.recent.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.recent.iter().copied().fold(0.0, f64::max);
        let median = self.median().filter(|median| *median > 0.0)?;
        (self.recent.len() >= TELLING).then(|| (most - least) / median)
    }

    fn median(&self) -> Option<f64> {
        median_of(&self.recent)
    }

    /// The median of speeds; of two that don't agree the higher, as what disturbs a device makes it slower.
    fn rate(&self) -> Option<f64> {
        match self.recent[..] {
            [one, two] if !is_agreed(one, two) => Some(one.max(two)),
            _ => self.median(),
        }
    }

    /// Puts what isn't saved behind what another process may have saved meanwhile.
    fn behind(&mut self, saved: &Samples) {
        let own = self
            .recent
            .split_off(self.recent.len() - self.unsaved.min(self.recent.len()));
        let mut all: Vec<f64> = saved
            .recent
            .iter()
            .copied()
            .filter(|sample| sample.is_finite())
            .chain(own)
            .collect();
        self.recent = all.split_off(all.len().saturating_sub(RECENT));
    }
}

fn is_agreed(one: f64, two: f64) -> bool {
    (one - two).abs() < AGREED * one.max(two)
}

/// Of at most [`RECENT`] samples.
fn median_of(samples: &[f64]) -> Option<f64> {
    let mut sorted = [0.0; RECENT];
    let sorted = &mut sorted[..samples.len()];
    sorted.copy_from_slice(samples);
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct DeviceSamples {
    overhead_seconds: Samples,
    bytes_per_second: Samples,
    /// The same of copies to memory that the device hadn't used for the buffer before.
    #[serde(default)]
    first_bytes_per_second: Samples,
}

impl DeviceSamples {
    fn all(&mut self) -> [&mut Samples; 3] {
        [
            &mut self.overhead_seconds,
            &mut self.bytes_per_second,
            &mut self.first_bytes_per_second,
        ]
    }
}

/// How fast a device runs a kernel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Speed {
    items_per_second: Samples,
    /// The same while the other devices are idle, where that was seen just after they had worked together.
    #[serde(default)]
    alone: Samples,
}

#[derive(Serialize, Deserialize)]
struct StoredRate {
    #[serde(flatten)]
    key: Key,
    /// The device: its name, driver and number of threads.
    device: String,
    #[serde(flatten)]
    speed: Speed,
}

#[derive(Serialize, Deserialize)]
struct StoredDensity {
    #[serde(flatten)]
    key: Key,
    /// The costs of equal parts of the range, beside a mean of one.
    costs: Vec<f64>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    kernels: Vec<StoredRate>,
    densities: Vec<StoredDensity>,
    devices: Vec<(String, DeviceSamples)>,
}

/// Measured rates and costs.
///
/// ```
/// use divvy::profile::{Key, Profile};
///
/// let mut profile = Profile::default();
/// let key = Key::new(0x5a_c5b7, 1 << 20);
/// for rate in [1.0e9, 1.1e9, 40.0e9] {
///     profile.add_rate(key, "gpu (driver 7)", rate);
/// }
/// // A spike moves no median.
/// assert_eq!(profile.rate(key, "gpu (driver 7)"), Some(1.1e9));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// By device, so that looking one up needs no key to be put together.
    kernels: FxHashMap<Key, FxHashMap<String, Speed>>,
    densities: FxHashMap<Key, Density>,
    devices: FxHashMap<String, DeviceSamples>,
}

impl Profile {
    /// Adds a measured rate, in invocations per second.
    pub fn add_rate(&mut self, key: Key, device: &str, items_per_second: f64) {
        self.speed(key, device)
            .items_per_second
            .add(items_per_second);
    }

    /// Adds a rate that was measured while the other devices were idle, just after all had worked together. Where processors
    /// share a memory, a cache or a power budget it is higher than what a split can go by.
    pub fn add_rate_alone(&mut self, key: Key, device: &str, items_per_second: f64) {
        self.speed(key, device).alone.add(items_per_second);
    }

    fn speed(&mut self, key: Key, device: &str) -> &mut Speed {
        let devices = self.kernels.entry(key).or_default();
        if !devices.contains_key(device) {
            devices.insert(device.to_owned(), Speed::default());
        }
        devices.get_mut(device).expect("it was inserted above")
    }

    /// Adds what a submission cost besides the work, in seconds.
    pub fn add_overhead(&mut self, device: &str, seconds: f64) {
        self.device(device).overhead_seconds.add(seconds);
    }

    /// Adds the speed of a copy to or from a device's memory, in bytes per second.
    pub fn add_bandwidth(&mut self, device: &str, bytes_per_second: f64) {
        self.device(device).bytes_per_second.add(bytes_per_second);
    }

    /// The same of a copy to memory that the device hadn't used for the buffer before. Where pages are given when they are
    /// first touched, that is much slower.
    pub fn add_first_bandwidth(&mut self, device: &str, bytes_per_second: f64) {
        self.device(device)
            .first_bytes_per_second
            .add(bytes_per_second);
    }

    fn device(&mut self, device: &str) -> &mut DeviceSamples {
        if !self.devices.contains_key(device) {
            self.devices
                .insert(device.to_owned(), DeviceSamples::default());
        }
        self.devices.get_mut(device).expect("it was inserted above")
    }

    /// The median rate, in invocations per second, if the kernel was measured on the device at about this size.
    #[must_use]
    pub fn rate(&self, key: Key, device: &str) -> Option<f64> {
        Some(self.sampled_rate(key, device)?.0)
    }

    /// The rate, and how many samples it goes by.
    pub(crate) fn sampled_rate(&self, key: Key, device: &str) -> Option<(f64, usize)> {
        let samples = &self.kernels.get(&key)?.get(device)?.items_per_second;
        Some((samples.rate()?, samples.recent.len()))
    }

    /// The median rate while the other devices are idle, if it was seen beside [`Profile::rate`].
    #[must_use]
    pub fn rate_alone(&self, key: Key, device: &str) -> Option<f64> {
        self.kernels.get(&key)?.get(device)?.alone.median()
    }

    /// All that was measured of kernels: each kernel at each size on each device, in the order of keys and names.
    ///
    /// ```
    /// use divvy::profile::{Key, Profile};
    ///
    /// let mut profile = Profile::default();
    /// profile.add_rate(Key::new(1, 4096), "cpu (2 threads)", 1e9);
    /// let (key, device) = profile.measured().next().expect("it was added");
    /// assert_eq!(profile.rate(key, device), Some(1e9));
    /// ```
    pub fn measured(&self) -> impl Iterator<Item = (Key, &str)> {
        let mut all: Vec<_> = self
            .kernels
            .iter()
            .flat_map(|(key, devices)| devices.keys().map(|device| (*key, device.as_str())))
            .collect();
        all.sort_unstable();
        all.into_iter()
    }

    /// The devices whose submissions or copies were measured, in the order of their names.
    pub fn devices(&self) -> impl Iterator<Item = &str> {
        let mut names: Vec<_> = self.devices.keys().map(String::as_str).collect();
        names.sort_unstable();
        names.into_iter()
    }

    /// How far apart the last rates of a kernel on a device were, as a part of their median; nothing if they are too few to
    /// tell.
    #[must_use]
    pub fn spread(&self, key: Key, device: &str) -> Option<f64> {
        self.kernels
            .get(&key)?
            .get(device)?
            .items_per_second
            .spread()
    }

    /// The devices that a kernel was measured on at about this size, in the order of their names, with their median rates in
    /// invocations per second.
    pub fn rates(&self, key: Key) -> impl Iterator<Item = (&str, f64)> {
        let devices = self.kernels.get(&key).into_iter().flatten();
        let mut rates: Vec<_> = devices
            .filter_map(|(device, speed)| Some((device.as_str(), speed.items_per_second.rate()?)))
            .collect();
        rates.sort_by_key(|(device, _)| *device);
        rates.into_iter()
    }

    /// How the cost of a kernel varies along its range at about this size, if it was seen to.
    #[must_use]
    pub fn density(&self, key: Key) -> &Density {
        const FLAT: &Density = &Density::flat();
        self.densities.get(&key).unwrap_or(FLAT)
    }

    /// Learns how the cost of a kernel varies from what chunks of a range of `extent` units took.
    pub fn learn_density(&mut self, key: Key, measured: &[Measured], extent: u64) {
        match self.densities.get_mut(&key) {
            Some(density) => drop(density.learn(measured, extent)),
            None => {
                let mut density = Density::flat();
                if density.learn(measured, extent) {
                    self.densities.insert(key, density);
                }
            }
        }
    }

    /// The median of what a submission costs besides the work, in seconds.
    #[must_use]
    pub fn overhead(&self, device: &str) -> Option<f64> {
        self.devices.get(device)?.overhead_seconds.median()
    }

    /// The median speed of copies to and from the device's memory, in bytes per second; of two that don't agree the higher.
    #[must_use]
    pub fn bandwidth(&self, device: &str) -> Option<f64> {
        self.devices.get(device)?.bytes_per_second.rate()
    }

    /// The same of copies to memory that the device hasn't used for the buffer before.
    #[must_use]
    pub fn first_bandwidth(&self, device: &str) -> Option<f64> {
        let first = self.devices.get(device)?.first_bytes_per_second.rate();
        let usual = self.bandwidth(device);
        let least = usual.map_or(0.0, |usual| usual * LEAST_FIRST);
        first.map(|first| first.max(least)).or(usual)
    }

    /// What is stored in the folder; empty, with a word in the log, if there is nothing that can be used.
    #[must_use]
    pub fn load(folder: &Path) -> Self {
        match read(&folder.join(FILE)) {
            Ok(Some(profile)) => profile,
            Ok(None) => Self::default(),
            Err(error) => {
                log::warn!("the profile in {} is ignored: {error}", folder.display());
                Self::default()
            }
        }
    }

    /// The file in the folder that is locked while a profile is stored, which is made with the folder if it isn't there.
    ///
    /// # Errors
    ///
    /// If the folder can't be made, or nothing can be written in it.
    pub(crate) fn try_open(folder: &Path) -> io::Result<File> {
        fs::create_dir_all(folder)?;
        File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join(LOCK))
    }

    /// Adds what is new to the folder, next to what other processes have stored there meanwhile.
    ///
    /// The file is replaced in one step, so that nobody ever reads half of one.
    ///
    /// # Errors
    ///
    /// If the folder can't be written.
    pub fn save(&mut self, folder: &Path) -> io::Result<()> {
        let lock = Self::try_open(folder)?;
        lock.lock()?;
        let mut merged = Self::load(folder);
        for (key, devices) in &mut self.kernels {
            let saved = merged.kernels.entry(*key).or_default();
            for (device, own) in devices {
                let before = saved.remove(device).unwrap_or_default();
                own.items_per_second.behind(&before.items_per_second);
                own.alone.behind(&before.alone);
                saved.insert(device.clone(), own.clone());
            }
        }
        // Of two processes that have learned the same, the later is right as well as the earlier.
        for (key, density) in &self.densities {
            merged.densities.insert(*key, density.clone());
        }
        for (name, own) in &mut self.devices {
            let mut saved = merged.devices.remove(name).unwrap_or_default();
            let both = own.all().into_iter().zip(saved.all());
            both.for_each(|(own, saved)| own.behind(saved));
            merged.devices.insert(name.clone(), own.clone());
        }
        let rates = merged.kernels.into_iter().flat_map(|(key, devices)| {
            let stored = move |(device, speed)| StoredRate { key, device, speed };
            devices.into_iter().map(stored)
        });
        let mut kernels: Vec<_> = rates.collect();
        kernels.sort_by(|a, b| (a.key, &a.device).cmp(&(b.key, &b.device)));
        let mut devices: Vec<_> = merged.devices.into_iter().collect();
        devices.sort_by(|a, b| a.0.cmp(&b.0));
        let densities = merged.densities.into_iter();
        let mut densities: Vec<_> = densities
            .map(|(key, density)| StoredDensity {
                key,
                costs: density.costs().to_vec(),
            })
            .collect();
        densities.sort_by_key(|stored| stored.key);
        let text = serde_json::to_vec_pretty(&Stored {
            version: VERSION,
            kernels,
            densities,
            devices,
        })?;
        // The lock makes the name ours alone.
        let draft = folder.join("profile.json.new");
        fs::write(&draft, text)?;
        fs::rename(&draft, folder.join(FILE))?;
        for speed in self.kernels.values_mut().flat_map(FxHashMap::values_mut) {
            speed.items_per_second.unsaved = 0;
            speed.alone.unsaved = 0;
        }
        for device in self.devices.values_mut() {
            for samples in device.all() {
                samples.unsaved = 0;
            }
        }
        Ok(())
    }
}

fn read(file: &Path) -> io::Result<Option<Profile>> {
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let stored: Stored = serde_json::from_slice(&text)?;
    if stored.version != VERSION {
        let message = format!(
            "it has version {}, and this program reads version {VERSION}",
            stored.version
        );
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let trimmed = |mut samples: Samples| {
        samples
            .recent
            .retain(|sample| sample.is_finite() && *sample >= 0.0);
        samples.recent.truncate(RECENT);
        samples
    };
    let mut kernels: FxHashMap<Key, FxHashMap<String, Speed>> = FxHashMap::default();
    for StoredRate { key, device, speed } in stored.kernels {
        let speed = Speed {
            items_per_second: trimmed(speed.items_per_second),
            alone: trimmed(speed.alone),
        };
        kernels.entry(key).or_default().insert(device, speed);
    }
    let densities = stored.densities.into_iter();
    let densities = densities.map(|stored| (stored.key, Density::new(stored.costs)));
    let devices = stored.devices.into_iter().map(|(name, mut device)| {
        for samples in device.all() {
            *samples = trimmed(std::mem::take(samples));
        }
        (name, device)
    });
    Ok(Some(Profile {
        kernels,
        densities: densities.collect(),
        devices: devices.collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Span;

    const CPU: &str = "cpu (2 threads)";

    fn key(size_class: u32) -> Key {
        Key {
            kernel: u128::MAX - 1,
            size_class,
        }
    }

    #[test]
    fn one_spike_does_not_move_the_median() {
        let mut profile = Profile::default();
        for rate in [100.0, 101.0, 5.0, 99.0, 100.0] {
            profile.add_rate(key(20), CPU, rate);
        }
        assert_eq!(profile.rate(key(20), CPU), Some(100.0));
        assert_eq!(profile.rate(key(21), CPU), None);
    }

    #[test]
    fn what_a_device_does_alone_is_kept_apart() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut profile = Profile::default();
        profile.add_rate(key(20), CPU, 100.0);
        assert_eq!(profile.rate_alone(key(20), CPU), None);
        for rate in [120.0, 130.0, 700.0] {
            profile.add_rate_alone(key(20), CPU, rate);
        }
        profile.save(folder.path()).expect("it can be written");
        for profile in [profile, Profile::load(folder.path())] {
            assert_eq!(profile.rate(key(20), CPU), Some(100.0));
            assert_eq!(profile.rate_alone(key(20), CPU), Some(130.0));
        }
    }

    #[test]
    fn a_lasting_change_is_followed() {
        let mut profile = Profile::default();
        for rate in [100.0, 100.0, 100.0, 100.0, 100.0, 50.0, 51.0] {
            profile.add_rate(key(20), CPU, rate);
        }
        assert_eq!(profile.rate(key(20), CPU), Some(50.5));
    }

    #[test]
    fn the_spread_is_known_from_three_samples_on() {
        let mut profile = Profile::default();
        for (rate, spread) in [(100.0, None), (110.0, None), (90.0, Some(0.2))] {
            profile.add_rate(key(20), CPU, rate);
            assert_eq!(profile.spread(key(20), CPU), spread);
        }
    }

    #[test]
    fn a_first_copy_that_was_disturbed_is_not_believed() {
        let mut profile = Profile::default();
        profile.add_first_bandwidth("gpu", 8e6);
        assert_eq!(profile.first_bandwidth("gpu"), Some(8e6));
        profile.add_bandwidth("gpu", 2e9);
        assert_eq!(profile.first_bandwidth("gpu"), Some(0.25e9));
        profile.add_first_bandwidth("gpu", 1e9);
        assert_eq!(profile.first_bandwidth("gpu"), Some(1e9));
    }

    #[test]
    fn what_is_no_number_is_no_sample() {
        let mut profile = Profile::default();
        profile.add_rate(key(20), CPU, f64::INFINITY);
        profile.add_rate(key(20), CPU, f64::NAN);
        assert_eq!(profile.rate(key(20), CPU), None);
    }

    #[test]
    fn what_was_saved_is_loaded() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut profile = Profile::default();
        profile.add_rate(key(20), CPU, 3.5e9);
        profile.add_overhead("gpu", 1e-5);
        profile.add_bandwidth("gpu", 2e9);
        assert_eq!(profile.first_bandwidth("gpu"), Some(2e9));
        profile.add_first_bandwidth("gpu", 1e9);
        let chunk = |start, seconds| Measured {
            device: 0,
            units: Span::new(start, start + 50),
            seconds,
        };
        let measured = [chunk(0, 1.0), chunk(50, 3.0)];
        profile.learn_density(key(20), &measured, 100);
        profile.save(folder.path()).expect("it can be written");
        let loaded = Profile::load(folder.path());
        assert_eq!(loaded.rate(key(20), CPU), Some(3.5e9));
        assert!(!profile.density(key(20)).is_flat());
        let pairs = loaded.density(key(20)).costs().iter();
        let pairs = pairs.zip(profile.density(key(20)).costs());
        assert_eq!(pairs.filter(|(a, b)| (*a - *b).abs() < 1e-9).count(), 64);
        assert_eq!(
            (
                loaded.overhead("gpu"),
                loaded.bandwidth("gpu"),
                loaded.first_bandwidth("gpu")
            ),
            (Some(1e-5), Some(2e9), Some(1e9))
        );
    }

    #[test]
    fn two_processes_lose_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut one, mut two) = (Profile::load(folder.path()), Profile::load(folder.path()));
        one.add_rate(key(1), CPU, 1.0);
        two.add_rate(key(2), CPU, 2.0);
        one.add_rate(key(3), CPU, 10.0);
        two.add_rate(key(3), CPU, 20.0);
        one.save(folder.path()).expect("it can be written");
        two.save(folder.path()).expect("it can be written");
        one.add_rate(key(3), CPU, 30.0);
        one.save(folder.path()).expect("it can be written");
        one.save(folder.path()).expect("saving again adds nothing");
        let all = Profile::load(folder.path());
        assert_eq!(
            (
                all.rate(key(1), CPU),
                all.rate(key(2), CPU),
                all.rate(key(3), CPU)
            ),
            (Some(1.0), Some(2.0), Some(20.0))
        );
        assert_eq!(
            all.kernels[&key(3)][CPU].items_per_second.recent,
            [10.0, 20.0, 30.0]
        );
    }

    #[test]
    fn what_cannot_be_read_is_ignored_and_replaced() {
        for text in [
            "",
            "{",
            "[1]",
            r#"{"version":99,"kernels":[],"densities":[],"devices":[]}"#,
            "\u{0}\u{1}",
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            fs::write(folder.path().join(FILE), text).expect("it can be written");
            let mut profile = Profile::load(folder.path());
            assert_eq!(profile, Profile::default());
            profile.add_rate(key(20), CPU, 1.0);
            profile.save(folder.path()).expect("it can be written");
            assert_eq!(Profile::load(folder.path()).rate(key(20), CPU), Some(1.0));
        }
    }

    #[test]
    fn a_folder_that_cannot_be_is_an_error_and_no_panic() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, "").expect("it can be written");
        assert!(Profile::default().save(&file.join("below")).is_err());
        assert_eq!(Profile::load(&file.join("below")), Profile::default());
    }
}
