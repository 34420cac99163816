#![expect(
    clippy::single_range_in_vec_init,
    reason = "a list of copied spans with one entry is what is meant"
)]

use super::*;
use crate::interval::STEPS;
use crate::kernel::Strided;
use proptest::prelude::*;
use std::collections::HashMap;

const HOST: MemoryId = MemoryId::HOST;
const CPU: DeviceId = DeviceId(0);
const GPU: DeviceId = DeviceId(1);
const GPU_MEMORY: MemoryId = MemoryId(1);

/// A machine with its buffers, and questions to its plans.
struct World {
    planner: Planner,
    operations: u64,
    buffers: u64,
}

impl World {
    /// The CPU, and so many GPUs.
    fn new(gpus: usize) -> Self {
        let homes: Vec<bool> = (0..=gpus).map(|device| device == 0).collect();
        Self {
            planner: Planner::new(System::new(&homes)),
            operations: 0,
            buffers: 0,
        }
    }

    fn buffer(&mut self, len: u64) -> BufferId {
        self.buffers += 1;
        self.planner.add(BufferId(self.buffers), len);
        BufferId(self.buffers)
    }

    /// A buffer that the host has written.
    fn filled(&mut self, len: u64) -> BufferId {
        let buffer = self.buffer(len);
        let mut plan = Plan::default();
        self.planner.host_write(
            OperationId(0),
            buffer,
            Span::new(0, len),
            &|_| false,
            &mut plan,
        );
        buffer
    }

    fn dispatch(
        &mut self,
        extent: u64,
        touches: &[Touch],
        chunks: &[(DeviceId, std::ops::Range<u64>)],
    ) -> Plan {
        self.operations += 1;
        let mut plan = Plan::default();
        let placed = |(device, units): &(DeviceId, std::ops::Range<u64>)| Placed {
            device: *device,
            units: units.clone().into(),
        };
        let chunks: Vec<_> = chunks.iter().map(placed).collect();
        let operation = OperationId(self.operations);
        let done = self.planner.dispatch(
            operation,
            extent,
            touches,
            &chunks,
            true,
            &|_| true,
            &mut plan,
        );
        done.expect("nothing is lost");
        plan
    }
}

fn reads(buffer: BufferId, access: Access) -> Touch {
    Touch {
        buffer,
        writes: false,
        access: Some(access),
        word: None,
    }
}

fn writes(buffer: BufferId) -> Touch {
    Touch {
        buffer,
        writes: true,
        access: Some(Access::OneToOne),
        word: None,
    }
}

fn adds(buffer: BufferId) -> Touch {
    let access = Some(Access::Accumulate(Combine::Add));
    Touch {
        buffer,
        writes: true,
        access,
        word: Some(Word::U32),
    }
}

#[test]
fn a_stencil_copies_the_share_once_and_then_only_halos() {
    let mut world = World::new(1);
    let (a, b) = (world.filled(1_000), world.buffer(1_000));
    let halves = [(CPU, 0..500), (GPU, 500..1_000)];
    let first = world.dispatch(
        1_000,
        &[reads(a, Access::Neighborhood(1)), writes(b)],
        &halves,
    );
    assert_eq!(first.copies(HOST, GPU_MEMORY), [499..1_000]);
    assert!(first.copies(GPU_MEMORY, HOST).is_empty());
    for (from, to) in [(b, a), (a, b), (b, a)] {
        let plan = world.dispatch(
            1_000,
            &[reads(from, Access::Neighborhood(1)), writes(to)],
            &halves,
        );
        assert_eq!(plan.copies(HOST, GPU_MEMORY), [499..500]);
        assert_eq!(plan.copies(GPU_MEMORY, HOST), [500..501]);
    }
}

#[test]
fn a_ring_copies_a_halo_at_both_of_its_seams() {
    let mut world = World::new(1);
    let (a, b) = (world.filled(1_000), world.buffer(1_000));
    let halves = [(CPU, 0..500), (GPU, 500..1_000)];
    let around = Access::Wrapped(2);
    let first = world.dispatch(1_000, &[reads(a, around), writes(b)], &halves);
    assert_eq!(first.copies(HOST, GPU_MEMORY), [0..2, 498..1_000]);
    for (from, to) in [(b, a), (a, b)] {
        let plan = world.dispatch(1_000, &[reads(from, around), writes(to)], &halves);
        assert_eq!(plan.copies(HOST, GPU_MEMORY), [0..2, 498..500]);
        assert_eq!(plan.copies(GPU_MEMORY, HOST), [500..502, 998..1_000]);
    }
}

#[test]
fn a_moved_boundary_moves_only_what_lies_between() {
    let mut world = World::new(1);
    let a = world.filled(1_000);
    world.dispatch(1_000, &[writes(a)], &[(CPU, 0..500), (GPU, 500..1_000)]);
    let plan = world.dispatch(1_000, &[writes(a)], &[(CPU, 0..600), (GPU, 600..1_000)]);
    assert_eq!(plan.copies(GPU_MEMORY, HOST), [500..600]);
    assert!(plan.copies(HOST, GPU_MEMORY).is_empty());
}

#[test]
fn between_two_gpus_the_way_is_through_the_host() {
    let mut world = World::new(2);
    let a = world.filled(10);
    world.dispatch(10, &[writes(a)], &[(GPU, 0..10)]);
    let plan = world.dispatch(10, &[reads(a, Access::All)], &[(DeviceId(2), 0..10)]);
    assert_eq!(plan.copies(GPU_MEMORY, HOST), [0..10]);
    assert_eq!(plan.copies(HOST, MemoryId(2)), [0..10]);
    let upload = &plan.commands()[1];
    assert_eq!(upload.device, Some(DeviceId(2)));
    assert!(plan.depends_on(upload).contains(&plan.commands()[0].id));
}

#[test]
fn one_chunk_accumulates_in_the_buffer_itself() {
    let mut world = World::new(1);
    let bins = world.filled(16);
    let plan = world.dispatch(100, &[adds(bins)], &[(CPU, 0..100)]);
    assert_eq!(plan.commands().len(), 1);
}

#[test]
fn several_chunks_accumulate_in_private_copies_combined_in_order() {
    let mut world = World::new(1);
    let bins = world.filled(16);
    let plan = world.dispatch(100, &[adds(bins)], &[(CPU, 0..50), (GPU, 50..100)]);
    let kinds: Vec<_> = plan
        .commands()
        .iter()
        .map(|command| match command.action {
            Action::Fill { .. } => "fill",
            Action::Run { group: Some(_), .. } => "run",
            Action::Accumulate { .. } => "accumulate",
            _ => "other",
        })
        .collect();
    assert_eq!(
        kinds,
        ["fill", "run", "accumulate", "fill", "run", "accumulate"]
    );
    let (first, second) = (&plan.commands()[2], &plan.commands()[5]);
    assert!(plan.depends_on(second).contains(&first.id));
    assert!(
        !plan.depends_on(&plan.commands()[4]).contains(&first.id),
        "the runs may overlap"
    );
}

#[test]
fn lost_elements_are_named_and_nothing_is_planned() {
    let mut world = World::new(1);
    let (a, b) = (world.filled(100), world.filled(100));
    let mut coherence = world.planner.coherence(b).clone();
    coherence.spoiled(Span::new(40, 60));
    world.planner.reset(b, coherence);
    let touches = [writes(a), reads(b, Access::OneToOne)];
    let mut plan = Plan::default();
    let chunks = [Placed {
        device: GPU,
        units: Span::new(0, 50),
    }];
    let error = world.planner.dispatch(
        OperationId(9),
        100,
        &touches,
        &chunks,
        true,
        &|_| true,
        &mut plan,
    );
    assert_eq!(
        error,
        Err(LostInput {
            buffer: b,
            span: Span::new(40, 60).intersection(Span::new(0, 50))
        })
    );
    assert!(plan.commands().is_empty());
}

#[test]
fn a_host_write_waits_for_readers_and_brings_nothing() {
    let mut world = World::new(1);
    let a = world.filled(100);
    let read = world.dispatch(100, &[reads(a, Access::OneToOne)], &[(GPU, 0..100)]);
    let mut plan = Plan::default();
    world
        .planner
        .host_write(OperationId(5), a, Span::new(10, 20), &|_| true, &mut plan);
    let [write] = plan.commands() else {
        panic!("one command")
    };
    let run = read.commands().last().expect("a run").id;
    assert!(plan.depends_on(write).contains(&run));
}

#[test]
fn commands_of_one_plan_are_ordered_whatever_has_ended_before() {
    let mut world = World::new(1);
    let a = world.filled(10);
    world.dispatch(10, &[writes(a)], &[(GPU, 0..10)]);
    let mut plan = Plan::default();
    world
        .planner
        .host_read(OperationId(9), a, Span::new(0, 10), &|_| false, &mut plan)
        .expect("nothing is lost");
    let [copy, read] = plan.commands() else {
        panic!("a copy and the access")
    };
    assert_eq!(plan.depends_on(read), [copy.id]);
    assert!(plan.depends_on(copy).is_empty());
}

#[test]
fn a_plan_can_be_drawn() {
    let mut world = World::new(1);
    let a = world.filled(10);
    let dot = world.dispatch(10, &[writes(a)], &[(GPU, 0..10)]).to_dot();
    assert!(
        dot.starts_with("digraph plan {") && dot.contains("copy B1 0..10") && dot.contains(" -> "),
        "{dot}"
    );
}

/// What the simulated commands compute on.
#[derive(Clone)]
struct Bytes {
    /// Per buffer and memory.
    memories: Vec<Vec<Vec<u64>>>,
}

#[derive(Clone, Debug)]
struct Step {
    reads: usize,
    access: Access,
    writes: usize,
    cuts: Vec<u64>,
    shuffle: u64,
}

/// Any way to read a buffer; blocks are of one unit, so that chunks may be cut anywhere.
fn accesses() -> impl Strategy<Value = Access> {
    let blocks = (-2_i64..3, -6_i64..30, 0_i64..6);
    prop_oneof![
        Just(Access::All),
        (0_u64..4).prop_map(Access::Neighborhood),
        (0_u64..14).prop_map(Access::Wrapped),
        blocks.prop_map(|(stride, from, len)| Access::Strided(Strided {
            units: 1,
            stride,
            from,
            to: from + len
        })),
    ]
}

fn steps(gpus: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = (
        0..3_usize,
        accesses(),
        0..3_usize,
        prop::collection::vec(0_u64..=24, gpus),
        any::<u64>(),
    );
    let step = step.prop_map(|(reads, access, writes, mut cuts, shuffle)| {
        cuts.sort_unstable();
        Step {
            reads,
            access,
            writes,
            cuts,
            shuffle,
        }
    });
    prop::collection::vec(step, 1..12)
}

proptest! {
    /// Plans many dispatches ahead, does their commands in a random order that the dependencies and the streams allow,
    /// on arrays that stand for the memories, and compares with doing each dispatch whole.
    #[test]
    fn any_allowed_order_computes_what_undivided_dispatches_do(steps in steps(2)) {
        const LEN: u64 = 24;
        let mut world = World::new(2);
        let buffers: Vec<_> = (0..3).map(|_| world.buffer(LEN)).collect();
        let mut truth = vec![vec![0_u64; LEN as usize]; 3];
        let mut bytes = Bytes { memories: vec![vec![vec![0; LEN as usize]; 3]; 3] };
        let mut commands = Vec::new();
        let mut depends_on = HashMap::new();
        let value = |step: usize, i: u64, own: u64, input: &[u64], access: Access| {
            let near = access.pieces(Span::new(i, i + 1), LEN, LEN).expect("an element each");
            let near = near.iter().flat_map(|piece| &input[piece.indices()]);
            let sum = near.fold(0_u64, |sum, value| sum.wrapping_mul(31).wrapping_add(*value));
            sum.wrapping_mul(7).wrapping_add(own.wrapping_mul(3)).wrapping_add(i + step as u64 + 1)
        };
        for (number, step) in steps.iter().enumerate() {
            let mut touches = vec![writes(buffers[step.writes])];
            if step.reads != step.writes {
                touches.push(reads(buffers[step.reads], step.access));
            }
            let chunks = [(CPU, 0..step.cuts[0]), (GPU, step.cuts[0]..step.cuts[1]), (DeviceId(2), step.cuts[1]..LEN)];
            let plan = world.dispatch(LEN, &touches, &chunks);
            for command in plan.commands() {
                depends_on.insert(command.id, plan.depends_on(command).to_vec());
                commands.push((number, *command));
            }
            let input = if step.reads == step.writes { vec![0; LEN as usize] } else { truth[step.reads].clone() };
            for i in 0..LEN {
                let own = truth[step.writes][i as usize];
                truth[step.writes][i as usize] = value(number, i, own, &input, step.access);
            }
        }
        let mut done: Vec<CommandId> = Vec::new();
        let mut random = steps[0].shuffle | 1;
        while !commands.is_empty() {
            let ready: Vec<usize> = (0..commands.len())
                .filter(|i| {
                    let (_, command) = commands[*i];
                    let first_of_stream = commands.iter().find(|(_, other)| other.device == command.device);
                    first_of_stream.is_some_and(|(_, first)| first.id == command.id)
                        && depends_on[&command.id].iter().all(|earlier| done.contains(earlier))
                })
                .collect();
            prop_assert!(!ready.is_empty(), "the commands wait for each other");
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (number, command) = commands.remove(ready[(random >> 33) as usize % ready.len()]);
            done.push(command.id);
            match command.action {
                Action::Copy { buffer, from, to, span } => {
                    let memories = &mut bytes.memories[buffer.0 as usize - 1];
                    let copied = memories[from.0 as usize][span.indices()].to_vec();
                    memories[to.0 as usize][span.indices()].copy_from_slice(&copied);
                }
                Action::Run { units, .. } => {
                    let step = &steps[number];
                    let device = command.device.expect("a run has a device");
                    let memory = world.planner.system().memory(device).0 as usize;
                    let input = if step.reads == step.writes {
                        vec![0; LEN as usize]
                    } else {
                        bytes.memories[step.reads][memory].clone()
                    };
                    for i in units.start..units.end {
                        let cell = &mut bytes.memories[step.writes][memory][i as usize];
                        *cell = value(number, i, *cell, &input, step.access);
                    }
                }
                _ => prop_assert!(false, "nothing else is planned here"),
            }
        }
        for (i, buffer) in buffers.iter().enumerate() {
            for memory in 0..3 {
                let coherence = world.planner.coherence(*buffer);
                for element in 0..LEN {
                    if coherence.count_missing(MemoryId(memory), Span::new(element, element + 1)) == 0 {
                        prop_assert_eq!(bytes.memories[i][memory as usize][element as usize], truth[i][element as usize]);
                    }
                }
            }
        }
    }
}

#[test]
fn every_stream_sends_its_neighbours_their_halos_before_it_runs() {
    let mut world = World::new(4);
    let (a, b) = (world.filled(1_000), world.buffer(1_000));
    let chunk = |device: u64| (DeviceId(device as u32), device * 200..(device + 1) * 200);
    let chunks: Vec<_> = (0..5).map(chunk).collect();
    world.dispatch(
        1_000,
        &[reads(a, Access::Neighborhood(1)), writes(b)],
        &chunks,
    );
    let plan = world.dispatch(
        1_000,
        &[reads(b, Access::Neighborhood(1)), writes(a)],
        &chunks,
    );
    let mut has_run = [false; 5];
    for command in plan.commands() {
        let device = command.device.map_or(0, |device| device.0 as usize);
        match command.action {
            Action::Run { .. } => has_run[device] = true,
            _ => assert!(!has_run[device], "{command:?}"),
        }
    }
    // Nobody waits for a chunk of this dispatch.
    let runs = plan.commands().iter();
    let runs: Vec<CommandId> = runs
        .filter(|command| matches!(command.action, Action::Run { .. }))
        .map(|command| command.id)
        .collect();
    for command in plan.commands() {
        let mut earlier = plan.depends_on(command).iter();
        assert!(
            !earlier.any(|earlier| runs.contains(earlier)),
            "{command:?}"
        );
    }
}

#[test]
fn planning_costs_no_more_than_n_log_n_for_n_devices() {
    let steps_of = |devices: usize| {
        let mut world = World::new(devices - 1);
        let extent = devices as u64 * 16;
        let (a, b) = (world.filled(extent * 8), world.buffer(extent * 8));
        let chunk = |device: usize| {
            let start = device as u64 * 16;
            (DeviceId(device as u32), start..start + 16)
        };
        let chunks: Vec<_> = (0..devices).map(chunk).collect();
        let mut steps = 0;
        for turn in 0..4 {
            let (old, next) = if turn % 2 == 0 { (a, b) } else { (b, a) };
            let touches = [reads(old, Access::Neighborhood(1)), writes(next)];
            let before = STEPS.get();
            world.dispatch(extent, &touches, &chunks);
            let mut whole = Vec::new();
            world
                .planner
                .missing_whole(extent, &touches, |_| 4, &mut whole);
            steps = STEPS.get() - before;
        }
        steps as f64
    };
    let least = steps_of(100) / (100.0 * 100_f64.log2());
    for devices in [1_000, 10_000] {
        let n = devices as f64;
        let steps = steps_of(devices) / (n * n.log2());
        assert!(steps < least * 1.1, "{devices}: {steps} and {least}");
    }
}
