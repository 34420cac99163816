//! Reads and writes what lanes share: what is bound, and what the workgroup has.
//!
//! What is bound lies as WGSL lays it out, down to halves of words; workgroup memory holds values as they come apart.
//!
//! Invariant: writing half a word leaves the other half to whoever has it.

use super::super::Unsupported;
use super::super::build::Region;
use super::super::op::{Code, Input, Reg};
use super::super::shape::{self, Kind, Leaf};
use super::{Base, Lowering, Pointer};

/// A place in halves of words.
#[derive(Clone, Copy)]
struct Place {
    region: Region,
    offset: u32,
    dynamic: Reg,
}

impl Lowering<'_> {
    pub(super) fn read_memory(
        &mut self,
        region: Region,
        pointer: &Pointer,
        leaves: &[Leaf],
    ) -> Vec<Reg> {
        let place = pointer.dynamic.unwrap_or_else(|| self.builder.constant(0));
        let mut words = Vec::with_capacity(leaves.len());
        // Numbers that share a word are loaded together.
        let mut last: Option<(u32, Reg)> = None;
        for (leaf, first) in leaves.iter().zip(pointer.first..) {
            if !pointer.is_bound() {
                words.push(self.load(region, first, place, leaf.kind));
                continue;
            }
            let halves = pointer.half + leaf.offset;
            let offset = pointer.first.wrapping_add(halves / 2);
            words.push(match pointer.halves {
                Some(_) if leaf.kind.is_half() => {
                    let at = self.in_halves(region, pointer, leaf);
                    let half =
                        self.builder
                            .load_as(Code::LoadHalf, at.region, at.offset, at.dynamic);
                    self.half(half, 0, leaf.kind)
                }
                _ if leaf.kind.is_half() => {
                    let word = match last {
                        Some((at, word)) if at == offset => word,
                        _ => self.builder.load(region, offset, place),
                    };
                    last = Some((offset, word));
                    self.half(word, halves % 2, leaf.kind)
                }
                _ => self.load(region, offset, place, leaf.kind),
            });
        }
        words
    }

    /// One half of a word as a number.
    fn half(&mut self, word: Reg, half: u32, kind: Kind) -> Reg {
        match (kind, half) {
            (Kind::F16, 0) => self.builder.op(Code::UnpackHalfLow, &[word]),
            (Kind::F16, _) => self.builder.op(Code::UnpackHalfHigh, &[word]),
            _ => {
                let first = self.builder.constant(16 * half);
                let count = self.builder.constant(16);
                let extract = kind.pick(Code::ExtractU, Code::ExtractS, Code::ExtractU);
                self.builder.op(extract, &[word, first, count])
            }
        }
    }

    /// A number as the low half of a word.
    fn as_half(&mut self, word: Reg, kind: Kind) -> Reg {
        let zero = self.builder.constant(0);
        if kind == Kind::F16 {
            self.builder.op(Code::PackHalf, &[word, zero])
        } else {
            let count = self.builder.constant(16);
            self.builder.op(Code::ExtractU, &[word, zero, count])
        }
    }

    fn in_halves(&mut self, region: Region, pointer: &Pointer, leaf: &Leaf) -> Place {
        let first = pointer.first.wrapping_mul(2);
        let offset = first.wrapping_add(pointer.half + leaf.offset);
        let (zero, one) = (self.builder.constant(0), self.builder.constant(1));
        let words = pointer.dynamic.unwrap_or(zero);
        let whole = self.builder.op(Code::Shl, &[words, one]);
        let dynamic = match pointer.halves {
            Some(halves) => self.builder.op(Code::Add, &[whole, halves]),
            None => whole,
        };
        Place {
            region,
            offset,
            dynamic,
        }
    }

    pub(super) fn write_memory(
        &mut self,
        region: Region,
        pointer: &Pointer,
        leaves: &[Leaf],
        words: &[Reg],
    ) {
        let place = pointer.dynamic.unwrap_or_else(|| self.builder.constant(0));
        let mask = Some(self.mask_register());
        let mut i = 0;
        while let (Some(leaf), Some(&word)) = (leaves.get(i), words.get(i)) {
            if !pointer.is_bound() {
                let offset = pointer.first + i as u32;
                self.builder.store(region, offset, place, word, mask);
                i += 1;
                continue;
            }
            let halves = pointer.half + leaf.offset;
            let offset = pointer.first.wrapping_add(halves / 2);
            if !leaf.kind.is_half() {
                self.builder.store(region, offset, place, word, mask);
                i += 1;
                continue;
            }
            let low = self.as_half(word, leaf.kind);
            let other = leaves.get(i + 1).filter(|next| {
                next.kind.is_half() && next.offset == leaf.offset + 1 && halves.is_multiple_of(2)
            });
            if let (Some(next), Some(&high), None) = (other, words.get(i + 1), pointer.halves) {
                let high = self.as_half(high, next.kind);
                let places = self.builder.constant(16);
                let high = self.builder.op(Code::Shl, &[high, places]);
                let both = self.builder.op(Code::Or, &[low, high]);
                self.builder.store(region, offset, place, both, mask);
                i += 2;
                continue;
            }
            let at = self.in_halves(region, pointer, leaf);
            self.builder
                .store_as(Code::StoreHalf, at.region, at.offset, at.dynamic, low, mask);
            i += 1;
        }
    }

    /// `arrayLength`.
    pub(in crate::lanes) fn length_of(&mut self, pointer: &Pointer) -> Result<Reg, Unsupported> {
        let Base::Memory(Region { memory, .. }) = pointer.base else {
            return Err(Unsupported::new("the length of a variable".to_owned()));
        };
        let module = self.module;
        let elements = shape::elements(module, pointer.ty.inner(module))?;
        let first = pointer.first;
        if pointer.half == 0 && elements.stride.is_multiple_of(2) {
            let stride = elements.stride / 2;
            return Ok(self.builder.input(Input::Length {
                memory,
                first,
                stride,
            }));
        }
        // In halves, of which all words have two but perhaps the first.
        let words = self.builder.input(Input::Length {
            memory,
            first,
            stride: 1,
        });
        let one = self.builder.constant(1);
        let all = self.builder.op(Code::Shl, &[words, one]);
        let before = self.builder.constant(pointer.half);
        let before = self.builder.op(Code::MinU, &[before, all]);
        let halves = self.builder.op(Code::Sub, &[all, before]);
        let stride = self.builder.constant(elements.stride);
        Ok(self.builder.op(Code::DivU, &[halves, stride]))
    }
}
