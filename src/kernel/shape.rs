//! Where the numbers of a binding are: for programs that fill or show what a kernel binds without knowing its types.
//!
//! Reads naga's types; which bytes to put there is the caller's affair.
//!
//! Invariant: no two numbers of a shape overlap, and they are in the order of their bytes.

use super::Facts;
use naga::{ArraySize, Handle, Module, ScalarKind, Type, TypeInner, VectorSize};
use std::fmt;

/// The numbers that a binding is made of.
///
/// ```
/// use divvy::Kernel;
///
/// let kernel = Kernel::from_wgsl(
///     "struct Step { seconds: f32, wind: vec2<f32> }
///      @group(0) @binding(0) var<uniform> step: Step;
///      @group(0) @binding(1) var<storage, read_write> x: array<vec3<f32>>;
///      @compute @workgroup_size(64)
///      fn move_on(@builtin(global_invocation_id) id: vec3<u32>) {
///          x[id.x] += vec3<f32>(step.wind, 0.0) * step.seconds;
///      }",
/// )?;
/// let facts = kernel.facts()?;
/// let step = facts.shape(facts.find("step")?);
/// let places: Vec<_> = step.fixed.iter().map(|leaf| (leaf.path.as_str(), leaf.offset)).collect();
/// assert_eq!(places, [("seconds", 0), ("wind.x", 8), ("wind.y", 12)]);
///
/// let x = facts.shape(facts.find("x")?).repeated.expect("it is an array");
/// assert_eq!((x.element.len(), x.stride, x.count), (3, 16, None));
/// # Ok::<(), divvy::KernelError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shape {
    /// The numbers before any array that the binding is or, in a struct that ends in a runtime-sized one, that it ends in.
    pub fixed: Vec<Leaf>,
    /// That array.
    pub repeated: Option<Repeated>,
}

/// The array that a binding is, or that it ends in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Repeated {
    /// The member that it is, or nothing where it is the whole binding.
    pub path: String,
    /// Bytes before its first element.
    pub offset: u64,
    /// Bytes from one element to the next.
    pub stride: u64,
    /// How many elements it has; nothing for a runtime-sized array.
    pub count: Option<u64>,
    /// The numbers of one element.
    pub element: Vec<Leaf>,
}

/// One number in a binding's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leaf {
    /// How WGSL would name it from the binding on: `wind.x`, `weights[3]`; nothing for the binding itself.
    pub path: String,
    /// Bytes from the start of the binding, or of the element of the array that it is in.
    pub offset: u64,
    /// What kind of number it is.
    pub number: Number,
}

/// A kind of number, of so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Number {
    /// `f16`, `f32` or `f64`.
    Float(u8),
    /// `i16`, `i32` or `i64`.
    Signed(u8),
    /// `u16`, `u32` or `u64`.
    Unsigned(u8),
}

impl Number {
    /// How many bytes it has.
    #[must_use]
    pub fn bytes(self) -> u8 {
        match self {
            Number::Float(bytes) | Number::Signed(bytes) | Number::Unsigned(bytes) => bytes,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Number::Float(_) => 'f',
            Number::Signed(_) => 'i',
            Number::Unsigned(_) => 'u',
        };
        write!(f, "{kind}{}", u32::from(self.bytes()) * 8)
    }
}

impl Facts {
    /// Where the numbers of the binding at this place in [`Facts::bindings`] are.
    ///
    /// # Panics
    ///
    /// If there is no such binding.
    #[must_use]
    pub fn shape(&self, place: usize) -> Shape {
        let wanted = &self.bindings[place];
        let module = self.module();
        let is_it = |variable: &&naga::GlobalVariable| {
            variable.binding.as_ref().is_some_and(|at| {
                (at.group, at.binding) == (wanted.group, wanted.binding)
                    && variable.name.as_deref() == Some(wanted.name.as_str())
            })
        };
        let mut variables = module.global_variables.iter().map(|(_, variable)| variable);
        let variable = variables
            .find(is_it)
            .expect("bindings were made from the module's variables");
        let mut shape = Shape {
            fixed: Vec::new(),
            repeated: None,
        };
        let ty = variable.ty;
        if let Some(repeated) = array(module, ty, "", 0) {
            shape.repeated = Some(repeated);
            return shape;
        }
        if let TypeInner::Struct { ref members, .. } = module.types[ty].inner
            && let Some(last) = members.last()
            && is_open(module, last.ty)
        {
            for member in &members[..members.len() - 1] {
                add_member(module, member, "", 0, &mut shape.fixed);
            }
            let name = last.name.as_deref().unwrap_or_default();
            shape.repeated = array(module, last.ty, name, u64::from(last.offset));
            return shape;
        }
        add(module, ty, "", 0, &mut shape.fixed);
        shape
    }
}

fn is_open(module: &Module, ty: Handle<Type>) -> bool {
    let size = match module.types[ty].inner {
        TypeInner::Array { size, .. } => size,
        _ => return false,
    };
    size == ArraySize::Dynamic
}

fn array(module: &Module, ty: Handle<Type>, path: &str, offset: u64) -> Option<Repeated> {
    let TypeInner::Array { base, size, stride } = module.types[ty].inner else {
        return None;
    };
    let mut element = Vec::new();
    add(module, base, "", 0, &mut element);
    Some(Repeated {
        path: path.to_owned(),
        offset,
        stride: u64::from(stride),
        count: counted(module, size),
        element,
    })
}

fn counted(module: &Module, size: ArraySize) -> Option<u64> {
    match size.resolve(module.to_ctx()) {
        Ok(naga::proc::IndexableLength::Known(count)) => Some(u64::from(count)),
        _ => None,
    }
}

fn add_member(
    module: &Module,
    member: &naga::StructMember,
    path: &str,
    offset: u64,
    leaves: &mut Vec<Leaf>,
) {
    let name = member.name.as_deref().unwrap_or_default();
    let path = joined(path, name);
    add(
        module,
        member.ty,
        &path,
        offset + u64::from(member.offset),
        leaves,
    );
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// Adds the numbers of a type that begins at `offset`. Types nest less deep than the validator allows.
fn add(module: &Module, ty: Handle<Type>, path: &str, offset: u64, leaves: &mut Vec<Leaf>) {
    let leaf = |path: String, offset, scalar: naga::Scalar| {
        let number = match scalar.kind {
            ScalarKind::Float | ScalarKind::AbstractFloat => Number::Float(scalar.width),
            ScalarKind::Sint | ScalarKind::AbstractInt => Number::Signed(scalar.width),
            ScalarKind::Uint | ScalarKind::Bool => Number::Unsigned(scalar.width),
        };
        Leaf {
            path,
            offset,
            number,
        }
    };
    let components = |path: &str, at: u64, size: VectorSize, scalar: naga::Scalar| {
        let named = ["x", "y", "z", "w"].into_iter().take(size as usize);
        let leaves: Vec<Leaf> = named
            .zip(0_u64..)
            .map(|(name, i)| leaf(joined(path, name), at + i * u64::from(scalar.width), scalar))
            .collect();
        leaves
    };
    match module.types[ty].inner {
        TypeInner::Scalar(scalar) | TypeInner::Atomic(scalar) => {
            leaves.push(leaf(path.to_owned(), offset, scalar));
        }
        TypeInner::Vector { size, scalar } => {
            leaves.extend(components(path, offset, size, scalar));
        }
        TypeInner::Matrix {
            columns,
            rows,
            scalar,
        } => {
            // A column of three is laid out as one of four.
            let words = if rows == VectorSize::Bi { 2 } else { 4 };
            let column = words * u64::from(scalar.width);
            for i in 0..columns as u64 {
                let path = format!("{path}[{i}]");
                leaves.extend(components(&path, offset + i * column, rows, scalar));
            }
        }
        TypeInner::Array { base, size, stride } => {
            for i in 0..counted(module, size).unwrap_or(0) {
                let path = format!("{path}[{i}]");
                add(module, base, &path, offset + i * u64::from(stride), leaves);
            }
        }
        TypeInner::Struct { ref members, .. } => {
            for member in members {
                add_member(module, member, path, offset, leaves);
            }
        }
        _ => {}
    }
}
