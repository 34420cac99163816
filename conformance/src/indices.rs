//! Cases of how a dispatch's indices, range and values arrive.
//!
//! Each invocation has elements of its own; what invocations share is the affair of other cases.

use crate::expecting::{Known, Outcome, expect};
use divvy::Access::OneToOne;
use divvy::{Kernel, Runtime};

/// `y = a x + y` at lengths that divide by nothing. The products and sums are exact in `f32`, so no rounding differs.
pub(crate) fn saxpy(runtime: &Runtime) -> Outcome {
    let saxpy = Kernel::from_wgsl(
        "@group(0) @binding(0) var<uniform> a: f32;
         @group(0) @binding(1) var<storage, read> x: array<f32>;
         @group(0) @binding(2) var<storage, read_write> y: array<f32>;
         @compute @workgroup_size(64)
         fn saxpy(@builtin(global_invocation_id) id: vec3<u32>) {
             if id.x < arrayLength(&y) { y[id.x] = a * x[id.x] + y[id.x]; }
         }",
    )?;
    for n in [1_usize, 2, 63, 64, 65, 997, 4096] {
        let x = runtime.buffer_from(&(0..n).map(|i| i as f32).collect::<Vec<_>>())?;
        let y = runtime.buffer_from(&vec![1.0_f32; n])?;
        for _ in 0..3 {
            let dispatch = runtime.dispatch(&saxpy, n).value("a", 2.0_f32);
            let dispatch = dispatch.bind("x", &x).bind("y", &y);
            // One workgroup is never split.
            match n > 64 {
                true => dispatch
                    .proven(&[("x", OneToOne), ("y", OneToOne)])?
                    .run()?,
                false => dispatch.run()?,
            };
        }
        expect(
            runtime,
            &y,
            &(0..n).map(|i| 6.0 * i as f32 + 1.0).collect::<Vec<_>>(),
        )?;
    }
    Ok(())
}

const IDS: &str = "
    struct Ids {
        @builtin(workgroup_id) group: vec3<u32>,
        @builtin(num_workgroups) groups: vec3<u32>,
    }
    @group(0) @binding(0) var<storage, read_write> seen: array<vec4<u32>>;
    @group(1) @binding(3) var<uniform> extent: vec3<u32>;
    @compute @workgroup_size(WX, WY, WZ)
    fn ids(ids: Ids, @builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>,
           @builtin(local_invocation_index) index: u32) {
        if any(id >= extent) { return; }
        let place = (id.z * extent.y + id.y) * extent.x + id.x;
        let group = (ids.group.z * ids.groups.y + ids.group.y) * ids.groups.x + ids.group.x;
        let again = ids.group * vec3(WX, WY, WZ) + local;
        seen[place] = vec4(place + u32(any(again != id)) * 1000000u, group, index, arrayLength(&seen));
    }";

/// Every builtin is that of the undivided dispatch, in one, two and three dimensions.
pub(crate) fn builtins(runtime: &Runtime) -> Outcome {
    for (extents, workgroup) in [
        ([1000, 1, 1], [64, 1, 1]),
        ([37, 50, 1], [8, 4, 1]),
        ([5, 9, 23], [4, 2, 2]),
    ] {
        let [wx, wy, wz]: [u32; 3] = workgroup;
        let wgsl = IDS
            .replace("WX", &format!("{wx}u"))
            .replace("WY", &format!("{wy}u"))
            .replace("WZ", &format!("{wz}u"));
        let extent: [u32; 3] = extents;
        let total = extent.iter().product::<u32>();
        let groups: [u32; 3] = std::array::from_fn(|d| extent[d].div_ceil(workgroup[d]));
        let at = move |place: u32| {
            let id = [
                place % extent[0],
                place / extent[0] % extent[1],
                place / extent[0] / extent[1],
            ];
            let group: [u32; 3] = std::array::from_fn(|d| id[d] / workgroup[d]);
            let local: [u32; 3] = std::array::from_fn(|d| id[d] % workgroup[d]);
            let group = (group[2] * groups[1] + group[1]) * groups[0] + group[0];
            [
                place,
                group,
                (local[2] * wy + local[1]) * wx + local[0],
                total,
            ]
        };
        let ids = Kernel::from_wgsl(&wgsl)?;
        let seen = runtime.buffer::<[u32; 4]>(total as usize)?;
        let range: divvy::Range = match extent {
            [x, 1, 1] => x.into(),
            [x, y, 1] => [x, y].into(),
            all => all.into(),
        };
        let padded = [extent[0], extent[1], extent[2], 0];
        runtime
            .dispatch(&ids, range)
            .bind("seen", &seen)
            .value("extent", padded)
            .proven(&[("seen", OneToOne)])?
            .run()?;
        expect(runtime, &seen, &(0..total).map(at).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// More workgroups than a dimension of a dispatch may have.
pub(crate) fn many_workgroups(runtime: &Runtime) -> Outcome {
    let count = Kernel::from_wgsl("@group(0) @binding(0) var<storage, read_write> x: array<u32>;
         @compute @workgroup_size(1)
         fn count(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) n: vec3<u32>) {
             x[id.x] += id.x ^ n.x;
         }")?;
    let n = 200_003_u32;
    let x = runtime.buffer::<u32>(n as usize)?;
    runtime
        .dispatch(&count, n)
        .bind("x", &x)
        .proven(&[("x", OneToOne)])?
        .run()?;
    expect(runtime, &x, &(0..n).map(|i| i ^ n).collect::<Vec<_>>())
}

/// A structure of mixed members as a value, an override, an entry point chosen by name.
pub(crate) fn values(runtime: &Runtime) -> Outcome {
    #[repr(C)]
    #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
    struct Scale {
        offset: [u32; 3],
        factor: u32,
        odd: [u32; 2],
        pad: [u32; 2],
    }
    let scale = Kernel::from_wgsl("struct Scale { offset: vec3<u32>, factor: u32, odd: vec2<u32> }
         override SHIFT: u32;
         @group(2) @binding(1) var<uniform> scale: Scale;
         @group(0) @binding(7) var<storage, read_write> x: array<u32>;
         @compute @workgroup_size(32) fn other() {}
         @compute @workgroup_size(32)
         fn apply(@builtin(global_invocation_id) id: vec3<u32>) {
             if id.x >= arrayLength(&x) { return; }
             x[id.x] = (x[id.x] + scale.offset[id.x % 3u]) * scale.factor + scale.odd.y * (id.x & 1u) + (1u << SHIFT);
         }")?;
    let scale = scale.entry("apply")?.constant("SHIFT", 5)?;
    let x = runtime.buffer_from(&(0..500).collect::<Vec<u32>>())?;
    let value = Scale {
        offset: [1, 2, 3],
        factor: 10,
        odd: [0, 7],
        pad: [0; 2],
    };
    runtime
        .dispatch(&scale, 500)
        .value("scale", value)
        .bind("x", &x)
        .proven(&[("x", OneToOne)])?
        .run()?;
    let expected = |i: u32| (i + value.offset[i as usize % 3]) * 10 + 7 * (i & 1) + 32;
    expect(runtime, &x, &(0..500).map(expected).collect::<Vec<_>>())
}
