//! How the scheduler does on machines that aren't there: one table, and what it is made of.
//!
//! Virtual time, so that nothing but the planning time depends on the machine that this runs on. `cargo bench --bench
//! simulation` prints the table; words behind `--` pick the rows that have all of them in their names, and print their dispatches
//! one by one. `--json FILE` writes the table's figures, and `--charts FOLDER` a chart of each row's dispatches.

#[path = "record/mod.rs"]
mod record;

use divvy::profile::{Key, Profile};
use divvy::simulate::{
    Dispatched, Load, Machine, Processor, Program, Series, Settings, Simulated, Summary, chart,
    simulate, table,
};
use divvy::split::Density;
use record::{Asked, Record, is_wanted};
use std::error::Error;
use std::path::Path;

/// Simulated programs, and their summaries.
#[derive(Default)]
struct Field {
    words: Vec<String>,
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
        if !is_wanted(&self.words, name) {
            return profile;
        }
        let run =
            simulate(machine, program, profile, &Settings::default()).expect("a device is left");
        if !self.words.is_empty() {
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

fn key_of(load: &Load) -> Key {
    Key::new(load.key(), load.extent)
}

/// Kernels whose invocations all cost the same, at every size and with noise.
fn regular(field: &mut Field) {
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
    for (ratio, noise) in [(1.0, 0.03), (3.0, 0.03), (10.0, 0.03), (3.0, 0.1)] {
        let machine = two(ratio).with_noise(noise, 7);
        let name = format!("1:{ratio}, noise {noise}");
        let load = Load::new(1 << 27);
        field.add(&name, &machine, &Program::repeated(load, 60));
    }
}

/// Kernels whose cost varies along the range.
fn irregular(field: &mut Field) {
    let shapes = [
        ("ramp", Density::sampled(256, |x| 1.0 + 9.0 * x)),
        ("hill", hill()),
        ("cliff", Density::new(vec![1.0, 1.0, 1.0, 20.0])),
    ];
    for (shape, density) in shapes {
        for (ratio, power) in [(3.0, 20), (3.0, 26), (10.0, 27)] {
            let load = Load::new(1 << power).with_density(density.clone());
            let name = format!("1:{ratio}, {shape}, 2^{power}");
            field.add(&name, &two(ratio), &Program::repeated(load, 40));
        }
    }
}

/// Devices that slow down after twenty dispatches, and profiles that are wrong.
fn changing(field: &mut Field) {
    for (power, at) in [(20, 8e-3), (26, 0.45)] {
        let drift = slowed(two(2.0), 1, at, 0.5);
        let load = Load::new(1 << power);
        let name = format!("1:2, 2^{power}, slowed");
        field.add(&name, &drift, &Program::repeated(load, 40));
    }
    for power in [20, 26] {
        let (machine, load) = (two(2.0), Load::new(1 << power));
        let mut wrong = Profile::default();
        for (one, off) in machine.processors.iter().zip([4.0, 1.0]) {
            for _ in 0..5 {
                wrong.add_rate(key_of(&load), &one.key(), one.items_per_second * off);
            }
        }
        let name = format!("1:2, 2^{power}, wrong by 4");
        field.warm(&name, &machine, &Program::repeated(load, 20), wrong);
    }
}

/// Dispatches that are links of a chain.
fn chains(field: &mut Field) {
    let load = Load::new(1 << 12).with_workgroup(1);
    let machine = Machine::new([Processor::cpu("cpu", 1e6), Processor::gpu("gpu", 4e6)]);
    let stencil = Program::stencil(load.clone(), 60, 4096, 1);
    field.add("stencil 4096 x 4096, 1:4", &machine, &stencil);
    let large = Program::stencil(load.clone(), 20, 40_960, 0);
    field.add("uploaded once, 1:4", &machine, &large);
    let each = Program::uploaded(Load::new(1 << 22), 30, true);
    field.add("uploaded each time, 1:10", &two(10.0), &each);
    let favoring = |name: &str, favors: [f64; 2]| Load {
        name: name.to_owned(),
        favors: favors.to_vec(),
        ..load.clone()
    };
    let (first, second) = (
        favoring("first", [1.0, 1.0]),
        favoring("second", [4.0, 0.25]),
    );
    let turns = Program::alternating(first, second, 30, 4096);
    field.add("two kernels in turn", &machine, &turns);
}

/// Many devices, whose speeds lie within three powers of ten.
fn many(field: &mut Field) {
    for devices in [3, 16, 100, 1000] {
        let machine = Machine::random(devices, 1e7, 3.0, 5);
        let load = Load::new(1 << 31);
        let name = format!("{devices} random, cold");
        field.add(&name, &machine, &Program::repeated(load, 10));
    }
    for devices in [100, 1000, 10_000] {
        let machine = Machine::random(devices, 1e7, 3.0, 1);
        let load = Load::new(1 << 35).with_workgroup(256);
        let mut known = Profile::default();
        for one in &machine.processors {
            (0..3).for_each(|_| known.add_rate(key_of(&load), &one.key(), one.items_per_second));
        }
        let name = format!("{devices} random, known");
        field.warm(&name, &machine, &Program::repeated(load, 4), known);
    }
    let machine = Machine::random(1000, 1e5, 3.0, 5);
    let stencil = Program::stencil(Load::new(1 << 28), 20, 1, 64);
    field.add("1000 random, stencil", &machine, &stencil);
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut asked = Asked::new();
    let (json, charts) = (asked.path("--json")?, asked.path("--charts")?);
    let mut field = Field {
        words: asked.words()?,
        ..Field::default()
    };
    for rows in [regular, irregular, changing, chains, many] {
        rows(&mut field);
    }
    println!("{}", table(&field.summaries));
    if let Some(folder) = charts {
        draw(&folder, &field.runs)?;
    }
    Record::new("simulation", field.summaries).write(json.as_deref())
}

/// Draws a chart of each row.
fn draw(folder: &Path, runs: &[(String, Simulated)]) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    for (name, run) in runs {
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
        std::fs::write(folder.join(file), svg)?;
    }
    Ok(())
}
