//! How a type comes apart into words.
//!
//! Says where the words of a type lie in a buffer and what each of them is; moves none.
//!
//! Invariant: the leaves of a type are in the order of its components, whatever lies between them in a buffer.

use super::Unsupported;
use naga::{ArraySize, Handle, Module, Scalar, ScalarKind, Type, TypeInner};

/// What a word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    F32,
    I32,
    U32,
    /// All bits set, or none.
    Bool,
}

impl Kind {
    pub(crate) fn of(scalar: Scalar) -> Result<Self, Unsupported> {
        match (scalar.kind, scalar.width) {
            (ScalarKind::Float, 4) => Ok(Kind::F32),
            (ScalarKind::Sint, 4) => Ok(Kind::I32),
            (ScalarKind::Uint, 4) => Ok(Kind::U32),
            (ScalarKind::Bool, _) => Ok(Kind::Bool),
            (kind, width) => Err(Unsupported::new(format!(
                "{kind:?} numbers of {} bits",
                u32::from(width) * 8
            ))),
        }
    }
}

impl Kind {
    /// What goes for floats, for signed integers, or for all else.
    pub(crate) fn pick<T>(self, float: T, signed: T, other: T) -> T {
        match self {
            Kind::F32 => float,
            Kind::I32 => signed,
            Kind::U32 | Kind::Bool => other,
        }
    }
}

/// One word of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    /// Where it lies in a buffer, in words from the start of the type.
    pub(crate) offset: u32,
    pub(crate) kind: Kind,
}

/// The most words that a value may come apart into: what is larger has to stay in memory.
const MOST_LEAVES: u64 = 1 << 16;

/// The words of a type, in order.
pub(crate) fn leaves(module: &Module, ty: &TypeInner) -> Result<Vec<Leaf>, Unsupported> {
    let mut found = Vec::new();
    collect(module, ty, 0, &mut found)?;
    Ok(found)
}

fn collect(
    module: &Module,
    ty: &TypeInner,
    offset: u32,
    found: &mut Vec<Leaf>,
) -> Result<(), Unsupported> {
    match ty {
        TypeInner::Scalar(scalar) | TypeInner::Atomic(scalar) => found.push(Leaf {
            offset,
            kind: Kind::of(*scalar)?,
        }),
        TypeInner::Vector { size, scalar } => {
            let kind = Kind::of(*scalar)?;
            found.extend((0..*size as u32).map(|i| Leaf {
                offset: offset + i,
                kind,
            }));
        }
        TypeInner::Matrix {
            columns,
            rows,
            scalar,
        } => {
            let kind = Kind::of(*scalar)?;
            for column in 0..*columns as u32 {
                let start = offset + column * column_words(*rows);
                found.extend((0..*rows as u32).map(|i| Leaf {
                    offset: start + i,
                    kind,
                }));
            }
        }
        TypeInner::Array { base, size, stride } => {
            let count = length(*size)?;
            let inner = leaves(module, &module.types[*base].inner)?;
            if u64::from(count) * inner.len() as u64 > MOST_LEAVES {
                return Err(Unsupported::new(format!(
                    "an array of {count} elements as a value or a variable of one invocation"
                )));
            }
            for i in 0..count {
                found.extend(inner.iter().map(|leaf| Leaf {
                    offset: offset + i * (stride / 4) + leaf.offset,
                    kind: leaf.kind,
                }));
            }
        }
        TypeInner::Struct { members, .. } => {
            for member in members {
                collect(
                    module,
                    &module.types[member.ty].inner,
                    offset + member.offset / 4,
                    found,
                )?;
            }
        }
        other => return Err(Unsupported::new(format!("values of type {other:?}"))),
    }
    Ok(())
}

/// How many words a type comes apart into.
pub(crate) fn count(module: &Module, ty: &TypeInner) -> Result<u32, Unsupported> {
    Ok(match ty {
        TypeInner::Scalar(_) | TypeInner::Atomic(_) => 1,
        TypeInner::Vector { size, .. } => *size as u32,
        TypeInner::Matrix { columns, rows, .. } => *columns as u32 * *rows as u32,
        TypeInner::Array { base, size, .. } => {
            length(*size)? * count(module, &module.types[*base].inner)?
        }
        TypeInner::Struct { members, .. } => {
            let mut words = 0;
            for member in members {
                words += count(module, &module.types[member.ty].inner)?;
            }
            words
        }
        other => return Err(Unsupported::new(format!("values of type {other:?}"))),
    })
}

/// The elements of an array whose size is settled.
pub(crate) fn length(size: ArraySize) -> Result<u32, Unsupported> {
    match size {
        ArraySize::Constant(count) => Ok(count.get()),
        _ => Err(Unsupported::new(
            "an array without a size as a value".to_owned(),
        )),
    }
}

/// Words from column to column of a matrix in memory.
pub(crate) fn column_words(rows: naga::VectorSize) -> u32 {
    match rows {
        naga::VectorSize::Bi => 2,
        _ => 4,
    }
}

/// What is behind an index, in a value or in memory.
pub(crate) struct Part {
    /// Its type, unless it is a scalar or a column.
    pub(crate) ty: PartType,
    /// Words of a value before it.
    pub(crate) first: u32,
    /// Words of memory before it.
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
            offset: member.offset / 4,
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
    /// Words of memory from each to the next.
    pub(crate) stride: u32,
}

pub(crate) fn elements(module: &Module, ty: &TypeInner) -> Result<Elements, Unsupported> {
    Ok(match ty {
        TypeInner::Vector { size, scalar } => Elements {
            ty: PartType::Inner(TypeInner::Scalar(*scalar)),
            count: Some(*size as u32),
            words: 1,
            stride: 1,
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
            words: *rows as u32,
            stride: column_words(*rows),
        },
        TypeInner::Array { base, size, stride } => Elements {
            ty: PartType::Named(*base),
            count: match size {
                ArraySize::Constant(count) => Some(count.get()),
                _ => None,
            },
            words: count(module, &module.types[*base].inner)?,
            stride: stride / 4,
        },
        other => return Err(Unsupported::new(format!("an index into {other:?}"))),
    })
}
