//! Programs of the fuzzer: a part of WGSL as a tree.
//!
//! What `generate` makes, `print` writes as WGSL, `oracle` interprets and `shrink` cuts.
//!
//! Invariant: every loop has a counter that nothing else writes and that ends it.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    I32,
    U32,
    /// Small integers only, so that sums and products are exact.
    F32,
    Bool,
}

/// A scalar, or a vector of two to four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Type {
    pub scalar: Scalar,
    pub width: usize,
}

pub const fn scalar(scalar: Scalar) -> Type {
    Type { scalar, width: 1 }
}

pub const I32: Type = scalar(Scalar::I32);
pub const U32: Type = scalar(Scalar::U32);
pub const BOOL: Type = scalar(Scalar::Bool);

/// The components of a value, as bits; truth values are zero or one.
pub type Words = [u32; 4];

/// A variable, by its place in [`Program::variables`].
pub type Id = usize;

#[derive(Clone, Debug)]
pub struct Variable {
    pub ty: Type,
    /// An array of so many of them.
    pub count: Option<u32>,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `var`.
    Local,
    /// `let`, or a parameter.
    Fixed,
    /// `ptr<function>`, a parameter.
    Pointer,
    /// `var<private>`.
    Private,
    /// The counter of a loop.
    Counter,
}

/// Fields of the uniform buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    I32,
    U32,
    F32,
}

/// What an invocation is told about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builtin {
    /// The number of the invocation among all.
    Me,
    LocalIndex,
    Global(usize),
    Workgroup(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    Negate,
    Not,
    Abs,
    CountOnes,
    ReverseBits,
    FirstLeading,
    FirstTrailing,
    LeadingZeros,
    TrailingZeros,
    Sign,
    Floor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    And,
    Or,
    Xor,
    Shl,
    Shr,
    Min,
    Max,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Clone, Debug)]
pub struct Expr {
    pub ty: Type,
    pub node: Node,
}

#[derive(Clone, Debug)]
pub enum Node {
    Literal(Words),
    Variable(Id),
    /// Of an array, the index taken modulo its length.
    Element(Id, Box<Expr>),
    Parameter(Parameter),
    Builtin(Builtin),
    /// A word that is read only.
    Input(Box<Expr>),
    /// The word of the input for the invocation so many after this one.
    Near(u32),
    /// A word that this invocation alone writes.
    Out(Box<Expr>),
    /// A word of workgroup memory, of any invocation.
    Tile(Box<Expr>),
    /// One of the workgroup's sums of 64 bits, brought to a word.
    Tally(Box<Expr>),
    Unary(Unary, Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    Compare(Comparison, Box<Expr>, Box<Expr>),
    /// `&&` or `||`.
    Logic(bool, Box<Expr>, Box<Expr>),
    /// `select(no, yes, condition)`.
    Select(Box<Expr>, Box<Expr>, Box<Expr>),
    /// Between two literals.
    Clamp(Box<Expr>, Words, Words),
    ExtractBits(Box<Expr>, Box<Expr>, Box<Expr>),
    InsertBits(Box<Expr>, Box<Expr>, Box<Expr>, Box<Expr>),
    Dot(Box<Expr>, Box<Expr>),
    /// `all` or `any`.
    Every(bool, Box<Expr>),
    Compose(Vec<Expr>),
    Splat(Box<Expr>),
    Swizzle(Box<Expr>, Vec<usize>),
    /// A component at an index, taken modulo the width.
    Component(Box<Expr>, Box<Expr>),
    /// Between numbers of which floats are small, from `bool`, and to it.
    Convert(Box<Expr>),
    /// Between `i32` and `u32`.
    Bitcast(Box<Expr>),
}

/// What can be written.
#[derive(Clone, Debug)]
pub enum Place {
    Variable(Id),
    Component(Id, usize),
    /// A component at an index, taken modulo the width.
    DynamicComponent(Id, Expr),
    Element(Id, Expr),
    /// A word of the invocation's own in the output, the index taken modulo their number.
    Out(Expr),
    /// The invocation's own word of workgroup memory.
    Tile,
}

#[derive(Clone, Debug)]
pub enum Argument {
    Value(Expr),
    Pointer(Id),
}

/// Atomics that come to the same in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Atomic {
    Add,
    Sub,
    Max,
    Min,
    And,
    Or,
    Xor,
    /// On words of one's own only.
    Exchange,
}

#[derive(Clone, Debug)]
pub enum Stmt {
    Let(Id, Expr),
    /// Zero if it isn't said.
    Var(Id, Option<Expr>),
    Assign(Place, Expr),
    Compound(Place, Binary, Expr),
    If(Expr, Vec<Stmt>, Vec<Stmt>),
    /// Cases by value, then the default, which stands at a place among them.
    Switch(Expr, Vec<(Vec<u32>, Vec<Stmt>)>, Vec<Stmt>, usize),
    /// While the counter is below the number modulo the limit.
    For(Id, Expr, u32, Vec<Stmt>),
    /// While the condition holds, and no longer than the limit.
    While(Id, Expr, u32, Vec<Stmt>),
    /// With what follows each turn, and a condition that ends it.
    Loop(Id, u32, Vec<Stmt>, Vec<Stmt>, Option<Expr>),
    Break,
    Continue,
    Return(Option<Expr>),
    Block(Vec<Stmt>),
    Call(Option<Id>, usize, Vec<Argument>),
    /// On one of the sums that all invocations share: by the operation, one of two.
    Sum(Atomic, Expr, Expr),
    /// On the invocation's own word, with what was there.
    Own(Id, Atomic, Expr),
    /// As a sum, of 64 bits: the lower word and the higher one.
    WideSum(Atomic, Expr, [Expr; 2]),
    /// On the invocation's own signed number of 64 bits, with what was there brought to a word.
    WideOwn(Id, Atomic, [Expr; 2]),
    /// A comparison of that number with itself, or with the next one if this is odd, and an exchange if they are the same.
    Exchange(Id, Expr, [Expr; 2]),
    /// On one of the workgroup's sums: by the operation.
    Tally(Atomic, [Expr; 2]),
}

#[derive(Clone, Debug)]
pub struct Function {
    pub parameters: Vec<Id>,
    pub result: Option<Type>,
    pub body: Vec<Stmt>,
    /// The most statements that a call may run, more or less.
    pub weight: u32,
}

/// What the entry point does: between barriers each invocation goes its own way.
#[derive(Clone, Debug)]
pub enum Item {
    Segment(Vec<Stmt>),
    Barrier,
    /// So many turns, in all invocations.
    Repeat(Id, u32, Vec<Item>),
    /// If the parameter is odd, in all invocations.
    IfOdd(Vec<Item>, Vec<Item>),
}

#[derive(Clone, Debug)]
pub struct Program {
    pub variables: Vec<Variable>,
    pub privates: Vec<Id>,
    pub functions: Vec<Function>,
    pub items: Vec<Item>,
    pub uses_tile: bool,
    /// Whether there are atomics of 64 bits.
    pub uses_wide: bool,
    /// Whether invocations beyond the range return at once.
    pub is_guarded: bool,
    pub workgroup: [u32; 3],
    pub extents: [u32; 3],
    pub parameters: (i32, u32, i32),
    pub input: Vec<u32>,
}

/// Words that each invocation has in the output.
pub const OUT: u32 = 4;
/// How far beyond itself an invocation looks in the input.
pub const FAR: u32 = 5;

/// Sums that invocations share: two for each operation.
pub const SUMS: usize = 14;
/// Sums that a workgroup has: one for each operation.
pub const TALLIES: [Atomic; 3] = [Atomic::Add, Atomic::Xor, Atomic::Max];

impl Program {
    /// The extents in whole workgroups.
    pub fn padded(&self) -> [u32; 3] {
        std::array::from_fn(|i| self.extents[i].next_multiple_of(self.workgroup[i]))
    }

    pub fn invocations(&self) -> u32 {
        self.padded().iter().product()
    }

    pub fn in_workgroup(&self) -> u32 {
        self.workgroup.iter().product()
    }
}

impl Expr {
    pub fn new(ty: Type, node: Node) -> Self {
        Self { ty, node }
    }

    /// Whether WGSL computes it when the kernel is compiled, and refuses what overflows.
    pub fn is_constant(&self) -> bool {
        match &self.node {
            Node::Literal(_) => true,
            Node::Compose(parts) => parts.iter().all(Expr::is_constant),
            Node::Splat(a) | Node::Swizzle(a, _) => a.is_constant(),
            Node::Component(a, at) => a.is_constant() && at.is_constant(),
            _ => false,
        }
    }

    /// Whether a component of it may be known when the kernel is compiled.
    pub fn has_constants(&self) -> bool {
        match &self.node {
            Node::Compose(parts) => parts.iter().any(Expr::has_constants),
            Node::Splat(a) | Node::Swizzle(a, _) | Node::Component(a, _) => a.has_constants(),
            _ => self.is_constant(),
        }
    }
}

/// Calls for every list of statements, those inside others last.
pub fn each_list(program: &mut Program, visit: &mut dyn FnMut(&mut Vec<Stmt>)) {
    for function in &mut program.functions {
        lists(&mut function.body, visit);
    }
    items(&mut program.items, &mut |list| lists(list, visit));
}

/// Calls for every list of statements between barriers.
fn items(list: &mut [Item], visit: &mut dyn FnMut(&mut Vec<Stmt>)) {
    for item in list {
        match item {
            Item::Segment(statements) => visit(statements),
            Item::Barrier => {}
            Item::Repeat(_, _, body) => items(body, visit),
            Item::IfOdd(yes, no) => {
                items(yes, visit);
                items(no, visit);
            }
        }
    }
}

fn lists(list: &mut Vec<Stmt>, visit: &mut dyn FnMut(&mut Vec<Stmt>)) {
    visit(list);
    for statement in list.iter_mut() {
        match statement {
            Stmt::If(_, yes, no) => {
                lists(yes, visit);
                lists(no, visit);
            }
            Stmt::Switch(_, cases, default, _) => {
                for (_, body) in cases {
                    lists(body, visit);
                }
                lists(default, visit);
            }
            Stmt::For(_, _, _, body) | Stmt::While(_, _, _, body) | Stmt::Block(body) => {
                lists(body, visit);
            }
            Stmt::Loop(_, _, body, after, _) => {
                lists(body, visit);
                lists(after, visit);
            }
            _ => {}
        }
    }
}

/// Calls for every expression, those inside others last.
pub fn each_expr(program: &mut Program, visit: &mut dyn FnMut(&mut Expr)) {
    each_list(program, &mut |list| {
        for statement in list.iter_mut() {
            own_exprs(statement, visit);
        }
    });
}

/// Calls for the expressions of a statement, but not those of statements inside it.
fn own_exprs(statement: &mut Stmt, visit: &mut dyn FnMut(&mut Expr)) {
    match statement {
        Stmt::Let(_, expr) | Stmt::Var(_, Some(expr)) | Stmt::Return(Some(expr)) => {
            exprs(expr, visit);
        }
        Stmt::Assign(place, expr) | Stmt::Compound(place, _, expr) => {
            if let Place::Element(_, at) | Place::Out(at) | Place::DynamicComponent(_, at) = place {
                exprs(at, visit);
            }
            exprs(expr, visit);
        }
        Stmt::If(expr, ..)
        | Stmt::Switch(expr, ..)
        | Stmt::For(_, expr, ..)
        | Stmt::While(_, expr, ..)
        | Stmt::Loop(_, _, _, _, Some(expr))
        | Stmt::Own(_, _, expr) => exprs(expr, visit),
        Stmt::Sum(_, a, b) | Stmt::WideOwn(_, _, [a, b]) | Stmt::Tally(_, [a, b]) => {
            exprs(a, visit);
            exprs(b, visit);
        }
        Stmt::WideSum(_, a, [b, c]) | Stmt::Exchange(_, a, [b, c]) => {
            exprs(a, visit);
            exprs(b, visit);
            exprs(c, visit);
        }
        Stmt::Call(_, _, arguments) => {
            for argument in arguments {
                if let Argument::Value(expr) = argument {
                    exprs(expr, visit);
                }
            }
        }
        _ => {}
    }
}

fn exprs(expr: &mut Expr, visit: &mut dyn FnMut(&mut Expr)) {
    visit(expr);
    for part in parts(expr) {
        exprs(part, visit);
    }
}

/// What an expression is made of.
pub fn parts(expr: &mut Expr) -> Vec<&mut Expr> {
    match &mut expr.node {
        Node::Literal(_)
        | Node::Variable(_)
        | Node::Parameter(_)
        | Node::Builtin(_)
        | Node::Near(_) => Vec::new(),
        Node::Element(_, a)
        | Node::Input(a)
        | Node::Out(a)
        | Node::Tile(a)
        | Node::Tally(a)
        | Node::Unary(_, a)
        | Node::Clamp(a, _, _)
        | Node::Every(_, a)
        | Node::Splat(a)
        | Node::Swizzle(a, _)
        | Node::Convert(a)
        | Node::Bitcast(a) => vec![a],
        Node::Binary(_, a, b)
        | Node::Compare(_, a, b)
        | Node::Logic(_, a, b)
        | Node::Dot(a, b)
        | Node::Component(a, b) => vec![a, b],
        Node::Select(a, b, c) | Node::ExtractBits(a, b, c) => vec![a, b, c],
        Node::InsertBits(a, b, c, d) => vec![a, b, c, d],
        Node::Compose(all) => all.iter_mut().collect(),
    }
}
