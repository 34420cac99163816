//! Interprets programs one invocation at a time: what every device has to come to.
//!
//! Written from the WGSL specification and from nothing of the library, so that the two can disagree.

use super::print::atomic;
use super::tree::*;

/// What buffers hold at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    pub out: Vec<u32>,
    pub sums: Vec<u32>,
    pub own: Vec<u32>,
    /// Nothing where there are no atomics of 64 bits.
    pub wide: Vec<u64>,
    pub wide_own: Vec<u64>,
}

impl Memory {
    /// Before the program has run.
    pub fn before(program: &Program) -> Self {
        let count = program.invocations() as usize;
        Self {
            out: vec![0; count * OUT as usize],
            sums: (0..SUMS as u32).map(|i| i * 0x0101_0101).collect(),
            own: (0..count as u32).collect(),
            wide: match program.uses_wide {
                true => (0..SUMS as u64).map(|i| i * 0x0101_0101_0101).collect(),
                false => Vec::new(),
            },
            wide_own: match program.uses_wide {
                true => (0..count as i64).map(|i| ((i - 3) << 30) as u64).collect(),
                false => Vec::new(),
            },
        }
    }
}

/// Runs a program, or says that it isn't one: cut programs may use what is gone.
pub fn run(program: &Program) -> Result<Memory, &'static str> {
    let mut memory = Memory::before(program);
    let padded = program.padded();
    let groups: [u32; 3] = std::array::from_fn(|i| padded[i] / program.workgroup[i]);
    let mut steps = 0;
    for z in 0..groups[2] {
        for y in 0..groups[1] {
            for x in 0..groups[0] {
                workgroup(program, [x, y, z], &mut memory, &mut steps)?;
            }
        }
    }
    Ok(memory)
}

/// More than any program that the generator makes.
const MOST_STEPS: u64 = 100_000_000;

fn workgroup(
    program: &Program,
    group: [u32; 3],
    memory: &mut Memory,
    steps: &mut u64,
) -> Result<(), &'static str> {
    let size = program.workgroup;
    let padded = program.padded();
    let mut tile = vec![0; program.in_workgroup() as usize];
    let mut threads = Vec::new();
    for local_index in 0..program.in_workgroup() {
        let local = [
            local_index % size[0],
            local_index / size[0] % size[1],
            local_index / size[0] / size[1],
        ];
        let global: [u32; 3] = std::array::from_fn(|i| group[i] * size[i] + local[i]);
        let me = (global[2] * padded[1] + global[1]) * padded[0] + global[0];
        let is_outside = (0..3).any(|i| global[i] >= program.extents[i]);
        if program.is_guarded && is_outside {
            continue;
        }
        let mut values = vec![Vec::new(); program.variables.len()];
        for id in &program.privates {
            values[*id] = zeros(program, *id);
        }
        memory.out[(me * OUT) as usize] = program.input[me as usize % program.input.len()]
            .wrapping_add(program.parameters.0 as u32);
        memory.own[me as usize] = memory.own[me as usize].wrapping_add(me);
        memory.sums[0] = memory.sums[0].wrapping_add(1);
        if program.uses_wide {
            memory.wide[0] = memory.wide[0].wrapping_add(joined(me, 1));
            let own = &mut memory.wide_own[me as usize];
            *own = wide_combined(Atomic::Max, true, *own, u64::from(me) << 31);
        }
        threads.push(Thread {
            values,
            pointers: vec![None; program.variables.len()],
            me,
            local_index,
            global,
            group,
            has_ended: false,
        });
    }
    let mut all = Group {
        program,
        memory,
        tile: &mut tile,
        tallies: [0; TALLIES.len()],
        steps,
    };
    all.items(&program.items, &mut threads)
}

/// What one invocation has for itself.
struct Thread {
    values: Vec<Vec<Words>>,
    pointers: Vec<Option<Id>>,
    me: u32,
    local_index: u32,
    global: [u32; 3],
    group: [u32; 3],
    has_ended: bool,
}

struct Group<'a> {
    program: &'a Program,
    memory: &'a mut Memory,
    tile: &'a mut [u32],
    tallies: [u64; TALLIES.len()],
    steps: &'a mut u64,
}

/// How a statement ends.
enum Flow {
    Next,
    Break,
    Continue,
    Return(Words),
}

fn zeros(program: &Program, id: Id) -> Vec<Words> {
    vec![[0; 4]; program.variables[id].count.unwrap_or(1) as usize]
}

type Found<T> = Result<T, &'static str>;

const NONE: &str = "there are no atomics of 64 bits";

impl Group<'_> {
    fn items(&mut self, items: &[Item], threads: &mut [Thread]) -> Found<()> {
        for item in items {
            match item {
                Item::Segment(list) => {
                    for thread in threads.iter_mut().filter(|thread| !thread.has_ended) {
                        if let Flow::Return(_) = self.list(list, thread)? {
                            thread.has_ended = true;
                        }
                    }
                }
                Item::Barrier => {}
                Item::Repeat(id, count, body) => {
                    for turn in 0..*count {
                        for thread in threads.iter_mut() {
                            thread.values[*id] = vec![[turn; 4]];
                        }
                        self.items(body, threads)?;
                    }
                }
                Item::IfOdd(yes, no) => {
                    let is_odd = self.program.parameters.1 % 2 == 1;
                    self.items(if is_odd { yes } else { no }, threads)?;
                }
            }
        }
        Ok(())
    }

    fn list(&mut self, list: &[Stmt], thread: &mut Thread) -> Found<Flow> {
        for statement in list {
            *self.steps += 1;
            if *self.steps > MOST_STEPS {
                return Err("it takes too long");
            }
            let flow = self.statement(statement, thread)?;
            if !matches!(flow, Flow::Next) {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn statement(&mut self, statement: &Stmt, thread: &mut Thread) -> Found<Flow> {
        match statement {
            Stmt::Let(id, value) => thread.values[*id] = vec![self.expr(value, thread)?],
            Stmt::Var(id, value) => {
                thread.values[*id] = match value {
                    Some(value) => vec![self.expr(value, thread)?],
                    None => zeros(self.program, *id),
                };
            }
            Stmt::Assign(place, value) => {
                let to = self.place(place, thread)?;
                let words = self.expr(value, thread)?;
                self.write(to, words, thread)?;
            }
            Stmt::Compound(place, op, value) => {
                let to = self.place(place, thread)?;
                let words = self.expr(value, thread)?;
                let old = self.read(to, thread)?;
                let ty = self.place_type(place);
                let new = std::array::from_fn(|i| binary(*op, ty.scalar, old[i], words[i]));
                self.write(to, new, thread)?;
            }
            Stmt::If(condition, yes, no) => {
                let taken = self.expr(condition, thread)?[0] != 0;
                return self.list(if taken { yes } else { no }, thread);
            }
            Stmt::Switch(selector, cases, default, _) => {
                let selector = self.expr(selector, thread)?[0];
                let case = cases.iter().find(|(values, _)| values.contains(&selector));
                let body = case.map_or(default, |(_, body)| body);
                return Ok(match self.list(body, thread)? {
                    Flow::Break => Flow::Next,
                    flow => flow,
                });
            }
            Stmt::For(id, end, limit, body) => {
                let mut turn = 0;
                loop {
                    thread.values[*id] = vec![[turn; 4]];
                    if turn >= self.expr(end, thread)?[0] % limit {
                        break;
                    }
                    match self.list(body, thread)? {
                        Flow::Next | Flow::Continue => turn += 1,
                        Flow::Break => break,
                        flow => return Ok(flow),
                    }
                }
            }
            Stmt::While(id, condition, limit, body) => {
                for turn in 0..=*limit {
                    thread.values[*id] = vec![[turn; 4]];
                    if turn >= *limit || self.expr(condition, thread)?[0] == 0 {
                        break;
                    }
                    thread.values[*id] = vec![[turn + 1; 4]];
                    match self.list(body, thread)? {
                        Flow::Next | Flow::Continue => {}
                        Flow::Break => break,
                        flow => return Ok(flow),
                    }
                }
            }
            Stmt::Loop(id, limit, body, after, until) => {
                for turn in 0..*limit {
                    thread.values[*id] = vec![[turn + 1; 4]];
                    match self.list(body, thread)? {
                        Flow::Next | Flow::Continue => {}
                        Flow::Break => break,
                        flow => return Ok(flow),
                    }
                    self.list(after, thread)?;
                    if let Some(until) = until
                        && self.expr(until, thread)?[0] != 0
                    {
                        break;
                    }
                }
            }
            Stmt::Break => return Ok(Flow::Break),
            Stmt::Continue => return Ok(Flow::Continue),
            Stmt::Return(value) => {
                let words = match value {
                    Some(value) => self.expr(value, thread)?,
                    None => [0; 4],
                };
                return Ok(Flow::Return(words));
            }
            Stmt::Block(body) => return self.list(body, thread),
            Stmt::Call(result, function, arguments) => {
                let function = &self.program.functions[*function];
                let mut given = Vec::new();
                for argument in arguments {
                    given.push(match argument {
                        Argument::Value(value) => (None, self.expr(value, thread)?),
                        Argument::Pointer(id) => (Some(target(*id, thread)), [0; 4]),
                    });
                }
                for (id, (pointer, words)) in function.parameters.iter().zip(given) {
                    match pointer {
                        Some(to) => thread.pointers[*id] = Some(to),
                        None => thread.values[*id] = vec![words],
                    }
                }
                let words = match self.list(&function.body, thread)? {
                    Flow::Return(words) => words,
                    _ => [0; 4],
                };
                if let Some(id) = result {
                    thread.values[*id] = vec![words];
                }
            }
            Stmt::Sum(op, at, value) => {
                let at = atomic(*op).1 + self.expr(at, thread)?[0] % 2;
                let value = self.expr(value, thread)?[0];
                let word = &mut self.memory.sums[at as usize];
                *word = combined(*op, *word, value);
            }
            Stmt::Own(id, op, value) => {
                let value = self.expr(value, thread)?[0];
                let word = &mut self.memory.own[thread.me as usize];
                thread.values[*id] = vec![[*word; 4]];
                *word = combined(*op, *word, value);
            }
            Stmt::WideSum(op, at, value) => {
                let at = atomic(*op).1 + self.expr(at, thread)?[0] % 2;
                let value = self.joined(value, thread)?;
                let number = self.memory.wide.get_mut(at as usize).ok_or(NONE)?;
                *number = wide_combined(*op, false, *number, value);
            }
            Stmt::WideOwn(id, op, value) => {
                let value = self.joined(value, thread)?;
                let number = self.own_number(thread.me)?;
                thread.values[*id] = vec![[mixed(*number); 4]];
                *number = wide_combined(*op, true, *number, value);
            }
            Stmt::Exchange(id, by, value) => {
                let by = self.expr(by, thread)?[0];
                let value = self.joined(value, thread)?;
                let number = self.own_number(thread.me)?;
                thread.values[*id] = vec![[mixed(*number); 4]];
                if by % 2 == 0 {
                    *number = value;
                }
            }
            Stmt::Tally(op, value) => {
                let value = self.joined(value, thread)?;
                let place = TALLIES.iter().position(|one| one == op);
                let number = &mut self.tallies[place.ok_or("there is no such sum")?];
                *number = wide_combined(*op, false, *number, value);
            }
        }
        Ok(Flow::Next)
    }

    /// The invocation's own number of 64 bits.
    fn own_number(&mut self, me: u32) -> Found<&mut u64> {
        self.memory.wide_own.get_mut(me as usize).ok_or(NONE)
    }

    fn joined(&mut self, [low, high]: &[Expr; 2], thread: &mut Thread) -> Found<u64> {
        let (low, high) = (self.expr(low, thread)?[0], self.expr(high, thread)?[0]);
        Ok(joined(low, high))
    }

    fn place_type(&self, place: &Place) -> Type {
        match place {
            Place::Variable(id) | Place::Element(id, _) => self.program.variables[*id].ty,
            Place::Component(id, _) | Place::DynamicComponent(id, _) => {
                scalar(self.program.variables[*id].ty.scalar)
            }
            Place::Out(_) | Place::Tile => I32,
        }
    }

    fn place(&mut self, place: &Place, thread: &mut Thread) -> Found<Target> {
        Ok(match place {
            Place::Variable(id) => Target::Value(target(*id, thread), 0),
            Place::Component(id, i) => Target::Component(target(*id, thread), *i),
            Place::DynamicComponent(id, at) => {
                let width = self.program.variables[*id].ty.width as u32;
                let at = self.expr(at, thread)?[0] % width;
                Target::Component(target(*id, thread), at as usize)
            }
            Place::Element(id, at) => {
                let count = self.program.variables[*id].count.unwrap_or(1);
                let at = self.expr(at, thread)?[0] % count;
                Target::Value(target(*id, thread), at as usize)
            }
            Place::Out(at) => {
                Target::Out((thread.me * OUT + self.expr(at, thread)?[0] % OUT) as usize)
            }
            Place::Tile => Target::Tile(thread.local_index as usize),
        })
    }

    fn read(&self, from: Target, thread: &Thread) -> Found<Words> {
        Ok(match from {
            Target::Value(id, at) => *thread.values[id].get(at).ok_or("it has no value")?,
            Target::Component(id, i) => [thread.values[id].first().ok_or("it has no value")?[i]; 4],
            Target::Out(at) => [self.memory.out[at]; 4],
            Target::Tile(at) => [self.tile[at]; 4],
        })
    }

    fn write(&mut self, to: Target, words: Words, thread: &mut Thread) -> Found<()> {
        match to {
            Target::Value(id, at) => {
                *thread.values[id].get_mut(at).ok_or("it has no value")? = words;
            }
            Target::Component(id, i) => {
                thread.values[id].first_mut().ok_or("it has no value")?[i] = words[0];
            }
            Target::Out(at) => self.memory.out[at] = words[0],
            Target::Tile(at) => self.tile[at] = words[0],
        }
        Ok(())
    }

    fn expr(&mut self, expr: &Expr, thread: &mut Thread) -> Found<Words> {
        let kind = expr.ty.scalar;
        Ok(match &expr.node {
            Node::Literal(words) => *words,
            Node::Variable(id) => self.read(Target::Value(target(*id, thread), 0), thread)?,
            Node::Element(id, at) => {
                let count = self.program.variables[*id].count.unwrap_or(1);
                let at = self.expr(at, thread)?[0] % count;
                self.read(Target::Value(target(*id, thread), at as usize), thread)?
            }
            Node::Parameter(Parameter::I32) => [self.program.parameters.0 as u32; 4],
            Node::Parameter(Parameter::U32) => [self.program.parameters.1; 4],
            Node::Parameter(Parameter::F32) => [(self.program.parameters.2 as f32).to_bits(); 4],
            Node::Builtin(Builtin::Me) => [thread.me; 4],
            Node::Builtin(Builtin::LocalIndex) => [thread.local_index; 4],
            Node::Builtin(Builtin::Global(i)) => [thread.global[*i]; 4],
            Node::Builtin(Builtin::Workgroup(i)) => [thread.group[*i]; 4],
            Node::Input(at) => {
                let at = self.expr(at, thread)?[0] as usize;
                [self.program.input[at % self.program.input.len()]; 4]
            }
            Node::Near(by) => [self.program.input[(thread.me + by) as usize]; 4],
            Node::Out(at) => {
                let at = thread.me * OUT + self.expr(at, thread)?[0] % OUT;
                [self.memory.out[at as usize]; 4]
            }
            Node::Tile(at) => {
                let at = self.expr(at, thread)?[0] as usize % self.tile.len();
                [self.tile[at]; 4]
            }
            Node::Tally(at) => {
                let at = self.expr(at, thread)?[0] as usize % self.tallies.len();
                [mixed(self.tallies[at]); 4]
            }
            Node::Unary(op, a) => self.expr(a, thread)?.map(|word| unary(*op, kind, word)),
            Node::Binary(op, a, b) => {
                let (a, b) = (self.expr(a, thread)?, self.expr(b, thread)?);
                std::array::from_fn(|i| binary(*op, kind, a[i], b[i]))
            }
            Node::Compare(op, a, b) => {
                let kind = a.ty.scalar;
                let (a, b) = (self.expr(a, thread)?, self.expr(b, thread)?);
                std::array::from_fn(|i| u32::from(compare(*op, kind, a[i], b[i])))
            }
            Node::Logic(is_and, a, b) => {
                let a = self.expr(a, thread)?;
                if (a[0] != 0) == *is_and {
                    self.expr(b, thread)?
                } else {
                    a
                }
            }
            Node::Select(no, yes, condition) => {
                let (no, yes) = (self.expr(no, thread)?, self.expr(yes, thread)?);
                let is_one = condition.ty.width == 1;
                let condition = self.expr(condition, thread)?;
                let has = |i: usize| condition[if is_one { 0 } else { i }] != 0;
                std::array::from_fn(|i| if has(i) { yes[i] } else { no[i] })
            }
            Node::Clamp(a, low, high) => {
                let a = self.expr(a, thread)?;
                std::array::from_fn(|i| {
                    let above = binary(Binary::Max, kind, a[i], low[i]);
                    binary(Binary::Min, kind, above, high[i])
                })
            }
            Node::ExtractBits(a, first, count) => {
                let a = self.expr(a, thread)?;
                let (first, count) = (self.expr(first, thread)?[0], self.expr(count, thread)?[0]);
                let (first, count) = bits(first, count);
                a.map(|word| {
                    let part = (u64::from(word) >> first & ((1 << count) - 1)) as u32;
                    let is_negative = kind == Scalar::I32 && count > 0 && part >> (count - 1) == 1;
                    if is_negative && count < 32 {
                        part | u32::MAX << count
                    } else {
                        part
                    }
                })
            }
            Node::InsertBits(a, b, first, count) => {
                let (a, b) = (self.expr(a, thread)?, self.expr(b, thread)?);
                let (first, count) = (self.expr(first, thread)?[0], self.expr(count, thread)?[0]);
                let (first, count) = bits(first, count);
                let mask = (((1_u64 << count) - 1) << first) as u32;
                std::array::from_fn(|i| (a[i] & !mask) | ((u64::from(b[i]) << first) as u32 & mask))
            }
            Node::Dot(a, b) => {
                let width = a.ty.width;
                let (a, b) = (self.expr(a, thread)?, self.expr(b, thread)?);
                let mut sum = binary(Binary::Mul, kind, a[0], b[0]);
                for i in 1..width {
                    let product = binary(Binary::Mul, kind, a[i], b[i]);
                    sum = binary(Binary::Add, kind, sum, product);
                }
                [sum; 4]
            }
            Node::Every(is_all, a) => {
                let width = a.ty.width;
                let a = self.expr(a, thread)?;
                let mut all = a[..width].iter().map(|word| *word != 0);
                [u32::from(if *is_all {
                    all.all(|is| is)
                } else {
                    all.any(|is| is)
                }); 4]
            }
            Node::Compose(parts) => {
                let mut words = Vec::new();
                for part in parts {
                    words.extend_from_slice(&self.expr(part, thread)?[..part.ty.width]);
                }
                words.resize(4, 0);
                [words[0], words[1], words[2], words[3]]
            }
            Node::Splat(a) => [self.expr(a, thread)?[0]; 4],
            Node::Swizzle(a, places) => {
                let a = self.expr(a, thread)?;
                std::array::from_fn(|i| a[places[i.min(places.len() - 1)]])
            }
            Node::Component(a, at) => {
                let width = a.ty.width as u32;
                let a = self.expr(a, thread)?;
                [a[(self.expr(at, thread)?[0] % width) as usize]; 4]
            }
            Node::Convert(a) => {
                let from = a.ty.scalar;
                self.expr(a, thread)?
                    .map(|word| converted(from, kind, word))
            }
            Node::Bitcast(a) => self.expr(a, thread)?,
        })
    }
}

/// Where something is that can be written.
#[derive(Clone, Copy)]
enum Target {
    Value(Id, usize),
    Component(Id, usize),
    Out(usize),
    Tile(usize),
}

/// What a pointer points to; anything else is itself.
fn target(id: Id, thread: &Thread) -> Id {
    thread.pointers[id].unwrap_or(id)
}

/// Offset and count, cut to what a word has.
fn bits(first: u32, count: u32) -> (u32, u32) {
    let first = first.min(32);
    (first, count.min(32 - first))
}

fn float(word: u32) -> f32 {
    f32::from_bits(word)
}

fn unary(op: Unary, kind: Scalar, a: u32) -> u32 {
    let signed = a as i32;
    match (op, kind) {
        (Unary::Negate, Scalar::F32) => (-float(a)).to_bits(),
        (Unary::Negate, _) => signed.wrapping_neg() as u32,
        (Unary::Not, Scalar::Bool) => 1 - a.min(1),
        (Unary::Not, _) => !a,
        (Unary::Abs, Scalar::F32) => float(a).abs().to_bits(),
        (Unary::Abs, Scalar::I32) => signed.wrapping_abs() as u32,
        (Unary::Abs, _) => a,
        (Unary::CountOnes, _) => a.count_ones(),
        (Unary::ReverseBits, _) => a.reverse_bits(),
        (Unary::FirstLeading, Scalar::I32) => leading(if signed < 0 { !a } else { a }),
        (Unary::FirstLeading, _) => leading(a),
        (Unary::FirstTrailing, _) if a == 0 => u32::MAX,
        (Unary::FirstTrailing | Unary::TrailingZeros, _) => a.trailing_zeros(),
        (Unary::LeadingZeros, _) => a.leading_zeros(),
        (Unary::Sign, Scalar::F32) => {
            let a = float(a);
            (f32::from(u8::from(a > 0.0)) - f32::from(u8::from(a < 0.0))).to_bits()
        }
        (Unary::Sign, _) => signed.signum() as u32,
        (Unary::Floor, _) => float(a).floor().to_bits(),
    }
}

/// The place of the highest bit that is set.
fn leading(a: u32) -> u32 {
    (0..32).rev().find(|i| a >> i & 1 == 1).unwrap_or(u32::MAX)
}

fn binary(op: Binary, kind: Scalar, a: u32, b: u32) -> u32 {
    if kind == Scalar::F32 {
        let (a, b) = (float(a), float(b));
        let found = match op {
            Binary::Add => a + b,
            Binary::Sub => a - b,
            Binary::Mul => a * b,
            Binary::Min => a.min(b),
            Binary::Max => a.max(b),
            _ => unreachable!("not for floats"),
        };
        return found.to_bits();
    }
    let is_signed = kind == Scalar::I32;
    let (x, y) = (a as i32, b as i32);
    match op {
        Binary::Add => a.wrapping_add(b),
        Binary::Sub => a.wrapping_sub(b),
        Binary::Mul => a.wrapping_mul(b),
        Binary::Div if b == 0 => a,
        Binary::Div if is_signed => x.wrapping_div(y) as u32,
        Binary::Div => a / b,
        Binary::Rem if b == 0 => 0,
        Binary::Rem if is_signed => x.wrapping_rem(y) as u32,
        Binary::Rem => a % b,
        Binary::And => a & b,
        Binary::Or => a | b,
        Binary::Xor => a ^ b,
        Binary::Shl => a << (b % 32),
        Binary::Shr if is_signed => (x >> (b % 32)) as u32,
        Binary::Shr => a >> (b % 32),
        Binary::Min if is_signed => x.min(y) as u32,
        Binary::Min => a.min(b),
        Binary::Max if is_signed => x.max(y) as u32,
        Binary::Max => a.max(b),
    }
}

fn compare(op: Comparison, kind: Scalar, a: u32, b: u32) -> bool {
    use std::cmp::Ordering;
    let order = match kind {
        Scalar::F32 => float(a).partial_cmp(&float(b)),
        Scalar::I32 => Some((a as i32).cmp(&(b as i32))),
        Scalar::U32 | Scalar::Bool => Some(a.cmp(&b)),
    };
    match op {
        Comparison::Eq => order == Some(Ordering::Equal),
        Comparison::Ne => order != Some(Ordering::Equal),
        Comparison::Lt => order == Some(Ordering::Less),
        Comparison::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Comparison::Gt => order == Some(Ordering::Greater),
        Comparison::Ge => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

fn converted(from: Scalar, to: Scalar, a: u32) -> u32 {
    match (from, to) {
        (Scalar::I32, Scalar::F32) => (a as i32 as f32).to_bits(),
        (Scalar::U32, Scalar::F32) => (a as f32).to_bits(),
        // To the largest integers that floats are, not to the largest there are.
        (Scalar::F32, Scalar::I32) if float(a) >= 2_147_483_520.0 => 2_147_483_520,
        (Scalar::F32, Scalar::I32) => float(a) as i32 as u32,
        (Scalar::F32, Scalar::U32) if float(a) >= 4_294_967_040.0 => 4_294_967_040,
        (Scalar::F32, Scalar::U32) => float(a) as u32,
        (Scalar::F32, Scalar::Bool) => u32::from(float(a) != 0.0),
        (Scalar::Bool, Scalar::F32) => (a as f32).to_bits(),
        (_, Scalar::Bool) => u32::from(a != 0),
        _ => a,
    }
}

fn combined(op: Atomic, old: u32, value: u32) -> u32 {
    match op {
        Atomic::Add => old.wrapping_add(value),
        Atomic::Sub => old.wrapping_sub(value),
        Atomic::Max => old.max(value),
        Atomic::Min => old.min(value),
        Atomic::And => old & value,
        Atomic::Or => old | value,
        Atomic::Xor => old ^ value,
        Atomic::Exchange => value,
    }
}

fn joined(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// Both words of a number in one.
fn mixed(number: u64) -> u32 {
    number as u32 ^ ((number >> 32) as u32).wrapping_mul(3)
}

fn wide_combined(op: Atomic, is_signed: bool, old: u64, value: u64) -> u64 {
    match op {
        Atomic::Add => old.wrapping_add(value),
        Atomic::Sub => old.wrapping_sub(value),
        Atomic::Max if is_signed => (old as i64).max(value as i64) as u64,
        Atomic::Max => old.max(value),
        Atomic::Min if is_signed => (old as i64).min(value as i64) as u64,
        Atomic::Min => old.min(value),
        Atomic::And => old & value,
        Atomic::Or => old | value,
        Atomic::Xor => old ^ value,
        Atomic::Exchange => value,
    }
}
