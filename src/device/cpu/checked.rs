//! The CPU in checked mode: kernels run as their WGSL says, with every access checked.
//!
//! Runs workgroup after workgroup on the thread that calls, so that what is found is the same each time. Which checks
//! there are is the affair of `lanes`.
//!
//! Invariant: a kernel runs to its end, whatever is found.

use super::in_host_memory;
use super::lanes::{Blocks, banks, values};
use crate::device::{Device, DeviceError, DeviceInfo, DeviceKind, Home, Run, Task, Timing};
use crate::kernel::Kernel;
use crate::lanes::{Machine, Program, Watch};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The CPU as a checked runtime has it: runs the WGSL of kernels, never a native body, on one thread, with every access
/// checked.
#[derive(Debug)]
pub(crate) struct CheckedCpu {
    info: DeviceInfo,
    programs: Mutex<HashMap<u128, Arc<Program>>>,
}

impl Default for CheckedCpu {
    fn default() -> Self {
        let info = DeviceInfo {
            name: "cpu".to_owned(),
            kind: DeviceKind::Cpu,
            detail: "checked".to_owned(),
            home: Home::Host,
            most_binding_bytes: u64::MAX,
        };
        Self {
            info,
            programs: Mutex::default(),
        }
    }
}

impl CheckedCpu {
    fn program(&self, kernel: &Kernel) -> Result<Arc<Program>, DeviceError> {
        let name = &self.info.name;
        let facts = kernel
            .facts()
            .map_err(|error| refused(name, error.to_string()))?;
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = programs.get(&facts.key) {
            return Ok(program.clone());
        }
        let program = Program::checked(facts)
            .map_err(|error| refused(name, error.in_checked_source(kernel.source())))?;
        let program = Arc::new(program);
        programs.insert(facts.key, program.clone());
        Ok(program)
    }

    fn run(&self, run: &Run) -> Result<(), DeviceError> {
        let name = &self.info.name;
        let program = self.program(&run.kernel)?;
        let facts = run
            .kernel
            .facts()
            .map_err(|error| refused(name, error.to_string()))?;
        let values = values(run);
        let banks = banks(name, run, &values)?;
        let blocks = Blocks::new(&program, &run.chunk);
        let mut watch = Watch::new(&program, facts, run.kernel.source(), run.chunk, &banks);
        let mut machine = Machine::new(&program, &banks, blocks.workgroups);
        for block in (0..blocks.count()).map(|block| blocks.at(block)) {
            if let Some(watch) = &mut watch {
                watch.enter(&block);
            }
            machine.run_watched(&block, watch.as_mut());
        }
        match watch.and_then(Watch::findings) {
            Some(findings) => Err(DeviceError::Checked(Arc::new(findings))),
            None => Ok(()),
        }
    }
}

fn refused(device: &str, reason: String) -> DeviceError {
    DeviceError::Refused {
        device: device.to_owned(),
        reason,
    }
}

impl Device for CheckedCpu {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn accepts(&self, kernel: &Kernel) -> Result<(), DeviceError> {
        self.program(kernel).map(drop)
    }

    fn execute(&self, tasks: &[Task], done: &mut dyn FnMut(usize, Result<Timing, DeviceError>)) {
        in_host_memory(&self.info.name, tasks, done, |run| self.run(run));
    }
}
