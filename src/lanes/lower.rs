//! From naga's module to a lane program: functions, statements, masks.
//!
//! Walks the entry point and all it calls. What differs between lanes is found by assuming at first that nothing does:
//! where that proves wrong the variable, loop or function is marked and the walk begins again, so that each walk is
//! simple and the last one is right. Expressions are the affair of `value`.
//!
//! Invariant: a lane that isn't in the mask changes nothing that it, or another lane, may see later.

use super::Unsupported;
use super::build::{Builder, Region};
use super::op::{AtomicOp, Class, Code, Input, Label, Memory, Reg};
use super::shape::{self, Kind, Leaf, PartType};
use naga::valid::{FunctionInfo, ModuleInfo};
use naga::{
    AddressSpace, AtomicFunction, Block, Expression, Function, GlobalVariable, Handle,
    LocalVariable, Module, Statement, SwitchValue, TypeInner,
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
    /// Words from the base: of a value for a variable, of memory for memory.
    pub(super) first: u32,
    pub(super) dynamic: Option<Reg>,
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
    /// `diverged` inside it.
    diverged: u32,
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
    pub(super) variables: Vec<Variable>,
    privates: HashMap<Handle<GlobalVariable>, usize>,
    pub(super) own_words: u32,
    pub(super) frames: Vec<Frame<'m>>,
    mask: Mask,
    /// How many loops there are around that narrow the lanes.
    windows: u32,
}

/// What a walk leaves: a program, and how much memory a lane needs for itself.
pub(super) struct Lowered {
    pub(super) builder: Builder,
    pub(super) own_words: u32,
}

/// Walks until nothing more is found out.
pub(super) fn lower(
    module: &Module,
    info: &ModuleInfo,
    entry: usize,
    layout: Layout,
    memories: &HashMap<Handle<GlobalVariable>, Region>,
    settled: &[bool],
) -> Result<Lowered, Unsupported> {
    let mut marks = Marks::default();
    loop {
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
            variables: Vec::new(),
            privates: HashMap::new(),
            own_words: 0,
            frames: Vec::new(),
            mask: Mask::Full,
            windows: 0,
        };
        lowering.entry(entry)?;
        if !lowering.marks.has_changed {
            return Ok(Lowered {
                builder: lowering.builder,
                own_words: lowering.own_words,
            });
        }
        marks = lowering.marks;
    }
}

impl<'m> Lowering<'m> {
    fn entry(&mut self, entry: usize) -> Result<(), Unsupported> {
        let function = &self.module.entry_points[entry].function;
        let info = self.info.get_entry_point(entry);
        self.enter(function, info, Vec::new());
        for (handle, variable) in self.module.global_variables.iter() {
            if variable.space == AddressSpace::Private && !info[handle].is_empty() {
                let index = self.variable(&self.module.types[variable.ty].inner, 0)?;
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
            let index = self.variable(inner, owner)?;
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

    /// A new variable.
    fn variable(&mut self, ty: &TypeInner, owner: usize) -> Result<usize, Unsupported> {
        let leaves = shape::leaves(self.module, ty)?;
        let kinds: Vec<Kind> = leaves.iter().map(|leaf| leaf.kind).collect();
        let id = self.variables.len();
        if self.marks.variables.len() <= id {
            self.marks.variables.push(VariableMark::default());
        }
        let mark = self.marks.variables[id];
        let cells = if mark.is_indexed {
            let first = self.own_words;
            self.own_words += kinds.len() as u32;
            Cells::Own(Region {
                memory: Memory::Own,
                first,
                words: Some(kinds.len() as u32),
            })
        } else {
            let class = |kind: &Kind| match (mark.differs, kind) {
                (false, _) => Class::Uniform,
                (true, Kind::Bool) => Class::Bits,
                (true, _) => Class::Varying,
            };
            let cells = kinds.iter().map(|kind| self.builder.cell(class(kind)));
            Cells::Registers(cells.collect())
        };
        self.variables.push(Variable {
            id,
            cells,
            kinds,
            owner,
        });
        Ok(id)
    }

    /// Gives a variable its first value, in every lane.
    fn initialize(&mut self, index: usize, words: &[Reg]) {
        match self.variables[index].cells.clone() {
            Cells::Registers(cells) => {
                for (cell, word) in cells.into_iter().zip(words) {
                    self.set_cell(index, cell, *word, false);
                }
            }
            Cells::Own(region) => {
                let zero = self.builder.constant(0);
                for (word, offset) in words.iter().zip(region.first..) {
                    self.builder.store(region, offset, zero, *word, None);
                }
            }
        }
    }

    fn mark_variable(&mut self, index: usize, mark: impl FnOnce(&mut VariableMark)) {
        mark(&mut self.marks.variables[self.variables[index].id]);
        self.marks.has_changed = true;
    }

    fn set_cell(&mut self, index: usize, cell: Reg, word: Reg, masked: bool) {
        let mask = match self.mask {
            Mask::Some(mask) if masked => Some(mask),
            _ => None,
        };
        let has_lanes = self.builder.differs(cell);
        if !has_lanes && (self.builder.differs(word) || mask.is_some()) {
            self.mark_variable(index, |mark| mark.differs = true);
            return;
        }
        match mask {
            Some(mask) => self.builder.set_where(mask, cell, word),
            None => self.builder.set(cell, word),
        }
    }

    /// Whether lanes may be away that will still read the variable.
    fn is_shared_with_absent(&self, owner: usize) -> bool {
        self.frames[owner].diverged > 0
            || self.frames[owner + 1..]
                .iter()
                .any(|frame| frame.diverged > 0 || frame.returns_diverge)
    }

    pub(super) fn read_variable(
        &mut self,
        index: usize,
        first: u32,
        kinds: &[Kind],
        dynamic: Option<Reg>,
    ) -> Vec<Reg> {
        match (self.variables[index].cells.clone(), dynamic) {
            (Cells::Registers(cells), None) => cells[first as usize..][..kinds.len()]
                .iter()
                .map(|cell| self.builder.read(*cell))
                .collect(),
            (Cells::Registers(_), Some(_)) => {
                self.mark_variable(index, |mark| mark.is_indexed = true);
                vec![self.builder.constant(0); kinds.len()]
            }
            (Cells::Own(region), dynamic) => {
                let place = dynamic.unwrap_or_else(|| self.builder.constant(0));
                kinds
                    .iter()
                    .zip(region.first + first..)
                    .map(|(kind, offset)| self.load(region, offset, place, *kind))
                    .collect()
            }
        }
    }

    /// A word of memory as what it means.
    fn load(&mut self, region: Region, offset: u32, place: Reg, kind: Kind) -> Reg {
        let word = self.builder.load(region, offset, place);
        if kind == Kind::Bool {
            let zero = self.builder.constant(0);
            self.builder.op(Code::Ne, &[word, zero])
        } else {
            word
        }
    }

    fn write_variable(&mut self, index: usize, first: u32, words: &[Reg], dynamic: Option<Reg>) {
        let masked = self.is_shared_with_absent(self.variables[index].owner);
        match (self.variables[index].cells.clone(), dynamic) {
            (Cells::Registers(cells), None) => {
                for (cell, word) in cells[first as usize..].iter().zip(words) {
                    self.set_cell(index, *cell, *word, masked);
                }
            }
            (Cells::Registers(_), Some(_)) => {
                self.mark_variable(index, |mark| mark.is_indexed = true);
            }
            (Cells::Own(region), dynamic) => {
                let place = dynamic.unwrap_or_else(|| self.builder.constant(0));
                let mask = self.mask_register();
                for (word, offset) in words.iter().zip(region.first + first..) {
                    self.builder.store(region, offset, place, *word, Some(mask));
                }
            }
        }
    }

    /// The lanes that take part, as a register.
    fn mask_register(&mut self) -> Reg {
        self.register_of(self.mask)
    }

    pub(super) fn global(&self, handle: Handle<GlobalVariable>) -> Result<Pointer, Unsupported> {
        let variable = &self.module.global_variables[handle];
        let ty = PartType::Named(variable.ty);
        if let Some(index) = self.privates.get(&handle) {
            let base = Base::Variable(*index);
            return Ok(Pointer {
                base,
                ty,
                first: 0,
                dynamic: None,
            });
        }
        let Some(region) = self.memories.get(&handle) else {
            return Err(Unsupported::new(format!(
                "`{}`, a variable of the address space {:?}",
                variable.name.as_deref().unwrap_or_default(),
                variable.space
            )));
        };
        Ok(Pointer {
            base: Base::Memory(*region),
            ty,
            first: region.first,
            dynamic: None,
        })
    }

    pub(super) fn local(&mut self, handle: Handle<LocalVariable>) -> Pointer {
        let frame = self.frame();
        let ty = PartType::Named(frame.function.local_variables[handle].ty);
        let base = Base::Variable(frame.locals[&handle]);
        Pointer {
            base,
            ty,
            first: 0,
            dynamic: None,
        }
    }

    pub(super) fn read(&mut self, pointer: &Pointer) -> Result<Vec<Reg>, Unsupported> {
        let module = self.module;
        let leaves = shape::leaves(module, pointer.ty.inner(module))?;
        Ok(match pointer.base {
            Base::Variable(index) => {
                let kinds: Vec<Kind> = leaves.iter().map(|leaf| leaf.kind).collect();
                self.read_variable(index, pointer.first, &kinds, pointer.dynamic)
            }
            Base::Memory(region) => {
                let place = pointer.dynamic.unwrap_or_else(|| self.builder.constant(0));
                let read =
                    |leaf: &Leaf| self.load(region, pointer.first + leaf.offset, place, leaf.kind);
                leaves.iter().map(read).collect()
            }
        })
    }

    fn write(&mut self, pointer: &Pointer, words: &[Reg]) -> Result<(), Unsupported> {
        match pointer.base {
            Base::Variable(index) => {
                self.write_variable(index, pointer.first, words, pointer.dynamic);
            }
            Base::Memory(region) => {
                let module = self.module;
                let leaves = shape::leaves(module, pointer.ty.inner(module))?;
                let place = pointer.dynamic.unwrap_or_else(|| self.builder.constant(0));
                let mask = self.mask_register();
                for (leaf, word) in leaves.iter().zip(words) {
                    let offset = pointer.first + leaf.offset;
                    self.builder.store(region, offset, place, *word, Some(mask));
                }
            }
        }
        Ok(())
    }

    fn block(&mut self, block: &'m Block) -> Result<(), Unsupported> {
        for statement in block.iter() {
            if self.mask == Mask::Dead {
                break;
            }
            self.statement(statement)?;
        }
        Ok(())
    }

    /// A block inside another statement.
    fn within(&mut self, block: &'m Block) -> Result<(), Unsupported> {
        self.frame().depth += 1;
        let result = self.block(block);
        self.frame().depth -= 1;
        result
    }

    fn statement(&mut self, statement: &'m Statement) -> Result<(), Unsupported> {
        match statement {
            Statement::Emit(range) => {
                for handle in range.clone() {
                    let value = self.expression(handle)?;
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
            } => {
                self.repeat(body, continuing, *break_if)?;
            }
            Statement::Break => self.leave(),
            Statement::Continue => self.go_on(),
            Statement::Return { value } => {
                if let (Some(value), Some(index)) = (value, self.frame().result) {
                    let words = self.words(*value)?;
                    let frame = self.frame();
                    let masked = frame.diverged > 0 || frame.returns_diverge;
                    if let Cells::Registers(cells) = self.variables[index].cells.clone() {
                        for (cell, word) in cells.into_iter().zip(words) {
                            self.set_cell(index, cell, word, masked);
                        }
                    }
                }
                self.give_back();
            }
            Statement::ControlBarrier(_) => self.barrier(),
            Statement::MemoryBarrier(_) => {}
            Statement::Store { pointer, value } => {
                let words = self.words(*value)?;
                let pointer = self.pointer(*pointer)?;
                self.write(&pointer, &words)?;
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
                let pointer = self.pointer(*pointer)?;
                self.barrier();
                let words = self.read(&pointer)?;
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
                self.enter(callee, &self.info[*function], values);
                let words = self.body()?;
                if let Some(result) = result {
                    self.frame().values.insert(*result, Value::Words(words));
                }
            }
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

    /// The mask as a register.
    fn register_of(&mut self, mask: Mask) -> Reg {
        match mask {
            Mask::Full => self.builder.input(Input::Live),
            Mask::Some(mask) => mask,
            Mask::Dead => self.builder.constant(0),
        }
    }

    /// Adds the present lanes to a register.
    fn add_lanes(&mut self, to: Reg) {
        let mask = self.mask_register();
        self.builder.add_lanes(to, mask);
    }

    /// The lanes of the mask that have, or haven't, the condition.
    fn lanes(&mut self, mask: Mask, condition: Reg, has: bool) -> Reg {
        let all = self.register_of(mask);
        let code = if has { Code::And } else { Code::AndNot };
        self.builder.op(code, &[all, condition])
    }

    fn varying_if(
        &mut self,
        condition: Reg,
        accept: &'m Block,
        reject: &'m Block,
    ) -> Result<(), Unsupported> {
        let outer = self.mask;
        let mut ways = Vec::new();
        for (block, has) in [(accept, true), (reject, false)] {
            let lanes = self.lanes(outer, condition, has);
            if block.is_empty() {
                ways.push((Mask::Some(lanes), lanes, false));
                continue;
            }
            if self.is_light(block) {
                self.mask = Mask::Some(lanes);
                self.frame().diverged += 1;
                self.within(block)?;
                self.frame().diverged -= 1;
                ways.push((self.mask, lanes, false));
                continue;
            }
            let after = self.builder.label();
            // Where a jump arrives, the lanes are those from before.
            let kept = self.builder.cell(Class::Bits);
            self.builder.set(kept, lanes);
            self.builder.jump(Code::JumpIfNone, &[lanes], after);
            self.mask = Mask::Some(lanes);
            self.frame().diverged += 1;
            self.within(block)?;
            self.frame().diverged -= 1;
            let end = self.mask;
            let has_changed = end != Mask::Some(lanes);
            if has_changed && let Mask::Some(end) = end {
                self.builder.set(kept, end);
            }
            self.builder.place(after);
            let left = if has_changed { kept } else { lanes };
            ways.push((end, left, has_changed));
        }
        self.mask = if ways.iter().any(|(_, _, has_changed)| *has_changed) {
            let left: Vec<Reg> = ways
                .iter()
                .filter(|(end, _, _)| *end != Mask::Dead)
                .map(|(_, left, _)| *left)
                .collect();
            match left[..] {
                [] => Mask::Dead,
                [one] => Mask::Some(one),
                _ => Mask::Some(self.builder.op(Code::Or, &left)),
            }
        } else {
            outer
        };
        if let Mask::Some(mask) = self.mask
            && self.mask != outer
            && self.frame().depth == 0
        {
            let end = self.frame().end;
            self.builder.jump(Code::JumpIfNone, &[mask], end);
        }
        Ok(())
    }

    fn uniform_if(
        &mut self,
        condition: Reg,
        accept: &'m Block,
        reject: &'m Block,
    ) -> Result<(), Unsupported> {
        let outer = self.mask;
        let (other, after) = (self.builder.label(), self.builder.label());
        let kept = self.builder.cell(Class::Bits);
        self.builder.jump(Code::JumpUnless, &[condition], other);
        let mut ends = [outer; 2];
        for (i, block) in [accept, reject].into_iter().enumerate() {
            self.mask = outer;
            self.within(block)?;
            ends[i] = self.mask;
            if self.mask != Mask::Dead {
                let lanes = self.register_of(self.mask);
                self.builder.set(kept, lanes);
            }
            if i == 0 {
                if self.mask != Mask::Dead {
                    self.builder.jump(Code::Jump, &[], after);
                }
                self.builder.place(other);
            }
        }
        self.builder.place(after);
        self.mask = match ends {
            [a, b] if a == b => a,
            [Mask::Dead, one] | [one, Mask::Dead] => one,
            _ => Mask::Some(kept),
        };
        Ok(())
    }

    fn next_loop(&mut self) -> (usize, LoopMark) {
        let id = self.loops;
        self.loops += 1;
        if self.marks.loops.len() <= id {
            self.marks.loops.push(LoopMark::default());
        }
        (id, self.marks.loops[id])
    }

    fn mark_loop(&mut self, id: usize, mark: impl FnOnce(&mut LoopMark)) {
        let before = self.marks.loops[id];
        mark(&mut self.marks.loops[id]);
        let after = self.marks.loops[id];
        self.marks.has_changed |= before.is_masked != after.is_masked
            || before.breaks_diverge != after.breaks_diverge
            || before.continues_diverge != after.continues_diverge;
    }

    /// A register for lanes, with none in it.
    fn no_lanes(&mut self) -> Reg {
        let none = self.builder.constant(0);
        let lanes = self.builder.cell(Class::Bits);
        self.builder.set(lanes, none);
        lanes
    }

    fn repeat(
        &mut self,
        body: &'m Block,
        continuing: &'m Block,
        break_if: Option<Handle<Expression>>,
    ) -> Result<(), Unsupported> {
        let (id, mark) = self.next_loop();
        let outer = self.mask;
        let (head, next, exit) = (
            self.builder.label(),
            self.builder.label(),
            self.builder.label(),
        );
        // The lanes that are in the loop, and those that have left it.
        let inside = self.builder.cell(Class::Bits);
        let left = self.no_lanes();
        let lanes = self.register_of(outer);
        self.builder.set(inside, lanes);
        self.builder.place(head);
        self.builder.loops += 1;
        let arrived = self.no_lanes();
        if mark.is_masked {
            self.windows += 1;
            self.builder.narrow(inside, self.windows, exit);
            self.mask = Mask::Some(inside);
        }
        let (breaks, continues) = (
            u32::from(mark.breaks_diverge),
            u32::from(mark.continues_diverge),
        );
        self.frame().diverged += breaks + continues;
        let exit_of = Exit {
            id,
            diverged: self.frame().diverged,
            label: exit,
            is_masked: mark.is_masked,
            left,
            next: Some((next, arrived)),
        };
        self.frame().exits.push(exit_of);
        self.within(body)?;
        self.frame().diverged -= continues;
        let goes_on = continues_in(body);
        if mark.is_masked && goes_on && self.mask != Mask::Dead {
            self.add_lanes(arrived);
        }
        self.builder.place(next);
        if goes_on {
            self.mask = if mark.is_masked {
                Mask::Some(arrived)
            } else {
                outer
            };
        }
        if self.mask != Mask::Dead {
            if let Some(exit) = self.frame().exits.last_mut() {
                exit.diverged -= continues;
            }
            self.within(continuing)?;
            if let Some(condition) = break_if {
                let condition = self.word(condition)?;
                if self.builder.differs(condition) {
                    self.mark_loop(id, |mark| {
                        mark.is_masked = true;
                        mark.breaks_diverge = true;
                    });
                    let all = self.mask;
                    let leaving = self.lanes(all, condition, true);
                    let staying = self.lanes(all, condition, false);
                    self.mask = Mask::Some(leaving);
                    self.add_lanes(left);
                    self.mask = Mask::Some(staying);
                } else {
                    let stay = self.builder.label();
                    self.builder.jump(Code::JumpUnless, &[condition], stay);
                    if mark.is_masked {
                        self.add_lanes(left);
                    }
                    self.builder.jump(Code::Jump, &[], exit);
                    self.builder.place(stay);
                }
            }
            if mark.is_masked {
                let lanes = self.register_of(self.mask);
                self.builder.set(inside, lanes);
            }
            self.builder.jump(Code::Jump, &[], head);
        }
        self.builder.place(exit);
        self.builder.loops -= 1;
        if mark.is_masked {
            self.windows -= 1;
            self.builder.widen(self.windows);
        }
        self.frame().exits.pop();
        self.frame().diverged -= breaks;
        self.mask = if mark.is_masked {
            Mask::Some(left)
        } else {
            outer
        };
        Ok(())
    }

    fn switch(
        &mut self,
        selector: Handle<Expression>,
        cases: &'m [naga::SwitchCase],
    ) -> Result<(), Unsupported> {
        let selector = self.word(selector)?;
        let differs = self.builder.differs(selector);
        let (id, mark) = self.next_loop();
        let is_masked = differs || mark.is_masked;
        let outer = self.mask;
        let exit = self.builder.label();
        let left = self.no_lanes();
        self.frame().diverged += u32::from(differs);
        let exit_of = Exit {
            id,
            diverged: self.frame().diverged,
            label: exit,
            is_masked,
            left,
            next: None,
        };
        self.frame().exits.push(exit_of);
        let mut rest = outer;
        let (mut values, mut has_default) = (Vec::new(), false);
        let mut default = None;
        for case in cases {
            match case.value {
                SwitchValue::I32(value) => values.push(value as u32),
                SwitchValue::U32(value) => values.push(value),
                SwitchValue::Default => has_default = true,
            }
            if case.fall_through {
                if case.body.is_empty() {
                    continue;
                }
                return Err(Unsupported::new("a case that falls through".to_owned()));
            }
            let values = std::mem::take(&mut values);
            if std::mem::take(&mut has_default) {
                default = Some(&case.body);
                continue;
            }
            let mut matches: Option<Reg> = None;
            for value in values {
                let value = self.builder.constant(value);
                let one = self.builder.op(Code::Eq, &[selector, value]);
                matches = Some(match matches {
                    Some(others) => self.builder.op(Code::Or, &[others, one]),
                    None => one,
                });
            }
            let Some(matches) = matches else { continue };
            let after = self.builder.label();
            if differs {
                let lanes = self.lanes(rest, matches, true);
                let others = self.lanes(rest, matches, false);
                rest = Mask::Some(others);
                self.builder.jump(Code::JumpIfNone, &[lanes], after);
                self.mask = Mask::Some(lanes);
            } else {
                self.builder.jump(Code::JumpUnless, &[matches], after);
                self.mask = outer;
            }
            self.case(id, &case.body, outer, is_masked, left)?;
            if !differs {
                self.builder.jump(Code::Jump, &[], exit);
            }
            self.builder.place(after);
        }
        if let Some(body) = default {
            self.mask = rest;
            self.case(id, body, outer, is_masked, left)?;
        }
        self.builder.place(exit);
        self.frame().exits.pop();
        self.frame().diverged -= u32::from(differs);
        self.mask = if is_masked { Mask::Some(left) } else { outer };
        Ok(())
    }

    fn case(
        &mut self,
        id: usize,
        body: &'m Block,
        outer: Mask,
        is_masked: bool,
        left: Reg,
    ) -> Result<(), Unsupported> {
        self.within(body)?;
        if self.mask == Mask::Dead {
            return Ok(());
        }
        if is_masked {
            self.add_lanes(left);
        } else if self.mask != outer {
            self.mark_loop(id, |mark| mark.is_masked = true);
        }
        Ok(())
    }

    fn leave(&mut self) {
        let diverged = self.frame().diverged;
        let Some(exit) = self.frame().exits.last().copied() else {
            return;
        };
        if exit.is_masked {
            self.add_lanes(exit.left);
        }
        if diverged > exit.diverged {
            let is_loop = exit.next.is_some();
            self.mark_loop(exit.id, |mark| {
                mark.is_masked = true;
                mark.breaks_diverge |= is_loop;
            });
        } else {
            self.builder.jump(Code::Jump, &[], exit.label);
        }
        self.mask = Mask::Dead;
    }

    fn go_on(&mut self) {
        let diverged = self.frame().diverged;
        let mut exits = self.frame().exits.clone();
        // A switch that `continue` leaves is left by these lanes for good.
        while exits.last().is_some_and(|exit| exit.next.is_none()) {
            exits.pop();
        }
        let Some((exit, (next, arrived))) = exits.last().and_then(|exit| Some((exit, exit.next?)))
        else {
            return;
        };
        if exit.is_masked {
            self.add_lanes(arrived);
        }
        if diverged > exit.diverged {
            self.mark_loop(exit.id, |mark| {
                mark.is_masked = true;
                mark.continues_diverge = true;
            });
        } else {
            self.builder.jump(Code::Jump, &[], next);
        }
        self.mask = Mask::Dead;
    }

    fn give_back(&mut self) {
        let frame = self.frame();
        let (id, end, diverged) = (frame.id, frame.end, frame.diverged > 0);
        if diverged {
            let exits = frame.exits.clone();
            for exit in exits {
                self.mark_loop(exit.id, |mark| mark.is_masked = true);
            }
            if !self.marks.frames[id] {
                self.marks.frames[id] = true;
                self.marks.has_changed = true;
            }
        } else {
            self.builder.jump(Code::Jump, &[], end);
        }
        self.mask = Mask::Dead;
    }

    fn atomic(
        &mut self,
        pointer: Handle<Expression>,
        fun: &AtomicFunction,
        value: Handle<Expression>,
        result: Option<Handle<Expression>>,
    ) -> Result<(), Unsupported> {
        let kind = self.kind(value)?;
        let word = self.word(value)?;
        let pointer = self.pointer(pointer)?;
        let Base::Memory(region) = pointer.base else {
            return Err(Unsupported::new("an atomic outside of memory".to_owned()));
        };
        let place = pointer.dynamic.unwrap_or_else(|| self.builder.constant(0));
        let code = match (fun, kind) {
            (AtomicFunction::Add, Kind::F32) => AtomicOp::AddF,
            (AtomicFunction::Subtract, Kind::F32) => AtomicOp::SubF,
            (AtomicFunction::Min, Kind::F32) => AtomicOp::MinF,
            (AtomicFunction::Max, Kind::F32) => AtomicOp::MaxF,
            (AtomicFunction::Add, _) => AtomicOp::Add,
            (AtomicFunction::Subtract, _) => AtomicOp::Sub,
            (AtomicFunction::And, _) => AtomicOp::And,
            (AtomicFunction::InclusiveOr, _) => AtomicOp::Or,
            (AtomicFunction::ExclusiveOr, _) => AtomicOp::Xor,
            (AtomicFunction::Min, Kind::I32) => AtomicOp::MinS,
            (AtomicFunction::Max, Kind::I32) => AtomicOp::MaxS,
            (AtomicFunction::Min, _) => AtomicOp::MinU,
            (AtomicFunction::Max, _) => AtomicOp::MaxU,
            (AtomicFunction::Exchange { .. }, _) => AtomicOp::Exchange,
        };
        let mut code = Code::Atomic(code);
        let mut expected = None;
        if let AtomicFunction::Exchange {
            compare: Some(compare),
        } = fun
        {
            code = Code::CompareExchange;
            expected = Some(self.word(*compare)?);
        }
        let mask = Some(self.mask_register());
        let operands = (word, expected);
        let old = self
            .builder
            .atomic(code, region, pointer.first, place, operands, mask);
        if let Some(result) = result {
            let mut words = vec![old];
            if let Some(expected) = expected {
                words.push(self.builder.op(Code::Eq, &[old, expected]));
            }
            self.frame().values.insert(result, Value::Words(words));
        }
        Ok(())
    }

    /// The words of a builtin.
    fn builtin(&mut self, binding: &naga::Binding) -> Result<Vec<Reg>, Unsupported> {
        use naga::BuiltIn;
        let naga::Binding::BuiltIn(builtin) = binding else {
            return Err(Unsupported::new(
                "an argument that isn't a builtin".to_owned(),
            ));
        };
        Ok(match builtin {
            BuiltIn::GlobalInvocationId => (0..3).map(|axis| self.global_id(axis)).collect(),
            BuiltIn::LocalInvocationId => (0..3).map(|axis| self.local_id(axis)).collect(),
            BuiltIn::WorkGroupId => (0..3).map(|axis| self.workgroup_id(axis)).collect(),
            BuiltIn::NumWorkGroups => (0..3)
                .map(|axis| self.builder.input(Input::Workgroups(axis)))
                .collect(),
            BuiltIn::WorkGroupSize => self
                .workgroup
                .map(|extent| self.builder.constant(extent))
                .to_vec(),
            BuiltIn::LocalInvocationIndex if self.layout == Layout::Workgroup => {
                vec![self.builder.input(Input::Lane)]
            }
            BuiltIn::LocalInvocationIndex => {
                let mut index = self.local_id(2);
                for axis in [1, 0] {
                    let extent = self.builder.constant(self.workgroup[axis as usize]);
                    let rows = self.builder.op(Code::Mul, &[index, extent]);
                    let more = self.local_id(axis);
                    index = self.builder.op(Code::Add, &[rows, more]);
                }
                vec![index]
            }
            other => return Err(Unsupported::new(format!("the builtin {other:?}"))),
        })
    }

    fn global_id(&mut self, axis: u8) -> Reg {
        if self.layout == Layout::Row {
            return self.builder.input(Input::Global(axis));
        }
        let group = self.workgroup_id(axis);
        let extent = self.builder.constant(self.workgroup[axis as usize]);
        let first = self.builder.op(Code::Mul, &[group, extent]);
        let local = self.local_id(axis);
        self.builder.op(Code::Add, &[first, local])
    }

    fn local_id(&mut self, axis: u8) -> Reg {
        if self.workgroup[axis as usize] == 1 {
            return self.builder.constant(0);
        }
        if self.layout == Layout::Workgroup {
            let is_line = self.workgroup[1..] == [1, 1];
            return self.builder.input(match axis {
                0 if is_line => Input::Lane,
                _ => Input::Local(axis),
            });
        }
        let id = self.builder.input(Input::Global(axis));
        let extent = self.builder.constant(self.workgroup[axis as usize]);
        self.builder.op(Code::RemU, &[id, extent])
    }

    fn workgroup_id(&mut self, axis: u8) -> Reg {
        if self.layout == Layout::Workgroup {
            return self.builder.input(Input::Workgroup(axis));
        }
        let id = self.builder.input(Input::Global(axis));
        let extent = self.builder.constant(self.workgroup[axis as usize]);
        if self.workgroup[axis as usize] == 1 {
            return id;
        }
        self.builder.op(Code::DivU, &[id, extent])
    }
}

/// Whether a loop's body has a `continue` of its own.
fn continues_in(block: &Block) -> bool {
    block.iter().any(|statement| match statement {
        Statement::Continue => true,
        Statement::Block(block) => continues_in(block),
        Statement::If { accept, reject, .. } => continues_in(accept) || continues_in(reject),
        Statement::Switch { cases, .. } => cases.iter().any(|case| continues_in(&case.body)),
        _ => false,
    })
}

/// The most expressions of a branch that is cheaper to compute for nothing than to jump over.
const LIGHT: usize = 12;

impl Lowering<'_> {
    /// Whether a branch only computes a little and sets variables.
    fn is_light(&mut self, block: &Block) -> bool {
        let mut expressions = 0;
        for statement in block.iter() {
            match statement {
                Statement::Emit(range) => {
                    for handle in range.clone() {
                        let function = self.frame().function;
                        expressions += match function.expressions[handle] {
                            Expression::Math { .. } => LIGHT / 2,
                            Expression::Load { pointer } if self.is_memory(pointer) => LIGHT / 2,
                            _ => 1,
                        };
                    }
                }
                Statement::Store { pointer, .. } if !self.is_memory(*pointer) => {}
                _ => return false,
            }
        }
        expressions <= LIGHT
    }

    /// Whether it points to memory that others see.
    fn is_memory(&mut self, pointer: Handle<Expression>) -> bool {
        let inner = self.inner(pointer);
        let space = inner.pointer_space();
        !matches!(space, Some(AddressSpace::Function | AddressSpace::Private))
    }
}
