//! How the scheduler does on machines that aren't there: one table, and what it is made of.
//!
//! Virtual time, so that nothing but the planning time depends on the machine that this runs on. `cargo bench --bench
//! simulation` prints the table; a word behind `--` picks rows and prints their dispatches one by one. With
//! `DIVVY_SIMULATION=FOLDER` the table is also written there as JSON, with a chart of each row's dispatches.

use divvy::profile::{Key, Profile};
use divvy::simulate::{
    Dispatched, Load, Machine, Processor, Program, Series, Settings, Simulated, Summary, chart,
    simulate, table,
};
use divvy::split::Density;
use std::path::PathBuf;

/// Simulated programs, and their summaries.
#[derive(Default)]
struct Field {
    filter: Option<String>,
    summaries: Vec<Summary>,
    runs: Vec<(String, Simulated)>,
}

impl Field {
    fn add(&mut self, name: &str, machine: &Machine, program: &Program) -> Profile {
        self.warm(name, machine, program, Profile::default())
    }

    fn warm(
        &mut self,
        name: &str,
        machine: &Machine,
        program: &Program,
        profile: Profile,
    ) -> Profile {
        if let Some(filter) = &self.filter
            && !name.contains(filter)
        {
            return profile;
        }
        let run =
            simulate(machine, program, profile, &Settings::default()).expect("a device is left");
        if self.filter.is_some() {
            println!("{name}");
            let all = run.dispatches.iter().enumerate();
            for (i, one) in all.filter(|(i, _)| *i < 26 || i + 3 > run.dispatches.len()) {
                let shares: Vec<String> = one
                    .shares
                    .iter()
                    .take(8)
                    .map(|share| format!("{share:.3}"))
                    .collect();
                println!(
                    "  {i:3}  {:9.1} us, best {:9.1}, balance {:.2}, {:4} chunks, {:8.2} MB, shares {}",
                    one.seconds * 1e6,
                    one.oracle_seconds * 1e6,
                    one.balance,
                    one.chunks,
                    one.bytes_moved as f64 / 1e6,
                    shares.join(" ")
                );
            }
        }
        self.summaries.push(run.summary(name));
        let profile = run.profile.clone();
        self.runs.push((name.to_owned(), run));
        profile
    }
}

fn two(ratio: f64) -> Machine {
    Machine::new([
        Processor::cpu("cpu", 1e9),
        Processor::gpu("gpu", ratio * 1e9),
    ])
}

fn slowed(mut machine: Machine, device: usize, at: f64, speed: f64) -> Machine {
    machine.processors[device].changes = vec![(at, speed)];
    machine
}

/// A cost like that of the rows of a Mandelbrot set.
fn hill() -> Density {
    Density::sampled(256, |x| 0.05 + (-((x - 0.45) / 0.15).powi(2)).exp())
}

fn main() {
    let folder = std::env::var_os("DIVVY_SIMULATION").map(PathBuf::from);
    let filter = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let mut field = Field {
        filter,
        ..Field::default()
    };
    for ratio in [1.0, 3.0, 10.0, 50.0] {
        let load = Load::new(1 << 26);
        let name = format!("1:{ratio}, cold");
        let known = field.add(&name, &two(ratio), &Program::repeated(load.clone(), 40));
        let name = format!("1:{ratio}, warm");
        field.warm(&name, &two(ratio), &Program::repeated(load, 1), known);
    }
    for power in [8, 12, 16, 20, 24] {
        let name = format!("1:3, 2^{power}");
        let load = Load::new(1 << power);
        field.add(&name, &two(3.0), &Program::repeated(load, 60));
    }
    for noise in [0.03, 0.1] {
        let load = Load::new(1 << 26);
        let machine = two(2.0).with_noise(noise, 1);
        let name = format!("1:2, noise {noise}");
        field.add(&name, &machine, &Program::repeated(load, 60));
    }
    let shapes = [
        ("ramp", Density::sampled(256, |x| 1.0 + 9.0 * x)),
        ("hill", hill()),
        ("cliff", Density::new(vec![1.0, 1.0, 1.0, 20.0])),
    ];
    for (shape, density) in shapes {
        for power in [20, 26] {
            let load = Load::new(1 << power).with_density(density.clone());
            let name = format!("1:3, {shape}, 2^{power}");
            field.add(&name, &two(3.0), &Program::repeated(load, 40));
        }
    }
    let load = Load::new(1 << 27).with_density(Density::new(vec![1.0, 1.0, 1.0, 20.0]));
    field.add(
        "1:10, cliff, 2^27",
        &two(10.0),
        &Program::repeated(load, 60),
    );
    let load = Load::new(1 << 26);
    let drift = slowed(two(2.0), 1, 0.45, 0.5);
    field.add("1:2, slowed at 20", &drift, &Program::repeated(load, 40));
    let load = Load::new(1 << 20);
    let drift = slowed(two(2.0), 1, 8e-3, 0.5);
    field.add(
        "1:2, 2^20, slowed at 20",
        &drift,
        &Program::repeated(load, 40),
    );
    let load = Load::new(1 << 12).with_workgroup(1);
    let machine = Machine::new([Processor::cpu("cpu", 1e6), Processor::gpu("gpu", 4e6)]);
    field.add(
        "stencil 4096 x 4096, 1:4",
        &machine,
        &Program::stencil(load.clone(), 60, 4096, 1),
    );
    field.add(
        "uploaded once, 1:4",
        &machine,
        &Program::stencil(load.clone(), 20, 40_960, 0),
    );
    let each = Program::uploaded(Load::new(1 << 22), 30, true);
    field.add("uploaded each time, 1:10", &two(10.0), &each);
    let favoring = |name: &str, favors: [f64; 2]| Load {
        name: name.to_owned(),
        favors: favors.to_vec(),
        ..load.clone()
    };
    let turns = Program::alternating(
        favoring("first", [1.0, 1.0]),
        favoring("second", [4.0, 0.25]),
        30,
        4096,
    );
    field.add("two kernels in turn", &machine, &turns);
    for devices in [3, 16, 100, 1000] {
        let machine = Machine::random(devices, 1e7, 3.0, 5);
        let load = Load::new(1 << 31).with_workgroup(64);
        let name = format!("{devices} random");
        field.add(&name, &machine, &Program::repeated(load, 10));
    }
    for ratio in [1.0, 3.0, 10.0] {
        let load = Load::new(1 << 27);
        let machine = two(ratio).with_noise(0.03, 7);
        let name = format!("1:{ratio}, 2^27, noise 0.03");
        field.add(&name, &machine, &Program::repeated(load, 60));
    }
    let machine = Machine::random(1000, 1e7, 3.0, 1);
    let load = Load::new(1 << 35).with_workgroup(256);
    let mut profile = Profile::default();
    for one in &machine.processors {
        let key = Key::new(load.key(), load.extent);
        profile.add_rate(key, &one.key(), one.items_per_second);
    }
    let known = Program::repeated(load, 4);
    field.warm("1000 random, known", &machine, &known, profile);
    let machine = Machine::random(1000, 1e7, 3.0, 5);
    let load = Load::new(1 << 26).with_workgroup(1);
    field.add(
        "1000 random, stencil",
        &machine,
        &Program::stencil(load, 10, 64, 1),
    );
    println!("{}", table(&field.summaries));

    let Some(folder) = folder else { return };
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let json = serde_json::to_string_pretty(&field.summaries).expect("numbers are JSON");
    std::fs::write(folder.join("simulation.json"), json).expect("it can be written");
    for (name, run) in &field.runs {
        let series = |name: &str, measure: &dyn Fn(&Dispatched) -> f64| Series {
            name: name.to_owned(),
            values: run.dispatches.iter().map(measure).collect(),
        };
        let all = [
            series("efficiency", &Dispatched::efficiency),
            series("balance", &|one| one.balance),
            series("best split / time", &|one| 1.0 / (1.0 + one.regret())),
        ];
        let svg = chart(name, "dispatch", 1.2, &all);
        let file = format!("{}.svg", name.replace(|c: char| !c.is_alphanumeric(), "_"));
        std::fs::write(folder.join(file), svg).expect("it can be written");
    }
}
