//! What the examples share: their options, the runtime they ask for, progress, pictures, and what they say at the end.
//!
//! An example describes itself by an [`Example`], opens it to a [`Show`], and ends with what [`Show::end`] returns.
#![allow(dead_code, reason = "each example uses a part of it")]

mod colour;
mod options;
mod outcome;
mod picture;

#[allow(unused_imports, reason = "each example uses a part of it")]
pub use colour::{Colour, DUSK, TIDE, grey, mix};
pub use options::Example;
pub use outcome::Show;
#[allow(unused_imports, reason = "each example uses a part of it")]
pub use picture::Picture;

pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;
