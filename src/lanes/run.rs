//! Obeys lane programs.
//!
//! Each operation is a loop over sixteen words at a time, compiled for several instruction sets; which of them the
//! processor has is found out once. Which blocks there are is the caller's affair.
//!
//! Invariant: no address is touched that lies outside of the memory it is in.

#![expect(
    unsafe_code,
    reason = "registers and memory are addressed by words that the program computes, each checked before it is used"
)]

use super::math_words as math;
use super::op::{AtomicOp, Code, Held, Input, Memory, Op};
use super::{Block, Program};
use std::array::from_fn;
use std::sync::atomic::{AtomicU32, Ordering};

/// Words that are computed at a time.
pub(crate) const CHUNK: usize = 16;

type Words = [u32; CHUNK];

/// Where an operand is: its first word, and words from chunk to chunk; none for what is the same in all lanes.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    at: usize,
    step: usize,
    is_there: bool,
}

/// An operation whose registers have places.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    code: Code,
    dst: Place,
    operands: [Place; 4],
    memory: Memory,
    offset: u32,
    target: usize,
}

/// Gives the registers their places, and jumps theirs. Returns the steps, where each register is, and words in all.
pub(super) fn place(ops: &[Op], held: &[Held], lanes: usize) -> (Vec<Step>, Vec<usize>, usize) {
    let mut words = 0;
    let mut at = Vec::new();
    let differs = |held: &Held| match held {
        Held::Varying => true,
        Held::Input(input) => input.differs(),
        Held::Uniform | Held::Constant(_) => false,
    };
    for one in held {
        at.push(words);
        words += if differs(one) { lanes } else { CHUNK };
    }
    let mut labels = std::collections::HashMap::new();
    let mut next = 0;
    for op in ops {
        if op.code == Code::Label {
            labels.insert(op.label, next);
        } else {
            next += 1;
        }
    }
    let place = |reg: Option<super::op::Reg>| {
        reg.map_or(Place::default(), |reg| Place {
            at: at[reg.0 as usize],
            step: if differs(&held[reg.0 as usize]) {
                CHUNK
            } else {
                0
            },
            is_there: true,
        })
    };
    let steps = ops
        .iter()
        .filter(|op| op.code != Code::Label)
        .map(|op| Step {
            code: op.code,
            dst: place(op.dst),
            operands: op.operands.map(place),
            memory: op.memory,
            offset: op.offset,
            target: labels.get(&op.label).copied().unwrap_or(next),
        })
        .collect();
    (steps, at, words)
}

/// Memory that the lanes of all blocks share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bank {
    pub(crate) words: *mut u32,
    pub(crate) len: usize,
}

// SAFETY: what several threads may do to a bank at once is the kernel's affair, as it is on a GPU; addresses are checked.
unsafe impl Send for Bank {}
// SAFETY: as above.
unsafe impl Sync for Bank {}

/// The registers and memories that one thread runs blocks with.
#[derive(Debug)]
pub(crate) struct Machine<'a> {
    program: &'a Program,
    registers: Vec<Words>,
    shared: Vec<u32>,
    own: Vec<u32>,
    banks: &'a [Bank],
}

impl<'a> Machine<'a> {
    /// With constants and lengths in place. `workgroups` are those of the undivided dispatch.
    pub(crate) fn new(program: &'a Program, banks: &'a [Bank], workgroups: [u32; 3]) -> Self {
        let mut machine = Self {
            program,
            registers: vec![[0; CHUNK]; program.words.div_ceil(CHUNK)],
            shared: vec![0; program.shared_words],
            own: vec![0; program.own_words * program.lanes],
            banks,
        };
        for (i, held) in program.held.iter().enumerate() {
            match *held {
                Held::Constant(word) => machine.fill(i, word),
                Held::Input(Input::Workgroups(axis)) => machine.fill(i, workgroups[axis as usize]),
                Held::Input(Input::Length {
                    memory: Memory::Bound(bound),
                    first,
                    stride,
                }) => {
                    let len = banks[bound as usize].len as u32;
                    machine.fill(i, len.saturating_sub(first) / stride.max(1));
                }
                Held::Input(Input::Local(axis)) => {
                    let [x, y, _] = program.workgroup;
                    let id = |lane: u32| match axis {
                        0 => lane % x,
                        1 => lane / x % y,
                        _ => lane / x / y,
                    };
                    machine.set(i, id);
                }
                _ => {}
            }
        }
        machine
    }

    fn fill(&mut self, register: usize, word: u32) {
        self.registers[self.program.at[register] / CHUNK] = [word; CHUNK];
    }

    fn set(&mut self, register: usize, word: impl Fn(u32) -> u32) {
        let first = self.program.at[register] / CHUNK;
        for lane in 0..self.program.lanes {
            self.registers[first + lane / CHUNK][lane % CHUNK] = word(lane as u32);
        }
    }

    /// Runs a block.
    pub(crate) fn run(&mut self, block: &Block) {
        for &(i, input) in &self.program.inputs {
            match input {
                Input::Global(0) => self.set(i, |lane| block.first[0].wrapping_add(lane)),
                Input::Global(axis) | Input::Workgroup(axis) => {
                    self.fill(i, block.first[axis as usize]);
                }
                _ => {}
            }
        }
        self.shared.fill(0);
        let mut run = Run {
            steps: &self.program.steps,
            registers: self.registers.as_mut_ptr().cast(),
            chunks: self.program.lanes / CHUNK,
            lanes: self.program.lanes,
            live: block.lanes,
            shared: Bank {
                words: self.shared.as_mut_ptr(),
                len: self.shared.len(),
            },
            own: Bank {
                words: self.own.as_mut_ptr(),
                len: self.own.len(),
            },
            banks: self.banks,
        };
        // SAFETY: every place of the program lies in the registers, which it was made for; the instruction set is there.
        unsafe { run.on_this_processor() }
    }
}

struct Run<'a> {
    steps: &'a [Step],
    registers: *mut u32,
    chunks: usize,
    lanes: usize,
    live: usize,
    shared: Bank,
    own: Bank,
    banks: &'a [Bank],
}

impl Run<'_> {
    #[cfg(target_arch = "x86_64")]
    unsafe fn on_this_processor(&mut self) {
        let has_v3 = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("f16c");
        if has_v3
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
        {
            // SAFETY: the features were just found; the rest is the caller's promise.
            unsafe { self.v4() }
        } else if has_v3 {
            // SAFETY: as above.
            unsafe { self.v3() }
        } else {
            // SAFETY: the caller's promise.
            unsafe { self.interpret::<false>() }
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    unsafe fn on_this_processor(&mut self) {
        // SAFETY: the caller's promise.
        unsafe { self.interpret::<{ cfg!(target_arch = "aarch64") }>() }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(
        enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi1,bmi2,lzcnt,popcnt,f16c"
    )]
    unsafe fn v4(&mut self) {
        // SAFETY: the caller's promise.
        unsafe { self.interpret::<true>() }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt,f16c")]
    unsafe fn v3(&mut self) {
        // SAFETY: the caller's promise.
        unsafe { self.interpret::<true>() }
    }

    #[inline(always)]
    unsafe fn read(&self, place: Place, chunk: usize) -> Words {
        // SAFETY: places lie in the registers, by the caller's promise.
        unsafe {
            self.registers
                .add(place.at + chunk * place.step)
                .cast::<Words>()
                .read()
        }
    }

    /// The words of an operand, or a word for all lanes if there is none.
    #[inline(always)]
    unsafe fn read_or(&self, place: Place, chunk: usize, word: u32) -> Words {
        if place.is_there {
            // SAFETY: the caller's promise.
            unsafe { self.read(place, chunk) }
        } else {
            [word; CHUNK]
        }
    }

    /// The lanes of a chunk that are invocations.
    #[inline(always)]
    fn live_in(&self, chunk: usize) -> usize {
        (self.live - chunk * CHUNK).min(CHUNK)
    }

    #[inline(always)]
    unsafe fn write(&mut self, place: Place, chunk: usize, words: Words) {
        // SAFETY: as above.
        unsafe {
            self.registers
                .add(place.at + chunk * place.step)
                .cast::<Words>()
                .write(words);
        }
    }

    #[inline(always)]
    unsafe fn map1(&mut self, step: &Step, f: impl Fn(u32) -> u32) {
        for chunk in 0..if step.dst.step == 0 { 1 } else { self.chunks } {
            // SAFETY: the caller's promise.
            unsafe {
                let a = self.read(step.operands[0], chunk);
                self.write(step.dst, chunk, from_fn(|i| f(a[i])));
            }
        }
    }

    #[inline(always)]
    unsafe fn map2(&mut self, step: &Step, f: impl Fn(u32, u32) -> u32) {
        for chunk in 0..if step.dst.step == 0 { 1 } else { self.chunks } {
            // SAFETY: the caller's promise.
            unsafe {
                let a = self.read(step.operands[0], chunk);
                let b = self.read(step.operands[1], chunk);
                self.write(step.dst, chunk, from_fn(|i| f(a[i], b[i])));
            }
        }
    }

    #[inline(always)]
    unsafe fn map3(&mut self, step: &Step, f: impl Fn(u32, u32, u32) -> u32) {
        for chunk in 0..if step.dst.step == 0 { 1 } else { self.chunks } {
            // SAFETY: the caller's promise.
            unsafe {
                let a = self.read(step.operands[0], chunk);
                let b = self.read(step.operands[1], chunk);
                let c = self.read(step.operands[2], chunk);
                self.write(step.dst, chunk, from_fn(|i| f(a[i], b[i], c[i])));
            }
        }
    }

    fn bank(&self, memory: Memory) -> Bank {
        match memory {
            Memory::Bound(place) => self.banks[place as usize],
            Memory::Shared => self.shared,
            Memory::Own => self.own,
        }
    }

    #[inline(always)]
    unsafe fn load(&mut self, step: &Step) {
        let (bank, offset) = (self.bank(step.memory), step.offset as usize);
        let (own, lanes) = (step.memory == Memory::Own, self.lanes);
        for chunk in 0..if step.dst.step == 0 { 1 } else { self.chunks } {
            // SAFETY: registers by the caller's promise; memory is checked here.
            unsafe {
                let index = self.read(step.operands[0], chunk);
                let first = index[0] as usize + offset;
                let words = if own {
                    from_fn(|i| {
                        let at = (index[i] as usize + offset) * lanes + chunk * CHUNK + i;
                        if at < bank.len {
                            bank.words.add(at).read()
                        } else {
                            0
                        }
                    })
                } else if step.operands[0].step == 0 {
                    let word = if first < bank.len {
                        bank.words.add(first).read()
                    } else {
                        0
                    };
                    [word; CHUNK]
                } else if is_run(&index) && first + CHUNK <= bank.len {
                    bank.words.add(first).cast::<Words>().read_unaligned()
                } else {
                    from_fn(|i| {
                        let at = index[i] as usize + offset;
                        if at < bank.len {
                            bank.words.add(at).read()
                        } else {
                            0
                        }
                    })
                };
                self.write(step.dst, chunk, words);
            }
        }
    }

    #[inline(always)]
    unsafe fn store(&mut self, step: &Step) {
        let (bank, offset) = (self.bank(step.memory), step.offset as usize);
        let (own, lanes) = (step.memory == Memory::Own, self.lanes);
        let [value, place, mask, _] = step.operands;
        for chunk in 0..self.live.div_ceil(CHUNK) {
            let live = self.live_in(chunk);
            // SAFETY: registers by the caller's promise; memory is checked here.
            unsafe {
                let (words, index) = (self.read(value, chunk), self.read(place, chunk));
                let mask = self.read_or(mask, chunk, u32::MAX);
                let first = index[0] as usize + offset;
                let is_whole = live == CHUNK && mask.iter().all(|lane| *lane != 0);
                if is_whole && !own && is_run(&index) && first + CHUNK <= bank.len {
                    bank.words.add(first).cast::<Words>().write_unaligned(words);
                    continue;
                }
                for i in (0..live).filter(|i| mask[*i] != 0) {
                    let at = index[i] as usize + offset;
                    let at = if own {
                        at * lanes + chunk * CHUNK + i
                    } else {
                        at
                    };
                    if at < bank.len {
                        bank.words.add(at).write(words[i]);
                    }
                }
            }
        }
    }

    unsafe fn atomic(&mut self, step: &Step, op: impl Fn(&AtomicU32, u32, u32) -> u32) {
        let (bank, offset) = (self.bank(step.memory), step.offset as usize);
        let [value, place, mask, other] = step.operands;
        for chunk in 0..self.live.div_ceil(CHUNK) {
            let live = self.live_in(chunk);
            // SAFETY: registers by the caller's promise; memory is checked here, and words are aligned.
            unsafe {
                let (words, index) = (self.read(value, chunk), self.read(place, chunk));
                let mask = self.read_or(mask, chunk, u32::MAX);
                let other = self.read_or(other, chunk, 0);
                let mut old = [0; CHUNK];
                for i in (0..live).filter(|i| mask[*i] != 0) {
                    let at = index[i] as usize + offset;
                    if at < bank.len {
                        old[i] = op(AtomicU32::from_ptr(bank.words.add(at)), words[i], other[i]);
                    }
                }
                self.write(step.dst, chunk, old);
            }
        }
    }

    unsafe fn has_lane(&self, mask: Place) -> bool {
        (0..self.live.div_ceil(CHUNK)).any(|chunk| {
            let live = self.live_in(chunk);
            // SAFETY: the caller's promise.
            let words = unsafe { self.read(mask, chunk) };
            words[..live].iter().any(|lane| *lane != 0)
        })
    }

    #[inline(always)]
    unsafe fn interpret<const FMA: bool>(&mut self) {
        let mut next = 0;
        let fused = |a: f32, b: f32, c: f32| if FMA { a.mul_add(b, c) } else { a * b + c };
        while next < self.steps.len() {
            let step = &self.steps[next];
            next += 1;
            macro_rules! float1 {
                ($f:expr) => {
                    self.map1(step, |a| ($f)(f32::from_bits(a)).to_bits())
                };
            }
            macro_rules! float2 {
                ($f:expr) => {
                    self.map2(step, |a, b| {
                        ($f)(f32::from_bits(a), f32::from_bits(b)).to_bits()
                    })
                };
            }
            macro_rules! float3 {
                ($f:expr) => {
                    self.map3(step, |a, b, c| {
                        ($f)(f32::from_bits(a), f32::from_bits(b), f32::from_bits(c)).to_bits()
                    })
                };
            }
            macro_rules! compare {
                ($kind:ty, $f:expr) => {
                    self.map2(step, |a, b| {
                        u32::from(($f)(<$kind as Word>::of(a), <$kind as Word>::of(b)))
                            .wrapping_neg()
                    })
                };
            }
            // SAFETY: the caller's promise holds for every step.
            unsafe {
                match step.code {
                    Code::Copy => self.map1(step, |a| a),
                    Code::Select => self.map3(step, |a, b, c| if c != 0 { a } else { b }),
                    Code::AddF => float2!(|a: f32, b: f32| a + b),
                    Code::SubF => float2!(|a: f32, b: f32| a - b),
                    Code::MulF => float2!(|a: f32, b: f32| a * b),
                    Code::DivF => float2!(|a: f32, b: f32| a / b),
                    Code::RemF => float2!(|a: f32, b: f32| a % b),
                    Code::MinF => float2!(|a: f32, b: f32| if b < a || a.is_nan() { b } else { a }),
                    Code::MaxF => float2!(|a: f32, b: f32| if b > a || a.is_nan() { b } else { a }),
                    Code::PowF => float2!(f32::powf),
                    Code::Atan2F => float2!(f32::atan2),
                    Code::LdexpF => {
                        self.map2(step, |a, b| {
                            math::ldexp(f32::from_bits(a), b as i32).to_bits()
                        });
                    }
                    Code::MulAddF => float3!(fused),
                    Code::NegF => float1!(|a: f32| -a),
                    Code::AbsF => float1!(f32::abs),
                    Code::FloorF => float1!(f32::floor),
                    Code::CeilF => float1!(f32::ceil),
                    Code::RoundF => float1!(f32::round_ties_even),
                    Code::TruncF => float1!(f32::trunc),
                    Code::FractF => float1!(|a: f32| a - a.floor()),
                    Code::SqrtF => float1!(f32::sqrt),
                    Code::InverseSqrtF => float1!(|a: f32| 1.0 / a.sqrt()),
                    Code::ExpF => float1!(f32::exp),
                    Code::Exp2F => float1!(f32::exp2),
                    Code::LogF => float1!(f32::ln),
                    Code::Log2F => float1!(f32::log2),
                    Code::SinF => float1!(f32::sin),
                    Code::CosF => float1!(f32::cos),
                    Code::TanF => float1!(f32::tan),
                    Code::AsinF => float1!(f32::asin),
                    Code::AcosF => float1!(f32::acos),
                    Code::AtanF => float1!(f32::atan),
                    Code::SinhF => float1!(f32::sinh),
                    Code::CoshF => float1!(f32::cosh),
                    Code::TanhF => float1!(f32::tanh),
                    Code::AsinhF => float1!(f32::asinh),
                    Code::AcoshF => float1!(f32::acosh),
                    Code::AtanhF => float1!(f32::atanh),
                    Code::SignF => float1!(|a: f32| if a > 0.0 {
                        1.0_f32
                    } else if a < 0.0 {
                        -1.0
                    } else {
                        0.0
                    }),
                    Code::FrexpFractionF => float1!(|a| math::frexp(a).0),
                    Code::FrexpExponentF => {
                        self.map1(step, |a| math::frexp(f32::from_bits(a)).1 as u32);
                    }
                    Code::QuantizeF => float1!(|a| half::f16::from_f32(a).to_f32()),
                    Code::EqF => compare!(f32, |a, b| a == b),
                    Code::NeF => compare!(f32, |a, b| a != b),
                    Code::LtF => compare!(f32, |a, b| a < b),
                    Code::LeF => compare!(f32, |a, b| a <= b),
                    Code::Add => self.map2(step, u32::wrapping_add),
                    Code::Sub => self.map2(step, u32::wrapping_sub),
                    Code::Mul => self.map2(step, u32::wrapping_mul),
                    Code::DivS => self.map2(step, |a, b| {
                        let (a, b) = (a as i32, b as i32);
                        (if b == 0 { a } else { a.wrapping_div(b) }) as u32
                    }),
                    Code::DivU => self.map2(step, |a, b| a.checked_div(b).unwrap_or(a)),
                    Code::RemS => self.map2(step, |a, b| {
                        let (a, b) = (a as i32, b as i32);
                        (if b == 0 { 0 } else { a.wrapping_rem(b) }) as u32
                    }),
                    Code::RemU => self.map2(step, |a, b| a.checked_rem(b).unwrap_or(0)),
                    Code::Neg => self.map1(step, u32::wrapping_neg),
                    Code::AbsS => self.map1(step, |a| (a as i32).wrapping_abs() as u32),
                    Code::MinS => self.map2(step, |a, b| (a as i32).min(b as i32) as u32),
                    Code::MaxS => self.map2(step, |a, b| (a as i32).max(b as i32) as u32),
                    Code::MinU => self.map2(step, u32::min),
                    Code::MaxU => self.map2(step, u32::max),
                    Code::SignS => self.map1(step, |a| (a as i32).signum() as u32),
                    Code::And => self.map2(step, |a, b| a & b),
                    Code::Or => self.map2(step, |a, b| a | b),
                    Code::Xor => self.map2(step, |a, b| a ^ b),
                    Code::AndNot => self.map2(step, |a, b| a & !b),
                    Code::Not => self.map1(step, |a| !a),
                    Code::Shl => self.map2(step, |a, b| a << (b & 31)),
                    Code::ShrS => self.map2(step, |a, b| ((a as i32) >> (b & 31)) as u32),
                    Code::ShrU => self.map2(step, |a, b| a >> (b & 31)),
                    Code::Eq => compare!(u32, |a, b| a == b),
                    Code::Ne => compare!(u32, |a, b| a != b),
                    Code::LtS => compare!(i32, |a, b| a < b),
                    Code::LeS => compare!(i32, |a, b| a <= b),
                    Code::LtU => compare!(u32, |a, b| a < b),
                    Code::LeU => compare!(u32, |a, b| a <= b),
                    Code::LeadingZeros => self.map1(step, u32::leading_zeros),
                    Code::TrailingZeros => self.map1(step, u32::trailing_zeros),
                    Code::CountOnes => self.map1(step, u32::count_ones),
                    Code::ReverseBits => self.map1(step, u32::reverse_bits),
                    Code::FirstLeadingU => self.map1(step, math::first_leading),
                    Code::FirstLeadingS => self.map1(step, |a| {
                        math::first_leading(if (a as i32) < 0 { !a } else { a })
                    }),
                    Code::FirstTrailing => {
                        self.map1(step, |a| if a == 0 { u32::MAX } else { a.trailing_zeros() })
                    }
                    Code::ExtractS => self.map3(step, |a, b, c| math::extract(a, b, c, true)),
                    Code::ExtractU => self.map3(step, |a, b, c| math::extract(a, b, c, false)),
                    Code::FtoS => self.map1(step, |a| f32::from_bits(a) as i32 as u32),
                    Code::FtoU => self.map1(step, |a| f32::from_bits(a) as u32),
                    Code::StoF => self.map1(step, |a| (a as i32 as f32).to_bits()),
                    Code::UtoF => self.map1(step, |a| (a as f32).to_bits()),
                    Code::PackHalf => self.map2(step, |a, b| {
                        let [a, b] = [a, b].map(|word| half::f16::from_f32(f32::from_bits(word)));
                        u32::from(a.to_bits()) | u32::from(b.to_bits()) << 16
                    }),
                    Code::UnpackHalfLow => {
                        self.map1(step, |a| half::f16::from_bits(a as u16).to_f32().to_bits())
                    }
                    Code::UnpackHalfHigh => self.map1(step, |a| {
                        half::f16::from_bits((a >> 16) as u16).to_f32().to_bits()
                    }),
                    Code::Load => self.load(step),
                    Code::Store => self.store(step),
                    Code::Atomic(op) => self.atomic(step, |word, value, _| apply(op, word, value)),
                    Code::CompareExchange => self.atomic(step, |word, value, expected| {
                        let order = Ordering::Relaxed;
                        match word.compare_exchange(expected, value, order, order) {
                            Ok(old) | Err(old) => old,
                        }
                    }),
                    Code::Jump => next = step.target,
                    Code::JumpUnless => {
                        if self.read(step.operands[0], 0)[0] == 0 {
                            next = step.target;
                        }
                    }
                    Code::JumpIfNone => {
                        if !self.has_lane(step.operands[0]) {
                            next = step.target;
                        }
                    }
                    Code::Label => {}
                }
            }
        }
    }
}

/// Whether the words count up by one.
#[inline(always)]
fn is_run(words: &Words) -> bool {
    let mut differences = 0;
    for (i, word) in words.iter().enumerate() {
        differences |= word ^ words[0].wrapping_add(i as u32);
    }
    differences == 0
}

fn apply(op: AtomicOp, word: &AtomicU32, value: u32) -> u32 {
    let order = Ordering::Relaxed;
    let float = |f: fn(f32, f32) -> f32| {
        let new = |old: u32| Some(f(f32::from_bits(old), f32::from_bits(value)).to_bits());
        match word.fetch_update(order, order, new) {
            Ok(old) | Err(old) => old,
        }
    };
    let signed = |f: fn(i32, i32) -> i32| {
        let new = |old: u32| Some(f(old as i32, value as i32) as u32);
        match word.fetch_update(order, order, new) {
            Ok(old) | Err(old) => old,
        }
    };
    match op {
        AtomicOp::Add => word.fetch_add(value, order),
        AtomicOp::Sub => word.fetch_sub(value, order),
        AtomicOp::And => word.fetch_and(value, order),
        AtomicOp::Or => word.fetch_or(value, order),
        AtomicOp::Xor => word.fetch_xor(value, order),
        AtomicOp::MinU => word.fetch_min(value, order),
        AtomicOp::MaxU => word.fetch_max(value, order),
        AtomicOp::MinS => signed(i32::min),
        AtomicOp::MaxS => signed(i32::max),
        AtomicOp::Exchange => word.swap(value, order),
        AtomicOp::AddF => float(|a, b| a + b),
        AtomicOp::SubF => float(|a, b| a - b),
        AtomicOp::MinF => float(f32::min),
        AtomicOp::MaxF => float(f32::max),
    }
}

/// What a word can mean.
trait Word {
    fn of(word: u32) -> Self;
}

impl Word for u32 {
    fn of(word: u32) -> Self {
        word
    }
}

impl Word for i32 {
    fn of(word: u32) -> Self {
        word as i32
    }
}

impl Word for f32 {
    fn of(word: u32) -> Self {
        f32::from_bits(word)
    }
}
