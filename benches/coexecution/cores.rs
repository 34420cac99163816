//! A core for each of two devices that compute on the cores of the machine.
//!
//! Both have threads besides that wake each other and sleep; wherever the system puts these, they may wait for milliseconds
//! behind one that computes. Knows threads by the names that the runtime gives them.
//!
//! Invariant: what can't be found out or isn't allowed is left as it is.

#[cfg(target_os = "linux")]
mod linux {
    use rustix::thread::{CpuSet, Pid, gettid, sched_getaffinity, sched_setaffinity};
    use std::fs;
    use std::sync::OnceLock;

    /// What the process was given.
    fn given() -> Option<CpuSet> {
        static GIVEN: OnceLock<Option<CpuSet>> = OnceLock::new();
        *GIVEN.get_or_init(|| sched_getaffinity(None).ok())
    }

    pub(super) fn together() {
        if let Some(given) = given() {
            let _ = sched_setaffinity(None, &given);
        }
    }

    pub(super) fn apart() {
        let Some(mut others) = given().filter(|given| given.count() > 1) else {
            return;
        };
        let first = (0..CpuSet::MAX_CPU).find(|core| others.is_set(*core));
        let first = first.expect("there are two at least");
        let mut own = CpuSet::new();
        own.set(first);
        others.unset(first);
        let caller = gettid();
        for task in fs::read_dir("/proc/self/task")
            .into_iter()
            .flatten()
            .flatten()
        {
            let id = task.file_name().to_str().and_then(|id| id.parse().ok());
            let Some(id) = id.and_then(Pid::from_raw) else {
                continue;
            };
            let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            let is_cpu = name.starts_with("divvy-cpu") || name.trim_end() == "divvy-stream-0";
            let cores = if is_cpu || id == caller {
                &own
            } else {
                &others
            };
            let _ = sched_setaffinity(Some(id), cores);
        }
    }
}

/// Lets the calling thread, and those that it starts, on all cores.
pub fn together() {
    #[cfg(target_os = "linux")]
    linux::together();
}

/// Keeps the calling thread and those of the CPU, the first device, on one core, and all others of this process away from it.
pub fn apart() {
    #[cfg(target_os = "linux")]
    linux::apart();
}
