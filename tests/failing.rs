//! Devices written elsewhere that fail, or break their word: others do their work, and nobody waits for them.

use divvy::device::virtual_device::{Pace, Script};
use divvy::device::{Device, DeviceError, DeviceInfo, Task, Timing, VirtualDevice};
use divvy::{Builder, DispatchBuilder, Kernel, Policy, Report, Runtime};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};

type Done<'a> = &'a mut dyn FnMut(usize, Result<Timing, DeviceError>);

/// A sound device, except for what it does when it is told to run something.
struct Faulty<F> {
    sound: VirtualDevice,
    /// Is given all tasks, and where among them the first run is.
    run: F,
}

impl<F> std::fmt::Debug for Faulty<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.sound.fmt(f)
    }
}

/// A device of this name that does `run` from the first run of a call on.
fn faulty<F>(name: &str, run: F) -> Faulty<F>
where
    F: Fn(&VirtualDevice, &[Task], usize, Done<'_>) + Send + Sync,
{
    let sound = VirtualDevice::new(name, Script::default());
    Faulty { sound, run }
}

impl<F> Device for Faulty<F>
where
    F: Fn(&VirtualDevice, &[Task], usize, Done<'_>) + Send + Sync,
{
    fn info(&self) -> &DeviceInfo {
        self.sound.info()
    }

    fn accepts(&self, kernel: &Kernel) -> Result<(), DeviceError> {
        self.sound.accepts(kernel)
    }

    fn execute(&self, tasks: &[Task], done: Done<'_>) {
        match tasks.iter().position(|task| matches!(task, Task::Run(_))) {
            None => self.sound.execute(tasks, done),
            Some(run) => {
                self.sound.execute(&tasks[..run], done);
                (self.run)(&self.sound, tasks, run, done);
            }
        }
    }
}

/// Adds one to every element twice, half of them on each of two devices, and returns the first report.
fn add_one(builder: Builder, begin: fn(DispatchBuilder<'_>) -> divvy::Result<Report>) -> Report {
    let builder = builder.split(Policy::Fixed(vec![0.5, 0.5]));
    let runtime = builder.without_profile_dir().build();
    let runtime = runtime.expect("the devices are there");
    let add = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
         @compute @workgroup_size(64)
         fn add(@builtin(global_invocation_id) id: vec3<u32>) {
             if id.x < arrayLength(&x) { x[id.x] += 1u; }
         }",
    );
    let add = add.expect("it is valid");
    let x = runtime.buffer_from(&[1_u32; 1000]).expect("it is small");
    let dispatch = || begin(runtime.dispatch(&add, 1000).bind("x", &x));
    let report = dispatch().expect("a device is left");
    dispatch().expect("the runtime goes on");
    let found = runtime.read(&x).expect("nothing is lost");
    let wrong = found.iter().filter(|x| **x != 3).count();
    assert_eq!(wrong, 0, "{report}");
    report
}

/// By the thread that waits, and by the threads of the devices.
const WAYS: [fn(DispatchBuilder<'_>) -> divvy::Result<Report>; 2] = [
    |dispatch| dispatch.run(),
    |dispatch| dispatch.submit()?.wait(),
];

fn beside_the_cpu(device: impl Device + 'static) -> Builder {
    Runtime::builder().device(device).devices("cpu")
}

#[test]
fn a_device_that_panics_is_lost() {
    for begin in WAYS {
        let device = faulty("rash", |_, _, _, _| panic!("this device is made to panic"));
        let report = add_one(beside_the_cpu(device), begin);
        assert_eq!(report.devices[1].invocations, 1000, "{report}");
        let said = report.devices[0].left_out.clone().unwrap_or_default();
        assert!(said.contains("made to panic"), "{report}");
    }
}

#[test]
fn a_device_that_does_not_answer_is_lost() {
    for begin in WAYS {
        let report = add_one(beside_the_cpu(faulty("silent", |_, _, _, _| ())), begin);
        assert_eq!(report.devices[1].invocations, 1000, "{report}");
        let said = report.devices[0].left_out.clone().unwrap_or_default();
        assert!(said.contains("hadn't answered"), "{report}");
    }
}

#[test]
fn an_answer_before_its_time_is_not_believed() {
    for begin in WAYS {
        let early = |_: &VirtualDevice, tasks: &[Task], run: usize, done: Done<'_>| {
            // Of everything behind the run, and of what isn't there.
            (run + 1..=tasks.len()).for_each(|i| done(i, Ok(Timing::default())));
        };
        let report = add_one(beside_the_cpu(faulty("early", early)), begin);
        assert_eq!(report.devices[1].invocations, 1000, "{report}");
    }
}

/// Two devices: when the first says that it is lost, the second is in the middle of its own chunk.
#[test]
fn a_dispatch_does_not_end_before_a_chunk_that_failed_is_done_elsewhere() {
    let (begun, is_begun): (Sender<()>, Receiver<()>) = channel();
    let (lost, is_lost): (Sender<()>, Receiver<()>) = channel();
    let (is_begun, is_lost) = (Mutex::new(is_begun), Mutex::new(is_lost));
    let wait = |line: &Mutex<Receiver<()>>| {
        // The other end goes when there is nothing left to wait for.
        let _ = line.lock().unwrap_or_else(PoisonError::into_inner).recv();
    };
    let (begun, lost) = (Mutex::new(Some(begun)), Mutex::new(Some(lost)));
    let drop_end = |end: &Mutex<Option<Sender<()>>>| {
        drop(end.lock().unwrap_or_else(PoisonError::into_inner).take());
    };
    let falls = faulty("falls", move |_, tasks, run, done| {
        wait(&is_begun);
        for i in run..tasks.len() {
            let (device, message) = ("falls".to_owned(), "it is made to be".to_owned());
            done(i, Err(DeviceError::Lost { device, message }));
        }
        drop_end(&lost);
    });
    let stays = faulty("stays", move |sound: &VirtualDevice, tasks, run, done| {
        drop_end(&begun);
        wait(&is_lost);
        sound.execute(&tasks[run..], &mut |i, answer| done(run + i, answer));
    });
    let builder = Runtime::builder().device(falls).device(stays);
    let report = add_one(builder, |dispatch| dispatch.submit()?.wait());
    assert_eq!(report.devices[1].invocations, 1000, "{report}");
}

#[test]
fn times_that_no_clock_shows_are_not_believed() {
    let nonsense = [f64::NAN, f64::INFINITY, -1.0, 1e-300, 1e300, f64::MAX];
    for (seconds, way) in nonsense.into_iter().flat_map(|s| WAYS.map(|way| (s, way))) {
        let told = Timing {
            seconds,
            overhead_seconds: seconds,
            is_estimate: false,
        };
        let device = Faulty {
            sound: VirtualDevice::new("dreamer", Script::default()),
            run: move |sound: &VirtualDevice, tasks: &[Task], run: usize, done: Done<'_>| {
                let mut answer = |i: usize, result: Result<Timing, DeviceError>| {
                    done(run + i, result.and(Ok(told)))
                };
                sound.execute(&tasks[run..], &mut answer);
            },
        };
        let builder = beside_the_cpu(device).without_profile_dir();
        let runtime = builder.build().expect("the devices are there");
        let add = Kernel::from_wgsl(
            "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
             @compute @workgroup_size(64)
             fn add(@builtin(global_invocation_id) id: vec3<u32>) { x[id.x] += 1u; }",
        );
        let add = add.expect("it is valid");
        let x = runtime.buffer::<u32>(10_240).expect("it is small");
        let policies = [
            Policy::Guided,
            Policy::Measured,
            Policy::Fixed(vec![0.5, 0.5]),
        ];
        for policy in policies.iter().cycle().take(9) {
            let dispatch = runtime.dispatch(&add, 10_240).bind("x", &x);
            let report = way(dispatch.split(policy.clone())).expect("it does what it is told");
            let times = report.devices.iter().map(|device| device.seconds);
            assert!(
                times.clone().all(|time| (0.0..1e13).contains(&time)),
                "{report}"
            );
        }
        let found = runtime.read(&x).expect("nothing is lost");
        assert!(found.iter().all(|x| *x == 9), "{seconds}");
    }
}

#[test]
fn a_runtime_whose_last_handle_goes_on_a_devices_thread_ends() {
    let kernel = || {
        Kernel::from_wgsl(
            "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
             @compute @workgroup_size(64)
             fn add(@builtin(global_invocation_id) id: vec3<u32>) { x[id.x] += 1u; }",
        )
        .expect("it is valid")
    };
    let (gone, is_gone) = channel();
    let folder = tempfile::tempdir().expect("a folder");
    for i in 0..20 {
        let trace = folder.path().join(format!("{i}.json"));
        let builder = Runtime::builder().devices("cpu").without_profile_dir();
        let runtime = builder.trace(&trace).build().expect("the CPU is there");
        let x = runtime.buffer::<u32>(64).expect("it is small");
        let (begin, may_end) = channel::<()>();
        let may_end = Mutex::new(may_end);
        let held = (runtime.clone(), Gone(gone.clone()));
        let add = kernel().native(move |_| {
            let _ = &held;
            let may_end = may_end.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = may_end.recv();
        });
        let event = runtime.dispatch(&add, 64).bind("x", &x).submit();
        let event = event.expect("it is bound");
        drop((add, runtime));
        drop(begin);
        let _ = event.wait();
        is_gone.recv().expect("the body goes with the dispatch");
        // It is the last thing that a runtime does.
        let written = std::fs::metadata(&trace).expect("it was opened");
        assert!(written.len() > 0, "{i}");
    }
}

/// Tells when it goes.
struct Gone(Sender<()>);

impl Drop for Gone {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[test]
fn a_script_of_times_that_nobody_can_wait_for_is_kept_at_once() {
    for seconds in [f64::NAN, -1.0, f64::INFINITY, f64::MAX] {
        let script = Script {
            pace: Pace::Kept,
            overhead_seconds: seconds,
            ..Script::default()
        };
        let report = add_one(beside_the_cpu(VirtualDevice::new("odd", script)), WAYS[0]);
        assert_eq!(report.devices[0].left_out, None, "{seconds}");
    }
}
