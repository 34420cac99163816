//! Runs a kernel for all of its invocations at once.
//!
//! Walks the statements, follows what variables can hold, and notes every place where a buffer is touched. What
//! expressions come to is the affair of `expressions`, what follows from the places that of `decide`.
//!
//! Invariant: whatever an invocation does with a buffer is in one of the sites that are noted, or the run is lost.

use super::Inputs;
use super::form::{Form, Symbol};
use super::path::{Facts, Path, Symbols};
use super::value::{Cond, Int, Place, Root, Step, Value, limits};
use naga::valid::{FunctionInfo, GlobalUse, ModuleInfo};
use naga::{
    AddressSpace, AtomicFunction, Block, BuiltIn, Expression, Function, GlobalVariable, Handle,
    LocalVariable, Module, ScalarKind, Span, Statement, Type, TypeInner,
};
use std::collections::HashMap;
use std::rc::Rc;

/// How much work is done for a kernel before it is given up.
const FUEL: usize = 300_000;
/// Calls deeper than this are given up: without recursion nobody writes them.
const DEEPEST: usize = 40;
/// The most places that are noted.
const MOST_SITES: usize = 2_000;
/// The most ways for a condition to hold that are compared for what they have in common.
const MOST_COMPARED: usize = 4;
/// Loops inside of more loops than this are followed once, without looking for what their variables have in common.
const DEEPEST_LOOP: usize = 4;

/// What an invocation does at a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    Read,
    Write,
    /// Combines a value into what is there and doesn't look at it, with this operation; nothing if it does look, or does
    /// something else.
    Atomic(Option<crate::kernel::Combine>),
}

/// Which elements a site touches.
#[derive(Clone, Debug)]
pub(super) enum Index {
    /// One of these, each with where it is that.
    Known(Vec<(Path, Form)>),
    /// Possibly any: the index may lie outside of this many elements.
    Outside(i128, i128, u64),
    /// Any of them.
    All,
}

/// A place where a buffer is touched.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) variable: Handle<GlobalVariable>,
    pub(super) does: Does,
    pub(super) index: Index,
    /// The index as it was, and the way here, for finding who certainly touches what.
    pub(super) exact: Option<(Int, Path)>,
    pub(super) span: Span,
}

/// Why a kernel can't be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    TooComplex,
    Unsupported,
}

/// A function while it runs.
pub(super) struct Frame<'a> {
    pub(super) function: &'a Function,
    pub(super) info: &'a FunctionInfo,
    pub(super) values: Vec<Option<Value>>,
    pub(super) arguments: Vec<Value>,
    /// Where its variables begin.
    base: usize,
    depth: usize,
    /// How much was assumed when it was called.
    mark: usize,
    returns: Vec<(Facts, Value)>,
}

/// What holds at one point of the run.
#[derive(Clone)]
pub(super) struct State {
    pub(super) variables: Vec<Value>,
    pub(super) path: Path,
}

/// A statement that can be left.
struct Exit {
    is_loop: bool,
    breaks: Vec<State>,
    continues: Vec<State>,
}

/// What a variable is taken to do in a loop.
#[derive(Clone, Debug)]
enum Guess {
    /// It is this, plus a multiple of the step.
    Steps(Form, i128),
    /// It is somewhere between.
    Stays(i128, i128),
    Anything,
}

pub(super) struct Machine<'a> {
    pub(super) module: &'a Module,
    pub(super) info: &'a ModuleInfo,
    pub(super) inputs: &'a Inputs<'a>,
    pub(super) symbols: Symbols,
    parts: HashMap<(Form, i128), Symbol>,
    /// The types of the variables.
    types: Vec<Handle<Type>>,
    privates: HashMap<Handle<GlobalVariable>, usize>,
    pub(super) sites: Vec<Site>,
    exits: Vec<Exit>,
    /// Where invocations return from the functions under way, outermost first.
    ends: Vec<(usize, State)>,
    is_noting: bool,
    /// A round is run only to see what it changes.
    is_trying: bool,
    loops: usize,
    fuel: usize,
    pub(super) lost: Option<(Lost, Span)>,
    place: Span,
    /// Words of uniforms that were looked at, and those that something depended on.
    pub(super) words: Vec<(usize, u32)>,
    pub(super) used: u64,
    /// Along x, y and z: the global id, and the workgroup's.
    pub(super) ids: [(Form, Form); 3],
    ground: Path,
}

impl<'a> Machine<'a> {
    pub(super) fn new(module: &'a Module, info: &'a ModuleInfo, inputs: &'a Inputs<'a>) -> Self {
        let mut machine = Self {
            module,
            info,
            inputs,
            symbols: Symbols::default(),
            parts: HashMap::new(),
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
        let key = (form.clone(), divisor);
        if let Some(found) = self.parts.get(&key) {
            return Some(Form::symbol(*found));
        }
        let (low, high) = self.ground.bound(&self.symbols, form);
        let slope = self.symbols.slope_of_part(form, divisor);
        let part = self.new_symbol(low.div_euclid(divisor), high.div_euclid(divisor));
        self.symbols.known[part as usize].slope = slope;
        self.define(part, form, divisor);
        self.parts.insert(key, part);
        Some(Form::symbol(part))
    }

    fn new_symbol(&mut self, low: i128, high: i128) -> Symbol {
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

    /// Runs a function; the value that it returns.
    fn call(
        &mut self,
        function: &'a Function,
        info: &'a FunctionInfo,
        arguments: Vec<Value>,
        state: &mut State,
        depth: usize,
    ) -> Value {
        if depth > DEEPEST {
            self.lose(Lost::TooComplex);
            return Value::Unknown;
        }
        let base = state.variables.len();
        let mut frame = Frame {
            function,
            info,
            values: vec![None; function.expressions.len()],
            arguments,
            base,
            depth,
            mark: state.path.assumed.len(),
            returns: Vec::new(),
        };
        self.types.truncate(base);
        for (_, variable) in function.local_variables.iter() {
            self.types.push(variable.ty);
            let value = match variable.init {
                Some(init) => self.get(&mut frame, init, state),
                None => self.zero(variable.ty),
            };
            state.variables.push(value);
        }
        let before = state.path.clone();
        let exits = std::mem::take(&mut self.exits);
        // What the function leaves in variables outside of it, wherever it returns.
        let mut inside = state.clone();
        let falls = self.block(&mut frame, &function.body, &mut inside);
        self.exits = exits;
        let outer = self.ends.iter().take_while(|(d, _)| *d < depth).count();
        let mine = self.ends.split_off(outer);
        let mut states: Vec<State> = mine.into_iter().map(|(_, state)| state).collect();
        if falls {
            states.push(inside);
        }
        let returned = std::mem::take(&mut frame.returns);
        let mark = frame.mark;
        *state = match states.len() {
            0 => {
                state.path.is_dead = true;
                state.clone()
            }
            _ => self.join(&before, mark, states, None),
        };
        // Whoever called comes back, from one place or another.
        state.path.is_exact = before.is_exact;
        state.variables.truncate(base);
        self.types.truncate(base);
        let mut values = returned.into_iter();
        match (values.len(), values.next()) {
            (1, Some((_, value))) => value,
            (_, Some((facts, value))) => {
                let all = std::iter::once((facts, value))
                    .chain(values)
                    .collect::<Vec<_>>();
                self.joined_value(&all, &state.path.clone(), None)
            }
            _ => Value::Unknown,
        }
    }

    /// Runs a block; whether its end is reached.
    fn block(&mut self, frame: &mut Frame<'a>, block: &'a Block, state: &mut State) -> bool {
        for (statement, span) in block.span_iter() {
            if self.lost.is_some() || state.path.is_dead {
                return false;
            }
            self.burn(1);
            self.place = *span;
            if !self.statement(frame, statement, state) {
                return false;
            }
        }
        !state.path.is_dead
    }

    fn statement(
        &mut self,
        frame: &mut Frame<'a>,
        statement: &'a Statement,
        state: &mut State,
    ) -> bool {
        match statement {
            Statement::Emit(range) => {
                for handle in range.clone() {
                    self.burn(1);
                    let value = self.evaluate(frame, handle, state);
                    frame.values[handle.index()] = Some(value);
                }
                true
            }
            Statement::Block(block) => self.block(frame, block, state),
            Statement::If {
                condition,
                accept,
                reject,
            } => {
                let cond = self.condition(frame, *condition, state);
                self.branch(frame, &cond, accept, reject, state)
            }
            Statement::Switch { selector, cases } => {
                let selector = self.get(frame, *selector, state);
                self.switch(frame, &selector, cases, state)
            }
            Statement::Loop {
                body,
                continuing,
                break_if,
            } => self.repeat(frame, body, continuing, *break_if, state),
            Statement::Break => {
                if let Some(exit) = self.exits.last_mut() {
                    exit.breaks.push(state.clone());
                }
                false
            }
            Statement::Continue => {
                let exit = self.exits.iter_mut().rev().find(|exit| exit.is_loop);
                if let Some(exit) = exit {
                    exit.continues.push(state.clone());
                }
                false
            }
            Statement::Return { value } => {
                if let Some(value) = value {
                    let value = self.get(frame, *value, state);
                    let facts =
                        Facts::from_iter(state.path.assumed.iter().skip(frame.mark).cloned());
                    frame.returns.push((facts, value));
                }
                self.ends.push((frame.depth, state.clone()));
                false
            }
            Statement::Kill => false,
            Statement::ControlBarrier(_) | Statement::MemoryBarrier(_) => true,
            Statement::Store { pointer, value } => {
                let value = self.get(frame, *value, state);
                let at = frame.function.expressions.get_span(*pointer);
                match self.get(frame, *pointer, state) {
                    Value::Pointer(place) => self.store(&place, value, at, state),
                    _ => self.lose(Lost::Unsupported),
                }
                true
            }
            Statement::Atomic {
                pointer,
                fun,
                value: _,
                result,
            } => {
                let is_used = result.is_some_and(|result| frame.info[result].ref_count > 0);
                let does = Does::Atomic(combined(fun).filter(|_| !is_used));
                let at = frame.function.expressions.get_span(*pointer);
                match self.get(frame, *pointer, state) {
                    Value::Pointer(place) => match place.root {
                        Root::Storage(variable) => self.note(variable, &place, does, at, state),
                        Root::Own(_) | Root::Uniform(_) => self.lose(Lost::Unsupported),
                        Root::Other => {}
                    },
                    _ => self.lose(Lost::Unsupported),
                }
                if let Some(result) = result {
                    self.forget(frame, *result);
                }
                true
            }
            Statement::WorkGroupUniformLoad { result, .. } => {
                self.forget(frame, *result);
                true
            }
            Statement::Call {
                function,
                arguments,
                result,
            } => {
                let info = &self.info[*function];
                let callee = &self.module.functions[*function];
                if self.is_inert(callee, info) {
                    if let Some(result) = result {
                        self.forget(frame, *result);
                    }
                    return true;
                }
                let arguments = arguments
                    .iter()
                    .map(|argument| self.get(frame, *argument, state));
                let arguments = arguments.collect();
                let value = self.call(callee, info, arguments, state, frame.depth + 1);
                if let Some(result) = result {
                    frame.values[result.index()] = Some(value);
                    if frame.values[result.index()] == Some(Value::Unknown) {
                        self.forget(frame, *result);
                    }
                }
                true
            }
            Statement::SubgroupBallot { result, .. }
            | Statement::SubgroupGather { result, .. }
            | Statement::SubgroupCollectiveOperation { result, .. } => {
                self.forget(frame, *result);
                true
            }
            Statement::ImageStore { .. }
            | Statement::ImageAtomic { .. }
            | Statement::RayQuery { .. }
            | Statement::RayPipelineFunction(_)
            | Statement::CooperativeStore { .. } => {
                self.lose(Lost::Unsupported);
                true
            }
        }
    }

    /// Sets a result to anything of its type.
    fn forget(&mut self, frame: &mut Frame<'a>, result: Handle<Expression>) {
        let ty = frame.info[result].ty.inner_with(&self.module.types).clone();
        frame.values[result.index()] = Some(self.unknown(&ty));
    }

    /// Whether a function touches nothing, and returns nothing that an index could be made of.
    fn is_inert(&self, function: &Function, info: &FunctionInfo) -> bool {
        let is_plain = |ty: Handle<Type>| matches!(self.module.types[ty].inner, TypeInner::Scalar(scalar) | TypeInner::Vector { scalar, .. } if scalar.kind == ScalarKind::Float);
        let has_pointers = function.arguments.iter().any(|argument| {
            self.module.types[argument.ty]
                .inner
                .pointer_space()
                .is_some()
        });
        let touches = self
            .module
            .global_variables
            .iter()
            .any(|(handle, variable)| {
                let space = variable.space;
                !info[handle].is_empty()
                    && (matches!(space, AddressSpace::Storage { .. } | AddressSpace::Private))
            });
        !has_pointers
            && !touches
            && function
                .result
                .as_ref()
                .is_none_or(|result| is_plain(result.ty))
    }

    /// A condition that is known, as a value.
    pub(super) fn condition(
        &mut self,
        frame: &mut Frame<'a>,
        condition: Handle<Expression>,
        state: &mut State,
    ) -> Rc<Cond> {
        match self.get(frame, condition, state) {
            Value::Bool(cond) => cond,
            _ => Rc::new(Cond::Unknown),
        }
    }

    /// Goes on only where the condition is so.
    fn assume(&mut self, cond: &Rc<Cond>, truth: bool, state: &mut State) {
        self.used |= cond.words();
        if **cond == Cond::Known(truth) {
            return;
        }
        let ways = self.ways(cond, truth, &state.path);
        state.path.conditions.push((cond.clone(), truth));
        match ways.as_slice() {
            [] => state.path.is_dead = true,
            [only] => {
                for fact in only {
                    state.path.assume(&self.symbols, fact);
                }
            }
            several if several.len() <= MOST_COMPARED => {
                for fact in self.common(several, &state.path) {
                    state.path.assume(&self.symbols, &fact);
                }
            }
            _ => {}
        }
    }

    /// What holds whichever way it came about.
    fn common(&mut self, ways: &[Facts], path: &Path) -> Facts {
        let paths: Vec<Path> = ways
            .iter()
            .map(|way| path.with(&self.symbols, way))
            .collect();
        let mut common = Facts::new();
        for fact in ways.iter().flatten() {
            self.burn(4 * ways.len());
            let holds = |path: &Path| path.is_dead || path.bound(&self.symbols, fact).1 <= 0;
            if !common.contains(fact) && paths.iter().all(holds) {
                common.push(fact.clone());
            }
        }
        common
    }

    fn branch(
        &mut self,
        frame: &mut Frame<'a>,
        cond: &Rc<Cond>,
        accept: &'a Block,
        reject: &'a Block,
        state: &mut State,
    ) -> bool {
        let mark = state.path.assumed.len();
        let before = state.path.clone();
        let mut ends = Vec::new();
        for (truth, block) in [(true, accept), (false, reject)] {
            let mut inside = state.clone();
            self.assume(cond, truth, &mut inside);
            if self.block(frame, block, &mut inside) {
                ends.push(inside);
            }
        }
        match ends.len() {
            0 => false,
            // Everyone who is still here came this way.
            1 => {
                *state = ends.swap_remove(0);
                true
            }
            _ => {
                *state = self.join(&before, mark, ends, Some(cond));
                true
            }
        }
    }

    fn switch(
        &mut self,
        frame: &mut Frame<'a>,
        selector: &Value,
        cases: &'a [naga::SwitchCase],
        state: &mut State,
    ) -> bool {
        let mark = state.path.assumed.len();
        let before = state.path.clone();
        self.exits.push(Exit {
            is_loop: false,
            breaks: Vec::new(),
            continues: Vec::new(),
        });
        let mut ends: Vec<State> = Vec::new();
        let mut through: Option<State> = None;
        for case in cases {
            let mut inside = state.clone();
            let value = match case.value {
                naga::SwitchValue::I32(value) => Some(Int::number(value.into(), true)),
                naga::SwitchValue::U32(value) => Some(Int::number(value.into(), false)),
                naga::SwitchValue::Default => None,
            };
            // With bodies that are shared there is no telling which value led there.
            let is_alone = through.is_none() && !case.fall_through;
            if let (Value::Int(selector), Some(value), true) = (selector, value, is_alone) {
                let cond = Cond::Compare(super::value::Order::Equal, selector.clone(), value);
                self.assume(&Rc::new(cond), true, &mut inside);
            } else {
                inside.path.conditions.push((Rc::new(Cond::Unknown), true));
            }
            if let Some(earlier) = through.take() {
                let states = if inside.path.is_dead {
                    vec![earlier]
                } else {
                    vec![earlier, inside]
                };
                inside = self.join(&before, mark, states, None);
            }
            if inside.path.is_dead {
                continue;
            }
            let falls = self.block(frame, &case.body, &mut inside);
            if falls && case.fall_through {
                through = Some(inside);
            } else if falls {
                ends.push(inside);
            }
        }
        ends.extend(through);
        if let Some(exit) = self.exits.pop() {
            ends.extend(exit.breaks);
        }
        if ends.is_empty() {
            return false;
        }
        *state = self.join(&before, mark, ends, None);
        true
    }

    /// Brings together what holds at the ends of several ways from one point.
    fn join(
        &mut self,
        before: &Path,
        mark: usize,
        mut states: Vec<State>,
        cond: Option<&Rc<Cond>>,
    ) -> State {
        let ways = states.len();
        if ways == 1 && cond.is_some() {
            return states.swap_remove(0);
        }
        let mut path = before.clone();
        // Somebody left on the way if more was asked than the branch itself did.
        let asked = before.conditions.len() + 1;
        path.is_exact &= states
            .iter()
            .all(|state| state.path.is_exact && state.path.conditions.len() <= asked);
        let facts = |state: &State| Facts::from_iter(state.path.assumed.iter().skip(mark).cloned());
        let facts: Vec<Facts> = states.iter().map(facts).collect();
        let count = states
            .iter()
            .map(|state| state.variables.len())
            .min()
            .unwrap_or(0);
        let mut variables = Vec::with_capacity(count);
        for slot in 0..count {
            let first = &states[0].variables[slot];
            if states[1..]
                .iter()
                .all(|state| state.variables[slot] == *first)
            {
                variables.push(first.clone());
                continue;
            }
            self.burn(ways);
            let values: Vec<_> = states
                .iter()
                .zip(&facts)
                .map(|(state, facts)| (facts.clone(), state.variables[slot].clone()))
                .collect();
            let joined = self.joined_value(&values, &path, cond);
            variables.push(if joined == Value::Unknown {
                self.unknown_of(slot)
            } else {
                joined
            });
        }
        State { variables, path }
    }

    /// One of several values, each where its facts hold.
    fn joined_value(
        &mut self,
        values: &[(Facts, Value)],
        path: &Path,
        cond: Option<&Rc<Cond>>,
    ) -> Value {
        let first = &values[0].1;
        if values[1..].iter().all(|(_, value)| value == first) {
            return first.clone();
        }
        match first {
            Value::Int(int) => {
                let (is_signed, mut words) = (int.is_signed, 0);
                let mut cases = super::arithmetic::Cases::new();
                for (facts, value) in values {
                    let Value::Int(int) = value else {
                        return Value::Unknown;
                    };
                    words |= int.words;
                    for case in int.cases.iter() {
                        let facts = super::arithmetic::joined(facts, &case.facts);
                        let form = case.form.clone();
                        let case = super::value::Case { facts, form };
                        if !path.with(&self.symbols, &case.facts).is_dead {
                            cases.push(case);
                        }
                    }
                }
                Value::Int(self.of_cases(cases, is_signed, words, path))
            }
            Value::Bool(accepted) => match (values, cond) {
                ([_, (_, Value::Bool(rejected))], Some(cond)) => {
                    let both = cond.both(accepted);
                    Value::Bool(both.either(&cond.not().both(rejected)))
                }
                _ => Value::bool(Cond::Unknown),
            },
            Value::Parts(parts) => {
                let part = |place: usize| {
                    let of = |(facts, value): &(Facts, Value)| (facts.clone(), value.part(place));
                    values.iter().map(of).collect::<Vec<_>>()
                };
                let parts =
                    (0..parts.len()).map(|place| self.joined_value(&part(place), path, cond));
                Value::parts(parts.collect())
            }
            _ => Value::Unknown,
        }
    }

    fn unknown_of(&mut self, slot: usize) -> Value {
        let module = self.module;
        match self.types.get(slot) {
            Some(ty) => self.unknown(&module.types[*ty].inner),
            None => Value::Unknown,
        }
    }

    fn repeat(
        &mut self,
        frame: &mut Frame<'a>,
        body: &'a Block,
        continuing: &'a Block,
        break_if: Option<Handle<Expression>>,
        state: &mut State,
    ) -> bool {
        let mut changed = Vec::new();
        self.changed(frame, body, &mut changed);
        self.changed(frame, continuing, &mut changed);
        changed.sort_unstable();
        changed.dedup();
        changed.retain(|slot| *slot < state.variables.len());
        self.loops += 1;
        let mut guesses = if self.loops > DEEPEST_LOOP {
            vec![Guess::Anything; changed.len()]
        } else {
            self.guesses(frame, body, continuing, &changed, state)
        };
        let before = state.clone();
        // Each time that a guess turns out wrong it is given up, so this ends.
        loop {
            let noted = self.sites.len();
            let (returned, ended) = (frame.returns.len(), self.ends.len());
            let mut inside = before.clone();
            inside.path.is_exact = false;
            self.begin(&changed, &guesses, &mut inside);
            let start = inside.variables.clone();
            let (ends, breaks) = self.round(frame, body, continuing, break_if, inside);
            let mut holds = true;
            for (place, slot) in changed.iter().enumerate() {
                let is_kept = ends.iter().all(|end| {
                    self.keeps(
                        &guesses[place],
                        &start[*slot],
                        &end.variables[*slot],
                        &end.path,
                    )
                });
                if !is_kept {
                    guesses[place] = Guess::Anything;
                    holds = false;
                }
            }
            if holds || self.lost.is_some() {
                self.loops -= 1;
                return self.after(&before, breaks, state);
            }
            self.sites.truncate(noted);
            frame.returns.truncate(returned);
            self.ends.truncate(ended);
        }
    }

    /// What holds after a loop.
    fn after(&mut self, before: &State, mut breaks: Vec<State>, state: &mut State) -> bool {
        if breaks.is_empty() {
            return false;
        }
        let mark = before.path.assumed.len();
        *state = if breaks.len() == 1 {
            breaks.swap_remove(0)
        } else {
            self.join(&before.path, mark, breaks, None)
        };
        state.path.is_exact = false;
        true
    }

    /// Runs the body and what comes between two rounds; the states at the end of the round, and those that leave.
    fn round(
        &mut self,
        frame: &mut Frame<'a>,
        body: &'a Block,
        continuing: &'a Block,
        break_if: Option<Handle<Expression>>,
        mut state: State,
    ) -> (Vec<State>, Vec<State>) {
        let mark = state.path.assumed.len();
        let before = state.path.clone();
        self.exits.push(Exit {
            is_loop: true,
            breaks: Vec::new(),
            continues: Vec::new(),
        });
        let falls = self.block(frame, body, &mut state);
        let Some(exit) = self.exits.last_mut() else {
            return (Vec::new(), Vec::new());
        };
        let mut ends = std::mem::take(&mut exit.continues);
        if falls {
            ends.push(state);
        }
        let mut again = Vec::new();
        if !ends.is_empty() {
            let mut state = if ends.len() == 1 {
                ends.swap_remove(0)
            } else {
                self.join(&before, mark, ends, None)
            };
            if self.block(frame, continuing, &mut state) {
                if let Some(condition) = break_if {
                    let cond = self.condition(frame, condition, &mut state);
                    let mut leaving = state.clone();
                    self.assume(&cond, true, &mut leaving);
                    if !leaving.path.is_dead
                        && let Some(exit) = self.exits.last_mut()
                    {
                        exit.breaks.push(leaving);
                    }
                    self.assume(&cond, false, &mut state);
                }
                if !state.path.is_dead {
                    again.push(state);
                }
            }
        }
        let breaks = self.exits.pop().map_or(Vec::new(), |exit| exit.breaks);
        (again, breaks)
    }

    /// Guesses from one round without anything noted what the changed variables do.
    fn guesses(
        &mut self,
        frame: &mut Frame<'a>,
        body: &'a Block,
        continuing: &'a Block,
        changed: &[usize],
        state: &State,
    ) -> Vec<Guess> {
        if self.is_trying {
            return vec![Guess::Anything; changed.len()];
        }
        let noted = self.sites.len();
        let (returned, ended) = (frame.returns.len(), self.ends.len());
        let noting = std::mem::replace(&mut self.is_noting, false);
        self.is_trying = true;
        let mut inside = state.clone();
        for slot in changed {
            inside.variables[*slot] = self.unknown_of(*slot);
        }
        let start = inside.variables.clone();
        let (ends, _) = self.round(frame, body, continuing, None, inside);
        (self.is_noting, self.is_trying) = (noting, false);
        self.sites.truncate(noted);
        frame.returns.truncate(returned);
        self.ends.truncate(ended);
        let guesses = changed.iter().map(|slot| {
            let ends: Vec<_> = ends
                .iter()
                .map(|end| (end.variables[*slot].clone(), end.path.clone()))
                .collect();
            self.guess(&state.variables[*slot], &state.path, &start[*slot], &ends)
        });
        guesses.collect()
    }

    fn guess(
        &mut self,
        first: &Value,
        path: &Path,
        start: &Value,
        ends: &[(Value, Path)],
    ) -> Guess {
        let (Value::Int(first), Value::Int(start)) = (first, start) else {
            return Guess::Anything;
        };
        let Some(begin) = start.form().cloned() else {
            return Guess::Anything;
        };
        let mut step: Option<i128> = None;
        let (mut is_steps, mut grows, mut shrinks) = (true, true, true);
        for (end, path) in ends {
            let Value::Int(end) = end else {
                return Guess::Anything;
            };
            self.used |= end.words;
            for case in end.cases.iter() {
                let Some(by) = case.form.minus(&begin) else {
                    return Guess::Anything;
                };
                match by.as_number() {
                    Some(0) => {}
                    Some(by) => {
                        let by = shortest(by);
                        is_steps &= step.is_none_or(|step| step == by);
                        step = Some(by);
                        (grows, shrinks) = (grows && by > 0, shrinks && by < 0);
                    }
                    None => {
                        is_steps = false;
                        let path = path.with(&self.symbols, &case.facts);
                        let (low, high) = path.bound(&self.symbols, &by);
                        (grows, shrinks) = (grows && low >= 0, shrinks && high <= 0);
                    }
                }
            }
        }
        self.used |= first.words;
        let mut cases = self.resolve(first, path);
        if is_steps && cases.len() > 1 {
            cases = self.spanning(cases, first.is_signed, path);
        }
        if is_steps && let (Some(step), [only]) = (step, cases.as_slice()) {
            return Guess::Steps(only.form.clone(), step);
        }
        let (least, most) = first.limits();
        let (low, high) = self.range(first, path);
        match (grows, shrinks) {
            (true, true) => Guess::Stays(low, high),
            (true, false) => Guess::Stays(low, most),
            (false, true) => Guess::Stays(least, high),
            _ => Guess::Anything,
        }
    }

    /// Sets the variables to what is guessed of them at the start of a round.
    fn begin(&mut self, changed: &[usize], guesses: &[Guess], state: &mut State) {
        for (slot, guess) in changed.iter().zip(guesses) {
            let is_signed = matches!(&state.variables[*slot], Value::Int(int) if int.is_signed);
            let value = match guess {
                Guess::Steps(first, step) => self.stepping(first, *step, is_signed, &state.path),
                Guess::Stays(low, high) => {
                    Some(Value::Int(self.between(*low, *high, is_signed, 0)))
                }
                Guess::Anything => None,
            };
            state.variables[*slot] = match value {
                Some(value) => value,
                None => self.unknown_of(*slot),
            };
        }
    }

    /// The first value plus some steps, without going past the end of the type.
    fn stepping(
        &mut self,
        first: &Form,
        step: i128,
        is_signed: bool,
        path: &Path,
    ) -> Option<Value> {
        let (least, most) = limits(is_signed);
        let (low, high) = path.bound(&self.symbols, first);
        let rounds = if step > 0 {
            (most - low) / step
        } else {
            (high - least) / -step
        };
        let round = self.new_symbol(0, rounds.max(0));
        let form = first.plus(&Form::symbol(round), step)?;
        // Where it begins is a value of the type, and no step leads past an end of it.
        let facts = [form.shifted(-most), form.times(-1)?.shifted(least)];
        self.symbols.known[round as usize].facts.extend(facts);
        Some(Value::Int(Int::of(form, is_signed)))
    }

    /// Whether what a variable is at the end of a round is what is guessed of it.
    fn keeps(&mut self, guess: &Guess, start: &Value, end: &Value, path: &Path) -> bool {
        match guess {
            Guess::Anything => true,
            Guess::Stays(low, high) => {
                let Value::Int(end) = end else { return false };
                self.used |= end.words;
                let (a, b) = self.range(end, path);
                *low <= a && b <= *high
            }
            Guess::Steps(_, step) => {
                let (Value::Int(start), Value::Int(end)) = (start, end) else {
                    return false;
                };
                self.used |= end.words;
                let Some(begin) = start.form().cloned() else {
                    return false;
                };
                let (least, most) = start.limits();
                end.cases.iter().all(|case| {
                    let by = case.form.minus(&begin).and_then(|by| by.as_number());
                    let Some(by) = by.map(shortest) else {
                        return false;
                    };
                    let is_step = by == 0 || by == *step;
                    let path = path.with(&self.symbols, &case.facts);
                    let (low, high) = path.bound(&self.symbols, &begin.shifted(by));
                    path.is_dead || is_step && least <= low && high <= most
                })
            }
        }
    }

    /// The variables that a block may change.
    fn changed(&self, frame: &Frame<'a>, block: &'a Block, found: &mut Vec<usize>) {
        for statement in block {
            match statement {
                Statement::Store { pointer, .. } => self.root(frame, *pointer, found),
                Statement::Block(block) => self.changed(frame, block, found),
                Statement::If { accept, reject, .. } => {
                    self.changed(frame, accept, found);
                    self.changed(frame, reject, found);
                }
                Statement::Switch { cases, .. } => {
                    for case in cases {
                        self.changed(frame, &case.body, found);
                    }
                }
                Statement::Loop {
                    body, continuing, ..
                } => {
                    self.changed(frame, body, found);
                    self.changed(frame, continuing, found);
                }
                Statement::Call {
                    function,
                    arguments,
                    ..
                } => {
                    for argument in arguments {
                        self.root(frame, *argument, found);
                    }
                    let info = &self.info[*function];
                    let written = self.privates.iter();
                    let written =
                        written.filter(|(handle, _)| info[**handle].contains(GlobalUse::WRITE));
                    found.extend(written.map(|(_, slot)| *slot));
                }
                _ => {}
            }
        }
    }

    /// The variable that a pointer leads to, if it is the invocation's own.
    fn root(&self, frame: &Frame<'a>, pointer: Handle<Expression>, found: &mut Vec<usize>) {
        match frame.function.expressions[pointer] {
            Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => {
                self.root(frame, base, found);
            }
            Expression::LocalVariable(local) => found.push(self.slot(frame, local)),
            Expression::GlobalVariable(global) => found.extend(self.privates.get(&global)),
            Expression::FunctionArgument(place) => {
                if let Some(Value::Pointer(place)) = frame.arguments.get(place as usize)
                    && let Root::Own(slot) = place.root
                {
                    found.push(slot);
                }
            }
            _ => {}
        }
    }

    pub(super) fn slot(&self, frame: &Frame<'a>, local: Handle<LocalVariable>) -> usize {
        frame.base + local.index()
    }

    pub(super) fn private(&self, global: Handle<GlobalVariable>) -> Option<usize> {
        self.privates.get(&global).copied()
    }

    fn store(&mut self, place: &Place, value: Value, span: Span, state: &mut State) {
        match place.root {
            Root::Own(slot) => {
                self.depend_on(&place.steps);
                let Some(old) = state.variables.get(slot).cloned() else {
                    return self.lose(Lost::Unsupported);
                };
                state.variables[slot] = replaced(&old, &place.steps, value);
            }
            Root::Storage(variable) => self.note(variable, place, Does::Write, span, state),
            Root::Uniform(_) => self.lose(Lost::Unsupported),
            Root::Other => {}
        }
    }

    /// Which part of a variable is meant depends on these.
    pub(super) fn depend_on(&mut self, steps: &[Step]) {
        for step in steps {
            if let Step::Index(int) = step {
                self.used |= int.words;
            }
        }
    }

    /// Notes that a buffer is touched.
    pub(super) fn note(
        &mut self,
        variable: Handle<GlobalVariable>,
        place: &Place,
        does: Does,
        span: Span,
        state: &State,
    ) {
        if !self.is_noting || state.path.is_dead {
            return;
        }
        if self.sites.len() >= MOST_SITES {
            return self.lose(Lost::TooComplex);
        }
        let index = self.index(variable, place, &state.path);
        let exact = match place.steps.first() {
            Some(Step::Index(int)) if state.path.is_exact => {
                Some((int.clone(), state.path.clone()))
            }
            _ => None,
        };
        self.sites.push(Site {
            variable,
            does,
            index,
            exact,
            span,
        });
    }

    /// Which elements a pointer leads to.
    fn index(&mut self, variable: Handle<GlobalVariable>, place: &Place, path: &Path) -> Index {
        let module = self.module;
        let mut ty = module.global_variables[variable].ty;
        let mut index = None;
        for (depth, step) in place.steps.iter().enumerate() {
            let len = match module.types[ty].inner {
                TypeInner::Array { base, size, .. } => {
                    ty = base;
                    match size {
                        naga::ArraySize::Constant(count) => u64::from(count.get()),
                        naga::ArraySize::Dynamic if depth == 0 => self.inputs.elements(variable),
                        _ => return Index::All,
                    }
                }
                TypeInner::Struct { ref members, .. } => {
                    match step {
                        Step::Member(member) if (*member as usize) < members.len() => {
                            ty = members[*member as usize].ty;
                        }
                        _ => return Index::All,
                    }
                    continue;
                }
                TypeInner::Vector { size, .. } if matches!(step, Step::Index(_)) => size as u64,
                // Validated where it is a number.
                _ if matches!(step, Step::Member(_)) => continue,
                _ => return Index::All,
            };
            let int = match step {
                Step::Member(member) => Int::number((*member).into(), false),
                Step::Index(int) => int.clone(),
            };
            self.used |= int.words;
            let mut known = Vec::new();
            for case in self.resolve(&int, path) {
                let path = path.with(&self.symbols, &case.facts);
                if path.is_dead {
                    continue;
                }
                self.burn(8);
                let (low, high) = path.bound(&self.symbols, &case.form);
                if low < 0 || high >= i128::from(len) {
                    return Index::Outside(low, high, len);
                }
                known.push((path, case.form));
            }
            if depth == 0 {
                index = Some(known);
            }
        }
        match (
            index,
            &module.types[module.global_variables[variable].ty].inner,
        ) {
            (Some(known), TypeInner::Array { .. }) => Index::Known(known),
            // One element, whatever it is made of.
            (_, inner)
                if !matches!(inner, TypeInner::Array { .. })
                    && self.inputs.elements(variable) == 1 =>
            {
                Index::Known(vec![(path.clone(), Form::default())])
            }
            _ => Index::All,
        }
    }
}

/// A difference modulo 2^32, the shorter way around.
fn shortest(by: i128) -> i128 {
    let half = 1 << 31;
    (by + half).rem_euclid(1 << 32) - half
}

/// A value with a part of it replaced.
fn replaced(old: &Value, steps: &[Step], value: Value) -> Value {
    let Some((first, rest)) = steps.split_first() else {
        return value;
    };
    let place = match first {
        Step::Member(member) => Some(*member as usize),
        Step::Index(int) => {
            let number = int.form().and_then(Form::as_number);
            number.and_then(|number| usize::try_from(number).ok())
        }
    };
    match (old, place) {
        (Value::Parts(parts), Some(place)) if place < parts.len() => {
            let mut parts = parts.to_vec();
            parts[place] = replaced(&parts[place], rest, value);
            Value::parts(parts)
        }
        _ => Value::Unknown,
    }
}

/// The operation that an atomic function combines with, if it can be done in any order.
fn combined(fun: &AtomicFunction) -> Option<crate::kernel::Combine> {
    use crate::kernel::Combine;
    match fun {
        AtomicFunction::Add | AtomicFunction::Subtract => Some(Combine::Add),
        AtomicFunction::Min => Some(Combine::Min),
        AtomicFunction::Max => Some(Combine::Max),
        AtomicFunction::InclusiveOr => Some(Combine::Or),
        AtomicFunction::And => Some(Combine::And),
        AtomicFunction::ExclusiveOr | AtomicFunction::Exchange { .. } => None,
    }
}
