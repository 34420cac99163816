//! The devices and memories of a runtime as plain data, for planning.
//!
//! Says who computes where; what a device can do and how fast is known elsewhere.
//!
//! Invariant: memory zero is the host's, every device computes in one memory, and no memory but the host's has two
//! devices.

use crate::id::{DeviceId, MemoryId};

/// Which memory each device computes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    memories: Vec<MemoryId>,
    /// The device of each memory but the host's.
    owners: Vec<DeviceId>,
}

impl System {
    /// A system of devices that compute in the host's memory (`true`) or in one of their own (`false`).
    #[must_use]
    pub fn new(in_host_memory: &[bool]) -> Self {
        let mut owners = Vec::new();
        let memory = |(device, in_host): (usize, &bool)| {
            if *in_host {
                return MemoryId::HOST;
            }
            owners.push(DeviceId(device as u32));
            MemoryId(owners.len() as u32)
        };
        let memories = in_host_memory.iter().enumerate().map(memory).collect();
        Self { memories, owners }
    }

    /// How many devices there are.
    #[must_use]
    pub fn devices(&self) -> usize {
        self.memories.len()
    }

    /// The memory that a device computes in.
    #[must_use]
    pub fn memory(&self, device: DeviceId) -> MemoryId {
        self.memories[device.0 as usize]
    }

    /// The device that a memory belongs to and that copies from and to it; none for the host's.
    #[must_use]
    pub fn owner(&self, memory: MemoryId) -> Option<DeviceId> {
        (memory != MemoryId::HOST).then(|| self.owners[memory.0 as usize - 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_memory_but_the_hosts_has_its_device() {
        let system = System::new(&[false, true, false]);
        assert_eq!(
            [0, 1, 2].map(|i| system.memory(DeviceId(i))),
            [MemoryId(1), MemoryId::HOST, MemoryId(2)]
        );
        assert_eq!(system.owner(MemoryId(2)), Some(DeviceId(2)));
        assert_eq!(system.owner(MemoryId::HOST), None);
    }
}
