//! Kernels: WGSL in, facts out.
//!
//! Parses and validates with naga, says what the kernel binds and how a dispatch of it may be split. Running it is the
//! devices' affair.
//!
//! Invariant: every access pattern that a kernel holds is one that its bindings allow.

mod access;
mod error;
mod excerpt;
mod exchange;
mod infer;
mod native;
mod nesting;
mod overrides;
pub mod rebase;
mod reflect;
mod shape;
mod values;
mod widening;

pub use access::{Access, Combine, Pieces, Strided, Uneven, Word};
pub use error::KernelError;
pub(crate) use excerpt::{excerpt, narrowed};
pub use infer::{Contradicted, Grounds, Obstacle, Pattern, Why};
pub(crate) use infer::{Given, Proof};
pub(crate) use native::Slot;
pub use native::{Body, View, ViewMut};
pub use overrides::Override;
pub use reflect::{Binding, BindingKind, Element, Layout, Member, Usage};
pub use shape::{Leaf, Number, Repeated, Shape};
pub use values::ValueError;

use crate::stack::deep;
use naga::back::PipelineConstants;
use naga::back::pipeline_constants::{PipelineConstantError, process_overrides};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{Module, ShaderStage};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A compute kernel: one entry point of a WGSL source, with what is known of how it may be split.
///
/// Cheap to clone. The methods that refine a kernel return the refined one. How a dispatch may be split is proven from the
/// code, for its range, buffers and values; see [`DispatchBuilder::patterns`](crate::DispatchBuilder::patterns). What can't
/// be proven may be declared with [`Kernel::access`].
///
/// ```
/// use divvy::Kernel;
///
/// let heat = Kernel::from_wgsl(
///     "@group(0) @binding(0) var<storage, read> old: array<f32>;
///      @group(0) @binding(1) var<storage, read_write> next: array<f32>;
///
///      @compute @workgroup_size(64)
///      fn step(@builtin(global_invocation_id) id: vec3<u32>) {
///          let last = arrayLength(&old) - 1u;
///          if id.x > last { return; }
///          next[id.x] = 0.5 * (old[max(id.x, 1u) - 1u] + old[min(id.x + 1u, last)]);
///      }",
/// )?;
/// assert_eq!(heat.facts()?.workgroup, [64, 1, 1]);
/// # Ok::<(), divvy::KernelError>(())
/// ```
#[derive(Clone)]
pub struct Kernel {
    source: Arc<str>,
    parsed: Arc<(Module, ModuleInfo)>,
    entry: Option<Arc<str>>,
    constants: BTreeMap<String, f64>,
    native: Option<native::Native>,
    /// Or why the kernel isn't complete: an entry point to choose, a constant to set.
    facts: Result<Arc<Facts>, KernelError>,
}

/// What is known of a kernel whose entry point and constants are settled.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The entry point's name.
    pub entry: String,
    /// Invocations of a workgroup along x, y and z.
    pub workgroup: [u32; 3],
    /// What the entry point binds, sorted by group and number.
    pub bindings: Vec<Binding>,
    /// The pattern that was declared for each binding, in the same order. What nothing is declared for is worked out for
    /// each dispatch; see [`DispatchBuilder::patterns`](crate::DispatchBuilder::patterns).
    pub declared: Vec<Option<Access>>,
    /// A hash of all that makes the compiled kernel what it is, the same in every process.
    pub key: u128,
    module: Arc<Module>,
    info: Arc<ModuleInfo>,
    entry_index: usize,
    source: Arc<str>,
    has_native: bool,
    proofs: Arc<infer::Proofs>,
}

impl Facts {
    /// The validated module, without overrides.
    pub(crate) fn module(&self) -> &Module {
        &self.module
    }

    /// What naga knows of that module.
    pub(crate) fn info(&self) -> &ModuleInfo {
        &self.info
    }

    /// The place of the entry point among the module's.
    pub(crate) fn entry_index(&self) -> usize {
        self.entry_index
    }

    /// Bytes of the `var<workgroup>` that the entry point reaches.
    pub(crate) fn workgroup_bytes(&self) -> u64 {
        reflect::workgroup_bytes(&self.module, &self.info, self.entry_index)
    }

    /// Where the kernel first converts a whole number to a wider type of the other sign, and how to say it in two steps.
    pub(crate) fn widens_across_signs(&self) -> Option<String> {
        let widening::Widening { from, to, place } =
            widening::across_signs(&self.module, &self.info, self.entry_index)?;
        let name = |kind: naga::ScalarKind, bytes: u8| {
            let letter = if kind == naga::ScalarKind::Sint {
                'i'
            } else {
                'u'
            };
            format!("{letter}{}", u32::from(bytes) * 8)
        };
        let line = place.location(&self.source).line_number;
        let (from, between) = (name(from.kind, from.width), name(from.kind, to.width));
        let to = name(to.kind, to.width);
        Some(format!(
            "line {line} converts {from} to {to}; write {to}({between}(x)), which it gets right"
        ))
    }

    /// The place of the binding of this name.
    ///
    /// # Errors
    ///
    /// If the entry point binds nothing of this name.
    pub fn find(&self, name: &str) -> Result<usize, KernelError> {
        self.bindings
            .iter()
            .position(|binding| binding.name == name)
            .ok_or_else(|| KernelError::UnknownBinding {
                name: name.to_owned(),
                found: self
                    .bindings
                    .iter()
                    .map(|binding| binding.name.clone())
                    .collect(),
            })
    }
}

impl Kernel {
    /// Parses and validates a kernel.
    ///
    /// A source with several compute entry points is complete once [`Kernel::entry`] has chosen one; one with overrides
    /// that have no default, once [`Kernel::constant`] has set them.
    ///
    /// # Errors
    ///
    /// [`KernelError::Wgsl`] with the place in the source, [`KernelError::NoEntry`], or
    /// [`KernelError::UnsupportedBinding`].
    pub fn from_wgsl(source: &str) -> Result<Self, KernelError> {
        nesting::check(source)?;
        deep(|| Self::parsed(source))
    }

    fn parsed(source: &str) -> Result<Self, KernelError> {
        let wgsl = |rendered: String| KernelError::Wgsl {
            excerpt: narrowed(&rendered),
        };
        let module = naga::front::wgsl::parse_str(source)
            .map_err(|error| wgsl(error.emit_to_string(source)))?;
        // Which optional features the code needs is for each device to judge, so all are allowed here.
        let info = Validator::new(ValidationFlags::all(), Capabilities::all())
            .validate(&module)
            .map_err(|error| wgsl(error.emit_to_string(source)))?;
        if !module
            .entry_points
            .iter()
            .any(|entry| entry.stage == ShaderStage::Compute)
        {
            return Err(KernelError::NoEntry);
        }
        Self {
            source: source.into(),
            parsed: Arc::new((module, info)),
            entry: None,
            constants: BTreeMap::new(),
            native: None,
            facts: Err(KernelError::NoEntry),
        }
        .settle(&[])
    }

    /// Chooses the entry point.
    ///
    /// ```
    /// use divvy::{Kernel, KernelError};
    ///
    /// let kernel = Kernel::from_wgsl(
    ///     "override WIDTH: u32;
    ///      @group(0) @binding(0) var<storage, read_write> x: array<u32>;
    ///      @compute @workgroup_size(WIDTH) fn first() { x[0] = WIDTH; }
    ///      @compute @workgroup_size(WIDTH) fn second() { x[1] = WIDTH; }",
    /// )?;
    /// assert!(matches!(kernel.facts(), Err(KernelError::SeveralEntries { .. })));
    /// let kernel = kernel.entry("second")?.constant("WIDTH", 32)?;
    /// assert_eq!(kernel.facts()?.workgroup, [32, 1, 1]);
    /// # Ok::<(), KernelError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there is none of this name, or it binds something unsupported, or a pattern was declared that it doesn't
    /// allow.
    pub fn entry(mut self, name: &str) -> Result<Self, KernelError> {
        let found = self.entries();
        if !found.iter().any(|entry| entry == name) {
            return Err(KernelError::UnknownEntry {
                name: name.to_owned(),
                found,
            });
        }
        self.entry = Some(name.into());
        let declared = self.declared();
        self.settled(&declared)
    }

    /// Sets a WGSL `override`, by its name or by its `@id` in decimal. Booleans are 0 and 1.
    ///
    /// # Errors
    ///
    /// If there is none of this name, or the value doesn't fit.
    pub fn constant(mut self, name: &str, value: impl Into<f64>) -> Result<Self, KernelError> {
        let asked_id = name.parse::<u16>().ok();
        let overrides = || self.parsed.0.overrides.iter().map(|(_, found)| found);
        let is_asked = |found: &&naga::Override| {
            found.name.as_deref() == Some(name) || (asked_id.is_some() && found.id == asked_id)
        };
        let Some(found) = overrides().find(is_asked) else {
            let found = overrides().filter_map(|found| found.name.clone()).collect();
            return Err(KernelError::UnknownConstant {
                name: name.to_owned(),
                found,
            });
        };
        let value = value.into();
        values::check_constant(&self.parsed.0, found, name, value)?;
        // One that has an `@id` goes by it and by nothing else.
        let identifier = found
            .id
            .map_or_else(|| name.to_owned(), |id| id.to_string());
        self.constants.insert(identifier, value);
        let declared = self.declared();
        self.settled(&declared)
    }

    /// Declares how a buffer is accessed, where that can't be proven from the code; see
    /// [`DispatchBuilder::patterns`](crate::DispatchBuilder::patterns) for what can.
    ///
    /// A declaration is a promise, and goes before what is proven: a kernel that reaches other elements than it allows
    /// computes with old values there. A dispatch that certainly would is refused, and a checked runtime says of every
    /// other where it does; see [`Builder::checked`](crate::Builder::checked).
    ///
    /// # Errors
    ///
    /// If the kernel binds nothing of this name, or the binding doesn't allow the pattern.
    pub fn access(self, name: &str, access: Access) -> Result<Self, KernelError> {
        self.facts()?.find(name)?;
        let mut declared = self.declared();
        declared.retain(|(other, _)| other != name);
        declared.push((name.to_owned(), access));
        self.settled(&declared)
    }

    /// What is known of the kernel.
    ///
    /// # Errors
    ///
    /// If an entry point has yet to be chosen, or a constant to be set.
    pub fn facts(&self) -> Result<&Arc<Facts>, KernelError> {
        self.facts.as_ref().map_err(Clone::clone)
    }

    /// The WGSL that the kernel was made from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The overrides that were set by [`Kernel::constant`], by name, or by `@id` where they have one: with the source and the
    /// entry point all that it takes to make the kernel again elsewhere.
    ///
    /// ```
    /// use divvy::Kernel;
    ///
    /// let kernel = Kernel::from_wgsl("override N: u32; @compute @workgroup_size(N) fn main() {}")?;
    /// let kernel = kernel.constant("N", 64)?;
    /// assert_eq!(kernel.constants().collect::<Vec<_>>(), [("N", 64.0)]);
    /// # Ok::<(), divvy::KernelError>(())
    /// ```
    pub fn constants(&self) -> impl Iterator<Item = (&str, f64)> {
        let set = self.constants.iter();
        set.map(|(name, value)| (name.as_str(), *value))
    }

    /// The names of the compute entry points, in the order of the source.
    ///
    /// ```
    /// use divvy::Kernel;
    ///
    /// let kernel = Kernel::from_wgsl(
    ///     "@compute @workgroup_size(64) fn kick() {}
    ///      @compute @workgroup_size(64) fn drift() {}",
    /// )?;
    /// assert_eq!(kernel.entries(), ["kick", "drift"]);
    /// # Ok::<(), divvy::KernelError>(())
    /// ```
    #[must_use]
    pub fn entries(&self) -> Vec<String> {
        let entries = self.parsed.0.entry_points.iter();
        entries
            .filter(|entry| entry.stage == ShaderStage::Compute)
            .map(|entry| entry.name.clone())
            .collect()
    }

    /// The patterns that were declared.
    fn declared(&self) -> Vec<(String, Access)> {
        let Ok(facts) = &self.facts else {
            return Vec::new();
        };
        let pairs = facts.bindings.iter().zip(&facts.declared);
        pairs
            .filter_map(|(binding, declared)| Some((binding.name.clone(), (*declared)?)))
            .collect()
    }

    /// Works the facts out anew.
    fn settled(self, declared: &[(String, Access)]) -> Result<Self, KernelError> {
        deep(|| self.settle(declared))
    }

    /// The same where the stack is deep already. An entry point or a constant that is still missing is kept for later.
    fn settle(mut self, declared: &[(String, Access)]) -> Result<Self, KernelError> {
        self.facts = match self.resolve(declared) {
            Ok(facts) => Ok(Arc::new(facts)),
            Err(
                later @ (KernelError::SeveralEntries { .. } | KernelError::MissingConstant { .. }),
            ) => Err(later),
            Err(now) => return Err(now),
        };
        Ok(self)
    }

    fn resolve(&self, declared: &[(String, Access)]) -> Result<Facts, KernelError> {
        let found = self.entries();
        let name = match (&self.entry, found.as_slice()) {
            (Some(chosen), _) => chosen.to_string(),
            (None, [only]) => only.clone(),
            (None, _) => return Err(KernelError::SeveralEntries { found }),
        };
        let (module, info) = &*self.parsed;
        let mut constants = PipelineConstants::default();
        constants.extend(
            self.constants
                .iter()
                .map(|(name, value)| (name.clone(), *value)),
        );
        let (module, info) = process_overrides(
            module,
            info,
            Some((ShaderStage::Compute, &name)),
            &constants,
        )
        .map_err(|error| match error {
            PipelineConstantError::MissingValue(name) => KernelError::MissingConstant { name },
            PipelineConstantError::ValidationError(error) => KernelError::Constants {
                message: narrowed(error.emit_to_string(&self.source).trim_end()),
            },
            other => KernelError::Constants {
                message: error::said(&other),
            },
        })?;
        let is_ours =
            |entry: &naga::EntryPoint| entry.stage == ShaderStage::Compute && entry.name == name;
        let entry = module
            .entry_points
            .iter()
            .position(is_ours)
            .ok_or(KernelError::NoEntry)?;
        let workgroup = module.entry_points[entry].workgroup_size;
        let bindings = reflect::bindings(&module, &info, entry, &self.source)?;
        let mut patterns = vec![None; bindings.len()];
        for (name, access) in declared {
            // Another entry point may bind less: a declaration of what it doesn't bind is dropped.
            if let Some(place) = bindings.iter().position(|binding| binding.name == *name) {
                check(&bindings[place], *access)?;
                self.check_bits((&module, &info, entry), &bindings[place], *access)?;
                patterns[place] = Some(*access);
            }
        }
        let key = self.key(&name, workgroup);
        Ok(Facts {
            entry: name,
            workgroup,
            bindings,
            declared: patterns,
            key,
            module: Arc::new(module.into_owned()),
            info: Arc::new(info.into_owned()),
            entry_index: entry,
            source: self.source.clone(),
            has_native: self.native.is_some(),
            proofs: Arc::default(),
        })
    }

    /// Refuses to add integers that are the bits of floats.
    fn check_bits(
        &self,
        (module, info, entry): (&Module, &ModuleInfo, usize),
        binding: &Binding,
        access: Access,
    ) -> Result<(), KernelError> {
        if access != Access::Accumulate(Combine::Add)
            || binding.layout.element.word == Some(Word::F32)
        {
            return Ok(());
        }
        let is_it = |variable: &naga::GlobalVariable| {
            let place = variable.binding.as_ref();
            place.is_some_and(|at| (at.group, at.binding) == (binding.group, binding.binding))
        };
        let mut variables = module.global_variables.iter();
        let found = variables.find_map(|(handle, variable)| {
            is_it(variable).then(|| exchange::of_floats(module, info, entry, handle))?
        });
        match found {
            None => Ok(()),
            Some(place) => Err(KernelError::AccumulatesBits {
                name: binding.name.clone(),
                element: binding.layout.element.type_name.clone(),
                access,
                excerpt: excerpt(&self.source, place),
            }),
        }
    }

    /// The 128-bit FNV-1a hash of the source, the entry point, the constants and the workgroup.
    ///
    /// The standard library's hashers may change between releases; a profile on disk must not.
    fn key(&self, entry: &str, workgroup: [u32; 3]) -> u128 {
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        let mut add = |bytes: &[u8]| {
            // A length first, so that no two lists of parts read the same.
            for byte in (bytes.len() as u64).to_le_bytes().iter().chain(bytes) {
                hash = (hash ^ u128::from(*byte)).wrapping_mul(PRIME);
            }
        };
        add(self.source.as_bytes());
        add(entry.as_bytes());
        for (name, value) in &self.constants {
            add(name.as_bytes());
            add(&value.to_bits().to_le_bytes());
        }
        for extent in workgroup {
            add(&extent.to_le_bytes());
        }
        hash
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel")
            .field("entry", &self.entry)
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

/// Whether the binding allows the pattern.
fn check(binding: &Binding, access: Access) -> Result<(), KernelError> {
    let name = || binding.name.clone();
    let BindingKind::Storage(usage) = binding.kind else {
        return Err(KernelError::AccessOfValue { name: name() });
    };
    match access {
        _ if usage.writes() && !access.may_be_written() => Err(KernelError::WritesSharedElements {
            name: name(),
            access,
        }),
        Access::OneToOne
        | Access::Neighborhood(_)
        | Access::Wrapped(_)
        | Access::Strided(_)
        | Access::All => Ok(()),
        Access::Accumulate(_) if !usage.writes() => Err(KernelError::AccumulatesNothing {
            name: name(),
            access,
        }),
        Access::Accumulate(combine) => match binding.layout.element.word {
            Some(word) if combine.suits(word) => Ok(()),
            _ => {
                let element = binding.layout.element.type_name.clone();
                Err(KernelError::NotCombinable {
                    name: name(),
                    element,
                    access,
                })
            }
        },
    }
}

#[cfg(test)]
mod tests;
