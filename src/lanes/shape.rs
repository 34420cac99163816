//! How a type comes apart into words.
//!
//! Says where the words of a type lie in a buffer and what each of them is; moves none.
//!
//! Invariant: the leaves of a type are in the order of its components, whatever lies between them in a buffer.

use super::Unsupported;
use naga::{ArraySize, Handle, Module, Scalar, ScalarKind, Type, TypeInner};

/// What a number is, and how it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    F32,
    I32,
    U32,
    /// All bits set, or none.
    Bool,
    /// Held as the `f32` of the same value.
    F16,
    /// Held as the `i32` of the same value.
    I16,
    /// Held as the `u32` of the same value.
    U16,
    /// Held in two words, the lower first.
    F64,
    /// Held in two words, the lower first.
    I64,
    /// Held in two words, the lower first.
    U64,
}

impl Kind {
    pub(crate) fn of(scalar: Scalar) -> Result<Self, Unsupported> {
        match (scalar.kind, scalar.width) {
            (ScalarKind::Float, 4) => Ok(Kind::F32),
            (ScalarKind::Sint, 4) => Ok(Kind::I32),
            (ScalarKind::Uint, 4) => Ok(Kind::U32),
            (ScalarKind::Bool, _) => Ok(Kind::Bool),
            (ScalarKind::Float, 2) => Ok(Kind::F16),
            (ScalarKind::Sint, 2) => Ok(Kind::I16),
            (ScalarKind::Uint, 2) => Ok(Kind::U16),
            (ScalarKind::Float, 8) => Ok(Kind::F64),
            (ScalarKind::Sint, 8) => Ok(Kind::I64),
            (ScalarKind::Uint, 8) => Ok(Kind::U64),
            (kind, width) => Err(Unsupported::new(format!(
                "{kind:?} numbers of {} bits",
                u32::from(width) * 8
            ))),
        }
    }

    /// What goes for floats, for signed integers, or for all else.
    pub(crate) fn pick<T>(self, float: T, signed: T, other: T) -> T {
        match self {
            Kind::F32 | Kind::F16 | Kind::F64 => float,
            Kind::I32 | Kind::I16 | Kind::I64 => signed,
            Kind::U32 | Kind::U16 | Kind::U64 | Kind::Bool => other,
        }
    }

    pub(crate) fn is_float(self) -> bool {
        self.pick(true, false, false)
    }

    pub(crate) fn is_signed(self) -> bool {
        self.pick(false, true, false)
    }

    /// Whether it takes two words.
    pub(crate) fn is_wide(self) -> bool {
        matches!(self, Kind::F64 | Kind::I64 | Kind::U64)
    }

    /// Whether it takes half a word of what is bound.
    pub(crate) fn is_half(self) -> bool {
        matches!(self, Kind::F16 | Kind::I16 | Kind::U16)
    }

    /// Words that hold it.
    pub(crate) fn words(self) -> u32 {
        if self.is_wide() { 2 } else { 1 }
    }

    /// Halves of words that it takes in what is bound.
    fn halves(self) -> u32 {
        match self {
            Kind::F16 | Kind::I16 | Kind::U16 => 1,
            Kind::F64 | Kind::I64 | Kind::U64 => 4,
            _ => 2,
        }
    }
}

/// One word of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    /// Where it lies in what is bound, in halves of words from the start of the type.
    pub(crate) offset: u32,
    /// What it is; a word of a number that takes two is a [`Kind::U32`].
    pub(crate) kind: Kind,
}

/// The most words that a value may come apart into: what is larger has to stay in memory.
const MOST_LEAVES: usize = 1 << 16;

/// The words of a type, in order.
pub(crate) fn leaves(module: &Module, ty: &TypeInner) -> Result<Vec<Leaf>, Unsupported> {
    let mut found = Vec::new();
    collect(module, ty, 0, &mut found)?;
    Ok(found)
}

/// So many numbers, one behind the other.
fn numbers(kind: Kind, count: u32, offset: u32, found: &mut Vec<Leaf>) {
    for i in 0..count {
        let offset = offset + i * kind.halves();
        if kind.is_wide() {
            let word = |offset| Leaf {
                offset,
                kind: Kind::U32,
            };
            found.extend([word(offset), word(offset + 2)]);
        } else {
            found.push(Leaf { offset, kind });
        }
    }
}

fn collect(
    module: &Module,
    ty: &TypeInner,
    offset: u32,
    found: &mut Vec<Leaf>,
) -> Result<(), Unsupported> {
    match ty {
        TypeInner::Scalar(scalar) | TypeInner::Atomic(scalar) => {
            numbers(Kind::of(*scalar)?, 1, offset, found);
        }
        TypeInner::Vector { size, scalar } => {
            numbers(Kind::of(*scalar)?, *size as u32, offset, found);
        }
        TypeInner::Matrix {
            columns,
            rows,
            scalar,
        } => {
            let kind = Kind::of(*scalar)?;
            for column in 0..*columns as u32 {
                let offset = offset + column * column_halves(*rows, kind);
                numbers(kind, *rows as u32, offset, found);
            }
        }
        TypeInner::Array { base, size, stride } => {
            let count = length(module, *size)?;
            let inner = leaves(module, &module.types[*base].inner)?;
            if found.len() + count as usize * inner.len() > MOST_LEAVES {
                return Err(Unsupported::new(format!(
                    "an array of {count} elements as a value or a variable of one invocation"
                )));
            }
            for i in 0..count {
                found.extend(inner.iter().map(|leaf| Leaf {
                    offset: offset + i * (stride / 2) + leaf.offset,
                    kind: leaf.kind,
                }));
            }
        }
        TypeInner::Struct { members, .. } => {
            for member in members {
                if found.len() > MOST_LEAVES {
                    return Err(Unsupported::new(format!(
                        "more than {MOST_LEAVES} words as a value or a variable of one invocation"
                    )));
                }
                let inner = &module.types[member.ty].inner;
                collect(module, inner, offset + member.offset / 2, found)?;
            }
        }
        other => return Err(Unsupported::new(format!("values of type {other:?}"))),
    }
    Ok(())
}

/// How many words a type comes apart into.
pub(crate) fn count(module: &Module, ty: &TypeInner) -> Result<u32, Unsupported> {
    Ok(match ty {
        TypeInner::Scalar(scalar) | TypeInner::Atomic(scalar) => Kind::of(*scalar)?.words(),
        TypeInner::Vector { size, scalar } => *size as u32 * Kind::of(*scalar)?.words(),
        TypeInner::Matrix {
            columns,
            rows,
            scalar,
        } => *columns as u32 * *rows as u32 * Kind::of(*scalar)?.words(),
        TypeInner::Array { base, size, .. } => {
            length(module, *size)?.saturating_mul(count(module, &module.types[*base].inner)?)
        }
        TypeInner::Struct { members, .. } => {
            let mut words = 0_u32;
            for member in members {
                words = words.saturating_add(count(module, &module.types[member.ty].inner)?);
            }
            words
        }
        other => return Err(Unsupported::new(format!("values of type {other:?}"))),
    })
}

/// The elements of an array whose size is settled: in the source, or by an override.
pub(crate) fn length(module: &Module, size: ArraySize) -> Result<u32, Unsupported> {
    match size.resolve(module.to_ctx()) {
        Ok(naga::proc::IndexableLength::Known(count)) => Ok(count),
        _ => Err(Unsupported::new(
            "an array without a size as a value".to_owned(),
        )),
    }
}

/// Halves of words from column to column of a matrix in what is bound.
fn column_halves(rows: naga::VectorSize, kind: Kind) -> u32 {
    let rows = match rows {
        naga::VectorSize::Bi => 2,
        _ => 4,
    };
    rows * kind.halves()
}

/// What is behind an index, in a value or in memory.
pub(crate) struct Part {
    /// Its type, unless it is a scalar or a column.
    pub(crate) ty: PartType,
    /// Words of a value before it.
    pub(crate) first: u32,
    /// Halves of words before it in what is bound.
    pub(crate) offset: u32,
}

/// The type of a part.
#[derive(Clone, Debug)]
pub(crate) enum PartType {
    Named(Handle<Type>),
    Inner(TypeInner),
}

impl PartType {
    pub(crate) fn inner<'a>(&'a self, module: &'a Module) -> &'a TypeInner {
        match self {
            PartType::Named(ty) => &module.types[*ty].inner,
            PartType::Inner(inner) => inner,
        }
    }
}

/// The part at a constant index.
pub(crate) fn part(module: &Module, ty: &TypeInner, index: u32) -> Result<Part, Unsupported> {
    if let TypeInner::Struct { members, .. } = ty {
        let mut first = 0;
        for member in &members[..index as usize] {
            first += count(module, &module.types[member.ty].inner)?;
        }
        let member = &members[index as usize];
        return Ok(Part {
            ty: PartType::Named(member.ty),
            first,
            offset: member.offset / 2,
        });
    }
    let elements = elements(module, ty)?;
    Ok(Part {
        first: index * elements.words,
        offset: index * elements.stride,
        ty: elements.ty,
    })
}

/// What a type is made of that can be indexed dynamically.
pub(crate) struct Elements {
    pub(crate) ty: PartType,
    /// How many there are; nothing if the buffer says.
    pub(crate) count: Option<u32>,
    /// Words of a value that each has.
    pub(crate) words: u32,
    /// Halves of words from each to the next in what is bound.
    pub(crate) stride: u32,
}

pub(crate) fn elements(module: &Module, ty: &TypeInner) -> Result<Elements, Unsupported> {
    Ok(match ty {
        TypeInner::Vector { size, scalar } => Elements {
            ty: PartType::Inner(TypeInner::Scalar(*scalar)),
            count: Some(*size as u32),
            words: Kind::of(*scalar)?.words(),
            stride: Kind::of(*scalar)?.halves(),
        },
        TypeInner::Matrix {
            columns,
            rows,
            scalar,
        } => Elements {
            ty: PartType::Inner(TypeInner::Vector {
                size: *rows,
                scalar: *scalar,
            }),
            count: Some(*columns as u32),
            words: *rows as u32 * Kind::of(*scalar)?.words(),
            stride: column_halves(*rows, Kind::of(*scalar)?),
        },
        TypeInner::Array { base, size, stride } => Elements {
            ty: PartType::Named(*base),
            count: match size {
                ArraySize::Dynamic => None,
                _ => Some(length(module, *size)?),
            },
            words: count(module, &module.types[*base].inner)?,
            stride: stride / 2,
        },
        other => return Err(Unsupported::new(format!("an index into {other:?}"))),
    })
}
