//! Who gets how much of a dispatch: pure arithmetic on measured rates.
//!
//! Measures nothing and runs nothing; rates come in, spans go out.
//!
//! Invariant: the chunks of a partition cover the range exactly, in device order.

mod decide;
mod guided;
mod handout;
mod partition;
mod policy;
mod tail;
mod water_fill;

pub use decide::{Decider, Estimate, Prediction};
pub use guided::Guided;
pub use handout::Handout;
pub use partition::partition;
pub use policy::{Policy, UnknownPolicy};
pub use tail::Tail;
pub use water_fill::{Candidate, water_fill};
