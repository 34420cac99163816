//! What the scheduler promises, on machines that aren't there: virtual time, so that every number is exact.

use divvy::profile::{Key, Profile};
use divvy::simulate::{
    Load, Machine, Processor, Program, Settings, Simulated, Step, Use, simulate,
};
use divvy::split::Density;
use divvy::{Access, Combine, Error, Policy};

fn run(machine: &Machine, program: &Program) -> Simulated {
    warm(machine, program, Profile::default())
}

fn warm(machine: &Machine, program: &Program, profile: Profile) -> Simulated {
    simulate(machine, program, profile, &Settings::default()).expect("a device is left")
}

fn two(ratio: f64) -> Machine {
    Machine::new([
        Processor::cpu("cpu", 1e9),
        Processor::gpu("gpu", ratio * 1e9),
    ])
}

/// A profile that knows the speeds of a machine, times `wrong` for each device.
fn profile_of(machine: &Machine, load: &Load, wrong: &[f64]) -> Profile {
    let mut profile = Profile::default();
    let key = Key::new(load.key(), load.extent);
    for (i, processor) in machine.processors.iter().enumerate() {
        let wrong = wrong.get(i).copied().unwrap_or(1.0);
        for _ in 0..5 {
            profile.add_rate(key, &processor.key(), processor.items_per_second * wrong);
            profile.add_overhead(&processor.key(), processor.overhead_seconds);
        }
    }
    profile
}

/// Dispatches before the first that is near the best, from a profile that is wrong so many times for each device.
fn mended_after(machine: &Machine, load: Load, wrong: &[f64]) -> Option<usize> {
    let profile = profile_of(machine, &load, wrong);
    warm(machine, &Program::repeated(load, 10), profile).converged_after(0, 0.05)
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_one_another() {
    let program = Program::repeated(Load::new(1 << 24), 20);
    let seconds = |seed| {
        let run = run(&two(3.0).with_noise(0.05, seed), &program);
        let all = run.dispatches.iter();
        all.map(|one| (one.seconds, one.shares.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(seconds(1), seconds(1));
    assert_ne!(seconds(1), seconds(2));
}

#[test]
fn a_first_dispatch_of_an_unknown_kernel_is_nearly_as_good_as_any() {
    for ratio in [0.1, 0.3, 1.0, 3.0, 10.0] {
        let run = run(&two(ratio), &Program::repeated(Load::new(1 << 27), 1));
        let efficiency = run.dispatches[0].efficiency();
        assert!(efficiency >= 0.85, "1:{ratio}: {efficiency}");
    }
    for devices in [3, 4, 8] {
        let machine = Machine::random(devices, 1e9, 1.0, 3);
        let run = run(&machine, &Program::repeated(Load::new(1 << 30), 1));
        let efficiency = run.dispatches[0].efficiency();
        assert!(efficiency >= 0.85, "{devices}: {efficiency}");
    }
}

#[test]
fn a_first_dispatch_of_a_known_kernel_is_as_good_as_any() {
    for ratio in [0.02, 0.1, 0.3, 1.0, 3.0, 10.0, 50.0] {
        let (machine, load) = (two(ratio), Load::new(1 << 26));
        let profile = profile_of(&machine, &load, &[]);
        let run = warm(&machine, &Program::repeated(load, 1), profile);
        let efficiency = run.dispatches[0].efficiency();
        assert!(efficiency >= 0.95, "1:{ratio}: {efficiency}");
    }
}

#[test]
fn a_repeated_dispatch_of_a_regular_kernel_settles_near_the_best_split() {
    for ratio in [0.02, 0.1, 0.3, 1.0, 3.0, 10.0, 50.0] {
        for noise in [0.0, 0.03] {
            let machine = two(ratio).with_noise(noise, 7);
            let run = run(&machine, &Program::repeated(Load::new(1 << 27), 60));
            let summary = run.summary("");
            assert!(summary.efficiency >= 0.95, "1:{ratio}: {summary:?}");
        }
    }
}

#[test]
fn no_size_is_slower_than_the_best_device_alone() {
    for ratio in [0.1, 1.0, 3.0, 20.0] {
        for power in 8..=24 {
            let program = Program::repeated(Load::new(1 << power), 80);
            let run = run(&two(ratio), &program);
            let late = &run.dispatches[40..];
            let seconds: f64 = late.iter().map(|one| one.seconds).sum();
            let alone: f64 = late.iter().map(|one| one.alone.seconds).sum();
            assert!(
                seconds <= alone * 1.02,
                "1:{ratio}, 2^{power}: {seconds} and {alone} alone"
            );
        }
    }
}

#[test]
fn a_thousand_devices_of_any_speeds_work_as_one() {
    for seed in [1, 2, 3] {
        let machine = Machine::random(1000, 1e7, 3.0, seed);
        let load = Load::new(1 << 35).with_workgroup(256);
        let profile = profile_of(&machine, &load, &[]);
        let run = warm(&machine, &Program::repeated(load, 3), profile);
        for one in &run.dispatches {
            assert!(one.efficiency() >= 0.97, "{}", one.efficiency());
        }
    }
}

#[test]
fn ten_thousand_devices_can_be_shared_among() {
    let machine = Machine::random(10_000, 1e7, 2.0, 1);
    let load = Load::new(1 << 36).with_workgroup(256);
    let profile = profile_of(&machine, &load, &[]);
    let run = warm(&machine, &Program::repeated(load, 2), profile);
    assert!(run.dispatches[1].efficiency() >= 0.97);
}

#[test]
fn a_profile_that_is_wrong_is_mended_within_five_dispatches() {
    for wrong in [
        [4.0, 1.0],
        [1.0, 4.0],
        [0.25, 1.0],
        [1.0, 0.25],
        [4.0, 0.25],
    ] {
        // By some of these, a device of the second machine is too slow to be worth anything.
        let cases = [2.0, 8.0].map(|ratio| [20, 24, 27].map(|power| (ratio, power)));
        for (ratio, power) in cases.into_iter().flatten() {
            let after = mended_after(&two(ratio), Load::new(1 << power), &wrong);
            assert!(
                after.is_some_and(|after| after <= 5),
                "{wrong:?}, 1:{ratio}, 2^{power}: {after:?}"
            );
        }
    }
}

#[test]
fn of_three_devices_one_that_was_believed_faster_or_slower_is_known_within_seven_dispatches() {
    let machine = Machine::new([
        Processor::cpu("cpu", 1e9),
        Processor::gpu("slow", 4e9),
        Processor::gpu("fast", 16e9),
    ]);
    // Where much has to move it moves in steps: what that takes is shared among as many dispatches as there were.
    for device in 0..3 {
        for (wrong, power) in [(4.0, 24), (4.0, 27), (0.25, 24), (0.25, 27)] {
            let mut all = [1.0; 3];
            all[device] = wrong;
            let after = mended_after(&machine, Load::new(1 << power), &all);
            assert!(
                after.is_some_and(|after| after <= 7),
                "{wrong} of device {device}, 2^{power}: {after:?}"
            );
        }
    }
}

#[test]
fn a_device_that_was_left_out_as_too_slow_is_found_to_have_become_faster() {
    let (mut machine, load) = (two(40.0), Load::new(1 << 24));
    let profile = profile_of(&machine, &load, &[]);
    machine.processors[0].changes = vec![(0.02, 20.0)];
    let run = warm(&machine, &Program::repeated(load, 300), profile);
    let last = run.dispatches.last().expect("there are some");
    assert!(last.efficiency() >= 0.95, "{}", last.efficiency());
}

#[test]
fn a_device_that_slows_down_is_followed_within_five_dispatches() {
    for (device, speed) in [(0, 0.5), (1, 0.5), (0, 2.0), (1, 2.0)] {
        for power in [20, 24, 27] {
            let (mut machine, load) = (two(2.0), Load::new(1 << power));
            let profile = profile_of(&machine, &load, &[]);
            let steady = warm(
                &machine,
                &Program::repeated(load.clone(), 20),
                profile.clone(),
            );
            // In the middle of the dispatch after those.
            let at = steady.seconds + steady.dispatches[19].seconds / 2.0;
            machine.processors[device].changes = vec![(at, speed)];
            let run = warm(&machine, &Program::repeated(load, 40), profile);
            let since = run.dispatches.iter().position(|one| one.start >= at);
            let after = run.converged_after(since.expect("it goes on"), 0.05);
            assert!(
                after.is_some_and(|after| after <= 5),
                "device {device} at {speed}, 2^{power}: {after:?}"
            );
        }
    }
}

#[test]
fn boundaries_land_where_the_time_is_equal_and_not_the_items() {
    let shapes = [
        ("ramp", Density::sampled(256, |x| 1.0 + 9.0 * x)),
        ("slope", Density::sampled(256, |x| 10.0 - 9.0 * x)),
        (
            "hill",
            Density::sampled(256, |x| 0.05 + (-((x - 0.45) / 0.15).powi(2)).exp()),
        ),
        ("cliff", Density::new(vec![1.0, 1.0, 1.0, 20.0])),
    ];
    for (shape, density) in shapes {
        for (ratio, power) in [(1.0, 22), (3.0, 22), (3.0, 27), (10.0, 27)] {
            let load = Load::new(1 << power).with_density(density.clone());
            // The split is doubted once in the first half, and runs on one device then.
            let run = run(&two(ratio), &Program::repeated(load, 100));
            let summary = run.summary("");
            assert!(
                summary.regret <= 0.05,
                "{shape}, 1:{ratio}, 2^{power}: {summary:?}"
            );
        }
    }
}

#[test]
fn a_density_is_kept_in_the_profile() {
    let load = Load::new(1 << 27).with_density(Density::sampled(256, |x| 1.0 + 9.0 * x));
    let first = run(&two(3.0), &Program::repeated(load.clone(), 40));
    let second = warm(&two(3.0), &Program::repeated(load, 1), first.profile);
    assert!(
        second.dispatches[0].regret() < 0.05,
        "{:?}",
        second.dispatches
    );
}

#[test]
fn no_run_of_a_gpu_takes_longer_than_it_may() {
    let load = Load::new(1 << 34);
    let machine = two(2.0);
    let settings = Settings {
        longest_run_seconds: 0.25,
        ..Settings::default()
    };
    let run = simulate(
        &machine,
        &Program::repeated(load.clone(), 4),
        Profile::default(),
        &settings,
    );
    let run = run.expect("nothing is lost");
    for one in &run.dispatches[1..] {
        assert!(one.longest_gpu_run_seconds <= 0.26, "{one:?}");
        assert!(one.efficiency() > 0.9, "{}", one.efficiency());
    }
    let alone = Settings {
        policy: Policy::Only("gpu".to_owned()),
        ..settings
    };
    let program = Program::repeated(load, 2);
    let cold = simulate(&machine, &program, Profile::default(), &alone);
    for one in &cold.expect("nothing is lost").dispatches {
        assert!(one.longest_gpu_run_seconds <= 0.26, "{one:?}");
    }
    let run = simulate(&machine, &program, run.profile, &alone);
    let one = &run.expect("nothing is lost").dispatches[0];
    assert!(one.longest_gpu_run_seconds <= 0.26, "{one:?}");
}

#[test]
fn what_waits_is_done_by_others_when_a_device_slows_down_in_the_middle() {
    let load = Load::new(1 << 33);
    let mut machine = Machine::new([
        Processor::gpu("one", 1e9),
        Processor::gpu("two", 1e9),
        Processor::gpu("three", 1e9),
    ]);
    let profile = profile_of(&machine, &load, &[]);
    machine.processors[0].changes = vec![(0.5, 0.2)];
    let run = warm(&machine, &Program::repeated(load, 1), profile);
    // As much as is left after half a second, at the speed that is left then.
    let best = 0.5 + ((1_u64 << 33) as f64 - 0.5 * 3e9) / 2.2e9;
    let took = run.dispatches[0].seconds;
    assert!(took < best * 1.15, "{took} and {best} at best");
}

#[test]
fn a_device_that_is_lost_is_done_without() {
    let load = Load::new(1 << 27);
    let mut machine = two(3.0);
    // Read back after each dispatch, nothing is lost with the device.
    let mut program = Program::repeated(load.clone(), 30);
    let steps = program.steps.into_iter();
    program.steps = steps.flat_map(|step| [step, Step::Read(0)]).collect();
    let whole = run(&machine, &program);
    // While it runs its part of the tenth.
    let tenth = &whole.dispatches[10];
    machine.processors[1].lost_at = Some(tenth.start + tenth.seconds / 2.0);
    let run = run(&machine, &program);
    let last = &run.dispatches[29];
    assert!(
        last.shares == [1.0, 0.0] && last.regret() < 0.01,
        "{last:?}"
    );
    // What wasn't read back is gone with it: that is an error, and so is a machine without devices.
    let settings = Settings::default();
    let resident = Program::repeated(load, 30);
    let error = simulate(&machine, &resident, Profile::default(), &settings);
    assert!(matches!(error, Err(Error::Lost { .. })), "{error:?}");
    machine.processors[0].lost_at = machine.processors[1].lost_at;
    let error = simulate(&machine, &program, Profile::default(), &settings);
    assert!(matches!(error, Err(Error::NoDevice { .. })), "{error:?}");
}

#[test]
fn a_device_without_room_sits_out() {
    let mut machine = two(3.0);
    machine.processors[1].memory_bytes = 1 << 20;
    let run = run(&machine, &Program::repeated(Load::new(1 << 24), 5));
    assert!(run.dispatches.iter().all(|one| one.shares == [1.0, 0.0]));
}

#[test]
fn what_is_accumulated_is_shared_among_devices_too() {
    let load = Load::new(1 << 27);
    let uses = |buffer, writes, access| Use {
        buffer,
        writes,
        access: Some(access),
    };
    let histogram = Step::Dispatch {
        load: 0,
        uses: vec![
            uses(0, false, Access::OneToOne),
            uses(1, true, Access::Accumulate(Combine::Add)),
        ],
    };
    let program = Program {
        buffers: vec![load.extent, 256],
        loads: vec![load],
        steps: vec![histogram; 20],
    };
    let summary = run(&two(3.0), &program).summary("histogram");
    assert!(summary.efficiency > 0.95, "{summary:?}");
}

#[test]
fn a_kernel_that_writes_nobody_knows_where_runs_whole_on_the_faster_device() {
    let load = Load::new(1 << 24);
    let anywhere = Step::Dispatch {
        load: 0,
        uses: vec![Use {
            buffer: 0,
            writes: true,
            access: None,
        }],
    };
    let program = Program {
        buffers: vec![load.extent],
        loads: vec![load],
        steps: vec![anywhere; 10],
    };
    let run = run(&two(30.0), &program);
    assert!(run.dispatches.iter().all(|one| one.chunks == 1));
    assert_eq!(run.dispatches[9].shares, [0.0, 1.0]);
}

#[test]
fn a_table_has_a_row_for_each_summary() {
    let run = run(&two(3.0), &Program::repeated(Load::new(1 << 20), 10));
    let summaries = [run.summary("one"), run.summary("other")];
    let table = divvy::simulate::table(&summaries);
    assert_eq!(table.lines().count(), 4);
    let columns = |line: &str| line.matches('|').count();
    let mut lines = table.lines().map(columns);
    let first = lines.next();
    assert!(lines.all(|columns| Some(columns) == first), "{table}");
    assert!(table.contains("| one | 2 | 1.38 |"), "{table}");
}

#[test]
fn a_chain_moves_its_data_to_where_it_is_worked_on_and_then_only_halos() {
    let machine = Machine::new([Processor::cpu("cpu", 1e6), Processor::gpu("gpu", 8e6)]);
    let load = Load::new(1 << 12).with_workgroup(1);
    // A step takes the CPU 4 ms; all of the field takes 6.7 ms to send.
    let run = run(&machine, &Program::stencil(load, 60, 4096, 1));
    let late = &run.dispatches[30..];
    let row = 4096 * 4;
    assert!(
        late.iter().all(|one| one.bytes_moved <= 4 * row),
        "{late:?}"
    );
    let summary = run.summary("");
    assert!(summary.regret < 0.08, "{summary:?}");
}

#[test]
fn what_is_sent_for_every_dispatch_counts_for_every_dispatch() {
    // The GPU is ten times as fast, but to send it an element takes longer than the CPU needs for it.
    let mut machine = two(10.0);
    machine.processors[1].bytes_per_second = 2e9;
    let load = Load::new(1 << 22);
    let run = run(&machine, &Program::uploaded(load, 60, true));
    let late = &run.dispatches[20..];
    let alone = (1_u64 << 22) as f64 / 1e9;
    let seconds: f64 = late.iter().map(|one| one.seconds).sum();
    assert!(seconds < alone * late.len() as f64, "{late:?}");
}

#[test]
fn two_kernels_that_favour_different_devices_share_their_data_for_the_chain() {
    let machine = Machine::new([Processor::cpu("cpu", 1e6), Processor::gpu("gpu", 4e6)]);
    let favoring = |name: &str, favors: [f64; 2]| Load {
        name: name.to_owned(),
        favors: favors.to_vec(),
        ..Load::new(1 << 12).with_workgroup(1)
    };
    let (first, second) = (
        favoring("first", [1.0, 1.0]),
        favoring("second", [4.0, 0.25]),
    );
    let program = Program::alternating(first, second, 60, 4096);
    let measured = run(&machine, &program);
    let late = |run: &Simulated| {
        let late = &run.dispatches[80..];
        late.iter().map(|one| one.seconds).sum::<f64>()
    };
    let swept = (1..20).map(|i| {
        let share = f64::from(i) / 20.0;
        let settings = Settings {
            policy: Policy::Fixed(vec![share, 1.0 - share]),
            ..Settings::default()
        };
        let run = simulate(&machine, &program, Profile::default(), &settings);
        late(&run.expect("nothing is lost"))
    });
    let best = swept.fold(f64::INFINITY, f64::min);
    assert!(
        late(&measured) < best * 1.15,
        "{} and {best}",
        late(&measured)
    );
}
