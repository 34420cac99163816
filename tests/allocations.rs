//! Planning a steady dispatch allocates nothing.

#![expect(unsafe_code, reason = "an allocator that counts")]

use divvy::id::{BufferId, DeviceId, OperationId};
use divvy::kernel::Access;
use divvy::plan::{Placed, Plan, Planner, Touch};
use divvy::split::{Decider, Demand, Density, Estimate};
use divvy::system::System;
use divvy::{Span, id::CommandId};
use std::alloc::{GlobalAlloc, Layout, System as Heap};
use std::cell::Cell;

struct Counting;

thread_local! {
    /// Of this thread: what runs the tests allocates too, when it likes.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as the caller promises.
        unsafe { Heap.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { Heap.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static HEAP: Counting = Counting;

#[test]
fn planning_a_steady_stencil_on_two_devices_allocates_nothing() {
    let mut planner = Planner::new(System::new(&[true, false]));
    let (a, b) = (BufferId(1), BufferId(2));
    planner.add(a, 1 << 20);
    planner.add(b, 1 << 20);
    let extent = 1 << 10;
    let estimate = |units_per_second| Estimate {
        units_per_second,
        overhead_seconds: 1e-5,
        bytes_per_second: 1e9,
    };
    let estimates = [estimate(1e6), estimate(3e6)];
    let (mut decider, mut chunks, mut placed, mut plan) =
        (Decider::default(), Vec::new(), Vec::new(), Plan::default());
    let (density, mut whole_missing) = (Density::new(vec![1.0, 1.5, 1.0, 0.5]), Vec::new());
    let mut step = |i: u64| {
        let (old, next) = if i.is_multiple_of(2) { (a, b) } else { (b, a) };
        let reads = Touch {
            buffer: old,
            writes: false,
            access: Some(Access::Neighborhood(1)),
            word: None,
        };
        let writes = Touch {
            buffer: next,
            writes: true,
            access: Some(Access::OneToOne),
            word: None,
        };
        let touches = [reads, writes];
        let mut missing = |device: usize, units: Span| {
            let mut elements = 0;
            let chunk = Placed {
                device: DeviceId(device as u32),
                units,
            };
            planner.count_missing(extent, &touches, chunk, |_, missing| elements += missing);
            elements * 4
        };
        let element_bytes = |_: &Touch| 4;
        planner.missing_whole(extent, &touches, element_bytes, &mut whole_missing);
        let demand = Demand {
            extent,
            grain: 8,
            density: &density,
            whole_missing: &whole_missing,
            recurring: &[],
            standing: &[],
            alone: &[],
            horizon: 10.0,
            worth: 0.04,
            worth_seconds: 0.0,
            dead_band: 0.02,
        };
        decider.decide(&demand, estimates, &mut missing, &mut chunks);
        placed.clear();
        let place = |(i, units): (usize, &Span)| Placed {
            device: DeviceId(i as u32),
            units: *units,
        };
        placed.extend(chunks.iter().enumerate().map(place));
        plan.clear();
        // Every earlier step has ended but the last, two commands and two copies long.
        let is_unfinished = |command: CommandId| command.0 + 4 >= i * 4;
        let planned = planner.dispatch(
            OperationId(i),
            extent,
            &touches,
            &placed,
            true,
            &is_unfinished,
            &mut plan,
        );
        planned.expect("nothing is lost");
    };
    (0..50).for_each(&mut step);
    let before = ALLOCATIONS.get();
    (50..500).for_each(&mut step);
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert_eq!(plan.commands().len(), 4, "two halos and two runs");
}
