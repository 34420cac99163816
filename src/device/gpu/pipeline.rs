//! Kernels compiled for a GPU.
//!
//! Rewrites a kernel's module so that chunks may begin anywhere, compiles it and remembers what goes into which slot.
//!
//! Invariant: uniforms, and only they, have dynamic offsets, so that a bind group depends on nothing but its buffers.

use super::last_error;
use crate::device::said;
use crate::kernel::rebase::{Fold, rebase};
use crate::kernel::{Binding, BindingKind, Facts};
use crate::stack::deep;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use wgpu::{
    Backend, BindGroupLayout, BindGroupLayoutDescriptor, BindGroupLayoutEntry, BindingType,
    BufferBindingType, ComputePipeline, ComputePipelineDescriptor, Device, ErrorFilter, Limits,
    PipelineCompilationOptions, PipelineLayoutDescriptor, ShaderModuleDescriptor, ShaderSource,
    ShaderStages,
};

/// What goes into one slot of a bind group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The buffer bound to this one of the kernel's bindings.
    Buffer(usize),
    /// The value bound to it.
    Value(usize),
    /// Where the chunk lies in the dispatch.
    Base,
}

/// A compiled kernel.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) pipeline: ComputePipeline,
    pub(super) groups: Vec<Group>,
}

/// One bind group of it.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) index: u32,
    pub(super) layout: BindGroupLayout,
    /// Number and content of each slot, by number.
    pub(super) slots: Vec<(u32, Source)>,
}

/// Compiles a kernel.
///
/// # Errors
///
/// What the driver or the validation says against it, and what they panic with.
pub(super) fn compile(device: &Device, facts: &Facts, fold: Fold) -> Result<Pipeline, String> {
    // What naga can't write as SPIR-V it mostly panics at.
    let compiled = catch_unwind(AssertUnwindSafe(|| deep(|| compiled(device, facts, fold))));
    compiled.unwrap_or_else(|panic| Err(format!("the compiler panicked: {}", said(&*panic))))
}

fn compiled(device: &Device, facts: &Facts, fold: Fold) -> Result<Pipeline, String> {
    check_limits(facts, &device.limits())?;
    // Naga's SPIR-V extends such a number by the sign of what it becomes, not of what it is.
    if device.adapter_info().backend == Backend::Vulkan
        && let Some(place) = facts.widens_across_signs()
    {
        return Err(format!(
            "its compiler widens whole numbers to the other sign wrongly: {place}"
        ));
    }
    let rebased = rebase(facts, fold);
    let mut slots: BTreeMap<u32, Vec<(u32, Source)>> = BTreeMap::new();
    for (i, binding) in facts.bindings.iter().enumerate() {
        let source = match binding.kind {
            BindingKind::Storage(_) => Source::Buffer(i),
            BindingKind::Uniform => Source::Value(i),
        };
        slots
            .entry(binding.group)
            .or_default()
            .push((binding.binding, source));
    }
    slots
        .entry(rebased.group)
        .or_default()
        .push((rebased.binding, Source::Base));

    let scopes = [ErrorFilter::Internal, ErrorFilter::Validation]
        .map(|filter| device.push_error_scope(filter));
    let mut groups = Vec::new();
    for (index, mut slots) in slots {
        slots.sort_by_key(|(binding, _)| *binding);
        let entry = |(binding, source): &(u32, Source)| BindGroupLayoutEntry {
            binding: *binding,
            visibility: ShaderStages::COMPUTE,
            ty: BindingType::Buffer {
                ty: match source {
                    Source::Buffer(i) => BufferBindingType::Storage {
                        read_only: !facts.bindings[*i].writable,
                    },
                    Source::Value(_) | Source::Base => BufferBindingType::Uniform,
                },
                has_dynamic_offset: !matches!(source, Source::Buffer(_)),
                min_binding_size: None,
            },
            count: None,
        };
        let entries: Vec<_> = slots.iter().map(entry).collect();
        let layout = device.create_bind_group_layout(&BindGroupLayoutDescriptor {
            label: Some(&facts.entry),
            entries: &entries,
        });
        groups.push(Group {
            index,
            layout,
            slots,
        });
    }
    let last = groups.last().map_or(0, |group| group.index);
    let layouts: Vec<_> = (0..=last)
        .map(|index| {
            groups
                .iter()
                .find(|group| group.index == index)
                .map(|group| &group.layout)
        })
        .collect();
    let layout = device.create_pipeline_layout(&PipelineLayoutDescriptor {
        label: Some(&facts.entry),
        bind_group_layouts: &layouts,
        immediate_size: 0,
    });
    let module = device.create_shader_module(ShaderModuleDescriptor {
        label: Some(&facts.entry),
        source: ShaderSource::Naga(std::borrow::Cow::Owned(rebased.module)),
    });
    let pipeline = device.create_compute_pipeline(&ComputePipelineDescriptor {
        label: Some(&facts.entry),
        layout: Some(&layout),
        module: &module,
        entry_point: Some(&facts.entry),
        compilation_options: PipelineCompilationOptions::default(),
        cache: None,
    });
    match last_error(scopes) {
        Some(error) => Err(error.to_string()),
        None => Ok(Pipeline { pipeline, groups }),
    }
}

/// Refuses what is too large before a driver is asked, as some of them end the program then.
fn check_limits(facts: &Facts, limits: &Limits) -> Result<(), String> {
    let extents = facts.workgroup.map(u64::from);
    let invocations: u64 = extents.iter().product();
    let most = limits.max_compute_invocations_per_workgroup.into();
    if invocations > most {
        return Err(format!(
            "a workgroup has {invocations} invocations, and it runs at most {most}"
        ));
    }
    let shared = facts.workgroup_bytes();
    let most = limits.max_compute_workgroup_storage_size.into();
    if shared > most {
        return Err(format!(
            "`var<workgroup>` takes {shared} bytes, and it has {most} for a workgroup"
        ));
    }
    let beyond = |binding: &&Binding| binding.group >= limits.max_bind_groups;
    if let Some(Binding { name, group, .. }) = facts.bindings.iter().find(beyond) {
        let last = limits.max_bind_groups.saturating_sub(1);
        return Err(format!(
            "`{name}` is in `@group({group})`, and the last that it has is {last}"
        ));
    }
    Ok(())
}
