//! Lets a chunk begin at any workgroup, and be larger than a device's largest dispatch.
//!
//! WGSL has no base offset: every dispatch starts at workgroup zero. The module is rewritten so that the entry point
//! becomes a function, and a new entry point works out what each builtin would be in the undivided dispatch and calls
//! it. Compiling and running the result is the device's affair.
//!
//! Invariant: the function that the user wrote isn't changed, and every invocation that runs it sees the builtins of the
//! undivided dispatch.

/// The crate whose modules these are, of the version that they are of.
pub use naga;

use super::Facts;
use crate::range::Chunk;
use naga::proc::Emitter;
use naga::{
    AddressSpace, BinaryOperator, Binding, Block, BuiltIn, Expression, Function, FunctionArgument,
    GlobalVariable, Handle, Literal, Module, ResourceBinding, Scalar, Span, Statement,
    StructMember, Type, TypeInner, VectorSize,
};

/// The most workgroups that WebGPU lets a dispatch have along one dimension by default.
pub const WORKGROUPS_PER_DIMENSION: u64 = 65_535;

/// The most workgroups that a chunk may have in all: a fold uses two dimensions.
pub const MOST_WORKGROUPS: u64 = WORKGROUPS_PER_DIMENSION * WORKGROUPS_PER_DIMENSION;

/// How the workgroups that a device runs stand for those of the chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fold {
    /// One for one, shifted by the chunk's first workgroup.
    Straight,
    /// Counted through: the device runs a flat dispatch, and each workgroup works out which one of the chunk it is.
    Folded,
}

/// A rewritten kernel.
#[derive(Clone, Debug)]
pub struct Rebased {
    /// The module; its only entry point has the kernel's name.
    pub module: Module,
    /// `@group` of the uniform that takes a [`Base`].
    pub group: u32,
    /// `@binding` of the uniform that takes a [`Base`].
    pub binding: u32,
}

/// Where a chunk lies in the undivided dispatch, as the rewritten kernel reads it; all in workgroups.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Base {
    first: [u32; 3],
    pad_first: u32,
    count: [u32; 3],
    pad_count: u32,
    total: [u32; 3],
    pad_total: u32,
}

/// What a device is told to run for a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Based {
    /// Which rewriting of the kernel.
    pub fold: Fold,
    /// What to put into its uniform.
    pub base: Base,
    /// Workgroups to dispatch along x, y and z.
    pub dispatch: [u32; 3],
}

impl Based {
    /// Of a chunk of a kernel with these workgroups, or nothing if it has more than [`MOST_WORKGROUPS`].
    #[must_use]
    pub fn new(chunk: &Chunk, workgroup: [u32; 3]) -> Option<Self> {
        let narrow = |long: [u64; 3]| {
            let [x, y, z] = long.map(|extent| u32::try_from(extent).ok());
            Some([x?, y?, z?])
        };
        let workgroups = chunk.workgroups(workgroup);
        let count = narrow(workgroups)?;
        let first = narrow(chunk.first_workgroup(workgroup))?;
        let total = narrow(chunk.range.workgroups(workgroup))?;
        let base = Base {
            first,
            pad_first: 0,
            count,
            pad_count: 0,
            total,
            pad_total: 0,
        };
        if workgroups
            .iter()
            .all(|extent| *extent <= WORKGROUPS_PER_DIMENSION)
        {
            return Some(Self {
                fold: Fold::Straight,
                base,
                dispatch: count,
            });
        }
        let flat = workgroups
            .iter()
            .try_fold(1_u64, |product, extent| product.checked_mul(*extent))?;
        if flat > MOST_WORKGROUPS {
            return None;
        }
        let dispatch = narrow([
            flat.min(WORKGROUPS_PER_DIMENSION),
            flat.div_ceil(WORKGROUPS_PER_DIMENSION),
            1,
        ])?;
        Some(Self {
            fold: Fold::Folded,
            base,
            dispatch,
        })
    }
}

/// Rewrites the kernel.
///
/// ```
/// use divvy::kernel::rebase::{Based, rebase};
/// use divvy::{Chunk, Kernel, Range, Span};
///
/// let kernel = Kernel::from_wgsl(
///     "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
///      @compute @workgroup_size(64)
///      fn main(@builtin(global_invocation_id) id: vec3<u32>) { x[id.x] = id.x; }",
/// )?;
/// let facts = kernel.facts()?;
/// let whole = Chunk::whole(Range::from(1024), facts.workgroup);
/// let half = Chunk { units: Span::new(512, 1024), ..whole };
///
/// let based = Based::new(&half, facts.workgroup).expect("it has few workgroups");
/// let rebased = rebase(facts, based.fold);
/// // For any of naga's writers, or for a compiler of one's own.
/// assert_eq!(rebased.module.entry_points[0].name, "main");
/// // What to dispatch, and what to put into the uniform that has been added.
/// assert_eq!(based.dispatch, [8, 1, 1]);
/// assert_eq!((rebased.group, rebased.binding), (0, 1));
/// assert_eq!(bytemuck::bytes_of(&based.base)[..4], 8_u32.to_le_bytes());
/// # Ok::<(), divvy::KernelError>(())
/// ```
#[must_use]
pub fn rebase(facts: &Facts, fold: Fold) -> Rebased {
    let mut module = facts.module().clone();
    module
        .entry_points
        .retain(|entry| entry.name == facts.entry);

    let is_taken = |number: &u32| {
        let mut bindings = facts.bindings.iter();
        bindings.any(|binding| (binding.group, binding.binding) == (0, *number))
    };
    let binding = (0..).find(|number| !is_taken(number)).unwrap_or(0);
    // A variable that the entry point doesn't reach may have the same number: it is not part of the pipeline.
    let types = Types::of(&mut module);
    let base = module.global_variables.append(
        GlobalVariable {
            name: Some("divvy_base".to_owned()),
            space: AddressSpace::Uniform,
            binding: Some(ResourceBinding { group: 0, binding }),
            ty: types.base,
            init: None,
            memory_decorations: naga::MemoryDecorations::empty(),
        },
        Span::UNDEFINED,
    );

    let entry = &mut module.entry_points[0];
    let mut body = std::mem::take(&mut entry.function);
    body.name = Some(format!("{}_body", facts.entry));
    let arguments = body.arguments.clone();
    for argument in &mut body.arguments {
        argument.binding = None;
    }
    let callee = module.functions.append(body, Span::UNDEFINED);
    let wrapper =
        Wrapper::new(&module, types, base).build(&arguments, callee, facts.workgroup, fold);
    module.entry_points[0].function = wrapper;
    Rebased {
        module,
        group: 0,
        binding,
    }
}

#[derive(Clone, Copy)]
struct Types {
    triple: Handle<Type>,
    base: Handle<Type>,
}

impl Types {
    fn of(module: &mut Module) -> Self {
        let triple = TypeInner::Vector {
            size: VectorSize::Tri,
            scalar: Scalar::U32,
        };
        let triple = module.types.insert(
            Type {
                name: None,
                inner: triple,
            },
            Span::UNDEFINED,
        );
        let member = |name: &str, offset| StructMember {
            name: Some(name.to_owned()),
            ty: triple,
            binding: None,
            offset,
        };
        let members = vec![member("first", 0), member("count", 16), member("total", 32)];
        let inner = TypeInner::Struct {
            members,
            span: size_of::<Base>() as u32,
        };
        let base = module.types.insert(
            Type {
                name: Some("DivvyBase".to_owned()),
                inner,
            },
            Span::UNDEFINED,
        );
        Self { triple, base }
    }
}

/// Builds the new entry point's function.
struct Wrapper<'a> {
    module: &'a Module,
    types: Types,
    base: Handle<GlobalVariable>,
    function: Function,
    body: Block,
    emitter: Emitter,
    /// The expression of each builtin that the device is asked for.
    given: Vec<(BuiltIn, Handle<Expression>)>,
}

impl<'a> Wrapper<'a> {
    fn new(module: &'a Module, types: Types, base: Handle<GlobalVariable>) -> Self {
        Self {
            module,
            types,
            base,
            function: Function::default(),
            body: Block::new(),
            emitter: Emitter::default(),
            given: Vec::new(),
        }
    }

    fn build(
        mut self,
        arguments: &[FunctionArgument],
        callee: Handle<Function>,
        workgroup: [u32; 3],
        fold: Fold,
    ) -> Function {
        // Everything that isn't computed comes first: naga wants it outside of what a statement emits.
        self.ask(BuiltIn::WorkGroupId, self.types.triple);
        for (builtin, ty) in self.leaves(arguments) {
            match builtin {
                BuiltIn::GlobalInvocationId => {
                    self.ask(BuiltIn::LocalInvocationId, self.types.triple)
                }
                BuiltIn::NumWorkGroups => {}
                _ => self.ask(builtin, ty),
            }
        }
        let base = self.constant(Expression::GlobalVariable(self.base));
        let sizes = workgroup.map(|extent| self.number(extent));
        let width = self.number(WORKGROUPS_PER_DIMENSION as u32);
        let real = self.given(BuiltIn::WorkGroupId);

        self.emitter.start(&self.function.expressions);
        let first = self.member(base, 0);
        let place = match fold {
            Fold::Straight => real,
            Fold::Folded => self.unfolded(base, real, width),
        };
        let group = self.binary(BinaryOperator::Add, first, place);
        let size = self.triple(sizes);
        let corner = self.binary(BinaryOperator::Multiply, group, size);
        let total = self.member(base, 2);
        let global = match self
            .given
            .iter()
            .find(|(builtin, _)| *builtin == BuiltIn::LocalInvocationId)
        {
            Some((_, local)) => self.binary(BinaryOperator::Add, corner, *local),
            None => corner,
        };
        let value = |wrapper: &Self, builtin| match builtin {
            BuiltIn::WorkGroupId => group,
            BuiltIn::GlobalInvocationId => global,
            BuiltIn::NumWorkGroups => total,
            other => wrapper.given(other),
        };
        let mut passed = Vec::with_capacity(arguments.len());
        for argument in arguments {
            passed.push(
                match (&argument.binding, &self.module.types[argument.ty].inner) {
                    (Some(Binding::BuiltIn(builtin)), _) => value(&self, *builtin),
                    (_, TypeInner::Struct { members, .. }) => {
                        let builtins = members
                            .iter()
                            .filter_map(|member| builtin(member.binding.as_ref()));
                        let components = builtins.map(|builtin| value(&self, builtin)).collect();
                        self.computed(Expression::Compose {
                            ty: argument.ty,
                            components,
                        })
                    }
                    _ => unreachable!(
                        "naga's validation gives every argument of an entry point a builtin"
                    ),
                },
            );
        }
        self.flush();
        self.body.push(
            Statement::Call {
                function: callee,
                arguments: passed,
                result: None,
            },
            Span::UNDEFINED,
        );
        self.function.body = self.body;
        self.function
    }

    /// The builtins that the user's function takes, with their types, out of structs too.
    fn leaves(&self, arguments: &[FunctionArgument]) -> Vec<(BuiltIn, Handle<Type>)> {
        let mut leaves = Vec::new();
        for argument in arguments {
            if let Some(builtin) = builtin(argument.binding.as_ref()) {
                leaves.push((builtin, argument.ty));
            } else if let TypeInner::Struct { members, .. } = &self.module.types[argument.ty].inner
            {
                leaves.extend(
                    members
                        .iter()
                        .filter_map(|m| Some((builtin(m.binding.as_ref())?, m.ty))),
                );
            }
        }
        leaves
    }

    /// Takes a builtin from the device, once.
    fn ask(&mut self, builtin: BuiltIn, ty: Handle<Type>) {
        if self.given.iter().any(|(given, _)| *given == builtin) {
            return;
        }
        let index = self.function.arguments.len() as u32;
        let binding = Some(Binding::BuiltIn(builtin));
        self.function.arguments.push(FunctionArgument {
            name: None,
            ty,
            binding,
        });
        let argument = self.constant(Expression::FunctionArgument(index));
        self.given.push((builtin, argument));
    }

    fn given(&self, builtin: BuiltIn) -> Handle<Expression> {
        let found = self.given.iter().find(|(given, _)| *given == builtin);
        found
            .expect("every builtin that is passed on was asked for")
            .1
    }

    /// The place in the chunk of a workgroup of the flat dispatch; those past the last one return.
    fn unfolded(
        &mut self,
        base: Handle<Expression>,
        real: Handle<Expression>,
        width: Handle<Expression>,
    ) -> Handle<Expression> {
        use BinaryOperator::{Add, Divide, GreaterEqual, Modulo, Multiply};
        let count = self.member(base, 1);
        let [columns, rows, layers] = [0, 1, 2].map(|axis| self.component(count, axis));
        let [column, row] = [0, 1].map(|axis| self.component(real, axis));
        let before = self.binary(Multiply, row, width);
        let flat = self.binary(Add, before, column);
        let layer = self.binary(Multiply, columns, rows);
        let all = self.binary(Multiply, layer, layers);
        let past = self.binary(GreaterEqual, flat, all);
        self.flush();
        // All invocations of a workgroup leave together, so a barrier in the kernel still meets everyone.
        let mut leave = Block::new();
        leave.push(Statement::Return { value: None }, Span::UNDEFINED);
        self.body.push(
            Statement::If {
                condition: past,
                accept: leave,
                reject: Block::new(),
            },
            Span::UNDEFINED,
        );
        self.emitter.start(&self.function.expressions);
        let x = self.binary(Modulo, flat, columns);
        let line = self.binary(Divide, flat, columns);
        let y = self.binary(Modulo, line, rows);
        let z = self.binary(Divide, line, rows);
        self.triple([x, y, z])
    }

    fn constant(&mut self, expression: Expression) -> Handle<Expression> {
        self.function
            .expressions
            .append(expression, Span::UNDEFINED)
    }

    fn number(&mut self, value: u32) -> Handle<Expression> {
        self.constant(Expression::Literal(Literal::U32(value)))
    }

    fn computed(&mut self, expression: Expression) -> Handle<Expression> {
        self.function
            .expressions
            .append(expression, Span::UNDEFINED)
    }

    fn member(&mut self, base: Handle<Expression>, index: u32) -> Handle<Expression> {
        let pointer = self.component(base, index);
        self.computed(Expression::Load { pointer })
    }

    fn component(&mut self, base: Handle<Expression>, index: u32) -> Handle<Expression> {
        self.computed(Expression::AccessIndex { base, index })
    }

    fn triple(&mut self, components: [Handle<Expression>; 3]) -> Handle<Expression> {
        self.computed(Expression::Compose {
            ty: self.types.triple,
            components: components.to_vec(),
        })
    }

    fn binary(
        &mut self,
        op: BinaryOperator,
        left: Handle<Expression>,
        right: Handle<Expression>,
    ) -> Handle<Expression> {
        self.computed(Expression::Binary { op, left, right })
    }

    fn flush(&mut self) {
        let emitted = self.emitter.finish(&self.function.expressions);
        self.body.extend(emitted);
    }
}

fn builtin(binding: Option<&Binding>) -> Option<BuiltIn> {
    match binding {
        Some(Binding::BuiltIn(builtin)) => Some(*builtin),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Kernel;
    use crate::range::Range;
    use naga::valid::{Capabilities, ValidationFlags, Validator};

    fn rebased(source: &str, fold: Fold) -> Rebased {
        let kernel = Kernel::from_wgsl(source).expect("the source is valid");
        rebase(kernel.facts().expect("it is complete"), fold)
    }

    fn assert_valid(source: &str) {
        for fold in [Fold::Straight, Fold::Folded] {
            let rebased = rebased(source, fold);
            let checked = Validator::new(ValidationFlags::all(), Capabilities::all())
                .validate(&rebased.module);
            checked.unwrap_or_else(|error| panic!("{fold:?}: {error:?}"));
        }
    }

    #[test]
    fn kernels_without_builtins_stay_valid() {
        assert_valid("@compute @workgroup_size(1) fn main() {}");
    }

    #[test]
    fn every_builtin_may_be_an_argument() {
        assert_valid(
            "@group(0) @binding(3) var<storage, read_write> out: array<u32>;
             @compute @workgroup_size(8, 4, 2)
             fn main(@builtin(global_invocation_id) g: vec3<u32>, @builtin(local_invocation_id) l: vec3<u32>,
                     @builtin(workgroup_id) w: vec3<u32>, @builtin(num_workgroups) n: vec3<u32>,
                     @builtin(local_invocation_index) i: u32) {
                 out[g.x + l.y + w.z + n.x + i] = arrayLength(&out);
             }",
        );
    }

    #[test]
    fn builtins_may_come_in_a_struct() {
        assert_valid(
            "struct In { @builtin(global_invocation_id) g: vec3<u32>, @builtin(num_workgroups) n: vec3<u32> }
             @group(0) @binding(0) var<storage, read_write> out: array<u32>;
             fn helper(in: In) -> u32 { return in.g.x * in.n.x; }
             @compute @workgroup_size(64)
             fn main(in: In, @builtin(local_invocation_index) i: u32) { out[in.g.x] = helper(in) + i; }",
        );
    }

    #[test]
    fn barriers_and_workgroup_memory_stay_valid() {
        assert_valid(
            "var<workgroup> sums: array<f32, 64>;
             @group(0) @binding(0) var<storage, read_write> out: array<f32>;
             @compute @workgroup_size(64)
             fn main(@builtin(local_invocation_index) i: u32, @builtin(workgroup_id) w: vec3<u32>) {
                 sums[i] = f32(i);
                 workgroupBarrier();
                 if i == 0u { out[w.x] = sums[63]; }
             }",
        );
    }

    #[test]
    fn the_base_takes_the_first_free_number() {
        let source = "@group(0) @binding(4294967295) var<storage, read_write> a: array<u32>;
            @group(0) @binding(0) var<storage, read> b: array<u32>;
            @group(1) @binding(1) var<storage, read> c: array<u32>;
            @compute @workgroup_size(1) fn main() { a[0] = b[0] + c[0]; }";
        let rebased = rebased(source, Fold::Straight);
        assert_eq!((rebased.group, rebased.binding), (0, 1));
    }

    #[test]
    fn a_chunk_within_the_limits_runs_one_for_one() {
        let chunk = Chunk {
            range: Range::from([100, 64]),
            slowest: 1,
            units: crate::span::Span::new(16, 64),
        };
        let based = Based::new(&chunk, [8, 8, 1]).expect("it is small");
        assert_eq!((based.fold, based.dispatch), (Fold::Straight, [13, 6, 1]));
        assert_eq!(
            (based.base.first, based.base.count),
            ([0, 2, 0], [13, 6, 1])
        );
        assert_eq!(based.base.total, [13, 8, 1]);
    }

    #[test]
    fn a_chunk_past_the_limits_is_folded() {
        let chunk = Chunk::whole(Range::from(100_000_u32), [1, 1, 1]);
        let based = Based::new(&chunk, [1, 1, 1]).expect("a fold takes it");
        assert_eq!((based.fold, based.dispatch), (Fold::Folded, [65_535, 2, 1]));
    }

    #[test]
    fn a_chunk_past_every_fold_is_refused() {
        let chunk = Chunk::whole(Range::from(u32::MAX), [1, 1, 1]);
        assert_eq!(Based::new(&chunk, [1, 1, 1]), None);
        let chunk = Chunk::whole(Range::from([u32::MAX, u32::MAX]), [16, 16, 1]);
        assert_eq!(Based::new(&chunk, [16, 16, 1]), None);
    }
}
