//! Which GPUs there are.
//!
//! Lists every adapter that can compute, each physical device once; opening one is `GpuDevice`'s affair.
//!
//! Invariant: two entries are never the same physical device seen through two programming interfaces.

use crate::device::{DeviceKind, Limits};
use crate::prompt::Prompt;
use wgpu::{
    Adapter, AdapterInfo, Backend, Backends, DeviceType, DownlevelFlags, Features, Instance,
    InstanceDescriptor,
};

/// A GPU that can be opened.
#[derive(Clone, Debug)]
pub struct FoundGpu {
    pub(super) adapter: Adapter,
    pub(super) info: AdapterInfo,
}

impl FoundGpu {
    /// The name that its driver gives it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// [`DeviceKind::Gpu`], or [`DeviceKind::SoftwareGpu`] if the cores of the machine do its work.
    #[must_use]
    pub fn kind(&self) -> DeviceKind {
        if is_software(&self.info) {
            DeviceKind::SoftwareGpu
        } else {
            DeviceKind::Gpu
        }
    }

    /// What kernels may ask of the GPU at most.
    ///
    /// ```
    /// for gpu in divvy::device::gpu::find_gpus() {
    ///     println!("{}: {} bytes of workgroup memory", gpu.name(), gpu.limits().most_workgroup_bytes);
    /// }
    /// ```
    #[must_use]
    pub fn limits(&self) -> Limits {
        let limits = self.adapter.limits();
        Limits {
            most_buffer_bytes: Some(limits.max_buffer_size),
            most_binding_bytes: Some(
                limits
                    .max_storage_buffer_binding_size
                    .min(limits.max_buffer_size),
            ),
            most_buffers: Some(limits.max_storage_buffers_per_shader_stage),
            most_workgroup: [
                limits.max_compute_workgroup_size_x,
                limits.max_compute_workgroup_size_y,
                limits.max_compute_workgroup_size_z,
            ],
            most_invocations: limits.max_compute_invocations_per_workgroup,
            most_workgroup_bytes: u64::from(limits.max_compute_workgroup_storage_size),
        }
    }

    /// Whether WGSL's rules hold at the edges of integers, such as a division by zero. OpenGL leaves these open, and nothing
    /// is added to kernels there.
    #[must_use]
    pub fn keeps_integer_rules(&self) -> bool {
        self.info.backend != Backend::Gl
    }

    /// Whether kernels may use every atomic operation on numbers of 64 bits. Where they may not, some GPUs still do
    /// `atomicMin` and `atomicMax` in buffers, if nothing is done with what these return.
    #[must_use]
    pub fn has_wide_atomics(&self) -> bool {
        let features = self.adapter.features();
        features.contains(Features::SHADER_INT64 | Features::SHADER_INT64_ATOMIC_ALL_OPS)
    }

    /// Whether kernels may use the atomic operations on `f32` that there are: load, store, exchange, sum and difference.
    #[must_use]
    pub fn has_float_atomics(&self) -> bool {
        let features = self.adapter.features();
        features.contains(Features::SHADER_FLOAT32_ATOMIC)
    }
}

/// Every GPU of the machine, software ones last. Empty where there is none, or no driver.
#[must_use]
pub fn find_gpus() -> Vec<FoundGpu> {
    // Drivers start threads already here.
    let _prompt = Prompt::begin();
    let mut adapters = adapters_of(Backends::PRIMARY);
    if adapters.is_empty() {
        // What OpenGL shows besides others are the same devices again.
        adapters = adapters_of(Backends::SECONDARY);
    }
    let can_compute = |adapter: &Adapter| {
        adapter
            .get_downlevel_capabilities()
            .flags
            .contains(DownlevelFlags::COMPUTE_SHADERS)
    };
    let mut found: Vec<_> = adapters
        .into_iter()
        .filter(can_compute)
        .map(|adapter| FoundGpu {
            info: adapter.get_info(),
            adapter,
        })
        .collect();
    let kept = distinct(&found.iter().map(|gpu| gpu.info.clone()).collect::<Vec<_>>());
    let mut place = 0..;
    found.retain(|_| place.next().is_some_and(|place| kept.contains(&place)));
    found.sort_by_key(|gpu| gpu.kind() == DeviceKind::SoftwareGpu);
    found
}

fn adapters_of(backends: Backends) -> Vec<Adapter> {
    let descriptor = InstanceDescriptor {
        backends,
        ..InstanceDescriptor::new_without_display_handle()
    };
    pollster::block_on(Instance::new(descriptor).enumerate_adapters(backends))
}

fn is_software(info: &AdapterInfo) -> bool {
    let name = info.name.to_lowercase();
    let known = [
        "llvmpipe",
        "lavapipe",
        "swiftshader",
        "warp",
        "basic render",
        "softpipe",
    ];
    info.device_type == DeviceType::Cpu || known.iter().any(|software| name.contains(software))
}

/// The places of the adapters to keep: of one physical device only the one with the best interface.
///
/// Two adapters are one device if they are seen through different interfaces and agree in their bus address or, where one
/// of them doesn't say it, in their name. Two of one interface are always two devices.
fn distinct(infos: &[AdapterInfo]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..infos.len()).collect();
    order.sort_by_key(|i| rank(infos[*i].backend));
    let mut kept: Vec<usize> = Vec::new();
    // An adapter of a lesser interface is paired with one kept device at most, so that of two equal cards seen twice
    // two are left.
    let mut paired: Vec<(usize, Backend)> = Vec::new();
    for i in order {
        let twin = kept.iter().copied().find(|k| {
            infos[*k].backend != infos[i].backend
                && is_same(&infos[*k], &infos[i])
                && !paired.contains(&(*k, infos[i].backend))
        });
        match twin {
            Some(twin) => paired.push((twin, infos[i].backend)),
            None => kept.push(i),
        }
    }
    kept
}

fn rank(backend: Backend) -> u8 {
    match backend {
        Backend::Vulkan | Backend::Metal => 0,
        Backend::Dx12 => 1,
        _ => 2,
    }
}

fn is_same(a: &AdapterInfo, b: &AdapterInfo) -> bool {
    if !a.device_pci_bus_id.is_empty() && !b.device_pci_bus_id.is_empty() {
        return a.device_pci_bus_id == b.device_pci_bus_id;
    }
    // Drivers of different interfaces word a name differently around its core: "NVIDIA H100", "NVIDIA H100/PCIe/SSE2".
    let core = |info: &AdapterInfo| {
        let name = info.name.to_lowercase();
        name.split(['/', '('])
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    core(a) == core(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(name: &str, backend: Backend, bus: &str) -> AdapterInfo {
        let mut info = AdapterInfo::new(DeviceType::DiscreteGpu, backend);
        info.name = name.to_owned();
        info.device_pci_bus_id = bus.to_owned();
        info
    }

    #[test]
    fn one_device_seen_through_two_interfaces_counts_once() {
        let infos = [
            info("llvmpipe (LLVM 15)", Backend::Gl, ""),
            info("llvmpipe (LLVM 15, 256 bits)", Backend::Vulkan, ""),
        ];
        assert_eq!(distinct(&infos), [1]);
        let infos = [
            info("A", Backend::Vulkan, "01:00"),
            info("Radeon A", Backend::Dx12, "01:00"),
        ];
        assert_eq!(distinct(&infos), [0]);
    }

    #[test]
    fn two_equal_cards_are_two_devices_however_they_are_seen() {
        let infos = [
            info("H100", Backend::Vulkan, ""),
            info("H100", Backend::Vulkan, ""),
            info("H100/PCIe", Backend::Gl, ""),
            info("H100/PCIe", Backend::Gl, ""),
        ];
        assert_eq!(distinct(&infos), [0, 1]);
        let infos = [
            info("A", Backend::Vulkan, "01:00"),
            info("A", Backend::Gl, "02:00"),
        ];
        assert_eq!(distinct(&infos), [0, 1]);
    }

    #[test]
    fn software_is_known_by_type_or_name() {
        assert!(is_software(&info(
            "llvmpipe (LLVM 15)",
            Backend::Vulkan,
            ""
        )));
        assert!(is_software(&info(
            "Microsoft Basic Render Driver",
            Backend::Dx12,
            ""
        )));
        assert!(!is_software(&info("NVIDIA H100", Backend::Vulkan, "")));
    }
}
