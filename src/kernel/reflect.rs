//! What a kernel's source says of itself: bindings, how they are used, how their bytes are laid out.
//!
//! Reads naga's module and its analysis; decides nothing.
//!
//! Invariant: the bindings are those that the entry point reaches, sorted by group and number.

use super::access::Word;
use super::{KernelError, excerpt};
use naga::common::wgsl::TypeContext;
use naga::proc::{GlobalCtx, TypeResolution};
use naga::valid::{GlobalUse, ModuleInfo};
use naga::{AddressSpace, ArraySize, Handle, Module, ScalarKind, StorageAccess, Type, TypeInner};

/// A variable of the kernel that a buffer or a value is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The variable's name in the WGSL.
    pub name: String,
    /// Its `@group`.
    pub group: u32,
    /// Its `@binding`.
    pub binding: u32,
    /// What is bound to it, and what the kernel does with it.
    pub kind: BindingKind,
    /// Whether its declaration allows writing, whatever the kernel does.
    pub writable: bool,
    /// How its bytes are laid out.
    pub layout: Layout,
}

/// What a variable is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BindingKind {
    /// A buffer: `var<storage>`.
    Storage(Usage),
    /// A value: `var<uniform>`.
    Uniform,
}

/// What the entry point, and all it calls, does with a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Usage {
    /// Only reads it, whatever its declaration would allow.
    Read,
    /// Only writes it. Nothing says that it writes every element.
    Write,
    /// Reads and writes it, or uses atomics.
    Update,
}

impl Usage {
    /// Whether the kernel may change the buffer.
    #[must_use]
    pub fn writes(self) -> bool {
        self != Usage::Read
    }
}

/// The layout of a variable in WGSL's rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The variable's type, as WGSL writes it.
    pub type_name: String,
    /// One element: of the array, where the variable is one; the whole variable otherwise.
    pub element: Element,
    /// How many elements there are; nothing for a runtime-sized array.
    pub count: Option<u64>,
    /// Bytes of the smallest buffer or value that may be bound.
    pub least_bytes: u64,
}

impl Layout {
    /// Whether the variable is made of elements of so many bytes, which are these words if they are scalars.
    pub(crate) fn takes(&self, word: Option<Word>, bytes: u64) -> bool {
        // A struct that ends in a runtime-sized array is no array of one element.
        let is_open_struct = self.count.is_none() && self.type_name == self.element.type_name;
        let words_differ =
            matches!((self.element.word, word), (Some(wgsl), Some(rust)) if wgsl != rust);
        is_open_struct || (!words_differ && self.element.stride == bytes)
    }
}

/// One element of a binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// The element's type, as WGSL writes it.
    pub type_name: String,
    /// Bytes from one element to the next.
    pub stride: u64,
    /// Bytes of the element, without padding behind it.
    pub bytes: u64,
    /// The alignment that WGSL gives the element, in bytes.
    pub alignment: u64,
    /// Its members, where it is a struct.
    pub members: Vec<Member>,
    /// The scalar that the element is made of, where it is nothing but one, or an atomic one.
    pub word: Option<Word>,
    /// The scalar that the element is made of, as WGSL writes it, where the element is a scalar or a vector.
    pub scalar: Option<String>,
}

/// A member of a struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its type, as WGSL writes it.
    pub type_name: String,
    /// Bytes from the start of the struct.
    pub offset: u64,
    /// Bytes of the member.
    pub bytes: u64,
}

/// Lists what the entry point with this index is bound to.
///
/// # Errors
///
/// If it uses a texture, a sampler or something else that isn't a buffer or a value, or immediates.
pub(super) fn bindings(
    module: &Module,
    info: &ModuleInfo,
    entry: usize,
    source: &str,
) -> Result<Vec<Binding>, KernelError> {
    let uses = info.get_entry_point(entry);
    let mut bindings = Vec::new();
    for (handle, variable) in module.global_variables.iter() {
        let used = uses[handle];
        if used.is_empty() {
            continue;
        }
        let name = variable.name.clone().unwrap_or_default();
        let kind = match variable.space {
            AddressSpace::Uniform => BindingKind::Uniform,
            AddressSpace::Storage { access } => BindingKind::Storage(usage(used, access)),
            AddressSpace::Private | AddressSpace::WorkGroup | AddressSpace::Function => continue,
            _ => {
                return Err(KernelError::UnsupportedBinding {
                    name,
                    type_name: type_name(module, variable.ty),
                    excerpt: excerpt(source, module.global_variables.get_span(handle)),
                });
            }
        };
        let Some(place) = variable.binding else {
            continue;
        };
        let writable = match variable.space {
            AddressSpace::Storage { access } => access.contains(StorageAccess::STORE),
            _ => false,
        };
        bindings.push(Binding {
            name,
            group: place.group,
            binding: place.binding,
            kind,
            writable,
            layout: layout(module, variable.ty),
        });
    }
    bindings.sort_by_key(|binding| (binding.group, binding.binding));
    Ok(bindings)
}

/// Bytes of the workgroup memory that the entry point with this index reaches, each variable where it may begin.
pub(super) fn workgroup_bytes(module: &Module, info: &ModuleInfo, entry: usize) -> u64 {
    let uses = info.get_entry_point(entry);
    let shared = module.global_variables.iter().filter(|(handle, variable)| {
        variable.space == AddressSpace::WorkGroup && !uses[*handle].is_empty()
    });
    // WGSL counts sixteen bytes at a time.
    let bytes = shared.map(|(_, variable)| {
        let bytes = module.types[variable.ty].inner.size(module.to_ctx());
        u64::from(bytes).next_multiple_of(16)
    });
    bytes.sum()
}

fn usage(used: GlobalUse, declared: StorageAccess) -> Usage {
    if used.contains(GlobalUse::ATOMIC) {
        // An atomic load is no write, but naga doesn't tell them apart.
        return Usage::Update;
    }
    let writes = used.contains(GlobalUse::WRITE) && declared.contains(StorageAccess::STORE);
    match (used.contains(GlobalUse::READ), writes) {
        (_, false) => Usage::Read,
        (false, true) => Usage::Write,
        (true, true) => Usage::Update,
    }
}

fn type_name(module: &Module, ty: Handle<Type>) -> String {
    module.to_ctx().type_to_string(ty)
}

fn layout(module: &Module, ty: Handle<Type>) -> Layout {
    let context = module.to_ctx();
    let (element, stride, count) = match module.types[ty].inner {
        TypeInner::Array { base, size, stride } => {
            (base, Some(u64::from(stride)), fixed(context, size))
        }
        _ => (ty, None, Some(1)),
    };
    let element = element_of(module, element, stride);
    // Naga counts a runtime-sized array, be it the variable or its last member, as one element.
    let least_bytes = u64::from(module.types[ty].inner.size(context)).max(element.bytes);
    let count = count.filter(|_| !ends_open(module, ty));
    Layout {
        type_name: type_name(module, ty),
        element,
        count,
        least_bytes,
    }
}

fn fixed(context: GlobalCtx<'_>, size: ArraySize) -> Option<u64> {
    match size.resolve(context) {
        Ok(naga::proc::IndexableLength::Known(count)) => Some(u64::from(count)),
        _ => None,
    }
}

/// Whether it is a struct that ends in a runtime-sized array.
fn ends_open(module: &Module, ty: Handle<Type>) -> bool {
    let TypeInner::Struct { ref members, .. } = module.types[ty].inner else {
        return false;
    };
    let last = members.last().map(|last| &module.types[last.ty].inner);
    let size = ArraySize::Dynamic;
    matches!(last, Some(TypeInner::Array { size: open, .. }) if *open == size)
}

fn element_of(module: &Module, ty: Handle<Type>, stride: Option<u64>) -> Element {
    let context = module.to_ctx();
    let inner = &module.types[ty].inner;
    let bytes = u64::from(inner.size(context));
    let mut layouter = naga::proc::Layouter::default();
    // The module was validated, and validation lays out every type.
    let alignment = match layouter.update(context) {
        Ok(()) => u64::from(layouter[ty].alignment * 1_u32),
        Err(_) => 4,
    };
    let members = match inner {
        TypeInner::Struct { members, .. } => members
            .iter()
            .map(|member| member_of(module, member))
            .collect(),
        _ => Vec::new(),
    };
    let word = match *inner {
        TypeInner::Scalar(scalar) | TypeInner::Atomic(scalar) if scalar.width == 4 => {
            match scalar.kind {
                ScalarKind::Uint => Some(Word::U32),
                ScalarKind::Sint => Some(Word::I32),
                ScalarKind::Float => Some(Word::F32),
                _ => None,
            }
        }
        _ => None,
    };
    let scalar = match *inner {
        TypeInner::Scalar(scalar) | TypeInner::Vector { scalar, .. } => Some(
            context.type_resolution_to_string(&TypeResolution::Value(TypeInner::Scalar(scalar))),
        ),
        _ => None,
    };
    let stride = stride.unwrap_or(bytes);
    Element {
        type_name: type_name(module, ty),
        stride,
        bytes,
        alignment,
        members,
        word,
        scalar,
    }
}

fn member_of(module: &Module, member: &naga::StructMember) -> Member {
    Member {
        name: member.name.clone().unwrap_or_default(),
        type_name: type_name(module, member.ty),
        offset: u64::from(member.offset),
        bytes: u64::from(module.types[member.ty].inner.size(module.to_ctx())),
    }
}
