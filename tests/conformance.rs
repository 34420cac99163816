//! The rules and cases of `divvy-conformance`, run on every device found and split among all of them.
//!
//! With no GPU its GPU runs are ignored; with `DIVVY_REQUIRE_GPU=1` they fail.

use divvy::device::gpu::find_gpus;
use divvy::device::virtual_device::Script;
use divvy::device::{CpuDevice, Device, GpuDevice, Home, VirtualDevice};
use divvy::{Builder, Policy, Runtime};
use divvy_conformance::{Case, Outcome, any_split, cases, policies, rules};
use libtest_mimic::{Arguments, Trial};

/// The tests of this machine.
struct Tests {
    gpus: usize,
    is_gpu_required: bool,
    trials: Vec<Trial>,
}

impl Tests {
    fn add(&mut self, name: String, run: impl FnOnce() -> Outcome + Send + 'static) {
        let test = move || run().map_err(|error| error.to_string().into());
        self.trials.push(Trial::test(name, test));
    }

    /// Adds what needs a GPU: without one it is ignored, or fails if one is required.
    fn add_with_gpu(
        &mut self,
        name: String,
        is_there: bool,
        run: impl FnOnce() -> Outcome + Send + 'static,
    ) {
        let test = move || match is_there {
            true => run().map_err(|error| error.to_string().into()),
            false => Err("there is no GPU, and DIVVY_REQUIRE_GPU asks for one".into()),
        };
        let is_ignored = !is_there && !self.is_gpu_required;
        self.trials
            .push(Trial::test(name, test).with_ignored_flag(is_ignored));
    }

    /// The names of the GPUs, at least one: there is always one to be missed.
    fn gpus(&self) -> impl Iterator<Item = (usize, String)> + use<> {
        (0..self.gpus.max(1)).map(|i| (i, format!("gpu{i}")))
    }

    fn add_rules(&mut self) {
        type Make = fn() -> Result<Box<dyn Device>, divvy::device::DeviceError>;
        let makes: [(&str, Make); 3] = [
            ("cpu", || Ok(Box::new(CpuDevice::new(2)?))),
            ("virtual", || {
                Ok(Box::new(VirtualDevice::new("virtual", Script::default())))
            }),
            ("virtual_host", || {
                let home = Home::Host;
                let script = Script {
                    home,
                    ..Script::default()
                };
                Ok(Box::new(VirtualDevice::new("virtual", script)))
            }),
        ];
        self.add("contract::the_trait_says_every_rule".to_owned(), || {
            let trait_text = include_str!("../src/device/mod.rs").to_lowercase();
            let words: Vec<&str> = trait_text
                .split_whitespace()
                .filter(|word| *word != "///")
                .collect();
            // Commas and stars are for people.
            let text = words.join(" ").replace(['*', ','], "");
            let is_told = |name: &str| text.contains(&name.replace('_', " "));
            match rules().iter().find(|rule| !is_told(rule.name)) {
                Some(rule) => Err(format!("`Device` doesn't say `{}`", rule.name).into()),
                None => Ok(()),
            }
        });
        for rule in rules() {
            for (device, make) in makes {
                let name = format!("contract::{}::{device}", rule.name);
                self.add(name, move || rule.run(&*make()?));
            }
            for (i, gpu) in self.gpus() {
                let name = format!("contract::{}::{gpu}", rule.name);
                self.add_with_gpu(name, i < self.gpus, move || {
                    rule.run(&GpuDevice::open(&find_gpus()[i])?)
                });
            }
        }
    }

    fn add_case(&mut self, case: &'static Case) {
        let name = |setting: &str| format!("{}::{setting}", case.name);
        let on = |devices: &str| Runtime::builder().devices(devices);
        let with = move |builder: Builder, policy: Policy| {
            case.run(&builder.split(policy).without_profile_dir().build()?)
        };
        self.add(name("cpu"), move || with(on("cpu"), Policy::Measured));
        for (i, gpu) in self.gpus() {
            self.add_with_gpu(name(&gpu), i < self.gpus, move || {
                with(on(&gpu), Policy::Measured)
            });
        }
        for (setting, policy) in policies(self.gpus.max(1) + 1) {
            self.add_with_gpu(name(setting), self.gpus > 0, move || {
                with(on("all"), policy)
            });
        }
        // A checked runtime never runs what was written by hand.
        if case.name != "native" {
            self.add(name("checked"), move || {
                case.run(&Runtime::builder().checked(true).build()?)
            });
        }
        let gpus = self.gpus;
        self.add(name("any_split"), move || {
            any_split(case, |machine| match machine % 3 == 0 && gpus > 0 {
                true => (on("all"), gpus + 1),
                false => (on("cpu"), 1),
            })
        });
    }
}

fn main() {
    let arguments = Arguments::from_args();
    let mut tests = Tests {
        gpus: find_gpus().len(),
        is_gpu_required: std::env::var("DIVVY_REQUIRE_GPU").is_ok_and(|required| required == "1"),
        trials: Vec::new(),
    };
    tests.add_rules();
    cases().iter().for_each(|case| tests.add_case(case));
    libtest_mimic::run(&arguments, tests.trials).exit();
}
