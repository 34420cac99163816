//! One dispatch: what it binds, checked before it is submitted.
//!
//! The only place where a user's input is validated; devices and plans take what comes through here for granted.
//!
//! Invariant: a dispatch that is submitted has every variable bound to something that fits it.

use super::{Buffer, RawBuffer, Runtime};
use crate::device::{Bound, DeviceInfo, DeviceKind, Home};
use crate::error::{Error, Result};
use crate::kernel::rebase::{Based, MOST_WORKGROUPS};
use crate::kernel::{
    Access, Binding, BindingKind, Facts, Kernel, KernelError, Pattern, Proof, Strided, Word,
};
use crate::plan::Touch;
use crate::queue::{Completion, Dispatch, Hold, Report, Request, Resolved};
use crate::range::{Chunk, Range};
use crate::span::Span;
use crate::split::Policy;
use bytemuck::Pod;
use smallvec::SmallVec;
use std::any::type_name;
use std::sync::Arc;

/// A dispatch to be bound and run; see [`Runtime::dispatch`].
///
/// ```
/// use divvy::{Error, Kernel, Runtime};
///
/// let runtime = Runtime::builder().devices("cpu").build()?;
/// let scale = Kernel::from_wgsl(
///     "struct Scale { factor: f32, offset: f32 }
///      @group(0) @binding(0) var<uniform> scale: Scale;
///      @group(0) @binding(1) var<storage, read_write> x: array<f32>;
///      @compute @workgroup_size(8, 8)
///      fn scaled(@builtin(global_invocation_id) id: vec3<u32>) {
///          let i = id.y * 16u + id.x;
///          if i < arrayLength(&x) { x[i] = scale.factor * x[i] + scale.offset; }
///      }",
/// )?;
/// let x = runtime.buffer_from(&[1.0_f32; 16 * 10])?;
///
/// // What is missing or doesn't fit is said before anything runs.
/// let error = runtime.dispatch(&scale, [16, 10]).bind("x", &x).run().unwrap_err();
/// assert!(matches!(error, Error::Unbound { names } if names == ["scale"]));
///
/// runtime.dispatch(&scale, [16, 10]).value("scale", [3.0_f32, 0.5]).bind("x", &x).run()?;
/// assert_eq!(runtime.read(&x)?, [3.5; 160]);
/// # Ok::<(), divvy::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a dispatch does nothing until it is run or submitted"]
pub struct DispatchBuilder<'a> {
    runtime: &'a Runtime,
    kernel: Kernel,
    range: Range,
    policy: Option<Policy>,
    given: Vec<(String, Given)>,
}

#[derive(Debug)]
enum Given {
    Value { bytes: Vec<u8>, rust: &'static str },
    Buffer(GivenBuffer),
}

#[derive(Debug)]
struct GivenBuffer {
    hold: Arc<Hold>,
    len: u64,
    element_bytes: u64,
    /// How many elements the queue takes for one.
    together: u64,
    rust: &'static str,
    /// The scalar of WGSL that the element is, if it is one.
    word: Option<Word>,
}

impl GivenBuffer {
    /// The pattern of the words that the queue takes for elements, if what a unit of the range has doesn't end within one.
    fn in_words(&self, access: Access, chunk: &Chunk) -> Option<Access> {
        let words = self.len / self.together;
        let access = match access {
            Access::Strided(strided) => Access::Strided(strided.in_groups_of(self.together)?),
            other => other,
        };
        let is_even = access.elements(chunk.units, chunk.units.end, words).is_ok();
        is_even.then_some(access)
    }
}

fn given(buffer: &RawBuffer, word: Option<Word>) -> GivenBuffer {
    GivenBuffer {
        hold: buffer.hold().clone(),
        len: buffer.len() as u64,
        element_bytes: buffer.element_bytes() as u64,
        together: buffer.together(),
        rust: buffer.type_name(),
        word,
    }
}

impl<'a> DispatchBuilder<'a> {
    pub(super) fn new(runtime: &'a Runtime, kernel: Kernel, range: Range) -> Self {
        Self {
            runtime,
            kernel,
            range,
            policy: None,
            given: Vec::new(),
        }
    }

    /// Binds a buffer to the `var<storage>` of this name.
    pub fn bind<T: Pod>(mut self, name: &str, buffer: &Buffer<T>) -> Self {
        self.given.push((
            name.to_owned(),
            Given::Buffer(given(buffer.raw(), Word::of::<T>())),
        ));
        self
    }

    /// Binds a buffer of which only the size of its elements is known to the `var<storage>` of this name.
    pub fn bind_raw(mut self, name: &str, buffer: &RawBuffer) -> Self {
        self.given
            .push((name.to_owned(), Given::Buffer(given(buffer, None))));
        self
    }

    /// Binds the bytes of a value to the `var<uniform>` of this name, laid out as WGSL lays it out.
    pub fn value_raw(mut self, name: &str, bytes: &[u8]) -> Self {
        let (bytes, rust) = (bytes.to_vec(), "value of bytes");
        self.given
            .push((name.to_owned(), Given::Value { bytes, rust }));
        self
    }

    /// Binds a value to the `var<uniform>` of this name. A struct must be laid out as WGSL lays it out, padding included.
    ///
    /// A number for a scalar, and an array of numbers for a vector, must be of the variable's type: `3.0_f32` for `f32`. All
    /// else goes by its size.
    pub fn value<T: Pod>(mut self, name: &str, value: T) -> Self {
        let bytes = bytemuck::bytes_of(&value).to_vec();
        self.given.push((
            name.to_owned(),
            Given::Value {
                bytes,
                rust: type_name::<T>(),
            },
        ));
        self
    }

    /// Splits this dispatch in another way than the runtime does.
    pub fn split(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Runs the dispatch and waits for it.
    ///
    /// # Errors
    ///
    /// As [`DispatchBuilder::submit`] and [`Event::wait`].
    pub fn run(self) -> Result<Report> {
        let runtime = self.runtime.inner.clone();
        runtime.queue.run(self.request()?)
    }

    /// Checks the dispatch and hands it to the devices, after all that was submitted before and touches the same
    /// elements.
    ///
    /// # Errors
    ///
    /// If the kernel isn't complete, the range is empty or too large, or something is unbound or doesn't fit.
    pub fn submit(self) -> Result<Event> {
        let runtime = self.runtime.inner.clone();
        let completion = runtime.queue.submit(self.request()?);
        Ok(Event { completion })
    }

    /// How the dispatch accesses each buffer that it binds: as declared, or as proven from the kernel's code for this range,
    /// these buffers and values, or, where that can't be, what stood in the way and in which line.
    ///
    /// # Errors
    ///
    /// As [`DispatchBuilder::submit`].
    pub fn patterns(&self) -> Result<Vec<Pattern>> {
        let facts = self.kernel.facts()?;
        let chunk = self.chunk(facts)?;
        let proof = self.proof(facts, &chunk)?;
        Ok(facts.patterns(&proof))
    }

    /// The whole range, and the dimension that it is split along.
    ///
    /// A range of one row is split along the row. What is declared of rows doesn't always hold for the elements of one: then
    /// the row is the unit, as it is where there are more of them.
    fn chunk(&self, facts: &Facts) -> Result<Chunk> {
        let chunk = check_range(self.range, facts.workgroup)?;
        let last = self.range.dimensions() - 1;
        if chunk.slowest == last || facts.declared.iter().all(Option::is_none) {
            return Ok(chunk);
        }
        let of_rows = Chunk {
            slowest: last,
            units: Span::new(0, 1),
            ..chunk
        };
        for (name, given) in &self.given {
            let declared = facts.declared[facts.find(name)?];
            if let (Given::Buffer(buffer), Some(declared)) = (given, declared)
                && declared
                    .elements(chunk.units, chunk.units.end, buffer.len)
                    .is_err()
            {
                return Ok(of_rows);
            }
        }
        let is_contradicted = self.proof(facts, &chunk)?.contradiction.is_some();
        Ok(if is_contradicted { of_rows } else { chunk })
    }

    /// What is known of how the dispatch accesses its buffers.
    fn proof(&self, facts: &Facts, chunk: &Chunk) -> Result<Arc<Proof>> {
        let mut known: SmallVec<[Option<crate::kernel::Given<'_>>; 8]> =
            SmallVec::from_elem(None, facts.bindings.len());
        for (name, given) in &self.given {
            let place = facts.find(name)?;
            let binding = &facts.bindings[place];
            if known[place].is_some() {
                return Err(Error::GivenTwice { name: name.clone() });
            }
            known[place] = Some(match given {
                Given::Value { bytes, rust } => {
                    binding.check_value(bytes, rust)?;
                    crate::kernel::Given::Value(bytes)
                }
                Given::Buffer(buffer) => {
                    self.check_buffer(binding, facts.declared[place], buffer, chunk)?;
                    crate::kernel::Given::Buffer(buffer.hold.storage.bytes())
                }
            });
        }
        let unbound = facts.bindings.iter().zip(&known);
        let unbound = unbound.filter(|(_, known)| known.is_none());
        let names: Vec<_> = unbound.map(|(binding, _)| binding.name.clone()).collect();
        if !names.is_empty() {
            return Err(Error::Unbound { names });
        }
        let known: SmallVec<[crate::kernel::Given<'_>; 8]> = known.into_iter().flatten().collect();
        Ok(facts.proof(chunk, &known))
    }

    /// The dispatch, checked.
    fn request(self) -> Result<Request> {
        let facts = self.kernel.facts()?.clone();
        let chunk = self.chunk(&facts)?;
        let proof = self.proof(&facts, &chunk)?;
        // A checked runtime says more of it, and of every other fault.
        if !self.runtime.inner.is_checked
            && let Some((place, declared, found)) = &proof.contradiction
        {
            return Err(facts.contradicted(*place, *declared, found).into());
        }
        let mut accesses: Option<Vec<Option<Access>>> = None;
        let mut bound: Vec<Option<Bound>> = vec![None; facts.bindings.len()];
        let mut touches = Vec::new();
        let mut names: Vec<&str> = Vec::new();
        let mut holds: Vec<Arc<Hold>> = Vec::new();
        for (name, given) in &self.given {
            let place = facts.find(name)?;
            let binding = &facts.bindings[place];
            match given {
                Given::Value { bytes, .. } => {
                    let mut padded = bytes.clone();
                    // Devices take values in words.
                    let least = binding.layout.least_bytes.next_multiple_of(4);
                    padded.resize(least as usize, 0);
                    bound[place] = Some(Bound::Value(padded.into()));
                }
                Given::Buffer(buffer) => {
                    let mut access = proof.accesses[place];
                    let BindingKind::Storage(usage) = binding.kind else {
                        continue;
                    };
                    if let Some(found) = access
                        && buffer.together > 1
                    {
                        // Devices would write to halves of a word: it is read whole, or written by one of them.
                        let whole = (!usage.writes()).then_some(Access::All);
                        access = buffer.in_words(found, &chunk).or(whole);
                        accesses.get_or_insert_with(|| proof.accesses.to_vec())[place] =
                            access.and(Some(found));
                    }
                    bound[place] = Some(Bound::Buffer(buffer.hold.storage.clone()));
                    touches.push(Touch {
                        buffer: buffer.hold.storage.id(),
                        writes: usage.writes(),
                        access,
                        word: binding.layout.element.word,
                    });
                    names.push(name);
                    holds.push(buffer.hold.clone());
                }
            }
        }
        check_aliases(&mut touches, &names)?;
        let left_out = self.left_out(&facts, &chunk, &holds, &names);
        let devices = self.runtime.inner.queue.devices();
        let asked = self.policy.as_ref();
        let asked = asked.filter(|_| !self.runtime.inner.is_checked);
        let names: Vec<_> = self
            .runtime
            .devices()
            .map(|info| info.name.as_str())
            .collect();
        let policy = Resolved::new(asked.unwrap_or(&self.runtime.inner.policy), &names)?;
        // Found before anything is under way, so that what was to be written stays what it was.
        let is_able = |device: usize| {
            left_out[device].is_none() && !matches!(policy, Resolved::Only(only) if only != device)
        };
        if !(0..devices.len()).any(is_able) {
            let names = devices.iter().map(|device| device.info().name.as_str());
            return Err(Error::no_device(
                names.zip(left_out.iter().map(Option::as_deref)),
            ));
        }
        let bound = bound.into_iter().flatten().collect();
        let dispatch = Dispatch {
            kernel: self.kernel,
            facts,
            chunk,
            bound,
            accesses: accesses.map_or_else(|| proof.accesses.clone(), Into::into),
            proof,
            touches,
            policy,
            left_out,
            holds,
        };
        Ok(Request::Dispatch(Box::new(dispatch)))
    }

    fn check_buffer(
        &self,
        binding: &Binding,
        access: Option<Access>,
        buffer: &GivenBuffer,
        chunk: &Chunk,
    ) -> Result<()> {
        let name = || binding.name.clone();
        if !Arc::ptr_eq(
            &buffer.hold.abandoned,
            &self.runtime.inner.queue.abandoned(),
        ) {
            return Err(Error::ForeignBuffer { name: name() });
        }
        if binding.kind == BindingKind::Uniform {
            return Err(crate::kernel::ValueError::IsValue { name: name() }.into());
        }
        let (layout, element) = (&binding.layout, &binding.layout.element);
        if !layout.takes(buffer.word, buffer.element_bytes) {
            return Err(Error::WrongElement {
                name: name(),
                wgsl: element.type_name.clone(),
                expected: element.stride,
                rust: buffer.rust,
                actual: buffer.element_bytes,
                hint: binding.element_hint(buffer.element_bytes),
            });
        }
        let actual = buffer.len * buffer.element_bytes;
        if actual < layout.least_bytes {
            return Err(Error::TooShort {
                name: name(),
                least: layout.least_bytes,
                actual,
            });
        }
        if let Some(Access::Strided(Strided { units, .. })) = access {
            let workgroup = self.kernel.facts()?.workgroup[chunk.slowest];
            let workgroup = u64::from(workgroup);
            if units == 0 || !workgroup.is_multiple_of(units) {
                return Err(KernelError::CutBlocks {
                    name: name(),
                    units,
                    workgroup,
                }
                .into());
            }
        }
        if let Some(access) = access {
            let extent = chunk.units.end;
            let even = access.elements(chunk.units, extent, buffer.len);
            even.map_err(|source| Error::Uneven {
                name: name(),
                source,
            })?;
        }
        Ok(())
    }

    /// For each device, why it can't run the dispatch, which holds buffers by these names.
    fn left_out(
        &self,
        facts: &Facts,
        chunk: &Chunk,
        holds: &[Arc<Hold>],
        names: &[&str],
    ) -> Vec<Option<String>> {
        let refusals = self.runtime.refusals(&self.kernel, facts.key);
        let bytes = holds.iter().map(|hold| hold.storage.bytes());
        let (largest, name) = bytes.zip(names.iter().copied()).max().unwrap_or((0, ""));
        let fits = Based::new(chunk, facts.workgroup).is_some();
        let reason = |(info, refusal): (&DeviceInfo, &Option<String>)| {
            if refusal.is_some() {
                return refusal.clone();
            }
            // What reaches elements of Rust's slices has no limit.
            let is_native = info.kind == DeviceKind::Cpu && self.kernel.native_body().is_some();
            if largest > info.most_binding_bytes && !is_native {
                let most = info.most_binding_bytes;
                return Some(format!(
                    "the buffer bound to `{name}` has {largest} bytes, and it binds at most {most}: \
                     use several smaller buffers, with a dispatch for each, to have its help"
                ));
            }
            (info.home == Home::Own && !fits)
                .then(|| format!("the range has more than {MOST_WORKGROUPS} workgroups: split it, or use larger ones"))
        };
        self.runtime
            .devices()
            .zip(refusals.iter())
            .map(reason)
            .collect()
    }
}

fn check_range(range: Range, workgroup: [u32; 3]) -> Result<Chunk> {
    if range.extents().contains(&0) {
        return Err(Error::EmptyRange {
            range: range.to_string(),
        });
    }
    let too_large = |why: String| Error::RangeTooLarge {
        range: range.to_string(),
        why,
    };
    for (axis, extent) in ["x", "y", "z"].into_iter().zip(range.extents()) {
        if extent > u64::from(u32::MAX) {
            return Err(too_large(format!(
                "ids of WGSL count to {} along {axis}",
                u32::MAX
            )));
        }
    }
    let product = range
        .extents()
        .iter()
        .try_fold(1_u64, |product, extent| product.checked_mul(*extent));
    if product.is_none() {
        return Err(too_large(format!(
            "it has more than {} invocations",
            u64::MAX
        )));
    }
    Ok(Chunk::whole(range, workgroup))
}

/// Refuses one buffer behind two variables if one of them is written; joins two that only read into one touch.
fn check_aliases(touches: &mut Vec<Touch>, names: &[&str]) -> Result<()> {
    for i in 0..touches.len() {
        for j in i + 1..touches.len() {
            if touches[i].buffer == touches[j].buffer && (touches[i].writes || touches[j].writes) {
                let (first, second) = (names[i].to_owned(), names[j].to_owned());
                return Err(Error::BoundTwice { first, second });
            }
        }
    }
    touches.sort_by_key(|touch| touch.buffer);
    touches.dedup_by(|later, kept| {
        let is_same = later.buffer == kept.buffer;
        if is_same && later.access != kept.access {
            kept.access = Some(Access::All);
        }
        is_same
    });
    Ok(())
}

/// A dispatch under way.
///
/// ```
/// use divvy::{Kernel, Runtime};
///
/// let runtime = Runtime::builder().devices("cpu").build()?;
/// # let count = Kernel::from_wgsl(
/// #     "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
/// #      @compute @workgroup_size(64)
/// #      fn count(@builtin(global_invocation_id) id: vec3<u32>) {
/// #          if id.x < arrayLength(&x) { x[id.x] += id.x; }
/// #      }",
/// # )?;
/// let x = runtime.buffer::<u32>(1000)?;
/// let first = runtime.dispatch(&count, 1000).bind("x", &x).submit()?;
/// let second = runtime.dispatch(&count, 1000).bind("x", &x).submit()?; // after the first: it updates the same elements
/// second.wait()?;
/// assert!(first.is_done());
/// assert_eq!(runtime.read_range(&x, 7..8)?, [14]);
/// # Ok::<(), divvy::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Event {
    completion: Arc<Completion>,
}

impl Event {
    /// Waits until the dispatch has ended.
    ///
    /// # Errors
    ///
    /// [`Error::Checked`] with what a checked runtime found. If no device could run it, its input is lost, its native body panicked, or the runtime was dropped before it began. What it was to write is then lost
    /// until it is written again.
    pub fn wait(&self) -> Result<Report> {
        self.completion.clone().wait()
    }

    /// Whether the dispatch has ended.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.completion.is_set()
    }
}
