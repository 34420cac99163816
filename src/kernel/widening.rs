//! Whole numbers that are converted to a wider type of the other sign.
//!
//! Finds where the code does that; what follows from it is for others to say.
//!
//! Invariant: what is found is such a conversion of a value that is known only when the code runs.

use super::exchange::Search;
use naga::valid::ModuleInfo;
use naga::{Expression, Module, Scalar, ScalarKind, Span, TypeInner};

/// A conversion: from which scalar to which, and where.
pub(super) struct Widening {
    pub(super) from: Scalar,
    pub(super) to: Scalar,
    pub(super) place: Span,
}

/// The first one in the entry point with this index, or in a function that it reaches.
pub(super) fn across_signs(module: &Module, info: &ModuleInfo, entry: usize) -> Option<Widening> {
    let search = Search { module, info };
    search.reached(entry).into_iter().find_map(|one| {
        one.function.expressions.iter().find_map(|(handle, found)| {
            let Expression::As {
                expr,
                kind,
                convert: Some(width),
            } = *found
            else {
                return None;
            };
            let from = match *one.info[expr].ty.inner_with(&module.types) {
                TypeInner::Scalar(from) | TypeInner::Vector { scalar: from, .. } => from,
                _ => return None,
            };
            let is_across = matches!(
                (from.kind, kind),
                (ScalarKind::Uint, ScalarKind::Sint) | (ScalarKind::Sint, ScalarKind::Uint)
            );
            (is_across && from.width < width).then(|| Widening {
                from,
                to: Scalar { kind, width },
                place: one.function.expressions.get_span(handle),
            })
        })
    })
}
