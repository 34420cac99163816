//! The overrides of a source, for programs that offer them to be set.
//!
//! Reads naga's module; setting them is the affair of [`Kernel::constant`].

use super::Kernel;
use naga::common::wgsl::TypeContext;
use naga::{Expression, Literal};

/// A WGSL `override`, as it is declared.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Override {
    /// Its name.
    pub name: String,
    /// Its `@id`, if it has one.
    pub id: Option<u16>,
    /// Its type, as WGSL writes it.
    pub type_name: String,
    /// Whether it may be left unset.
    pub has_default: bool,
    /// The default, where it is written as a number. Booleans are 0 and 1.
    pub default: Option<f64>,
}

impl Kernel {
    /// The overrides that the source declares, whichever entry point uses them.
    ///
    /// ```
    /// use divvy::Kernel;
    ///
    /// let kernel = Kernel::from_wgsl(
    ///     "override tile: u32 = 8;
    ///      @compute @workgroup_size(tile) fn main() {}",
    /// )?;
    /// let tile = &kernel.overrides()[0];
    /// assert_eq!((tile.name.as_str(), tile.type_name.as_str(), tile.default), ("tile", "u32", Some(8.0)));
    /// # Ok::<(), divvy::KernelError>(())
    /// ```
    #[must_use]
    pub fn overrides(&self) -> Vec<Override> {
        let module = &self.parsed.0;
        let declared = module.overrides.iter().map(|(_, declared)| Override {
            name: declared.name.clone().unwrap_or_default(),
            id: declared.id,
            type_name: module.to_ctx().type_to_string(declared.ty),
            has_default: declared.init.is_some(),
            default: declared
                .init
                .and_then(|init| match module.global_expressions[init] {
                    Expression::Literal(literal) => number(literal),
                    _ => None,
                }),
        });
        declared.collect()
    }
}

fn number(literal: Literal) -> Option<f64> {
    match literal {
        Literal::F64(value) | Literal::AbstractFloat(value) => Some(value),
        Literal::F32(value) => Some(value.into()),
        Literal::F16(value) => Some(value.into()),
        Literal::U32(value) => Some(value.into()),
        Literal::I32(value) => Some(value.into()),
        Literal::Bool(value) => Some(f64::from(u8::from(value))),
        _ => None,
    }
}
