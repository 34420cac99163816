//! Memory that isn't cleared before its first use.
//!
//! wgpu clears a buffer as a whole before a kernel sees any of it. A device that gets a part of a range touches a part of
//! its buffers, and a software GPU, or one that shares the host's memory, takes longer to clear all than to compute that
//! part.
//!
//! Invariant: what is made here is made as wgpu itself makes it; who uses it sees to it that nothing is read before it is
//! written.

#![expect(unsafe_code, reason = "wgpu can't check what isn't cleared")]

use wgpu::{Buffer, BufferDescriptor, Device};

/// Why there is no memory.
pub(super) enum Refusal {
    OutOfMemory,
    Other(String),
}

/// A buffer with whatever is in its memory; nothing where only wgpu can make one.
#[cfg(any(windows, target_os = "linux", target_os = "android"))]
pub(super) fn create(
    device: &Device,
    descriptor: &BufferDescriptor<'_>,
) -> Option<Result<Buffer, Refusal>> {
    use wgpu::hal::{self, Device as _, DeviceError, api::Vulkan};
    use wgpu::{BufferUsages, BufferUses, COPY_BUFFER_ALIGNMENT};

    let usages = [
        (BufferUsages::COPY_SRC, BufferUses::COPY_SRC),
        (BufferUsages::COPY_DST, BufferUses::COPY_DST),
        (
            BufferUsages::STORAGE,
            BufferUses::STORAGE_READ_ONLY | BufferUses::STORAGE_READ_WRITE,
        ),
    ];
    let known = usages.iter().map(|(usage, _)| *usage);
    if descriptor.usage != known.collect() || descriptor.size > device.limits().max_buffer_size {
        return None;
    }
    let wanted = hal::BufferDescriptor {
        label: descriptor.label,
        size: descriptor.size.next_multiple_of(COPY_BUFFER_ALIGNMENT),
        usage: usages.iter().map(|(_, uses)| *uses).collect(),
        memory_flags: hal::MemoryFlags::empty(),
    };
    let made = {
        // SAFETY: the device is only asked for a buffer, and goes on living.
        let device = unsafe { device.as_hal::<Vulkan>() }?;
        // SAFETY: the size isn't zero, and no flag asks for what the device may lack.
        unsafe { device.create_buffer(&wanted) }
    };
    Some(match made {
        // SAFETY: it was made by this device, by the same description. It isn't initialised: see above.
        Ok(made) => Ok(unsafe { device.create_buffer_from_hal::<Vulkan>(made, descriptor) }),
        Err(DeviceError::OutOfMemory) => Err(Refusal::OutOfMemory),
        Err(error) => Err(Refusal::Other(error.to_string())),
    })
}

/// Nothing: this system's GPUs aren't driven through Vulkan.
#[cfg(not(any(windows, target_os = "linux", target_os = "android")))]
pub(super) fn create(_: &Device, _: &BufferDescriptor<'_>) -> Option<Result<Buffer, Refusal>> {
    None
}
