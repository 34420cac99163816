//! What the source calls a place in a variable, and what lies there.
//!
//! Invariant: a place that no number lies at has a name all the same.

use crate::check::Scalar;
use crate::lanes::shape::{self, PartType};
use naga::{Handle, Module, TypeInner};

/// What lies where in a variable, in halves of words.
#[derive(Debug)]
pub(in crate::lanes) enum Shape {
    Word(Scalar),
    Elements {
        stride: u32,
        shape: Box<Shape>,
        /// Whether they are the components of a vector, which have names.
        is_vector: bool,
    },
    Members(Vec<(String, u32, Shape)>),
}

/// How deep types are told of.
const MOST_DEPTH: u32 = 64;

impl Shape {
    /// Of a type that is laid out as WGSL has it, or as values come apart.
    pub(super) fn of(module: &Module, ty: &TypeInner, is_bound: bool, depth: u32) -> Self {
        let within = |ty: &PartType| Self::of(module, ty.inner(module), is_bound, depth + 1);
        match ty {
            TypeInner::Scalar(scalar) | TypeInner::Atomic(scalar) => Self::Word(word(*scalar)),
            _ if depth == MOST_DEPTH => Self::Word(Scalar::Bits),
            TypeInner::Struct { members, .. } => {
                let member = |(member, i): (&naga::StructMember, u32)| {
                    let part = shape::part(module, ty, i).ok()?;
                    let offset = if is_bound {
                        part.offset
                    } else {
                        part.first.saturating_mul(2)
                    };
                    let name = member.name.clone().unwrap_or_default();
                    Some((name, offset, within(&part.ty)))
                };
                Self::Members(members.iter().zip(0..).filter_map(member).collect())
            }
            _ => match shape::elements(module, ty) {
                Ok(elements) => Self::Elements {
                    stride: if is_bound {
                        elements.stride.max(1)
                    } else {
                        elements.words.saturating_mul(2).max(1)
                    },
                    shape: Box::new(within(&elements.ty)),
                    is_vector: matches!(ty, TypeInner::Vector { .. }),
                },
                Err(_) => Self::Word(Scalar::Bits),
            },
        }
    }

    /// Whether some of it are halves of words, laid out as WGSL has it.
    pub(super) fn has_halves(module: &Module, ty: &TypeInner, depth: u32) -> bool {
        let within =
            |ty: Handle<naga::Type>| Self::has_halves(module, &module.types[ty].inner, depth + 1);
        match ty {
            _ if depth == MOST_DEPTH => true,
            TypeInner::Struct { members, .. } => members.iter().any(|member| within(member.ty)),
            TypeInner::Array { base, .. } => within(*base),
            _ => ty.scalar().is_some_and(|scalar| scalar.width == 2),
        }
    }

    /// What the source would call the word at a place, behind the variable's name, and what it means.
    pub(in crate::lanes) fn path(&self, at: u64, path: &mut String) -> Scalar {
        match self {
            Self::Word(scalar) => *scalar,
            Self::Elements {
                stride,
                shape,
                is_vector,
            } => {
                let stride = u64::from(*stride);
                let (index, rest) = (at / stride, at % stride);
                match (is_vector, index) {
                    (true, 0..4) => {
                        path.push('.');
                        path.push(['x', 'y', 'z', 'w'][index as usize]);
                    }
                    _ => path.push_str(&format!("[{index}]")),
                }
                shape.path(rest, path)
            }
            Self::Members(members) => {
                let member = members
                    .iter()
                    .rev()
                    .find(|(_, offset, _)| u64::from(*offset) <= at);
                let Some((name, offset, shape)) = member else {
                    return Scalar::Bits;
                };
                path.push('.');
                path.push_str(name);
                shape.path(at - u64::from(*offset), path)
            }
        }
    }
}

fn word(scalar: naga::Scalar) -> Scalar {
    match (scalar.kind, scalar.width) {
        // Numbers of 16 bits are held as those of 32.
        (naga::ScalarKind::Float, 2 | 4) => Scalar::F32,
        (naga::ScalarKind::Sint, 2 | 4) => Scalar::I32,
        (naga::ScalarKind::Uint, 2 | 4) => Scalar::U32,
        (naga::ScalarKind::Bool, _) => Scalar::Bool,
        _ => Scalar::Bits,
    }
}
