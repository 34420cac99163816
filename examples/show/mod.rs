//! What the examples share: their options, the runtime they ask for, progress, pictures, and what they say at the end.
//!
//! An example describes itself by an [`Example`], opens it to a [`Show`], and ends with what [`Show::end`] returns.
#![allow(dead_code, reason = "each example uses a part of it")]

mod colour;
mod options;
mod outcome;
mod picture;
mod torus;

#[allow(unused_imports, reason = "each example uses a part of it")]
pub use colour::{Colour, DUSK, TIDE, grey, mix};
pub use options::Example;
pub use outcome::Show;
#[allow(unused_imports, reason = "each example uses a part of it")]
pub use picture::Picture;
use std::error::Error;
use std::fmt;
#[allow(unused_imports, reason = "each example uses a part of it")]
pub use torus::around;

pub type Outcome<T = ()> = Result<T, Failed>;

/// Why an example ended early. A `main` that returns it prints the `Debug` of it: people read it, so it is the message.
pub struct Failed(Box<dyn Error>);

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl<E: Into<Box<dyn Error>>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}
