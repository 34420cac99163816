//! From naga's module to a lane program: functions, statements, masks.
//!
//! Walks the entry point and all it calls. What differs between lanes is found by assuming at first that nothing does:
//! where that proves wrong the variable, loop or function is marked and the walk begins again, so that each walk is
//! simple and the last one is right. Expressions are the affair of `value`.
//!
//! Invariant: a lane that isn't in the mask changes nothing that it, or another lane, may see later.

mod atomics;
mod branches;
mod builtins;
mod implied;
mod memory;
mod rounds;
mod subgroups;
mod variables;

use super::Unsupported;
use super::build::{Builder, Region};
use super::check::{self, Checks, Deed, Trail};
use super::op::{Label, Memory, Reg};
use super::shape::{Kind, PartType};
use implied::{Implied, Node};
use naga::valid::{FunctionInfo, ModuleInfo};
use naga::{
    AddressSpace, Block, Expression, Function, GlobalVariable, Handle, LocalVariable, Module,
    Statement, TypeInner,
};
use std::collections::HashMap;

/// What the lanes of a block are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Layout {
    /// Neighbours along x: only x differs.
    Row,
    /// A workgroup.
    Workgroup,
}

/// Which lanes take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mask {
    /// All that the block has.
    Full,
    Some(Reg),
    /// None: nothing comes here.
    Dead,
}

/// What an expression has come to.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Words(Vec<Reg>),
    Pointer(Pointer),
}

#[derive(Clone, Debug)]
pub(super) struct Pointer {
    pub(super) base: Base,
    pub(super) ty: PartType,
    /// Words from the base: of what is bound as WGSL lays it out, of all else as values come apart.
    pub(super) first: u32,
    pub(super) dynamic: Option<Reg>,
    /// Halves of words behind those, in what is bound: one or none, and those that aren't known.
    pub(super) half: u32,
    pub(super) halves: Option<Reg>,
    pub(super) trail: Trail,
}

impl Pointer {
    fn to(base: Base, ty: PartType, first: u32) -> Self {
        Self {
            base,
            ty,
            first,
            dynamic: None,
            half: 0,
            halves: None,
            trail: Trail::default(),
        }
    }

    /// With the variable that it points into.
    fn rooted(mut self, root: Handle<GlobalVariable>) -> Self {
        self.trail = Trail::of(root);
        self
    }

    /// Whether it points to a buffer or a value.
    pub(super) fn is_bound(&self) -> bool {
        matches!(self.base, Base::Memory(region) if matches!(region.memory, Memory::Bound(_)))
    }

    /// Moves it by so many halves of words.
    pub(super) fn advance(&mut self, halves: u32) {
        let halves = self.half.saturating_add(halves);
        self.first = self.first.saturating_add(halves / 2);
        self.half = halves % 2;
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Base {
    Variable(usize),
    Memory(Region),
}

/// A variable that each lane has for itself.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    id: usize,
    cells: Cells,
    kinds: Vec<Kind>,
    /// The frame that it lives in.
    owner: usize,
}

#[derive(Clone, Debug)]
enum Cells {
    Registers(Vec<Reg>),
    /// Indexed dynamically: in each lane's own memory.
    Own(Region),
}

/// What was found out in earlier walks, by the order in which things are met.
#[derive(Clone, Debug, Default)]
struct Marks {
    variables: Vec<VariableMark>,
    loops: Vec<LoopMark>,
    /// Functions from which some lanes return before others.
    frames: Vec<bool>,
    has_changed: bool,
}

impl Marks {
    fn mark_all(&mut self) {
        for variable in &mut self.variables {
            variable.differs = true;
        }
        for one in &mut self.loops {
            *one = LoopMark {
                is_masked: true,
                breaks_diverge: true,
                continues_diverge: true,
            };
        }
        self.frames.fill(true);
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct VariableMark {
    differs: bool,
    is_indexed: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct LoopMark {
    /// Lanes leave it, or the function, before others.
    is_masked: bool,
    breaks_diverge: bool,
    continues_diverge: bool,
}

/// A function that is being walked through.
pub(super) struct Frame<'m> {
    id: usize,
    pub(super) function: &'m Function,
    pub(super) info: &'m FunctionInfo,
    pub(super) values: HashMap<Handle<Expression>, Value>,
    pub(super) arguments: Vec<Value>,
    locals: HashMap<Handle<LocalVariable>, usize>,
    /// How many reasons there are for lanes to be away that will come back within the function.
    diverged: u32,
    /// What would be such a reason if it proved to be so, innermost last; and all of them up to each as one.
    away: Vec<(Node, Node)>,
    returns_diverge: bool,
    /// How many statements there are around the present one.
    depth: u32,
    end: Label,
    /// Of the lowering, where the function begins.
    windows: u32,
    result: Option<usize>,
    exits: Vec<Exit>,
}

/// A statement that `break` leaves.
#[derive(Clone, Copy, Debug)]
struct Exit {
    id: usize,
    /// `diverged` inside it, but for what comes back before it is left.
    diverged: u32,
    /// Whether lanes are away until the next round of a loop.
    continues: u32,
    /// Of the frame's `away`, those that count for `break`, and for `continue`, come after so many.
    away: [usize; 2],
    label: Label,
    is_masked: bool,
    left: Reg,
    /// Of a loop: where `continue` goes, and the lanes that have gone there.
    next: Option<(Label, Reg)>,
}

pub(super) struct Lowering<'m> {
    pub(super) module: &'m Module,
    info: &'m ModuleInfo,
    pub(super) layout: Layout,
    pub(super) workgroup: [u32; 3],
    pub(super) builder: Builder,
    /// Where buffers and workgroup variables are.
    memories: &'m HashMap<Handle<GlobalVariable>, Region>,
    marks: Marks,
    loops: usize,
    frames_met: usize,
    implied: Implied,
    pub(super) variables: Vec<Variable>,
    privates: HashMap<Handle<GlobalVariable>, usize>,
    /// Words of each lane's own memory: in use, and at most so far.
    own_words: u32,
    most_own_words: u32,
    spent: usize,
    /// What of that is loops with each round written out.
    written_out: usize,
    /// How deep the walk is in blocks and calls.
    depth: usize,
    pub(super) frames: Vec<Frame<'m>>,
    mask: Mask,
    /// How many loops there are around that narrow the lanes.
    windows: u32,
    /// If the program is to be checked.
    pub(super) checks: Option<Checks>,
}

/// What a walk leaves: a program, and how much memory a lane needs for itself.
pub(super) struct Lowered {
    pub(super) builder: Builder,
    pub(super) own_words: u32,
    pub(super) checks: Option<Checks>,
    /// How often the module was walked through.
    #[cfg(test)]
    pub(super) walks: u32,
}

/// The most words and operations of a kernel.
const MOST_WORK: usize = 1 << 20;
/// The most blocks and calls within each other.
const MOST_DEPTH: usize = 500;
/// The most words of each lane's own memory.
const MOST_OWN_WORDS: u32 = 1 << 16;

/// Walks after which all is taken to differ that may.
const MOST_GUESSES: u32 = 8;

/// Walks until nothing more is found out.
pub(super) fn lower(
    module: &Module,
    info: &ModuleInfo,
    entry: usize,
    layout: Layout,
    memories: &HashMap<Handle<GlobalVariable>, Region>,
    settled: &[bool],
    is_checked: bool,
) -> Result<Lowered, Unsupported> {
    let mut marks = Marks::default();
    for walk in 1.. {
        if walk > MOST_GUESSES {
            marks.mark_all();
        }
        marks.has_changed = false;
        let mut lowering = Lowering {
            module,
            info,
            layout,
            workgroup: module.entry_points[entry].workgroup_size,
            builder: Builder::new(settled.to_vec()),
            memories,
            marks,
            loops: 0,
            frames_met: 0,
            implied: Implied::default(),
            variables: Vec::new(),
            privates: HashMap::new(),
            own_words: 0,
            most_own_words: 0,
            spent: 0,
            written_out: 0,
            depth: 0,
            frames: Vec::new(),
            mask: Mask::Full,
            windows: 0,
            checks: is_checked.then(Checks::default),
        };
        lowering.entry(entry)?;
        if !lowering.marks.has_changed {
            return Ok(Lowered {
                builder: lowering.builder,
                own_words: lowering.most_own_words,
                checks: lowering.checks,
                #[cfg(test)]
                walks: walk,
            });
        }
        marks = lowering.marks;
        let (builder, variables) = (&lowering.builder, &lowering.variables);
        lowering.implied.follow(builder, variables, &mut marks);
    }
    Err(Unsupported::new("what never settles".to_owned()))
}

impl<'m> Lowering<'m> {
    fn entry(&mut self, entry: usize) -> Result<(), Unsupported> {
        let function = &self.module.entry_points[entry].function;
        let info = self.info.get_entry_point(entry);
        self.enter(function, info, Vec::new());
        for (handle, variable) in self.module.global_variables.iter() {
            if variable.space == AddressSpace::Private && !info[handle].is_empty() {
                let index = self.variable(&self.module.types[variable.ty].inner, 0);
                let place = self.module.global_variables.get_span(handle);
                let index = index.map_err(|error| error.at(place))?;
                self.privates.insert(handle, index);
                let words = match variable.init {
                    Some(init) => self.constant_words(init)?,
                    None => self.zero(&self.module.types[variable.ty].inner)?,
                };
                self.initialize(index, &words);
            }
        }
        let mut arguments = Vec::new();
        for argument in &function.arguments {
            let mut words = Vec::new();
            match &argument.binding {
                Some(binding) => words.extend(self.builtin(binding)?),
                None => {
                    if let TypeInner::Struct { members, .. } = &self.module.types[argument.ty].inner
                    {
                        for member in members {
                            let binding = member.binding.as_ref();
                            words.extend(match binding {
                                Some(binding) => self.builtin(binding)?,
                                None => Vec::new(),
                            });
                        }
                    }
                }
            }
            arguments.push(Value::Words(words));
        }
        self.frame().arguments = arguments;
        self.body()?;
        Ok(())
    }

    pub(super) fn frame(&mut self) -> &mut Frame<'m> {
        self.frames
            .last_mut()
            .expect("a function is walked through")
    }

    /// Counts what is done, and ends what would take too much.
    fn spend(&mut self, count: usize) -> Result<(), Unsupported> {
        self.spent += count;
        let made = self.builder.held.len() + self.builder.ops.len();
        if self.spent.max(made) > MOST_WORK {
            return Err(Unsupported::new(format!(
                "a kernel of more than {MOST_WORK} words and operations, with each call in the place of its function,"
            )));
        }
        Ok(())
    }

    /// Goes one deeper, in blocks or calls.
    fn deeper(&mut self) -> Result<(), Unsupported> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(Unsupported::new(format!(
                "more than {MOST_DEPTH} blocks and calls within each other"
            )));
        }
        Ok(())
    }

    fn enter(&mut self, function: &'m Function, info: &'m FunctionInfo, arguments: Vec<Value>) {
        let id = self.frames_met;
        self.frames_met += 1;
        if self.marks.frames.len() <= id {
            self.marks.frames.push(false);
        }
        let end = self.builder.label();
        self.frames.push(Frame {
            id,
            function,
            info,
            values: HashMap::new(),
            arguments,
            locals: HashMap::new(),
            diverged: 0,
            away: Vec::new(),
            returns_diverge: self.marks.frames[id],
            depth: 0,
            end,
            windows: self.windows,
            result: None,
            exits: Vec::new(),
        });
    }

    /// Walks through the function on top, and returns what it returns.
    fn body(&mut self) -> Result<Vec<Reg>, Unsupported> {
        let mask = self.mask;
        let (function, owner) = (self.frame().function, self.frames.len() - 1);
        if let Some(result) = &function.result {
            let index = self.variable(&self.module.types[result.ty].inner, owner)?;
            self.frame().result = Some(index);
            // What is read of it was written; but a register has to have been.
            let zero = self.zero(&self.module.types[result.ty].inner)?;
            self.initialize(index, &zero);
        }
        for (handle, local) in function.local_variables.iter() {
            let inner = &self.module.types[local.ty].inner;
            let place = function.local_variables.get_span(handle);
            let index = self.variable(inner, owner);
            let index = index.map_err(|error| error.at(place))?;
            self.frame().locals.insert(handle, index);
            let words = match local.init {
                Some(init) => self.words(init)?,
                None => self.zero(inner)?,
            };
            self.initialize(index, &words);
        }
        self.block(&function.body)?;
        let (end, windows) = (self.frame().end, self.frame().windows);
        self.builder.place(end);
        self.builder.widen(windows);
        let result = match self.frame().result {
            Some(index) => {
                let kinds = self.variables[index].kinds.clone();
                self.read_variable(index, 0, &kinds, None)
            }
            None => Vec::new(),
        };
        self.frames.pop();
        self.mask = mask;
        Ok(result)
    }

    fn block(&mut self, block: &'m Block) -> Result<(), Unsupported> {
        for (statement, place) in block.span_iter() {
            if self.mask == Mask::Dead {
                break;
            }
            self.statement_at(statement, *place)?;
        }
        Ok(())
    }

    fn statement_at(
        &mut self,
        statement: &'m Statement,
        place: naga::Span,
    ) -> Result<(), Unsupported> {
        self.begin_statement(place);
        let done = self.spend(1).and_then(|()| self.statement(statement));
        done.map_err(|error| error.at(place))
    }

    /// A block inside another statement.
    fn within(&mut self, block: &'m Block) -> Result<(), Unsupported> {
        self.deeper()?;
        self.frame().depth += 1;
        let result = self.block(block);
        self.frame().depth -= 1;
        self.depth -= 1;
        result
    }

    fn statement(&mut self, statement: &'m Statement) -> Result<(), Unsupported> {
        match statement {
            Statement::Emit(range) => {
                for handle in range.clone() {
                    let value = self.expression(handle)?;
                    if let Value::Words(words) = &value {
                        self.spend(words.len())?;
                    }
                    self.frame().values.insert(handle, value);
                }
            }
            Statement::Block(block) => self.block(block)?,
            Statement::If {
                condition,
                accept,
                reject,
            } => {
                let condition = self.word(*condition)?;
                if self.builder.differs(condition) {
                    self.varying_if(condition, accept, reject)?;
                } else {
                    self.uniform_if(condition, accept, reject)?;
                }
            }
            Statement::Switch { selector, cases } => self.switch(*selector, cases)?,
            Statement::Loop {
                body,
                continuing,
                break_if,
            } => match self.known_rounds(body, continuing, *break_if) {
                Some(known) => self.rounds(&known, body, continuing)?,
                None => self.repeat(body, continuing, *break_if)?,
            },
            Statement::Break => self.leave(),
            Statement::Continue => self.go_on(),
            Statement::Return { value } => {
                if let (Some(value), Some(index)) = (value, self.frame().result) {
                    let words = self.words(*value)?;
                    let frame = self.frame();
                    let masked = frame.diverged > 0 || frame.returns_diverge;
                    let own = Node::Frame(frame.id);
                    let away = frame.away.last().map(|(_, all)| *all);
                    let id = Node::Variable(self.variables[index].id);
                    for reason in [Some(own), away].into_iter().flatten() {
                        self.implied.note(reason, id);
                    }
                    if let Cells::Registers(cells) = self.variables[index].cells.clone() {
                        for (cell, word) in cells.into_iter().zip(words) {
                            self.set_cell(index, cell, word, masked);
                        }
                    }
                }
                self.give_back();
            }
            // The lanes of a subgroup are never apart.
            Statement::ControlBarrier(flags) if *flags == naga::Barrier::SUB_GROUP => {}
            Statement::ControlBarrier(flags) => {
                self.check_barrier(check::barrier_name(*flags), *flags, false);
                self.barrier();
            }
            Statement::MemoryBarrier(_) => {}
            Statement::Store { pointer, value } => {
                let words = self.words(*value)?;
                let place = self.pointer(*pointer)?;
                self.touched(*pointer, None, &place, Deed::Write, &words)?;
                self.write(&place, &words)?;
            }
            Statement::Atomic {
                pointer,
                fun,
                value,
                result,
            } => {
                self.atomic(*pointer, fun, *value, *result)?;
            }
            Statement::WorkGroupUniformLoad { pointer, result } => {
                let place = self.pointer(*pointer)?;
                let (name, flags) = ("workgroupUniformLoad", naga::Barrier::WORK_GROUP);
                self.check_barrier(name, flags, false);
                self.barrier();
                self.check_uniform(&place);
                let words = self.read(&place)?;
                self.touched(*pointer, None, &place, Deed::Read, &words)?;
                self.check_barrier(name, flags, true);
                self.barrier();
                self.frame().values.insert(*result, Value::Words(words));
            }
            Statement::Call {
                function,
                arguments,
                result,
            } => {
                let mut values = Vec::new();
                for argument in arguments {
                    values.push(self.value(*argument)?);
                }
                let callee = &self.module.functions[*function];
                self.enter_call(callee.name.as_deref());
                self.enter(callee, &self.info[*function], values);
                self.deeper()?;
                let own_words = self.own_words;
                let words = self.body()?;
                // What comes after needs nothing that the function had for itself.
                self.own_words = own_words;
                self.depth -= 1;
                self.leave_call();
                if let Some(result) = result {
                    self.frame().values.insert(*result, Value::Words(words));
                }
            }
            Statement::SubgroupBallot { result, predicate } => {
                self.ballot(*predicate, *result)?;
            }
            Statement::SubgroupCollectiveOperation {
                op,
                collective_op,
                argument,
                result,
            } => self.collective(*op, *collective_op, *argument, *result)?,
            Statement::SubgroupGather {
                mode,
                argument,
                result,
            } => self.gather(mode, *argument, *result)?,
            Statement::Kill => self.mask = Mask::Dead,
            other => {
                let text = format!("{other:?}");
                let name = text.split([' ', '(', '{']).next().unwrap_or_default();
                return Err(Unsupported::new(format!("the statement {name}")));
            }
        }
        Ok(())
    }

    fn barrier(&mut self) {
        let mask = self.mask_register();
        self.builder.barrier(mask);
    }
}
