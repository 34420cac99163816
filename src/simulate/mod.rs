//! How dispatches split on machines that aren't there, in virtual time.
//!
//! Drives the queue's own state, the code that decides and plans for real devices, with scripted devices and a clock that
//! is set instead of read: nothing is computed and nobody waits. What would be decided elsewhere is not decided again here.
//!
//! Invariant: a simulation depends on its machine, its program, its profile and its seed, and on nothing else.
//!
//! ```
//! use divvy::simulate::{Load, Machine, Processor, Program, Settings, simulate};
//! use divvy::profile::Profile;
//!
//! // How would a kernel run on a machine with a GPU of ten times the speed of the CPU?
//! let machine = Machine::new([
//!     Processor::cpu("cpu", 1e9),
//!     Processor::gpu("gpu", 1e10),
//! ]);
//! let program = Program::repeated(Load::new(1 << 24), 30);
//! let run = simulate(&machine, &program, Profile::default(), &Settings::default())?;
//! let last = run.dispatches.last().expect("there were thirty");
//! assert!(last.efficiency() > 0.95);
//! assert!((last.share(1) - 10.0 / 11.0).abs() < 0.02);
//! # Ok::<(), divvy::Error>(())
//! ```

mod machine;
mod oracle;
mod outcome;
mod plot;
mod program;
mod replay;
mod run;
mod stream;

pub use machine::{Machine, Processor};
pub use oracle::{Alone, alone, best_split};
pub use outcome::{Dispatched, Simulated, Summary, table};
pub use plot::{Series, chart};
pub use program::{Load, Program, Step, Use};
pub use replay::{ReplayError, from_profile, from_trace};
pub use run::{Settings, simulate};
