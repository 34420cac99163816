//! Variables and memory: where they are, and how they are read and written.
//!
//! A variable that each lane has for itself is registers, or words of the lane's own memory if it is indexed dynamically.
//!
//! Invariant: what lanes outside of the mask may read again isn't written for them.

use super::super::Unsupported;
use super::super::build::Region;
use super::super::op::{Class, Code, Memory, Reg};
use super::super::shape::{self, Kind, PartType};
use super::implied::Node;
use super::{Base, Cells, Lowering, MOST_OWN_WORDS, Mask, Pointer, Variable, VariableMark};
use naga::{GlobalVariable, Handle, LocalVariable, TypeInner};

impl Lowering<'_> {
    /// A new variable.
    pub(super) fn variable(&mut self, ty: &TypeInner, owner: usize) -> Result<usize, Unsupported> {
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
            self.most_own_words = self.most_own_words.max(self.own_words);
            if self.own_words > MOST_OWN_WORDS {
                return Err(Unsupported::new(format!(
                    "variables of more than {MOST_OWN_WORDS} words of one invocation, indexed by what isn't known before,"
                )));
            }
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
    pub(super) fn initialize(&mut self, index: usize, words: &[Reg]) {
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

    pub(super) fn mark_variable(&mut self, index: usize, mark: impl FnOnce(&mut VariableMark)) {
        mark(&mut self.marks.variables[self.variables[index].id]);
        self.marks.has_changed = true;
    }

    pub(super) fn set_cell(&mut self, index: usize, cell: Reg, word: Reg, masked: bool) {
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
    pub(super) fn is_shared_with_absent(&self, owner: usize) -> bool {
        self.frames[owner].diverged > 0
            || self.frames[owner + 1..]
                .iter()
                .any(|frame| frame.diverged > 0 || frame.returns_diverge)
    }

    /// Notes what would make a write one of some lanes only.
    fn note_write(&mut self, index: usize) {
        let variable = &self.variables[index];
        if self.marks.variables[variable.id].differs {
            return;
        }
        let to = Node::Variable(variable.id);
        for (depth, frame) in self.frames.iter().enumerate().skip(variable.owner) {
            if let Some((_, away)) = frame.away.last() {
                self.implied.note(*away, to);
            }
            if depth > variable.owner {
                self.implied.note(Node::Frame(frame.id), to);
            }
        }
    }

    pub(in crate::lanes) fn read_variable(
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
                // Something that differs, as it will when it is there.
                let class = |kind: &Kind| match kind {
                    Kind::Bool => Class::Bits,
                    _ => Class::Varying,
                };
                kinds
                    .iter()
                    .map(|kind| self.builder.cell(class(kind)))
                    .collect()
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
    pub(super) fn load(&mut self, region: Region, offset: u32, place: Reg, kind: Kind) -> Reg {
        let word = self.builder.load(region, offset, place);
        if kind == Kind::Bool {
            let zero = self.builder.constant(0);
            self.builder.op(Code::Ne, &[word, zero])
        } else {
            word
        }
    }

    pub(super) fn write_variable(
        &mut self,
        index: usize,
        first: u32,
        words: &[Reg],
        dynamic: Option<Reg>,
    ) {
        let masked = self.is_shared_with_absent(self.variables[index].owner);
        self.note_write(index);
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

    pub(in crate::lanes) fn global(
        &self,
        handle: Handle<GlobalVariable>,
    ) -> Result<Pointer, Unsupported> {
        let variable = &self.module.global_variables[handle];
        let ty = PartType::Named(variable.ty);
        if let Some(index) = self.privates.get(&handle) {
            let base = Base::Variable(*index);
            return Ok(Pointer::to(base, ty, 0).rooted(handle));
        }
        let Some(region) = self.memories.get(&handle) else {
            return Err(Unsupported::new(format!(
                "`{}`, a variable of the address space {:?}",
                variable.name.as_deref().unwrap_or_default(),
                variable.space
            )));
        };
        Ok(Pointer::to(Base::Memory(*region), ty, region.first).rooted(handle))
    }

    pub(in crate::lanes) fn local(&mut self, handle: Handle<LocalVariable>) -> Pointer {
        let frame = self.frame();
        let ty = PartType::Named(frame.function.local_variables[handle].ty);
        let base = Base::Variable(frame.locals[&handle]);
        Pointer::to(base, ty, 0)
    }

    pub(in crate::lanes) fn read(&mut self, pointer: &Pointer) -> Result<Vec<Reg>, Unsupported> {
        let module = self.module;
        let leaves = shape::leaves(module, pointer.ty.inner(module))?;
        Ok(match pointer.base {
            Base::Variable(index) => {
                let kinds: Vec<Kind> = leaves.iter().map(|leaf| leaf.kind).collect();
                self.read_variable(index, pointer.first, &kinds, pointer.dynamic)
            }
            Base::Memory(region) if self.is_torn(pointer) => self.load_at_once(region, pointer),
            Base::Memory(region) => self.read_memory(region, pointer, &leaves),
        })
    }

    pub(super) fn write(&mut self, pointer: &Pointer, words: &[Reg]) -> Result<(), Unsupported> {
        match pointer.base {
            Base::Variable(index) => {
                self.write_variable(index, pointer.first, words, pointer.dynamic);
            }
            Base::Memory(region) if self.is_torn(pointer) => {
                self.store_at_once(region, pointer, words);
            }
            Base::Memory(region) => {
                let module = self.module;
                let leaves = shape::leaves(module, pointer.ty.inner(module))?;
                self.write_memory(region, pointer, &leaves, words);
            }
        }
        Ok(())
    }
}
