//! Makes programs at random.
//!
//! What they come to doesn't depend on the order in which invocations run: each writes words of its own, and between two
//! barriers workgroup memory is either written or read. Floats stay small integers, so that nothing is rounded.
//!
//! Invariant: the same seed makes the same program, which is valid WGSL.

use super::random::Random;
use super::tree::*;

pub fn program(seed: u64) -> Program {
    let mut random = Random::new(seed);
    let uses_tile = random.percent(35);
    let workgroup = match random.below(6) {
        0 => [1, 1, 1],
        1 => [7, 1, 1],
        2 => [64, 1, 1],
        3 => [8, 4, 1],
        4 => [2, 3, 2],
        _ => [32, 1, 1],
    };
    let extents = match (uses_tile, random.below(4)) {
        (false, 0) => {
            let most = random.pick(&[20, 40, 90, 300]);
            [1 + random.below(most) as u32, 1, 1]
        }
        (false, 1) => [33 + random.below(20) as u32, 2, 1],
        (true, _) => [1 + random.below(60) as u32, 1, 1],
        _ => [3 + random.below(6) as u32, 4, 2],
    };
    let parameters = (
        random.edge() as i32,
        random.edge(),
        random.below(400) as i32 - 200,
    );
    let mut program = Program {
        variables: Vec::new(),
        privates: Vec::new(),
        functions: Vec::new(),
        items: Vec::new(),
        uses_tile,
        uses_wide: random.percent(30),
        is_guarded: !uses_tile && random.percent(50),
        workgroup,
        extents,
        parameters,
        input: Vec::new(),
    };
    let words = 32 + program.invocations() + FAR;
    program.input = (0..words).map(|_| random.edge()).collect();
    let mut generator = Generator {
        random,
        program,
        scope: Vec::new(),
        around: Vec::new(),
        result: None,
        may_return: true,
        is_uniform: false,
        tile: Tile::Closed,
        weight: 1,
        cost: 0,
        left: 0,
    };
    generator.all();
    generator.program
}

/// What may be done with workgroup memory.
#[derive(Clone, Copy, PartialEq)]
enum Tile {
    Closed,
    Written,
    Read,
}

#[derive(Clone, Copy, PartialEq)]
enum Around {
    Loop,
    Switch,
    /// What follows each turn of a loop: nothing leaves it.
    After,
}

struct Generator {
    random: Random,
    program: Program,
    /// Variables that can be seen.
    scope: Vec<Id>,
    around: Vec<Around>,
    result: Option<Type>,
    may_return: bool,
    /// Whether expressions have to be the same for all invocations of a workgroup.
    is_uniform: bool,
    tile: Tile,
    /// How often the present statement may run, and how many have run so far.
    weight: u32,
    cost: u32,
    /// Statements that may still be made.
    left: usize,
}

/// Operations whose order doesn't matter, if nobody looks at what they return.
const SUMS: [Atomic; 7] = [
    Atomic::Add,
    Atomic::Sub,
    Atomic::Max,
    Atomic::Min,
    Atomic::And,
    Atomic::Or,
    Atomic::Xor,
];
const DEEPEST: usize = 4;
/// The most that a float may be in between, and in variables.
const MOST: u64 = 1 << 22;
const KEPT: u64 = 256;

impl Generator {
    fn all(&mut self) {
        for _ in 0..self.random.below(3) {
            let ty = self.ty();
            let id = self.variable(ty, None, Kind::Private);
            self.program.privates.push(id);
        }
        for _ in 0..self.random.below(4) {
            self.function();
        }
        self.left = 10 + self.random.below(30);
        let privates = self.program.privates.clone();
        self.scope = privates;
        self.cost = 0;
        if self.program.uses_tile {
            self.may_return = false;
            let turns = 1 + self.random.below(3);
            let items = (0..turns).flat_map(|_| self.phases(0)).collect();
            self.program.items = items;
        } else {
            let list = self.list(0, 14);
            self.program.items = vec![Item::Segment(list)];
        }
        // What was computed is to be seen.
        let mut last = Vec::new();
        for at in 0..OUT {
            let place = Place::Out(Expr::new(U32, Node::Literal([at; 4])));
            let mixed = self.expr(I32, 1);
            last.push(Stmt::Compound(place, Binary::Xor, mixed));
        }
        self.program.items.push(Item::Segment(last));
    }

    fn phases(&mut self, depth: usize) -> Vec<Item> {
        self.left = self.left.max(4);
        match self.random.below(if depth < 2 { 8 } else { 6 }) {
            6 => {
                let id = self.variable(U32, None, Kind::Counter);
                let seen = self.scope.len();
                self.scope.push(id);
                let turns = 1 + self.random.below(3) as u32;
                self.weight *= turns;
                let body = self.phases(depth + 1);
                self.weight /= turns;
                self.scope.truncate(seen);
                vec![Item::Repeat(id, turns, body)]
            }
            7 => {
                let seen = self.scope.len();
                let yes = self.phases(depth + 1);
                self.scope.truncate(seen);
                let no = if self.random.percent(50) {
                    self.phases(depth + 1)
                } else {
                    Vec::new()
                };
                self.scope.truncate(seen);
                vec![Item::IfOdd(yes, no)]
            }
            _ => {
                self.tile = Tile::Written;
                let mut write = self.open_list(1, 4);
                let value = self.expr(I32, 2);
                write.push(Stmt::Assign(Place::Tile, value));
                if self.program.uses_wide {
                    write.push(self.tally());
                }
                self.tile = Tile::Read;
                let mut read = self.open_list(1, 5);
                let at = self.expr(U32, 2);
                let value = Expr::new(I32, Node::Tile(Box::new(at)));
                let place = Place::Out(self.expr(U32, 1));
                read.push(Stmt::Compound(place, Binary::Add, value));
                self.tile = Tile::Closed;
                vec![
                    Item::Segment(write),
                    Item::Barrier,
                    Item::Segment(read),
                    Item::Barrier,
                ]
            }
        }
    }

    fn variable(&mut self, ty: Type, count: Option<u32>, kind: Kind) -> Id {
        self.program.variables.push(Variable { ty, count, kind });
        self.program.variables.len() - 1
    }

    fn ty(&mut self) -> Type {
        let scalar = match self.random.below(10) {
            0..4 => Scalar::I32,
            4..7 => Scalar::U32,
            7 | 8 => Scalar::F32,
            _ => Scalar::Bool,
        };
        let width = match self.random.below(10) {
            0..7 => 1,
            width => width - 5,
        };
        Type { scalar, width }
    }

    fn function(&mut self) {
        let mut parameters = Vec::new();
        for _ in 0..self.random.below(4) {
            let (kind, count) = match self.random.below(4) {
                0 | 1 => (Kind::Fixed, None),
                2 => (Kind::Pointer, None),
                _ => (Kind::Pointer, Some(2 + self.random.below(4) as u32)),
            };
            let ty = self.ty();
            parameters.push(self.variable(ty, count, kind));
        }
        let result = self.random.percent(70).then(|| self.ty());
        self.scope = self.program.privates.clone();
        self.scope.extend(&parameters);
        self.result = result;
        self.left = 4 + self.random.below(12);
        self.cost = 0;
        let mut body = self.list(1, 8);
        if let Some(ty) = result
            && !matches!(body.last(), Some(Stmt::Return(_)))
        {
            let value = self.expr(ty, 2);
            body.push(Stmt::Return(Some(value)));
        }
        self.result = None;
        let weight = self.cost.max(1);
        self.program.functions.push(Function {
            parameters,
            result,
            body,
            weight,
        });
    }

    /// Statements whose variables are seen by what comes after.
    fn open_list(&mut self, depth: usize, most: usize) -> Vec<Stmt> {
        let mut list = Vec::new();
        for _ in 0..1 + self.random.below(most) {
            if self.left == 0 {
                break;
            }
            self.left -= 1;
            self.cost += self.weight;
            self.statement(depth, &mut list);
        }
        list
    }

    fn list(&mut self, depth: usize, most: usize) -> Vec<Stmt> {
        let seen = self.scope.len();
        let mut list = self.open_list(depth, most);
        if depth > 0 && self.random.percent(30) {
            list.extend(self.leave());
        }
        self.scope.truncate(seen);
        list
    }

    /// A way out of here, if there is one.
    fn leave(&mut self) -> Option<Stmt> {
        let nearest = self.around.iter().rev().find(|one| **one != Around::Switch);
        let mut ways = Vec::new();
        if self.around.last().is_some_and(|one| *one != Around::After) {
            ways.push(Stmt::Break);
        }
        if nearest == Some(&Around::Loop) {
            ways.push(Stmt::Continue);
            ways.push(Stmt::Continue);
        }
        if self.may_return && !self.around.contains(&Around::After) {
            let value = self.result.map(|ty| self.expr(ty, 2));
            ways.push(Stmt::Return(value));
        }
        (!ways.is_empty()).then(|| self.random.pick(&ways))
    }

    fn inside(&mut self, around: Around, depth: usize, turns: u32, most: usize) -> Vec<Stmt> {
        self.around.push(around);
        self.weight *= turns;
        let list = self.list(depth + 1, most);
        self.weight /= turns;
        self.around.pop();
        list
    }

    fn statement(&mut self, depth: usize, list: &mut Vec<Stmt>) {
        let is_deep = depth >= DEEPEST;
        let can_loop = !is_deep && self.weight <= 40;
        match self.random.below(100) {
            0..8 => {
                let ty = self.ty();
                let value = self.expr(ty, 3);
                let value = self.live(value);
                let id = self.variable(ty, None, Kind::Fixed);
                self.scope.push(id);
                list.push(Stmt::Let(id, value));
            }
            8..20 => {
                let ty = self.ty();
                let value = self.random.percent(70).then(|| self.expr(ty, 3));
                let id = self.variable(ty, None, Kind::Local);
                self.scope.push(id);
                list.push(Stmt::Var(id, value));
            }
            20..25 => {
                let ty = self.ty();
                let count = self.random.pick(&[2, 3, 4, 5, 8]);
                let id = self.variable(ty, Some(count), Kind::Local);
                self.scope.push(id);
                list.push(Stmt::Var(id, None));
            }
            25..45 => list.extend(self.assign()),
            45..60 if !is_deep => {
                let condition = self.condition();
                let yes = self.list(depth + 1, 4);
                let no = if self.random.percent(45) {
                    self.list(depth + 1, 4)
                } else {
                    Vec::new()
                };
                list.push(Stmt::If(condition, yes, no));
            }
            60..67 if !is_deep => {
                let switch = self.switch(depth);
                list.push(switch);
            }
            67..73 if can_loop => {
                let id = self.variable(U32, None, Kind::Counter);
                let limit = 2 + self.random.below(5) as u32;
                let end = self.count();
                let seen = self.scope.len();
                self.scope.push(id);
                let body = self.inside(Around::Loop, depth, limit, 5);
                self.scope.truncate(seen);
                list.push(Stmt::For(id, end, limit, body));
            }
            73..78 if can_loop => {
                let id = self.variable(U32, None, Kind::Counter);
                let limit = 1 + self.random.below(4) as u32;
                let condition = self.condition();
                let seen = self.scope.len();
                self.scope.push(id);
                let body = self.inside(Around::Loop, depth, limit, 5);
                self.scope.truncate(seen);
                list.push(Stmt::While(id, condition, limit, body));
            }
            78..84 if can_loop => {
                let id = self.variable(U32, None, Kind::Counter);
                let limit = 1 + self.random.below(4) as u32;
                let seen = self.scope.len();
                self.scope.push(id);
                let body = self.inside(Around::Loop, depth, limit, 5);
                let after = if self.random.percent(60) {
                    self.inside(Around::After, depth + 1, limit, 2)
                } else {
                    Vec::new()
                };
                let until = self.random.percent(50).then(|| self.condition());
                self.scope.truncate(seen);
                list.push(Stmt::Loop(id, limit, body, after, until));
            }
            84..86 if !is_deep => {
                let body = self.list(depth + 1, 3);
                // Nothing may follow what leaves.
                if !ends_here(&body) {
                    list.push(Stmt::Block(body));
                }
            }
            86..93 => {
                let call = self.call();
                list.extend(call);
            }
            93..97 if self.program.uses_wide && self.random.percent(50) => {
                let statement = self.wide_sum();
                list.push(statement);
            }
            97..100 if self.program.uses_wide && self.random.percent(50) => {
                let statement = self.wide_own();
                list.push(statement);
            }
            93..97 => {
                let op = self.random.pick(&SUMS);
                let (at, value) = (self.expr(U32, 1), self.expr(U32, 2));
                list.push(Stmt::Sum(op, at, value));
            }
            97..100 => {
                let op = self.random.pick(&[
                    Atomic::Add,
                    Atomic::Max,
                    Atomic::Min,
                    Atomic::Xor,
                    Atomic::Exchange,
                ]);
                let value = self.expr(U32, 2);
                let id = self.variable(U32, None, Kind::Fixed);
                self.scope.push(id);
                list.push(Stmt::Own(id, op, value));
            }
            _ => list.extend(self.assign()),
        }
    }

    /// The words of a number of 64 bits.
    fn pair(&mut self) -> [Expr; 2] {
        [self.expr(U32, 2), self.expr(U32, 1)]
    }

    /// On what the workgroup shares, where that may be written, or all invocations do.
    fn wide_sum(&mut self) -> Stmt {
        if self.tile == Tile::Written && self.random.percent(50) {
            return self.tally();
        }
        let op = self.random.pick(&SUMS);
        let at = self.expr(U32, 1);
        Stmt::WideSum(op, at, self.pair())
    }

    fn tally(&mut self) -> Stmt {
        let op = self.random.pick(&TALLIES);
        Stmt::Tally(op, self.pair())
    }

    fn wide_own(&mut self) -> Stmt {
        let is_exchange = self.random.percent(40);
        let by = self.expr(U32, 1);
        let ops = [&SUMS[..], &[Atomic::Exchange]].concat();
        let op = self.random.pick(&ops);
        let value = self.pair();
        let id = self.variable(U32, None, Kind::Fixed);
        self.scope.push(id);
        if is_exchange {
            Stmt::Exchange(id, by, value)
        } else {
            Stmt::WideOwn(id, op, value)
        }
    }

    /// A truth value, at times the same for all invocations.
    fn condition(&mut self) -> Expr {
        self.at_times_uniform(|generator| generator.expr(BOOL, 3))
    }

    fn count(&mut self) -> Expr {
        self.at_times_uniform(|generator| generator.expr(U32, 2))
    }

    fn at_times_uniform(&mut self, make: impl FnOnce(&mut Self) -> Expr) -> Expr {
        let before = self.is_uniform;
        self.is_uniform |= self.random.percent(30);
        let made = make(self);
        self.is_uniform = before;
        made
    }

    fn switch(&mut self, depth: usize) -> Stmt {
        let ty = if self.random.percent(50) { I32 } else { U32 };
        let mut selector = self.at_times_uniform(|generator| generator.expr(ty, 2));
        if self.random.percent(80) {
            // So that cases are met.
            selector = self.live(selector);
            let few = Expr::new(ty, Node::Literal([3; 4]));
            let low = Node::Binary(Binary::And, Box::new(selector), Box::new(few));
            selector = Expr::new(ty, low);
        } else {
            selector = self.live(selector);
        }
        let mut values: Vec<u32> = vec![0, 1, 2, 3, 7, u32::MAX, i32::MAX as u32];
        let mut cases = Vec::new();
        for _ in 0..self.random.below(4) {
            let mut own = Vec::new();
            for _ in 0..1 + self.random.below(2) {
                let at = self.random.below(values.len().min(5));
                own.push(values.remove(at));
            }
            let body = self.inside(Around::Switch, depth, 1, 3);
            cases.push((own, body));
            if values.len() < 2 {
                break;
            }
        }
        let default = self.inside(Around::Switch, depth, 1, 3);
        let place = self.random.below(cases.len() + 1);
        Stmt::Switch(selector, cases, default, place)
    }

    fn assign(&mut self) -> Option<Stmt> {
        let ways: Vec<Id> = self
            .scope
            .iter()
            .copied()
            .filter(|id| {
                let kind = self.program.variables[*id].kind;
                matches!(kind, Kind::Local | Kind::Pointer | Kind::Private)
            })
            .collect();
        let (place, ty) = if self.tile == Tile::Written && self.random.percent(20) {
            (Place::Tile, I32)
        } else if ways.is_empty() || self.random.percent(25) {
            (Place::Out(self.expr(U32, 1)), I32)
        } else {
            let id = self.random.pick(&ways);
            let Variable { ty, count, .. } = self.program.variables[id].clone();
            let part = scalar(ty.scalar);
            match count {
                Some(_) => (Place::Element(id, self.expr(U32, 2)), ty),
                None if ty.width > 1 && self.random.percent(30) => {
                    (Place::Component(id, self.random.below(ty.width)), part)
                }
                None if ty.width > 1 && self.random.percent(30) => {
                    (Place::DynamicComponent(id, self.expr(U32, 1)), part)
                }
                None => (Place::Variable(id), ty),
            }
        };
        if matches!(ty.scalar, Scalar::I32 | Scalar::U32) && self.random.percent(35) {
            let op = self.random.pick(&[
                Binary::Add,
                Binary::Sub,
                Binary::Mul,
                Binary::And,
                Binary::Or,
                Binary::Xor,
            ]);
            let value = self.expr(ty, 3);
            return Some(Stmt::Compound(place, op, value));
        }
        let value = self.expr(ty, 3);
        Some(Stmt::Assign(place, value))
    }

    fn call(&mut self) -> Option<Stmt> {
        if self.program.functions.is_empty() {
            return None;
        }
        let number = self.random.below(self.program.functions.len());
        let Function {
            parameters,
            result,
            weight,
            ..
        } = self.program.functions[number].clone();
        if self.weight * weight > 300 {
            return None;
        }
        self.cost += self.weight * weight;
        let (mut arguments, mut taken) = (Vec::new(), Vec::new());
        for parameter in parameters {
            let Variable { ty, count, kind } = self.program.variables[parameter].clone();
            if kind == Kind::Fixed {
                arguments.push(Argument::Value(self.expr(ty, 2)));
                continue;
            }
            let ways: Vec<Id> = self
                .scope
                .iter()
                .copied()
                .filter(|id| {
                    let one = &self.program.variables[*id];
                    (one.ty, one.count) == (ty, count)
                        && matches!(one.kind, Kind::Local | Kind::Pointer)
                        && !taken.contains(id)
                })
                .collect();
            if ways.is_empty() {
                return None;
            }
            let id = self.random.pick(&ways);
            taken.push(id);
            arguments.push(Argument::Pointer(id));
        }
        let result = result.map(|ty| {
            let id = self.variable(ty, None, Kind::Fixed);
            self.scope.push(id);
            id
        });
        Some(Stmt::Call(result, number, arguments))
    }

    fn expr(&mut self, ty: Type, depth: usize) -> Expr {
        match ty.scalar {
            Scalar::F32 => {
                let (expr, bound) = self.float(ty.width, depth);
                kept(expr, bound)
            }
            Scalar::Bool => self.truth(ty.width, depth),
            Scalar::I32 | Scalar::U32 => self.integer(ty, depth),
        }
    }

    /// What isn't known when the kernel is compiled: the expression, or something instead of it.
    fn live(&mut self, expr: Expr) -> Expr {
        if expr.is_constant() {
            self.parameter(expr.ty)
        } else {
            expr
        }
    }

    fn parameter(&mut self, ty: Type) -> Expr {
        let node = match ty.scalar {
            Scalar::I32 => Node::Parameter(Parameter::I32),
            Scalar::U32 => Node::Parameter(Parameter::U32),
            Scalar::F32 => Node::Parameter(Parameter::F32),
            Scalar::Bool => {
                let one = Expr::new(U32, Node::Parameter(Parameter::U32));
                let other = Expr::new(U32, Node::Literal([self.random.edge(); 4]));
                Node::Compare(Comparison::Le, Box::new(one), Box::new(other))
            }
        };
        splat(Expr::new(scalar(ty.scalar), node), ty)
    }

    fn literal(&mut self, ty: Type) -> Expr {
        let words = std::array::from_fn(|_| match ty.scalar {
            Scalar::Bool => self.random.word() & 1,
            Scalar::F32 => (self.random.below(129) as f32 - 64.0).to_bits(),
            Scalar::I32 | Scalar::U32 => self.random.edge(),
        });
        Expr::new(ty, Node::Literal(words))
    }

    /// A variable, a parameter, a literal.
    fn leaf(&mut self, ty: Type) -> Expr {
        if self.random.percent(15) {
            return self.literal(ty);
        }
        if self.is_uniform {
            let group = Node::Builtin(Builtin::Workgroup(self.random.below(3)));
            return if ty.scalar == Scalar::U32 && self.random.percent(40) {
                splat(Expr::new(U32, group), ty)
            } else {
                self.parameter(ty)
            };
        }
        if self.random.percent(65) {
            let ways: Vec<Id> = self
                .scope
                .iter()
                .copied()
                .filter(|id| {
                    let one = &self.program.variables[*id];
                    one.ty == ty || (ty.width == 1 && one.ty.scalar == ty.scalar)
                })
                .collect();
            if !ways.is_empty() {
                // Late ones more often: they are what is going on.
                let at = self
                    .random
                    .below(ways.len())
                    .max(self.random.below(ways.len()));
                let id = ways[at];
                let one = self.program.variables[id].clone();
                let node = match one.count {
                    Some(_) => Node::Element(id, Box::new(self.leaf(U32))),
                    None => Node::Variable(id),
                };
                let whole = Expr::new(one.ty, node);
                return if one.ty == ty {
                    whole
                } else if self.random.percent(60) {
                    let place = self.random.below(one.ty.width);
                    Expr::new(ty, Node::Swizzle(Box::new(whole), vec![place]))
                } else {
                    let at = self.leaf(U32);
                    Expr::new(ty, Node::Component(Box::new(whole), Box::new(at)))
                };
            }
        }
        let one = scalar(ty.scalar);
        let node = match (ty.scalar, self.random.below(6)) {
            (Scalar::U32, 0) => Node::Builtin(Builtin::Me),
            (Scalar::U32, 1) => Node::Builtin(Builtin::LocalIndex),
            (Scalar::U32, 2) => Node::Builtin(Builtin::Global(self.random.below(3))),
            (Scalar::U32, 3) => Node::Near(self.random.below(FAR as usize + 1) as u32),
            (Scalar::U32, 4) => {
                let at = Expr::new(U32, Node::Builtin(Builtin::Me));
                Node::Input(Box::new(at))
            }
            (Scalar::U32, 5) if self.tile == Tile::Read && self.program.uses_wide => {
                Node::Tally(Box::new(self.leaf(U32)))
            }
            (Scalar::I32, 0 | 1) => Node::Out(Box::new(self.leaf(U32))),
            (Scalar::I32, 2 | 3) if self.tile == Tile::Read => Node::Tile(Box::new(self.leaf(U32))),
            (Scalar::I32, _) => Node::Bitcast(Box::new(Expr::new(
                U32,
                Node::Input(Box::new(Expr::new(U32, Node::Builtin(Builtin::Me)))),
            ))),
            (Scalar::Bool, _) => {
                let (a, b) = (self.leaf(U32), self.leaf(U32));
                let a = self.live(a);
                Node::Compare(Comparison::Lt, Box::new(a), Box::new(b))
            }
            _ => return self.parameter(ty),
        };
        splat(Expr::new(one, node), ty)
    }

    /// Expressions of any type, made of others; none for what the type doesn't have.
    fn common(&mut self, ty: Type, depth: usize) -> Option<Node> {
        let scalar = scalar(ty.scalar);
        Some(match self.random.below(5) {
            0 if ty.width > 1 => {
                let parts = (0..ty.width)
                    .map(|_| self.expr(scalar, depth - 1))
                    .collect();
                Node::Compose(parts)
            }
            1 => {
                let width = 2 + self.random.below(3);
                let vector = Type { width, ..ty };
                let from = self.expr(vector, depth - 1);
                let places = (0..ty.width).map(|_| self.random.below(width)).collect();
                Node::Swizzle(Box::new(from), places)
            }
            2 if ty.width == 1 => {
                let width = 2 + self.random.below(3);
                let from = self.expr(Type { width, ..ty }, depth - 1);
                Node::Component(Box::new(from), Box::new(self.expr(U32, depth - 1)))
            }
            3 => {
                let width = if self.random.percent(50) { ty.width } else { 1 };
                let condition = self.truth(width, depth - 1);
                let condition = self.live(condition);
                Node::Select(
                    Box::new(self.expr(ty, depth - 1)),
                    Box::new(self.expr(ty, depth - 1)),
                    Box::new(condition),
                )
            }
            _ => return None,
        })
    }

    fn integer(&mut self, ty: Type, depth: usize) -> Expr {
        if depth == 0 || self.random.percent(20) {
            return self.leaf(ty);
        }
        if self.random.percent(15)
            && let Some(node) = self.common(ty, depth)
        {
            return Expr::new(ty, node);
        }
        let a = self.expr(ty, depth - 1);
        let node = match self.random.below(20) {
            0..11 => {
                let op = self.random.pick(&[
                    Binary::Add,
                    Binary::Add,
                    Binary::Sub,
                    Binary::Mul,
                    Binary::Div,
                    Binary::Rem,
                    Binary::And,
                    Binary::Or,
                    Binary::Xor,
                    Binary::Shl,
                    Binary::Shr,
                    Binary::Min,
                    Binary::Max,
                ]);
                self.binary(op, ty, a, depth)
            }
            11 | 12 => {
                let ways = [
                    Unary::Negate,
                    Unary::Not,
                    Unary::Not,
                    Unary::Abs,
                    Unary::CountOnes,
                    Unary::ReverseBits,
                    Unary::FirstLeading,
                    Unary::FirstTrailing,
                    Unary::LeadingZeros,
                    Unary::TrailingZeros,
                    Unary::Sign,
                ];
                let op = self.random.pick(&ways);
                let is_signed = ty.scalar == Scalar::I32;
                let op = match op {
                    Unary::Negate | Unary::Sign if !is_signed => Unary::Not,
                    op => op,
                };
                let a = self.live(a);
                Node::Unary(op, Box::new(a))
            }
            13 => {
                let a = self.live(a);
                let (low, high) = match ty.scalar {
                    Scalar::I32 => (-5_i32 as u32, 1000),
                    _ => (3, 0x8000_0000),
                };
                Node::Clamp(Box::new(a), [low; 4], [high; 4])
            }
            14 => {
                let a = self.live(a);
                let (first, count) = (self.expr(U32, depth - 1), self.expr(U32, depth - 1));
                let (first, count) = (self.live(first), self.live(count));
                if self.random.percent(50) {
                    Node::ExtractBits(Box::new(a), Box::new(first), Box::new(count))
                } else {
                    let b = self.expr(ty, depth - 1);
                    Node::InsertBits(Box::new(a), Box::new(b), Box::new(first), Box::new(count))
                }
            }
            15 if ty.width == 1 => {
                let width = 2 + self.random.below(3);
                let vector = Type { width, ..ty };
                let (a, b) = (self.expr(vector, depth - 1), self.expr(vector, depth - 1));
                let a = self.live(a);
                Node::Dot(Box::new(a), Box::new(b))
            }
            16 => {
                let from = Type {
                    scalar: Scalar::Bool,
                    ..ty
                };
                let truth = self.expr(from, depth - 1);
                let truth = self.live(truth);
                Node::Convert(Box::new(truth))
            }
            17 => {
                let from = Type {
                    scalar: Scalar::F32,
                    ..ty
                };
                let float = self.expr(from, depth - 1);
                let float = self.live(float);
                Node::Convert(Box::new(float))
            }
            _ => {
                let other = Type {
                    scalar: if ty.scalar == Scalar::I32 {
                        Scalar::U32
                    } else {
                        Scalar::I32
                    },
                    ..ty
                };
                let from = self.expr(other, depth - 1);
                let from = self.live(from);
                if self.random.percent(50) {
                    Node::Convert(Box::new(from))
                } else {
                    Node::Bitcast(Box::new(from))
                }
            }
        };
        Expr::new(ty, node)
    }

    fn binary(&mut self, op: Binary, ty: Type, a: Expr, depth: usize) -> Node {
        let by = Type {
            scalar: Scalar::U32,
            ..ty
        };
        let is_shift = matches!(op, Binary::Shl | Binary::Shr);
        let mut b = self.expr(if is_shift { by } else { ty }, depth - 1);
        if b.has_constants() && (is_shift || matches!(op, Binary::Div | Binary::Rem)) {
            // What is known to divide by zero, or to shift too far, is an error.
            let words = std::array::from_fn(|_| self.random.pick(&[1, 2, 3, 7, 31]));
            b = Expr::new(b.ty, Node::Literal(words));
        }
        let a = if b.is_constant() { self.live(a) } else { a };
        Node::Binary(op, Box::new(a), Box::new(b))
    }

    fn truth(&mut self, width: usize, depth: usize) -> Expr {
        let ty = Type {
            scalar: Scalar::Bool,
            width,
        };
        if depth == 0 || self.random.percent(15) {
            return self.leaf(ty);
        }
        if self.random.percent(10)
            && let Some(node) = self.common(ty, depth)
        {
            return Expr::new(ty, node);
        }
        let node = match self.random.below(12) {
            0..6 => {
                let scalar = self.random.pick(&[Scalar::I32, Scalar::U32, Scalar::F32]);
                let of = Type { scalar, width };
                let (a, b) = (self.expr(of, depth - 1), self.expr(of, depth - 1));
                let a = self.live(a);
                let op = self.random.pick(&[
                    Comparison::Eq,
                    Comparison::Ne,
                    Comparison::Lt,
                    Comparison::Le,
                    Comparison::Gt,
                    Comparison::Ge,
                ]);
                Node::Compare(op, Box::new(a), Box::new(b))
            }
            6 | 7 if width == 1 => {
                let (a, b) = (self.truth(1, depth - 1), self.truth(1, depth - 1));
                let a = self.live(a);
                Node::Logic(self.random.percent(50), Box::new(a), Box::new(b))
            }
            8 if width == 1 => {
                let vector = self.truth(2 + self.random.clone().below(3), depth - 1);
                let vector = self.live(vector);
                Node::Every(self.random.percent(50), Box::new(vector))
            }
            9 => {
                let a = self.truth(width, depth - 1);
                let a = self.live(a);
                Node::Unary(Unary::Not, Box::new(a))
            }
            10 => {
                let (a, b) = (self.truth(width, depth - 1), self.truth(width, depth - 1));
                let a = self.live(a);
                let op = self.random.pick(&[Binary::And, Binary::Or]);
                Node::Binary(op, Box::new(a), Box::new(b))
            }
            _ => {
                let scalar = self.random.pick(&[Scalar::I32, Scalar::U32, Scalar::F32]);
                let from = self.expr(Type { scalar, width }, depth - 1);
                let from = self.live(from);
                Node::Convert(Box::new(from))
            }
        };
        Expr::new(ty, node)
    }

    /// A float, and the most that it can be.
    fn float(&mut self, width: usize, depth: usize) -> (Expr, u64) {
        let ty = Type {
            scalar: Scalar::F32,
            width,
        };
        if depth == 0 || self.random.percent(20) {
            return (self.leaf(ty), KEPT);
        }
        if self.random.percent(15)
            && let Some(node) = self.common(ty, depth)
        {
            return (Expr::new(ty, node), KEPT);
        }
        if self.random.percent(25) {
            let scalar = self.random.pick(&[Scalar::I32, Scalar::U32]);
            let of = Type { scalar, width };
            let from = self.expr(of, depth - 1);
            let from = self.live(from);
            let low = Expr::new(of, Node::Literal([63; 4]));
            let few = Node::Binary(Binary::And, Box::new(from), Box::new(low));
            return (
                Expr::new(ty, Node::Convert(Box::new(Expr::new(of, few)))),
                63,
            );
        }
        let (a, a_most) = self.float(width, depth - 1);
        let a = self.live(a);
        if self.random.percent(25) {
            let op = self
                .random
                .pick(&[Unary::Negate, Unary::Abs, Unary::Sign, Unary::Floor]);
            return (Expr::new(ty, Node::Unary(op, Box::new(a))), a_most);
        }
        let (b, b_most) = self.float(width, depth - 1);
        let op = self.random.pick(&[
            Binary::Add,
            Binary::Sub,
            Binary::Mul,
            Binary::Min,
            Binary::Max,
        ]);
        let most = |a: u64, b: u64| match op {
            Binary::Mul => a * b,
            Binary::Add | Binary::Sub => a + b,
            _ => a.max(b),
        };
        let (a, b, most) = if most(a_most, b_most) <= MOST {
            (a, b, most(a_most, b_most))
        } else {
            (kept(a, a_most), kept(b, b_most), most(KEPT, KEPT))
        };
        (
            Expr::new(ty, Node::Binary(op, Box::new(a), Box::new(b))),
            most,
        )
    }
}

/// A float that fits a variable.
fn kept(expr: Expr, most: u64) -> Expr {
    if most <= KEPT {
        return expr;
    }
    let (low, high) = (-(KEPT as f32), KEPT as f32);
    let ty = expr.ty;
    let node = Node::Clamp(Box::new(expr), [low.to_bits(); 4], [high.to_bits(); 4]);
    Expr::new(ty, node)
}

fn splat(expr: Expr, ty: Type) -> Expr {
    if ty.width == 1 {
        expr
    } else {
        Expr::new(ty, Node::Splat(Box::new(expr)))
    }
}

/// Whether nothing comes after the statements.
fn ends_here(list: &[Stmt]) -> bool {
    match list.last() {
        Some(Stmt::Break | Stmt::Continue | Stmt::Return(_)) => true,
        Some(Stmt::Block(body)) => ends_here(body),
        _ => false,
    }
}
