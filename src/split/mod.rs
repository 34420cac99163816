//! Who gets how much of a dispatch: pure arithmetic on measured rates.
//!
//! Measures nothing and runs nothing; rates come in, spans go out.
//!
//! Invariant: the chunks of a partition cover the range exactly, in device order.

mod decide;
mod density;
mod guided;
mod handout;
mod horizon;
mod partition;
mod policy;
mod slices;
mod tail;
mod water_fill;

pub(crate) use decide::single;
pub use decide::{Decider, Demand, Estimate, Prediction};
pub(crate) use density::since;
pub use density::{Density, Measured};
pub use guided::{Guided, Pace};
pub use handout::Handout;
pub use horizon::Horizon;
pub(crate) use partition::{give, spare_grain};
pub use partition::{partition, partition_within};
pub use policy::{Policy, UnknownPolicy};
pub use slices::Slices;
pub use tail::{Tail, Taker};
pub use water_fill::{Candidate, water_fill};
