//! The CPU in checked mode: kernels run as their WGSL says, with every access checked.
//!
//! Runs workgroup after workgroup on the thread that calls, so that what is found is the same each time. Which checks
//! there are is the affair of `lanes`.
//!
//! Invariant: a kernel runs to its end, whatever is found.

use super::body::surviving;
use super::lanes::{Blocks, Form, Programs, banks, values};
use super::{MOST_BINDING_BYTES, in_host_memory};
use crate::device::{Device, DeviceError, DeviceInfo, DeviceKind, Home, Run, Task, Timing};
use crate::kernel::Kernel;
use crate::lanes::{Machine, Watch};
use std::sync::Arc;

/// The CPU as a checked runtime has it: runs the WGSL of kernels, never a native body, on one thread, with every access
/// checked.
#[derive(Debug)]
pub(crate) struct CheckedCpu {
    info: DeviceInfo,
    programs: Programs,
}

impl Default for CheckedCpu {
    fn default() -> Self {
        let info = DeviceInfo {
            name: "cpu".to_owned(),
            kind: DeviceKind::Cpu,
            detail: "checked".to_owned(),
            home: Home::Host,
            most_binding_bytes: MOST_BINDING_BYTES,
        };
        Self {
            info,
            programs: Programs::default(),
        }
    }
}

impl CheckedCpu {
    fn run(&self, run: &Run) -> Result<(), DeviceError> {
        let name = &self.info.name;
        let refused = |reason| refused(name, reason);
        let (kernel, chunk) = (&run.kernel, run.chunk);
        let facts = kernel.facts();
        let facts = facts.map_err(|error| refused(error.to_string()))?;
        let program = self.programs.of(kernel, Form::Checked).map_err(refused)?;
        let values = values(run);
        let banks = banks(name, run, &values)?;
        let found = surviving(&facts.entry, || {
            let blocks = Blocks::new(&program, &chunk, 1);
            let mut watch = Watch::new(
                &program,
                facts,
                &run.accesses,
                kernel.source(),
                chunk,
                &banks,
            );
            let mut machine = Machine::new(&program, &banks, blocks.workgroups);
            for block in (0..blocks.count()).map(|block| blocks.at(block)) {
                if let Some(watch) = &mut watch {
                    watch.enter(&block);
                }
                machine.run_watched(&block, watch.as_mut());
            }
            watch.and_then(Watch::findings)
        })?;
        match found {
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
        let program = self.programs.of(kernel, Form::Checked);
        program
            .map(drop)
            .map_err(|reason| refused(&self.info.name, reason))
    }

    fn execute(&self, tasks: &[Task], done: &mut dyn FnMut(usize, Result<Timing, DeviceError>)) {
        in_host_memory(&self.info.name, tasks, done, |run| self.run(run));
    }
}
