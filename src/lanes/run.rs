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

mod atomics;

use super::functions;
use super::math_words as math;
use super::op::{Class, Code, Held, Input, Memory, Op, Reg};
use super::place::Places;
pub(crate) use super::processor::CHUNK;
use super::processor::{Floats, Least, Level, Processor, Words, lanes};
use super::subgroup::{self, SubgroupOp};
use super::wide::{self, Half};
use super::{Block, MOST_BOUND_WORDS, Program, Watch};

/// Where an operand is: its first byte, and whether it has something for each lane.
#[derive(Clone, Copy, Debug)]
struct Operand {
    at: u32,
    /// All ones if there is something for each lane, none if there is one word for all.
    each: u32,
}

impl Operand {
    /// One that may be read, though nothing comes of it.
    const NONE: Self = Self { at: 0, each: 1 };

    fn is_there(self) -> bool {
        self.each != 1
    }
}

/// An operation whose registers have places.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    code: Code,
    /// One word is computed for all lanes.
    is_uniform: bool,
    /// Whether somebody wants the result.
    has_result: bool,
    /// How an access's place goes from lane to lane.
    address: Class,
    memory: Memory,
    dst: u32,
    operands: [Operand; 4],
    /// Words to add to an address; the depth of a window; how much a run goes up from lane to lane.
    offset: u32,
    /// The words of memory that may be touched: from here on, so many.
    first: u32,
    words: u32,
    target: u32,
}

/// Operations with their places, and jumps with theirs.
pub(super) fn steps(ops: &[Op], held: &[Held], places: &Places) -> Vec<Step> {
    let mut labels = std::collections::HashMap::new();
    let mut next = 0;
    for op in ops {
        if op.code == Code::Label {
            labels.insert(op.label, next);
        } else {
            next += 1;
        }
    }
    let class = |reg: Reg| held[reg.0 as usize].class();
    let operand = |reg: Option<Reg>| {
        reg.map_or(Operand::NONE, |reg| Operand {
            at: places.at[reg.0 as usize] as u32,
            each: match class(reg) {
                Class::Uniform | Class::Run(_) => 0,
                Class::Varying | Class::Bits | Class::Pair => u32::MAX,
            },
        })
    };
    let step = |op: &Op| {
        let address = match op.code {
            Code::Load | Code::LoadHalf => op.operands[0],
            _ => op.operands[1],
        };
        Step {
            code: op.code,
            is_uniform: op.dst.map(class).is_some_and(Class::is_one_word),
            has_result: op.dst.is_some(),
            address: address.map_or(Class::Uniform, class),
            memory: op.memory,
            dst: operand(op.dst).at,
            operands: op.operands.map(operand),
            offset: op.offset,
            first: op.region.0,
            words: op.region.1.unwrap_or(u32::MAX),
            target: labels.get(&op.label).copied().unwrap_or(next) as u32,
        }
    };
    ops.iter()
        .filter(|op| op.code != Code::Label)
        .map(step)
        .collect()
}

/// Memory that the lanes of all blocks share. That of a kernel with atomics of 64 bits begins at a multiple of eight bytes.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Bank {
    pub(crate) words: *mut u32,
    pub(crate) len: usize,
    /// Whether what is only written had better go past the caches, as there is more of it than they hold.
    pub(crate) passes_caches: bool,
}

// SAFETY: what several threads may do to a bank at once is the kernel's affair, as it is on a GPU; addresses are checked.
unsafe impl Send for Bank {}
// SAFETY: as above.
unsafe impl Sync for Bank {}

/// Sixty-four bytes where processors like them: words in a row are then in one line of a cache, not across two.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Line(Words);

impl Line {
    /// Words in a row, and zeros to the end of the last line.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn of(words: &[u32]) -> Vec<Self> {
        let line = |words: &[u32]| Self(lanes(|i| words.get(i).copied().unwrap_or(0)));
        words.chunks(CHUNK).map(line).collect()
    }
}

/// The registers and memories that one thread runs blocks with.
#[derive(Debug)]
pub(crate) struct Machine<'a> {
    program: &'a Program,
    registers: Vec<Line>,
    shared: Vec<Line>,
    own: Vec<Line>,
    windows: Vec<(usize, usize)>,
    /// The lanes that the register of those that are live says.
    live: usize,
    banks: &'a [Bank],
    /// What compiled code asks for of registers that are the same for all blocks.
    #[cfg(target_arch = "x86_64")]
    largest: Vec<u32>,
}

impl<'a> Machine<'a> {
    /// With what is the same for all blocks in place. `workgroups` are those of the undivided dispatch.
    ///
    /// # Panics
    ///
    /// If a bank has more than [`MOST_BOUND_WORDS`]: no device may take such a buffer for lanes.
    pub(crate) fn new(program: &'a Program, banks: &'a [Bank], workgroups: [u32; 3]) -> Self {
        let fits = |bank: &Bank| bank.len <= MOST_BOUND_WORDS;
        assert!(
            banks.iter().all(fits),
            "a device took a buffer that it can't bind"
        );
        let count = program.lanes;
        let lines = |bytes: usize| vec![Line([0; CHUNK]); bytes.div_ceil(size_of::<Line>())];
        let mut machine = Self {
            program,
            registers: lines(program.bytes),
            shared: lines(program.shared_words * 4),
            own: lines(program.own_words * count * 4),
            windows: vec![(0, 0); program.windows + 1],
            live: usize::MAX,
            banks,
            #[cfg(target_arch = "x86_64")]
            largest: Vec::new(),
        };
        for &(at, held) in &program.settled {
            match held {
                Held::Constant(word) => machine.fill(at, word),
                Held::Input(Input::Lane) => machine.fill(at, 0),
                Held::Input(Input::Workgroups(axis)) => machine.fill(at, workgroups[axis as usize]),
                Held::Input(Input::Word(Memory::Bound(bound), word)) => {
                    let bank = banks[bound as usize];
                    let word = word as usize;
                    // SAFETY: the bank has that word.
                    let word = (word < bank.len).then(|| unsafe { bank.words.add(word).read() });
                    machine.fill(at, word.unwrap_or(0));
                }
                Held::Input(Input::Length {
                    memory: Memory::Bound(bound),
                    first,
                    stride,
                }) => {
                    let len = banks[bound as usize].len as u32;
                    machine.fill(at, len.saturating_sub(first) / stride.max(1));
                }
                Held::Input(Input::Local(axis)) => {
                    let [x, y, _] = program.workgroup;
                    for lane in 0..count as u32 {
                        let id = match axis {
                            0 => lane % x,
                            1 => lane / x % y,
                            _ => lane / x / y,
                        };
                        let (line, word) = (lane as usize / CHUNK, lane as usize % CHUNK);
                        machine.registers[at / 64 + line].0[word] = id;
                    }
                }
                _ => {}
            }
        }
        machine.go(&program.once, count, None);
        #[cfg(target_arch = "x86_64")]
        if let Some(compiled) = &program.compiled {
            let largest = |at: &u32| {
                let chunks = &machine.registers[*at as usize / 64..][..count / CHUNK];
                chunks.iter().map(|line| line.0[0]).max().unwrap_or(0)
            };
            machine.largest = compiled.settled().iter().map(largest).collect();
        }
        machine
    }

    fn fill(&mut self, at: usize, word: u32) {
        self.registers[at / 64].0 = [word; CHUNK];
    }

    /// Runs a block.
    pub(crate) fn run(&mut self, block: &Block) {
        self.run_watched(block, None);
    }

    /// Runs a block and does the checks that the program has.
    pub(crate) fn run_watched(&mut self, block: &Block, watch: Option<&mut Watch<'_>>) {
        for &(at, input) in &self.program.inputs {
            match input {
                Input::Global(axis) | Input::Workgroup(axis) => {
                    self.fill(at, block.first[axis as usize]);
                }
                Input::Live if block.lanes != self.live => {
                    let lines = self.program.lanes.div_ceil(8).div_ceil(64);
                    for (line, first) in self.registers[at / 64..][..lines]
                        .iter_mut()
                        .zip((0..).step_by(512))
                    {
                        line.0 = lanes(|i| {
                            let left = block.lanes.saturating_sub(first + 32 * i);
                            if left >= 32 {
                                u32::MAX
                            } else {
                                (1 << left) - 1
                            }
                        });
                    }
                }
                _ => {}
            }
        }
        self.live = block.lanes;
        self.shared.fill(Line([0; CHUNK]));
        self.go(&self.program.steps, block.lanes, watch);
    }

    fn go(&mut self, steps: &[Step], live: usize, watch: Option<&mut Watch<'_>>) {
        self.windows[0] = (0, live.div_ceil(CHUNK));
        #[cfg(target_arch = "x86_64")]
        let (compiled, is_whole) = (
            self.program.compiled.as_ref(),
            std::ptr::eq(steps, &raw const self.program.steps[..]),
        );
        let mut run = Run {
            steps,
            registers: self.registers.as_mut_ptr().cast(),
            window: self.windows[0],
            windows: &mut self.windows,
            lanes: self.program.lanes,
            shared: Bank {
                words: self.shared.as_mut_ptr().cast(),
                len: self.program.shared_words,
                passes_caches: false,
            },
            own: Bank {
                words: self.own.as_mut_ptr().cast(),
                len: self.program.own_words * self.program.lanes,
                passes_caches: false,
            },
            banks: self.banks,
            watch,
        };
        #[cfg(target_arch = "x86_64")]
        if let Some(compiled) = compiled.filter(|_| is_whole) {
            let mut frame = super::compile::Frame {
                registers: run.registers,
                banks: run.banks.as_ptr(),
                shared: run.shared.words,
                own: run.own.words,
                constants: compiled.constants(),
                numbers: compiled.numbers(),
                largest: self.largest.as_ptr(),
                end: run.window.1 * size_of::<Words>(),
                interpret,
                run: (&raw mut run).cast(),
                stack: 0,
            };
            // SAFETY: the frame has the memories of the program, as below.
            unsafe { compiled.run(&mut frame) }
            return;
        }
        // SAFETY: every place of the program lies in the registers, which it was made for; the instruction set is there.
        unsafe { run.on_this_processor(0, steps.len(), true) }
    }
}

#[cfg(target_arch = "x86_64")]
impl Drop for Machine<'_> {
    /// What went past the caches is there for other threads before they can know that this one has finished.
    fn drop(&mut self) {
        if self.banks.iter().any(|bank| bank.passes_caches) {
            // SAFETY: every processor of the target has the instruction.
            unsafe { std::arch::x86_64::_mm_sfence() }
        }
    }
}

/// Lets the interpreter do some of the steps of a program that was compiled.
///
/// # Safety
///
/// It is called with a [`Run`] that nobody else uses meanwhile.
#[cfg(target_arch = "x86_64")]
unsafe extern "sysv64" fn interpret(
    run: *mut std::ffi::c_void,
    from: usize,
    to: usize,
    with_once: bool,
) {
    // SAFETY: the caller's promise; none of these steps goes elsewhere.
    unsafe { (*run.cast::<Run<'_, '_>>()).on_this_processor(from, to, with_once) }
}

struct Run<'a, 'w> {
    steps: &'a [Step],
    registers: *mut u8,
    /// The chunks that are computed: from, to.
    window: (usize, usize),
    /// By depth.
    windows: &'a mut [(usize, usize)],
    lanes: usize,
    shared: Bank,
    own: Bank,
    banks: &'a [Bank],
    /// Who does the checks.
    watch: Option<&'a mut Watch<'w>>,
}

/// Chunk after chunk of a register.
struct Stream {
    at: *mut u8,
    step: usize,
}

impl Stream {
    /// # Safety
    ///
    /// The register has that chunk, here and in `put`.
    #[inline(always)]
    unsafe fn next(&mut self) -> Words {
        // SAFETY: the caller's promise.
        let words = unsafe { self.at.cast::<Words>().read() };
        self.at = self.at.wrapping_add(self.step);
        words
    }

    #[inline(always)]
    unsafe fn put(&mut self, words: Words) {
        // SAFETY: the caller's promise.
        unsafe { self.at.cast::<Words>().write(words) }
        self.at = self.at.wrapping_add(self.step);
    }
}

/// What a closure computes from the words of several operands.
macro_rules! each {
    ($run:ident, $step:ident, |$($word:ident),+| $body:expr) => {{
        let mut operands = $step.operands.iter();
        $(let $word = *operands.next().expect("there are four");)+
        let _ = operands;
        if $step.is_uniform {
            $(let $word = $run.word($word);)+
            $run.splat($step.dst, $body);
        } else {
            let (from, to) = $run.window;
            let mut dst = $run.stream_to($step.dst, from);
            $(let mut $word = $run.stream($word, from);)+
            for _ in from..to {
                let words: Words = {
                    $(let $word = $word.next();)+
                    lanes(|i| {
                        $(let $word = $word[i];)+
                        $body
                    })
                };
                dst.put(words);
            }
        }
    }};
}

impl Run<'_, '_> {
    #[cfg(target_arch = "x86_64")]
    unsafe fn on_this_processor(&mut self, from: usize, to: usize, with_once: bool) {
        // SAFETY: the level is one that the processor has; the rest is the caller's promise.
        unsafe {
            match Level::chosen() {
                Level::V4 | Level::Compiled => self.v4(from, to, with_once),
                Level::V3 => self.v3(from, to, with_once),
                Level::V1 => self.interpret::<Least>(from, to, with_once),
            }
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    unsafe fn on_this_processor(&mut self, from: usize, to: usize, with_once: bool) {
        // SAFETY: the caller's promise.
        unsafe { self.interpret::<Least>(from, to, with_once) }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(
        enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi1,bmi2,lzcnt,popcnt,f16c"
    )]
    unsafe fn v4(&mut self, from: usize, to: usize, with_once: bool) {
        // SAFETY: the caller's promise.
        unsafe { self.interpret::<super::processor::V4>(from, to, with_once) }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt,f16c")]
    unsafe fn v3(&mut self, from: usize, to: usize, with_once: bool) {
        // SAFETY: the caller's promise.
        unsafe { self.interpret::<super::processor::V3>(from, to, with_once) }
    }

    /// The words of an operand, from a chunk on.
    #[inline(always)]
    fn stream(&self, operand: Operand, from: usize) -> Stream {
        let step = size_of::<Words>() & operand.each as i32 as usize;
        Stream {
            at: self
                .registers
                .wrapping_add(operand.at as usize + from * step),
            step,
        }
    }

    /// Where the words of a register go, from a chunk on.
    #[inline(always)]
    fn stream_to(&self, at: u32, from: usize) -> Stream {
        let step = size_of::<Words>();
        Stream {
            at: self.registers.wrapping_add(at as usize + from * step),
            step,
        }
    }

    #[inline(always)]
    unsafe fn read(&self, operand: Operand, chunk: usize) -> Words {
        let at =
            operand.at as usize + ((chunk * size_of::<Words>()) & operand.each as i32 as usize);
        // SAFETY: places lie in the registers, by the caller's promise.
        unsafe { self.registers.add(at).cast::<Words>().read() }
    }

    #[inline(always)]
    unsafe fn write(&mut self, at: u32, chunk: usize, words: Words) {
        let at = at as usize + chunk * size_of::<Words>();
        // SAFETY: as above.
        unsafe { self.registers.add(at).cast::<Words>().write(words) }
    }

    /// The word of an operand that has one for all lanes.
    #[inline(always)]
    unsafe fn word(&self, operand: Operand) -> u32 {
        // SAFETY: as above.
        unsafe { self.registers.add(operand.at as usize).cast::<u32>().read() }
    }

    #[inline(always)]
    unsafe fn splat(&mut self, at: u32, word: u32) {
        // SAFETY: as above.
        unsafe {
            self.registers
                .add(at as usize)
                .cast::<Words>()
                .write([word; CHUNK]);
        }
    }

    /// The bits of a chunk's lanes.
    #[inline(always)]
    unsafe fn bits(&self, operand: Operand, chunk: usize) -> u16 {
        let at = operand.at as usize + ((chunk * 2) & operand.each as i32 as usize);
        // SAFETY: as above.
        unsafe { self.registers.add(at).cast::<u16>().read() }
    }

    #[inline(always)]
    unsafe fn set_bits(&mut self, at: u32, chunk: usize, bits: u16) {
        // SAFETY: as above.
        unsafe {
            self.registers
                .add(at as usize + chunk * 2)
                .cast::<u16>()
                .write(bits);
        }
    }

    /// Logic on the bits of all lanes, sixty-four at a time.
    #[inline(always)]
    unsafe fn logic(&mut self, step: &Step, f: impl Fn(u64, u64, u64) -> u64) {
        for word in 0..self.lanes.div_ceil(64) {
            let read = |operand: Operand| {
                let at = operand.at as usize + ((word * 8) & operand.each as i32 as usize);
                // SAFETY: the caller's promise.
                unsafe { self.registers.add(at).cast::<u64>().read() }
            };
            let [a, b, c, _] = step.operands;
            let found = f(read(a), read(b), read(c));
            // SAFETY: the caller's promise.
            unsafe {
                self.registers
                    .add(step.dst as usize + word * 8)
                    .cast::<u64>()
                    .write(found);
            }
        }
    }

    #[inline(always)]
    unsafe fn compare<P: Processor>(&mut self, step: &Step, f: impl Fn(u32, u32) -> bool) {
        let all = |is_so: bool| u32::from(is_so).wrapping_neg();
        let [a, b, ..] = step.operands;
        // SAFETY: the caller's promise.
        unsafe {
            if step.is_uniform {
                let found = f(self.word(a), self.word(b));
                self.splat(step.dst, all(found));
                return;
            }
            let (from, to) = self.window;
            let (mut a, mut b) = (self.stream(a, from), self.stream(b, from));
            for chunk in from..to {
                let (a, b) = (a.next(), b.next());
                let bits = P::bits(lanes(|i| all(f(a[i], b[i]))));
                self.set_bits(step.dst, chunk, bits);
            }
        }
    }

    #[inline(always)]
    unsafe fn select<P: Processor>(&mut self, step: &Step) {
        let [a, b, c, _] = step.operands;
        // SAFETY: the caller's promise.
        unsafe {
            if step.is_uniform {
                let chosen = if self.word(c) != 0 { a } else { b };
                let word = self.word(chosen);
                self.splat(step.dst, word);
                return;
            }
            let (from, to) = self.window;
            let (mut a, mut b) = (self.stream(a, from), self.stream(b, from));
            let mut dst = self.stream_to(step.dst, from);
            for chunk in from..to {
                let (a, b) = (a.next(), b.next());
                let c = P::words(self.bits(c, chunk));
                dst.put(lanes(|i| if c[i] != 0 { a[i] } else { b[i] }));
            }
        }
    }

    /// Functions of sixteen numbers at once.
    #[inline(always)]
    unsafe fn floats(&mut self, step: &Step, f: impl Fn(Floats, Floats) -> Floats) {
        let [a, b, ..] = step.operands;
        // SAFETY: the caller's promise.
        unsafe {
            let (from, to) = if step.is_uniform { (0, 1) } else { self.window };
            for chunk in from..to {
                let (a, b) = (self.read(a, chunk), self.read(b, chunk));
                let found = f(a.map(f32::from_bits), b.map(f32::from_bits));
                self.write(step.dst, chunk, found.map(f32::to_bits));
            }
        }
    }

    /// The memory of an access from the start of its region on, and how many words of it there are.
    #[inline(always)]
    fn region(&self, step: &Step) -> Bank {
        let bank = match step.memory {
            Memory::Bound(bound) => self.banks[bound as usize],
            Memory::Shared => self.shared,
            Memory::Own => self.own,
        };
        let count = match step.memory {
            Memory::Own => bank.len / self.lanes,
            _ => bank.len,
        };
        let first = (step.first as usize).min(count);
        let by = match step.memory {
            Memory::Own => first * self.lanes,
            _ => first,
        };
        Bank {
            words: bank.words.wrapping_add(by),
            len: (count - first).min(step.words as usize),
            ..bank
        }
    }

    /// The places of an access's lanes, in words from the start of its region.
    #[inline(always)]
    unsafe fn places(&self, step: &Step, place: Operand, more: u32, chunk: usize) -> Words {
        // SAFETY: the caller's promise.
        let words = unsafe { self.read(place, chunk) };
        match step.address {
            Class::Run(each) => lanes(|i| {
                words[i]
                    .wrapping_add(more)
                    .wrapping_add(((chunk * CHUNK + i) as u32).wrapping_mul(each))
            }),
            _ => lanes(|i| words[i].wrapping_add(more)),
        }
    }

    unsafe fn load_own(&mut self, step: &Step, bank: Bank, more: u32) {
        let all = self.lanes;
        for chunk in self.window.0..self.window.1 {
            // SAFETY: registers by the caller's promise; memory is checked here.
            unsafe {
                let places = self.places(step, step.operands[0], more, chunk);
                let words = lanes(|i| {
                    let at = places[i] as usize;
                    if at < bank.len {
                        bank.words.add(at * all + chunk * CHUNK + i).read()
                    } else {
                        0
                    }
                });
                self.write(step.dst, chunk, words);
            }
        }
    }

    #[inline(always)]
    unsafe fn load<P: Processor>(&mut self, step: &Step) {
        let bank = self.region(step);
        let [place, more, ..] = step.operands;
        // SAFETY: registers by the caller's promise; memory is checked here.
        unsafe {
            let more = if more.is_there() { self.word(more) } else { 0 };
            let more = more.wrapping_add(step.offset).wrapping_sub(step.first);
            if step.memory == Memory::Own {
                self.load_own(step, bank, more);
                return;
            }
            if step.is_uniform {
                let at = self.word(place).wrapping_add(more) as usize;
                let word = if at < bank.len {
                    bank.words.add(at).read()
                } else {
                    0
                };
                self.splat(step.dst, word);
                return;
            }
            let (from, to) = self.window;
            if step.address == Class::Run(1) {
                let start = self.word(place).wrapping_add(more);
                let first = start.wrapping_add((from * CHUNK) as u32) as usize;
                if first + (to - from) * CHUNK <= bank.len {
                    let mut here = bank.words.add(first).cast::<Words>();
                    let mut dst = self.stream_to(step.dst, from);
                    for _ in from..to {
                        dst.put(here.read_unaligned());
                        here = here.add(1);
                    }
                    return;
                }
            }
            for chunk in from..to {
                let places = self.places(step, place, more, chunk);
                let words = self.collect::<P>(bank, places);
                self.write(step.dst, chunk, words);
            }
        }
    }

    /// The words at places, fast where these are in order.
    #[inline(always)]
    unsafe fn collect<P: Processor>(&self, bank: Bank, places: Words) -> Words {
        let (first, apart) = (places[0] as usize, places[1].wrapping_sub(places[0]));
        let mut differences = 0;
        for (i, place) in places.iter().enumerate() {
            differences |= place ^ places[0].wrapping_add(apart.wrapping_mul(i as u32));
        }
        // SAFETY: what is read is checked to lie in the bank.
        unsafe {
            if differences == 0 {
                let at = bank.words.add(first.min(bank.len));
                let room = bank.len.saturating_sub(first);
                match apart {
                    0 if room > 0 => return [at.read(); CHUNK],
                    1 if room >= CHUNK => return at.cast::<Words>().read_unaligned(),
                    2 if room >= 2 * CHUNK => {
                        let both = at.cast::<[u32; 2 * CHUNK]>().read_unaligned();
                        return lanes(|i| both[2 * i]);
                    }
                    4 if room >= 4 * CHUNK => {
                        let all = at.cast::<[u32; 4 * CHUNK]>().read_unaligned();
                        return lanes(|i| all[4 * i]);
                    }
                    _ => {}
                }
            }
            P::gather(bank.words, bank.len as u32, places)
        }
    }

    #[inline(always)]
    unsafe fn store(&mut self, step: &Step) {
        let bank = self.region(step);
        let [value, place, mask, more] = step.operands;
        let all = self.lanes;
        // SAFETY: registers by the caller's promise; memory is checked here.
        unsafe {
            let more = if more.is_there() { self.word(more) } else { 0 };
            let more = more.wrapping_add(step.offset).wrapping_sub(step.first);
            let (from, to) = self.window;
            if step.address == Class::Run(1) && self.has_all(mask) {
                let start = self.word(place).wrapping_add(more);
                let first = start.wrapping_add((from * CHUNK) as u32) as usize;
                if first + (to - from) * CHUNK <= bank.len {
                    let mut here = bank.words.add(first).cast::<Words>();
                    let mut value = self.stream(value, from);
                    for _ in from..to {
                        here.write_unaligned(value.next());
                        here = here.add(1);
                    }
                    return;
                }
            }
            for chunk in from..to {
                let mut bits = if mask.is_there() {
                    self.bits(mask, chunk)
                } else {
                    u16::MAX
                };
                if bits == 0 {
                    continue;
                }
                let words = self.read(value, chunk);
                if step.memory == Memory::Own {
                    let places = self.places(step, place, more, chunk);
                    while bits != 0 {
                        let i = bits.trailing_zeros() as usize;
                        bits &= bits - 1;
                        let at = places[i] as usize;
                        if at < bank.len {
                            let at = at * all + chunk * CHUNK + i;
                            bank.words.add(at).write(words[i]);
                        }
                    }
                    continue;
                }
                let places = self.places(step, place, more, chunk);
                let first = places[0] as usize;
                if bits == u16::MAX && is_run(&places) && first + CHUNK <= bank.len {
                    bank.words.add(first).cast::<Words>().write_unaligned(words);
                    continue;
                }
                while bits != 0 {
                    let i = bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    let at = places[i] as usize;
                    if at < bank.len {
                        bank.words.add(at).write(words[i]);
                    }
                }
            }
        }
    }

    unsafe fn subgroup(&mut self, step: &Step, op: SubgroupOp, half: Half) {
        const CHUNKS: usize = subgroup::WIDTH / CHUNK;
        let [value, mask, index, high] = step.operands;
        let (from, to) = self.window;
        for group in from / CHUNKS..to.div_ceil(CHUNKS) {
            let (mut active, mut numbers) = (0, [0; subgroup::WIDTH]);
            let mut indices = [0; subgroup::WIDTH];
            // No lane outside of the window is in the mask.
            let chunks = (group * CHUNKS).max(from)..((group + 1) * CHUNKS).min(to);
            for chunk in chunks.clone() {
                let first = chunk % CHUNKS * CHUNK;
                // SAFETY: registers by the caller's promise.
                unsafe {
                    active |= u32::from(self.bits(mask, chunk)) << first;
                    let (words, index) = (self.read(value, chunk), self.read(index, chunk));
                    let high = if high.is_there() {
                        self.read(high, chunk)
                    } else {
                        [0; CHUNK]
                    };
                    let both: [u64; CHUNK] = lanes(|i| wide::number(words[i], high[i]));
                    numbers[first..first + CHUNK].copy_from_slice(&both);
                    indices[first..first + CHUNK].copy_from_slice(&index);
                }
            }
            let found = subgroup::found(op, active, &numbers, &indices);
            for chunk in chunks {
                let first = chunk % CHUNKS * CHUNK;
                // SAFETY: as above.
                unsafe { self.write(step.dst, chunk, lanes(|i| half.of(found[first + i]))) }
            }
        }
    }

    unsafe fn load_half(&mut self, step: &Step) {
        let bank = self.region(step);
        let [place, more, ..] = step.operands;
        let (halves, len) = (bank.words.cast::<u16>(), bank.len * 2);
        let at = |place: u32| {
            if (place as usize) < len {
                // SAFETY: the bank has that half.
                u32::from(unsafe { halves.add(place as usize).read() })
            } else {
                0
            }
        };
        // SAFETY: registers by the caller's promise.
        unsafe {
            let more = if more.is_there() { self.word(more) } else { 0 };
            let more = more.wrapping_add(step.offset);
            let more = more.wrapping_sub(step.first.wrapping_mul(2));
            if step.is_uniform {
                let word = at(self.word(place).wrapping_add(more));
                self.splat(step.dst, word);
                return;
            }
            for chunk in self.window.0..self.window.1 {
                let places = self.places(step, place, more, chunk);
                self.write(step.dst, chunk, lanes(|i| at(places[i])));
            }
        }
    }

    unsafe fn store_half(&mut self, step: &Step) {
        let bank = self.region(step);
        let [value, place, mask, more] = step.operands;
        let (halves, len) = (bank.words.cast::<u16>(), bank.len * 2);
        // SAFETY: registers by the caller's promise; memory is checked here.
        unsafe {
            let more = if more.is_there() { self.word(more) } else { 0 };
            let more = more.wrapping_add(step.offset);
            let more = more.wrapping_sub(step.first.wrapping_mul(2));
            for chunk in self.window.0..self.window.1 {
                let mut bits = if mask.is_there() {
                    self.bits(mask, chunk)
                } else {
                    u16::MAX
                };
                let words = self.read(value, chunk);
                let places = self.places(step, place, more, chunk);
                while bits != 0 {
                    let i = bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    let at = places[i] as usize;
                    if at < len {
                        halves.add(at).write(words[i] as u16);
                    }
                }
            }
        }
    }

    /// Shows the watch what the lanes of the mask have.
    #[inline(never)]
    unsafe fn check(&mut self, step: &Step) {
        let Some(watch) = self.watch.take() else {
            return;
        };
        let [a, b, c, mask] = step.operands;
        watch.begin(step.offset);
        for chunk in self.window.0..self.window.1 {
            // SAFETY: the caller's promise.
            unsafe {
                let mut bits = self.bits(mask, chunk);
                if bits == 0 {
                    continue;
                }
                let [a, b, c] = [a, b, c].map(|operand| {
                    if operand.is_there() {
                        self.read(operand, chunk)
                    } else {
                        [0; CHUNK]
                    }
                });
                while bits != 0 {
                    let i = bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    watch.see((chunk * CHUNK + i) as u32, [a[i], b[i], c[i]]);
                }
            }
        }
        watch.end();
        self.watch = Some(watch);
    }

    /// The chunks, of those of the window, from the first to the last that have lanes.
    unsafe fn chunks_of(&self, mask: Operand) -> (usize, usize) {
        let (mut first, mut end) = (usize::MAX, 0);
        for chunk in self.window.0..self.window.1 {
            // SAFETY: the caller's promise.
            if unsafe { self.bits(mask, chunk) } != 0 {
                first = first.min(chunk);
                end = chunk + 1;
            }
        }
        (first.min(end), end)
    }

    /// Whether all lanes of the window are in the mask.
    #[inline(always)]
    unsafe fn has_all(&self, mask: Operand) -> bool {
        let is_full = |chunk| {
            // SAFETY: the caller's promise.
            unsafe { self.bits(mask, chunk) == u16::MAX }
        };
        !mask.is_there() || (self.window.0..self.window.1).all(is_full)
    }

    unsafe fn has_lane(&self, mask: Operand) -> bool {
        // SAFETY: the caller's promise.
        (self.window.0..self.window.1).any(|chunk| unsafe { self.bits(mask, chunk) } != 0)
    }

    #[inline(always)]
    unsafe fn interpret<P: Processor>(&mut self, from: usize, to: usize, with_once: bool) {
        let mut next = from;
        let fused = |a: f32, b: f32, c: f32| if P::FUSES { a.mul_add(b, c) } else { a * b + c };
        while next < to {
            // A copy, as what is written might be the original, for all that the compiler knows.
            let step = self.steps[next];
            let step = &step;
            next += 1;
            if step.is_uniform && !with_once {
                continue;
            }
            let float = f32::from_bits;
            macro_rules! float1 {
                ($f:expr) => {
                    each!(self, step, |a| ($f)(float(a)).to_bits())
                };
            }
            macro_rules! float2 {
                ($f:expr) => {
                    each!(self, step, |a, b| ($f)(float(a), float(b)).to_bits())
                };
            }
            macro_rules! float3 {
                ($f:expr) => {
                    each!(self, step, |a, b, c| ($f)(float(a), float(b), float(c))
                        .to_bits())
                };
            }
            macro_rules! compare {
                ($kind:ty, $f:expr) => {
                    self.compare::<P>(step, |a, b| {
                        ($f)(<$kind as Word>::of(a), <$kind as Word>::of(b))
                    })
                };
            }
            // SAFETY: the caller's promise holds for every step.
            unsafe {
                match step.code {
                    Code::Copy => each!(self, step, |a| a),
                    Code::Select => self.select::<P>(step),
                    Code::AddF => float2!(|a: f32, b: f32| a + b),
                    Code::SubF => float2!(|a: f32, b: f32| a - b),
                    Code::MulF => float2!(|a: f32, b: f32| a * b),
                    Code::DivF => float2!(|a: f32, b: f32| a / b),
                    Code::RemF => float2!(|a: f32, b: f32| a % b),
                    Code::MinF => float2!(|a: f32, b: f32| if b < a || a.is_nan() { b } else { a }),
                    Code::MaxF => float2!(|a: f32, b: f32| if b > a || a.is_nan() { b } else { a }),
                    Code::PowF => self.floats(step, |a, b| functions::pow::<P>(a, b)),
                    Code::Atan2F => float2!(f32::atan2),
                    Code::LdexpF => {
                        each!(self, step, |a, b| {
                            math::ldexp(f32::from_bits(a), b as i32).to_bits()
                        });
                    }
                    Code::MulAddF => float3!(fused),
                    Code::MulSubF => float3!(|a: f32, b: f32, c: f32| fused(a, b, -c)),
                    Code::NegMulAddF => float3!(|a: f32, b: f32, c: f32| fused(-a, b, c)),
                    Code::Count => {
                        let first = self.word(step.operands[0]);
                        for chunk in self.window.0..self.window.1 {
                            let start = (chunk * CHUNK) as u32;
                            let lane = |i: usize| (start + i as u32).wrapping_mul(step.offset);
                            self.write(step.dst, chunk, lanes(|i| first.wrapping_add(lane(i))));
                        }
                    }
                    Code::AndB => self.logic(step, |a, b, _| a & b),
                    Code::OrB => self.logic(step, |a, b, _| a | b),
                    Code::XorB => self.logic(step, |a, b, _| a ^ b),
                    Code::AndNotB => self.logic(step, |a, b, _| a & !b),
                    Code::NotB => self.logic(step, |a, _, _| !a),
                    Code::CopyB => self.logic(step, |a, _, _| a),
                    Code::SelectB => self.logic(step, |a, b, c| (a & c) | (b & !c)),
                    Code::NegF => float1!(|a: f32| -a),
                    Code::AbsF => float1!(f32::abs),
                    Code::FloorF => float1!(f32::floor),
                    Code::CeilF => float1!(f32::ceil),
                    Code::RoundF => float1!(f32::round_ties_even),
                    Code::TruncF => float1!(f32::trunc),
                    Code::FractF => float1!(|a: f32| a - a.floor()),
                    Code::SqrtF => float1!(f32::sqrt),
                    Code::InverseSqrtF => self.floats(step, |a, _| P::inverse_sqrt(a)),
                    Code::ExpF => self.floats(step, |a, _| functions::exp::<P>(a)),
                    Code::Exp2F => self.floats(step, |a, _| functions::exp2::<P>(a)),
                    Code::LogF => self.floats(step, |a, _| functions::log::<P>(a)),
                    Code::Log2F => self.floats(step, |a, _| functions::log2::<P>(a)),
                    Code::SinF => self.floats(step, |a, _| functions::sin::<P>(a)),
                    Code::CosF => self.floats(step, |a, _| functions::cos::<P>(a)),
                    Code::TanF => self.floats(step, |a, _| functions::tan::<P>(a)),
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
                        each!(self, step, |a| math::frexp(f32::from_bits(a)).1 as u32);
                    }
                    Code::QuantizeF => float1!(|a| half::f16::from_f32(a).to_f32()),
                    Code::EqF => compare!(f32, |a, b| a == b),
                    Code::NeF => compare!(f32, |a, b| a != b),
                    Code::LtF => compare!(f32, |a, b| a < b),
                    Code::LeF => compare!(f32, |a, b| a <= b),
                    Code::Add => each!(self, step, |a, b| u32::wrapping_add(a, b)),
                    Code::Sub => each!(self, step, |a, b| u32::wrapping_sub(a, b)),
                    Code::Mul => each!(self, step, |a, b| u32::wrapping_mul(a, b)),
                    Code::DivS => each!(self, step, |a, b| {
                        let (a, b) = (a as i32, b as i32);
                        (if b == 0 { a } else { a.wrapping_div(b) }) as u32
                    }),
                    Code::DivU => each!(self, step, |a, b| a.checked_div(b).unwrap_or(a)),
                    Code::RemS => each!(self, step, |a, b| {
                        let (a, b) = (a as i32, b as i32);
                        (if b == 0 { 0 } else { a.wrapping_rem(b) }) as u32
                    }),
                    Code::RemU => each!(self, step, |a, b| a.checked_rem(b).unwrap_or(0)),
                    Code::Neg => each!(self, step, |a| u32::wrapping_neg(a)),
                    Code::AbsS => each!(self, step, |a| (a as i32).wrapping_abs() as u32),
                    Code::MinS => each!(self, step, |a, b| (a as i32).min(b as i32) as u32),
                    Code::MaxS => each!(self, step, |a, b| (a as i32).max(b as i32) as u32),
                    Code::MinU => each!(self, step, |a, b| u32::min(a, b)),
                    Code::MaxU => each!(self, step, |a, b| u32::max(a, b)),
                    Code::SignS => each!(self, step, |a| (a as i32).signum() as u32),
                    Code::And => each!(self, step, |a, b| a & b),
                    Code::Or => each!(self, step, |a, b| a | b),
                    Code::Xor => each!(self, step, |a, b| a ^ b),
                    Code::AndNot => each!(self, step, |a, b| a & !b),
                    Code::Not => each!(self, step, |a| !a),
                    Code::Shl => each!(self, step, |a, b| a << (b & 31)),
                    Code::ShrS => each!(self, step, |a, b| ((a as i32) >> (b & 31)) as u32),
                    Code::ShrU => each!(self, step, |a, b| a >> (b & 31)),
                    Code::Eq => compare!(u32, |a, b| a == b),
                    Code::Ne => compare!(u32, |a, b| a != b),
                    Code::LtS => compare!(i32, |a, b| a < b),
                    Code::LeS => compare!(i32, |a, b| a <= b),
                    Code::LtU => compare!(u32, |a, b| a < b),
                    Code::LeU => compare!(u32, |a, b| a <= b),
                    Code::LeadingZeros => each!(self, step, |a| u32::leading_zeros(a)),
                    Code::TrailingZeros => each!(self, step, |a| u32::trailing_zeros(a)),
                    Code::CountOnes => each!(self, step, |a| u32::count_ones(a)),
                    Code::ReverseBits => each!(self, step, |a| u32::reverse_bits(a)),
                    Code::FirstLeadingU => each!(self, step, |a| math::first_leading(a)),
                    Code::FirstLeadingS => each!(self, step, |a| {
                        math::first_leading(if (a as i32) < 0 { !a } else { a })
                    }),
                    Code::FirstTrailing => {
                        each!(self, step, |a| if a == 0 {
                            u32::MAX
                        } else {
                            a.trailing_zeros()
                        })
                    }
                    Code::ExtractS => each!(self, step, |a, b, c| math::extract(a, b, c, true)),
                    Code::ExtractU => each!(self, step, |a, b, c| math::extract(a, b, c, false)),
                    Code::FtoS => each!(self, step, |a| math::at_most(
                        f32::from_bits(a),
                        math::MOST_I32
                    ) as i32 as u32),
                    Code::FtoU => each!(self, step, |a| math::at_most(
                        f32::from_bits(a),
                        math::MOST_U32
                    ) as u32),
                    Code::StoF => each!(self, step, |a| (a as i32 as f32).to_bits()),
                    Code::UtoF => each!(self, step, |a| (a as f32).to_bits()),
                    Code::PackHalf => each!(self, step, |a, b| {
                        let [a, b] = [a, b].map(|word| half::f16::from_f32(f32::from_bits(word)));
                        u32::from(a.to_bits()) | u32::from(b.to_bits()) << 16
                    }),
                    Code::UnpackHalfLow => {
                        each!(self, step, |a| half::f16::from_bits(a as u16)
                            .to_f32()
                            .to_bits())
                    }
                    Code::UnpackHalfHigh => each!(self, step, |a| {
                        half::f16::from_bits((a >> 16) as u16).to_f32().to_bits()
                    }),
                    Code::Wide(op, half) => {
                        let f = op.function();
                        each!(self, step, |a, b, c, d| {
                            half.of(f(wide::number(a, b), wide::number(c, d)))
                        });
                    }
                    Code::Subgroup(op, half) => self.subgroup(step, op, half),
                    Code::LoadHalf => self.load_half(step),
                    Code::StoreHalf => self.store_half(step),
                    Code::Load => self.load::<P>(step),
                    Code::Store => self.store(step),
                    Code::Atomic(op) => self.atomic(step, op),
                    Code::CompareExchange => self.compare_exchange(step),
                    Code::Join => self.join(step),
                    Code::Part(half) => self.part(step, half),
                    Code::AtomicWide(op) => self.atomic_wide(step, op),
                    Code::Jump => next = step.target as usize,
                    Code::JumpUnless => {
                        if self.word(step.operands[0]) == 0 {
                            next = step.target as usize;
                        }
                    }
                    Code::JumpIfNone => {
                        if !self.has_lane(step.operands[0]) {
                            next = step.target as usize;
                        }
                    }
                    Code::Narrow => {
                        let depth = step.offset as usize;
                        self.window = self.windows[depth - 1];
                        self.window = self.chunks_of(step.operands[0]);
                        self.windows[depth] = self.window;
                        if self.window.0 == self.window.1 {
                            next = step.target as usize;
                        }
                    }
                    Code::Widen => self.window = self.windows[step.offset as usize],
                    Code::Check => self.check(step),
                    // The lanes of a workgroup are in one block: each step ends in all of them before the next begins.
                    Code::Barrier | Code::Label => {}
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
