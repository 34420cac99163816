//! Runs a kernel for all of its invocations at once: what the run keeps, and how it starts.
//!
//! The run follows what variables can hold, and notes every place where a buffer is touched. Its steps are the affair of
//! `statements`, `branches`, `loops`, `sites`, `expressions` and `arithmetic`, what follows from the places that of `decide`.
//!
//! Invariant: whatever an invocation does with a buffer is in one of the sites that are noted, or the run is lost.

use super::Inputs;
use super::form::{Form, Symbol};
use super::path::{Facts, Path, Symbols};
use super::sites::Site;
use super::value::{Cond, Int, Value};
use naga::valid::{FunctionInfo, ModuleInfo};
use naga::{
    AddressSpace, BuiltIn, Function, GlobalVariable, Handle, Module, ScalarKind, Span, Type,
    TypeInner,
};
use std::collections::HashMap;

/// How much work is done for a kernel before it is given up.
const FUEL: usize = 300_000;

/// Larger divisors aren't put together from smaller ones.
const MOST_DIVISOR: i128 = 1 << 40;

/// Why a kernel can't be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    TooComplex,
    Unsupported,
}

/// How bits are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Change {
    Turn,
    Set,
}

/// A function while it runs.
pub(super) struct Frame<'a> {
    pub(super) function: &'a Function,
    pub(super) info: &'a FunctionInfo,
    pub(super) values: Vec<Option<Value>>,
    pub(super) arguments: Vec<Value>,
    /// Where its variables begin.
    pub(super) base: usize,
    pub(super) depth: usize,
    /// How much was assumed when it was called.
    pub(super) mark: usize,
    pub(super) returns: Vec<(Facts, Value)>,
}

/// What holds at one point of the run.
#[derive(Clone)]
pub(super) struct State {
    pub(super) variables: Vec<Value>,
    pub(super) path: Path,
}

/// A statement that can be left.
pub(super) struct Exit {
    pub(super) is_loop: bool,
    pub(super) breaks: Vec<State>,
    pub(super) continues: Vec<State>,
}

/// A run of a kernel.
pub(super) struct Machine<'a> {
    pub(super) module: &'a Module,
    pub(super) info: &'a ModuleInfo,
    pub(super) inputs: &'a Inputs<'a>,
    pub(super) symbols: Symbols,
    pub(super) parts: HashMap<(Form, i128), Symbol>,
    /// What bits are after a change of those that are set in a mask.
    pub(super) changed: HashMap<(Form, Change, i128), Symbol>,
    /// The types of the variables.
    pub(super) types: Vec<Handle<Type>>,
    pub(super) privates: HashMap<Handle<GlobalVariable>, usize>,
    pub(super) sites: Vec<Site>,
    pub(super) exits: Vec<Exit>,
    /// Where invocations return from the functions under way, outermost first.
    pub(super) ends: Vec<(usize, State)>,
    pub(super) is_noting: bool,
    /// A round is run only to see what it changes.
    pub(super) is_trying: bool,
    pub(super) loops: usize,
    pub(super) fuel: usize,
    pub(super) lost: Option<(Lost, Span)>,
    pub(super) place: Span,
    /// Words of uniforms that were looked at, and those that something depended on.
    pub(super) words: Vec<(usize, u32)>,
    pub(super) used: u64,
    /// Along x, y and z: the global id, and the workgroup's.
    pub(super) ids: [(Form, Form); 3],
    pub(super) ground: Path,
}

impl<'a> Machine<'a> {
    pub(super) fn new(module: &'a Module, info: &'a ModuleInfo, inputs: &'a Inputs<'a>) -> Self {
        let mut machine = Self {
            module,
            info,
            inputs,
            symbols: Symbols::default(),
            parts: HashMap::new(),
            changed: HashMap::new(),
            types: Vec::new(),
            privates: HashMap::new(),
            sites: Vec::new(),
            exits: Vec::new(),
            ends: Vec::new(),
            is_noting: true,
            is_trying: false,
            loops: 0,
            fuel: FUEL,
            lost: None,
            place: Span::UNDEFINED,
            words: Vec::new(),
            used: 0,
            ids: Default::default(),
            ground: Path::start(),
        };
        machine.ids = std::array::from_fn(|axis| machine.id(axis));
        machine
    }

    /// The ids along an axis.
    fn id(&mut self, axis: usize) -> (Form, Form) {
        let size = i128::from(self.inputs.workgroup[axis]);
        let groups = i128::from(self.inputs.groups(axis)).max(1);
        let is_slowest = axis == self.inputs.slowest;
        let global = self.symbols.add(0, groups * size - 1);
        if is_slowest {
            self.symbols.known[global as usize].slope = (size, 1);
        }
        let global = Form::symbol(global);
        if size == 1 {
            return (global.clone(), global);
        }
        if groups == 1 {
            return (global, Form::default());
        }
        let group = self.symbols.add(0, groups - 1);
        if is_slowest {
            self.symbols.known[group as usize].slope = (1, 1);
        }
        self.define(group, &global, size);
        self.symbols.known[group as usize].part_of = Some((global.clone(), size));
        self.parts.insert((global.clone(), size), group);
        (global, Form::symbol(group))
    }

    /// Says of a symbol that it is the whole part of a form divided by a number.
    fn define(&mut self, part: Symbol, form: &Form, divisor: i128) {
        let whole = Form::symbol(part).times(divisor);
        let Some(whole) = whole else { return };
        let facts = [
            whole.minus(form),
            form.minus(&whole).map(|rest| rest.shifted(1 - divisor)),
        ];
        for fact in facts.into_iter().flatten() {
            // Whoever bounds a form finds it from any of its symbols.
            for (symbol, _) in &fact.terms {
                let known = &mut self.symbols.known[*symbol as usize];
                if known.facts.len() < 12 {
                    known.facts.push(fact.clone());
                }
            }
        }
    }

    /// The whole part of a form divided by a number.
    pub(super) fn part(&mut self, form: &Form, divisor: i128) -> Option<Form> {
        // A part of a part is a part of what that was made of, by one name.
        let inner = match form.terms.as_slice() {
            [(symbol, 1)] if form.constant == 0 => self.symbols.of(*symbol).part_of.clone(),
            _ => None,
        };
        if let Some((whole, inner)) = inner
            && let Some(divisor) = inner.checked_mul(divisor)
            && divisor < MOST_DIVISOR
        {
            return self.part(&whole, divisor);
        }
        let key = (form.clone(), divisor);
        if let Some(found) = self.parts.get(&key) {
            return Some(Form::symbol(*found));
        }
        let (low, high) = self.ground.bound(&self.symbols, form);
        let slope = self.symbols.slope_of_part(form, divisor);
        let part = self.new_symbol(low.div_euclid(divisor), high.div_euclid(divisor));
        let known = &mut self.symbols.known[part as usize];
        known.slope = slope;
        known.part_of = Some((form.clone(), divisor));
        self.define(part, form, divisor);
        self.parts.insert(key, part);
        Some(Form::symbol(part))
    }

    /// Bits of a form, from the one that is worth `first` to before the one that is worth `end`, as a number of `first`s.
    pub(super) fn bits(
        &mut self,
        form: &Form,
        first: i128,
        end: i128,
        path: &Path,
    ) -> Option<Form> {
        let low = self.floor(form, first, path)?;
        let high = self.floor(form, end, path)?;
        low.plus(&high, -(end / first))
    }

    /// What bits are when those that are set in a mask are changed.
    pub(super) fn changed_bits(&mut self, bits: &Form, change: Change, mask: i128) -> Option<Form> {
        let is_all = mask & (mask + 1) == 0;
        match change {
            Change::Set if is_all => return Some(Form::number(mask)),
            Change::Turn if is_all && bits.as_number().is_some() => {
                return bits.times(-1).map(|negative| negative.shifted(mask));
            }
            _ => {}
        }
        // By the bits and not by what they are of: where it is known that some are clear they are another form.
        let key = (bits.clone(), change, mask);
        if let Some(found) = self.changed.get(&key) {
            return Some(Form::symbol(*found));
        }
        let most = (mask as u128 + 1).next_power_of_two() as i128 - 1;
        let changed = self.new_symbol(0, most);
        let sum = bits.plus(&Form::symbol(changed), 1)?;
        let more = Form::symbol(changed).minus(bits)?;
        let less = more.times(-1)?;
        let facts = match change {
            // Each of them is set either before or after.
            Change::Turn if is_all => [sum.shifted(-mask), sum.times(-1)?.shifted(mask)],
            // No other is another than before.
            Change::Turn => [more.shifted(-mask), less.shifted(-mask)],
            Change::Set => [more.shifted(-mask), less],
        };
        let (rise, run) = self.symbols.rise(bits).unwrap_or((0, 1));
        let falls = change == Change::Turn && is_all;
        let known = &mut self.symbols.known[changed as usize];
        known.slope = (if falls { -rise } else { rise }, run);
        known.facts.extend(facts);
        self.changed.insert(key, changed);
        Some(Form::symbol(changed))
    }

    pub(super) fn new_symbol(&mut self, low: i128, high: i128) -> Symbol {
        self.burn(1);
        self.symbols.add(low, high)
    }

    pub(super) fn symbol(&mut self, low: i128, high: i128) -> Form {
        if low == high {
            return Form::number(low);
        }
        Form::symbol(self.new_symbol(low, high))
    }

    /// Counts work, and gives up when there was too much.
    pub(super) fn burn(&mut self, work: usize) {
        let work = work + self.symbols.work.take();
        if self.fuel < work {
            self.fuel = 0;
            self.lose(Lost::TooComplex);
        } else {
            self.fuel -= work;
        }
    }

    pub(super) fn lose(&mut self, why: Lost) {
        let place = self.place;
        self.lost.get_or_insert((why, place));
    }

    /// Anything of a type.
    pub(super) fn unknown(&mut self, ty: &TypeInner) -> Value {
        match *ty {
            TypeInner::Scalar(scalar) | TypeInner::Atomic(scalar) => self.unknown_scalar(scalar),
            TypeInner::Vector { size, scalar } => {
                let parts = (0..size as usize).map(|_| self.unknown_scalar(scalar));
                Value::parts(parts.collect())
            }
            _ => Value::Unknown,
        }
    }

    fn unknown_scalar(&mut self, scalar: naga::Scalar) -> Value {
        match (scalar.kind, scalar.width) {
            (ScalarKind::Uint, 4) => Value::Int(self.anything(false, 0)),
            (ScalarKind::Sint, 4) => Value::Int(self.anything(true, 0)),
            (ScalarKind::Bool, _) => Value::bool(Cond::Unknown),
            _ => Value::Unknown,
        }
    }

    /// Zero of a type.
    pub(super) fn zero(&self, ty: Handle<Type>) -> Value {
        match &self.module.types[ty].inner {
            TypeInner::Scalar(scalar) => Self::zero_scalar(*scalar),
            TypeInner::Vector { size, scalar } => {
                Value::parts(vec![Self::zero_scalar(*scalar); *size as usize])
            }
            TypeInner::Struct { members, .. } => {
                Value::parts(members.iter().map(|member| self.zero(member.ty)).collect())
            }
            _ => Value::Unknown,
        }
    }

    fn zero_scalar(scalar: naga::Scalar) -> Value {
        match (scalar.kind, scalar.width) {
            (ScalarKind::Uint, 4) => Value::Int(Int::number(0, false)),
            (ScalarKind::Sint, 4) => Value::Int(Int::number(0, true)),
            (ScalarKind::Bool, _) => Value::bool(Cond::Known(false)),
            _ => Value::Unknown,
        }
    }

    /// Runs the entry point.
    pub(super) fn run(&mut self, entry: usize) {
        let module = self.module;
        let function = &module.entry_points[entry].function;
        let mut state = State {
            variables: Vec::new(),
            path: Path::start(),
        };
        for (handle, variable) in module.global_variables.iter() {
            if variable.space == AddressSpace::Private {
                self.privates.insert(handle, self.types.len());
                self.types.push(variable.ty);
                let value = match variable.init {
                    Some(init) => self.constant(init),
                    None => self.zero(variable.ty),
                };
                state.variables.push(value);
            }
        }
        let arguments = function.arguments.iter();
        let arguments = arguments
            .map(
                |argument| match (&argument.binding, &module.types[argument.ty].inner) {
                    (Some(naga::Binding::BuiltIn(builtin)), ty) => self.builtin(*builtin, ty),
                    (_, TypeInner::Struct { members, .. }) => {
                        let part = |member: &naga::StructMember| match member.binding {
                            Some(naga::Binding::BuiltIn(builtin)) => {
                                self.builtin(builtin, &module.types[member.ty].inner)
                            }
                            _ => Value::Unknown,
                        };
                        Value::parts(members.iter().map(part).collect())
                    }
                    _ => Value::Unknown,
                },
            )
            .collect();
        let info = self.info.get_entry_point(entry);
        self.call(function, info, arguments, &mut state, 0);
    }

    fn builtin(&mut self, builtin: BuiltIn, ty: &TypeInner) -> Value {
        let triple = |forms: [Option<Form>; 3]| {
            let part = |form: Option<Form>| {
                form.map_or(Value::Unknown, |form| Value::Int(Int::of(form, false)))
            };
            Value::parts(forms.map(part).to_vec())
        };
        let size = self.inputs.workgroup.map(i128::from);
        let local = |axis: usize| {
            let (global, group) = &self.ids[axis];
            global.plus(group, -size[axis])
        };
        let axes = [0, 1, 2];
        match builtin {
            BuiltIn::GlobalInvocationId => triple(axes.map(|axis| Some(self.ids[axis].0.clone()))),
            BuiltIn::WorkGroupId => triple(axes.map(|axis| Some(self.ids[axis].1.clone()))),
            BuiltIn::LocalInvocationId => triple(axes.map(local)),
            BuiltIn::NumWorkGroups => {
                triple(axes.map(|axis| Some(Form::number(self.inputs.groups(axis).into()))))
            }
            BuiltIn::LocalInvocationIndex => {
                let index = || {
                    let row = local(1)?.plus(&local(2)?, size[1])?;
                    local(0)?.plus(&row, size[0])
                };
                match index() {
                    Some(form) => Value::Int(Int::of(form, false)),
                    None => self.unknown(ty),
                }
            }
            _ => self.unknown(ty),
        }
    }
}
