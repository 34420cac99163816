//! Writes programs as WGSL.

use super::tree::*;
use std::fmt::Write;

pub fn wgsl(program: &Program) -> String {
    let mut out = Printer {
        program,
        text: String::new(),
        depth: 0,
        is_entry: false,
    };
    out.program();
    out.text
}

pub fn type_name(ty: Type) -> String {
    let scalar = match ty.scalar {
        Scalar::I32 => "i32",
        Scalar::U32 => "u32",
        Scalar::F32 => "f32",
        Scalar::Bool => "bool",
    };
    match ty.width {
        1 => scalar.to_owned(),
        width => format!("vec{width}<{scalar}>"),
    }
}

struct Printer<'a> {
    program: &'a Program,
    text: String,
    depth: usize,
    /// Whether builtins are those that the entry point is given, or copies in private variables.
    is_entry: bool,
}

impl Printer<'_> {
    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{:1$}{line}", "", 4 * self.depth);
    }

    fn program(&mut self) {
        let program = self.program;
        self.line("struct Parameters { a: i32, b: u32, c: f32 }");
        self.line("@group(0) @binding(0) var<uniform> parameters: Parameters;");
        self.line("@group(0) @binding(1) var<storage, read> input: array<u32>;");
        self.line("@group(0) @binding(2) var<storage, read_write> out: array<i32>;");
        self.line(&format!(
            "@group(0) @binding(3) var<storage, read_write> sums: array<atomic<u32>, {SUMS}>;"
        ));
        self.line("@group(0) @binding(4) var<storage, read_write> own: array<atomic<u32>>;");
        if program.uses_wide {
            self.wide();
        }
        if program.uses_tile {
            let words = program.in_workgroup();
            self.line(&format!("var<workgroup> tile: array<i32, {words}>;"));
        }
        for builtin in [
            "me: u32",
            "local_index: u32",
            "global_id: vec3<u32>",
            "workgroup_id: vec3<u32>",
        ] {
            self.line(&format!("var<private> {builtin};"));
        }
        for id in &program.privates {
            self.line(&format!("var<private> v{id}: {};", self.variable_type(*id)));
        }
        for (number, function) in program.functions.iter().enumerate() {
            let parameters: Vec<String> = function
                .parameters
                .iter()
                .map(|id| {
                    let ty = self.variable_type(*id);
                    match program.variables[*id].kind {
                        Kind::Pointer => format!("v{id}: ptr<function, {ty}>"),
                        _ => format!("v{id}: {ty}"),
                    }
                })
                .collect();
            let result = function
                .result
                .map_or_else(String::new, |ty| format!(" -> {}", type_name(ty)));
            self.line(&format!(
                "fn f{number}({}){result} {{",
                parameters.join(", ")
            ));
            self.inside(&function.body);
            self.line("}");
        }
        let [x, y, z] = program.workgroup;
        self.line(&format!("@compute @workgroup_size({x}, {y}, {z})"));
        self.line("fn main(@builtin(global_invocation_id) g: vec3<u32>, @builtin(local_invocation_index) l: u32,");
        self.line("        @builtin(workgroup_id) w: vec3<u32>) {");
        self.depth += 1;
        let [x, y, _] = program.padded();
        self.line(&format!(
            "let m = (g.z * {y}u + g.y) * {x}u + g.x; me = m; local_index = l; global_id = g; workgroup_id = w;"
        ));
        self.is_entry = true;
        if program.is_guarded {
            let [x, y, z] = program.extents;
            self.line(&format!(
                "if any(g >= vec3<u32>({x}u, {y}u, {z}u)) {{ return; }}"
            ));
        }
        self.line("out[m * 4u] = i32(input[m % arrayLength(&input)]) + parameters.a;");
        self.line("atomicAdd(&own[m], m); atomicAdd(&sums[0], 1u);");
        if program.uses_wide {
            self.line(
                "atomicAdd(&wide[0], joined(m, 1u)); atomicMax(&wide_own[m], i64(u64(m)) << 31u);",
            );
        }
        self.items(&program.items);
        self.depth -= 1;
        self.line("}");
    }

    /// What atomics of 64 bits need.
    fn wide(&mut self) {
        self.line(&format!(
            "@group(0) @binding(5) var<storage, read_write> wide: array<atomic<u64>, {SUMS}>;"
        ));
        self.line("@group(0) @binding(6) var<storage, read_write> wide_own: array<atomic<i64>>;");
        if self.program.uses_tile {
            let count = TALLIES.len();
            self.line(&format!(
                "var<workgroup> tally: array<atomic<u64>, {count}>;"
            ));
        }
        self.line(
            "fn joined(low: u32, high: u32) -> u64 { return u64(low) | (u64(high) << 32u); }",
        );
        self.line("fn mixed(n: u64) -> u32 { return u32(n) ^ (u32(n >> 32u) * 3u); }");
        // An exchange may fail though the numbers are the same.
        self.line("fn exchange(at: u32, by: i64, value: i64) -> i64 {");
        self.line("    let expected = atomicLoad(&wide_own[at]) + by;");
        self.line("    var old = expected;");
        self.line("    for (var i = 0u; i < 1000u; i++) {");
        self.line("        let found = atomicCompareExchangeWeak(&wide_own[at], expected, value);");
        self.line("        old = found.old_value;");
        self.line("        if found.exchanged || old != expected { break; }");
        self.line("    }");
        self.line("    return old;");
        self.line("}");
    }

    /// A number of 64 bits from its words.
    fn joined(&self, [low, high]: &[Expr; 2]) -> String {
        format!("joined({}, {})", self.expr(low), self.expr(high))
    }

    fn variable_type(&self, id: Id) -> String {
        let variable = &self.program.variables[id];
        let ty = type_name(variable.ty);
        match variable.count {
            Some(count) => format!("array<{ty}, {count}>"),
            None => ty,
        }
    }

    fn inside(&mut self, list: &[Stmt]) {
        self.depth += 1;
        for statement in list {
            self.statement(statement);
        }
        self.depth -= 1;
    }

    fn items(&mut self, items: &[Item]) {
        for item in items {
            match item {
                Item::Segment(list) => {
                    for statement in list {
                        self.statement(statement);
                    }
                }
                Item::Barrier => self.line("workgroupBarrier();"),
                Item::Repeat(id, count, body) => {
                    self.line(&format!(
                        "for (var v{id} = 0u; v{id} < {count}u; v{id}++) {{"
                    ));
                    self.depth += 1;
                    self.items(body);
                    self.depth -= 1;
                    self.line("}");
                }
                Item::IfOdd(yes, no) => {
                    self.line("if (parameters.b & 1u) == 1u {");
                    self.depth += 1;
                    self.items(yes);
                    self.depth -= 1;
                    self.line("} else {");
                    self.depth += 1;
                    self.items(no);
                    self.depth -= 1;
                    self.line("}");
                }
            }
        }
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Let(id, value) => {
                let value = self.expr(value);
                self.line(&format!("let v{id} = {value};"));
            }
            Stmt::Var(id, value) => {
                let value = value
                    .as_ref()
                    .map_or_else(String::new, |value| format!(" = {}", self.expr(value)));
                self.line(&format!("var v{id}: {}{value};", self.variable_type(*id)));
            }
            Stmt::Assign(place, value) => {
                let (place, value) = (self.place(place), self.expr(value));
                self.line(&format!("{place} = {value};"));
            }
            Stmt::Compound(place, op, value) => {
                let (place, value) = (self.place(place), self.expr(value));
                self.line(&format!("{place} {}= {value};", operator(*op)));
            }
            Stmt::If(condition, yes, no) => {
                let condition = self.expr(condition);
                self.line(&format!("if {condition} {{"));
                self.inside(yes);
                if !no.is_empty() {
                    self.line("} else {");
                    self.inside(no);
                }
                self.line("}");
            }
            Stmt::Switch(selector, cases, default, place) => {
                let is_signed = selector.ty.scalar == Scalar::I32;
                let selector = self.expr(selector);
                self.line(&format!("switch {selector} {{"));
                self.depth += 1;
                for number in 0..=cases.len() {
                    if number == (*place).min(cases.len()) {
                        self.line("default: {");
                        self.inside(default);
                        self.line("}");
                    }
                    let Some((values, body)) = cases.get(number) else {
                        continue;
                    };
                    let values: Vec<String> = values
                        .iter()
                        .map(|value| {
                            word(*value, if is_signed { Scalar::I32 } else { Scalar::U32 })
                        })
                        .collect();
                    self.line(&format!("case {}: {{", values.join(", ")));
                    self.inside(body);
                    self.line("}");
                }
                self.depth -= 1;
                self.line("}");
            }
            Stmt::For(id, end, limit, body) => {
                let end = self.expr(end);
                self.line(&format!(
                    "for (var v{id} = 0u; v{id} < {end} % {limit}u; v{id}++) {{"
                ));
                self.inside(body);
                self.line("}");
            }
            Stmt::While(id, condition, limit, body) => {
                let condition = self.expr(condition);
                self.line(&format!("var v{id} = 0u;"));
                self.line(&format!("while v{id} < {limit}u && {condition} {{"));
                self.depth += 1;
                self.line(&format!("v{id}++;"));
                self.depth -= 1;
                self.inside(body);
                self.line("}");
            }
            Stmt::Loop(id, limit, body, after, until) => {
                self.line(&format!("var v{id} = 0u;"));
                self.line("loop {");
                self.depth += 1;
                self.line(&format!("if v{id} >= {limit}u {{ break; }}"));
                self.line(&format!("v{id}++;"));
                self.depth -= 1;
                self.inside(body);
                self.depth += 1;
                if !after.is_empty() || until.is_some() {
                    self.line("continuing {");
                    self.inside(after);
                    if let Some(until) = until {
                        let until = self.expr(until);
                        self.line(&format!("    break if {until};"));
                    }
                    self.line("}");
                }
                self.depth -= 1;
                self.line("}");
            }
            Stmt::Break => self.line("break;"),
            Stmt::Continue => self.line("continue;"),
            Stmt::Return(None) => self.line("return;"),
            Stmt::Return(Some(value)) => {
                let value = self.expr(value);
                self.line(&format!("return {value};"));
            }
            Stmt::Block(body) => {
                self.line("{");
                self.inside(body);
                self.line("}");
            }
            Stmt::Call(result, function, arguments) => {
                let arguments: Vec<String> = arguments
                    .iter()
                    .map(|argument| match argument {
                        Argument::Value(value) => self.expr(value),
                        Argument::Pointer(id) => match self.program.variables[*id].kind {
                            Kind::Pointer => format!("v{id}"),
                            _ => format!("&v{id}"),
                        },
                    })
                    .collect();
                let call = format!("f{function}({})", arguments.join(", "));
                match result {
                    Some(id) => self.line(&format!("let v{id} = {call};")),
                    None => self.line(&format!("{call};")),
                }
            }
            Stmt::Sum(op, at, value) => {
                let (name, first) = atomic(*op);
                let (at, value) = (self.expr(at), self.expr(value));
                self.line(&format!("{name}(&sums[{first}u + {at} % 2u], {value});"));
            }
            Stmt::Own(id, op, value) => {
                let ((name, _), me) = (atomic(*op), self.builtin(Builtin::Me));
                let value = self.expr(value);
                self.line(&format!("let v{id} = {name}(&own[{me}], {value});"));
            }
            Stmt::WideSum(op, at, value) => {
                let (name, first) = atomic(*op);
                let (at, value) = (self.expr(at), self.joined(value));
                self.line(&format!("{name}(&wide[{first}u + {at} % 2u], {value});"));
            }
            Stmt::WideOwn(id, op, value) => {
                let ((name, _), me) = (atomic(*op), self.builtin(Builtin::Me));
                let value = self.joined(value);
                self.line(&format!(
                    "let v{id} = mixed(u64({name}(&wide_own[{me}], i64({value}))));"
                ));
            }
            Stmt::Exchange(id, by, value) => {
                let (me, by) = (self.builtin(Builtin::Me), self.expr(by));
                let value = self.joined(value);
                self.line(&format!(
                    "let v{id} = mixed(u64(exchange({me}, i64(u64({by})) & 1li, i64({value}))));"
                ));
            }
            Stmt::Tally(op, value) => {
                let place = TALLIES.iter().position(|one| one == op).unwrap_or(0);
                let (name, value) = (atomic(*op).0, self.joined(value));
                self.line(&format!("{name}(&tally[{place}u], {value});"));
            }
        }
    }

    fn builtin(&self, builtin: Builtin) -> String {
        match (builtin, self.is_entry) {
            (Builtin::Me, true) => "m".to_owned(),
            (Builtin::Me, false) => "me".to_owned(),
            (Builtin::LocalIndex, true) => "l".to_owned(),
            (Builtin::LocalIndex, false) => "local_index".to_owned(),
            (Builtin::Global(i), true) => format!("g[{i}]"),
            (Builtin::Global(i), false) => format!("global_id[{i}]"),
            (Builtin::Workgroup(i), true) => format!("w[{i}]"),
            (Builtin::Workgroup(i), false) => format!("workgroup_id[{i}]"),
        }
    }

    fn name(&self, id: Id) -> String {
        match self.program.variables[id].kind {
            Kind::Pointer => format!("(*v{id})"),
            _ => format!("v{id}"),
        }
    }

    fn place(&self, place: &Place) -> String {
        match place {
            Place::Variable(id) => match self.program.variables[*id].kind {
                Kind::Pointer => format!("*v{id}"),
                _ => format!("v{id}"),
            },
            Place::Component(id, i) => {
                format!("{}.{}", self.name(*id), "xyzw".as_bytes()[*i] as char)
            }
            Place::DynamicComponent(id, at) => {
                let width = self.program.variables[*id].ty.width;
                format!("{}[{} % {width}u]", self.name(*id), self.expr(at))
            }
            Place::Element(id, at) => {
                let count = self.program.variables[*id].count.unwrap_or(1);
                format!("{}[{} % {count}u]", self.name(*id), self.expr(at))
            }
            Place::Out(at) => format!(
                "out[{} * {OUT}u + {} % {OUT}u]",
                self.builtin(Builtin::Me),
                self.expr(at)
            ),
            Place::Tile => format!("tile[{}]", self.builtin(Builtin::LocalIndex)),
        }
    }

    fn expr(&self, expr: &Expr) -> String {
        let ty = || type_name(expr.ty);
        match &expr.node {
            Node::Literal(words) => literal(expr.ty, words),
            Node::Variable(id) => self.name(*id),
            Node::Element(id, at) => {
                let count = self.program.variables[*id].count.unwrap_or(1);
                format!("{}[{} % {count}u]", self.name(*id), self.expr(at))
            }
            Node::Parameter(Parameter::I32) => "parameters.a".to_owned(),
            Node::Parameter(Parameter::U32) => "parameters.b".to_owned(),
            Node::Parameter(Parameter::F32) => "parameters.c".to_owned(),
            Node::Builtin(builtin) => self.builtin(*builtin),
            Node::Near(by) => format!("input[{} + {by}u]", self.builtin(Builtin::Me)),
            Node::Input(at) => format!("input[{} % arrayLength(&input)]", self.expr(at)),
            Node::Out(at) => format!(
                "out[{} * {OUT}u + {} % {OUT}u]",
                self.builtin(Builtin::Me),
                self.expr(at)
            ),
            Node::Tile(at) => format!("tile[{} % {}u]", self.expr(at), self.program.in_workgroup()),
            Node::Tally(at) => {
                let count = TALLIES.len();
                format!("mixed(atomicLoad(&tally[{} % {count}u]))", self.expr(at))
            }
            Node::Unary(op, a) => {
                let a_text = self.expr(a);
                match op {
                    Unary::Negate => format!("(-{a_text})"),
                    Unary::Not if expr.ty.scalar == Scalar::Bool => format!("(!{a_text})"),
                    Unary::Not => format!("(~{a_text})"),
                    Unary::Abs => format!("abs({a_text})"),
                    Unary::CountOnes => format!("countOneBits({a_text})"),
                    Unary::ReverseBits => format!("reverseBits({a_text})"),
                    Unary::FirstLeading => format!("firstLeadingBit({a_text})"),
                    Unary::FirstTrailing => format!("firstTrailingBit({a_text})"),
                    Unary::LeadingZeros => format!("countLeadingZeros({a_text})"),
                    Unary::TrailingZeros => format!("countTrailingZeros({a_text})"),
                    Unary::Sign => format!("sign({a_text})"),
                    Unary::Floor => format!("floor({a_text})"),
                }
            }
            Node::Binary(op, a, b) => {
                let (a, b) = (self.expr(a), self.expr(b));
                match op {
                    Binary::Min => format!("min({a}, {b})"),
                    Binary::Max => format!("max({a}, {b})"),
                    op => format!("({a} {} {b})", operator(*op)),
                }
            }
            Node::Compare(op, a, b) => {
                let op = match op {
                    Comparison::Eq => "==",
                    Comparison::Ne => "!=",
                    Comparison::Lt => "<",
                    Comparison::Le => "<=",
                    Comparison::Gt => ">",
                    Comparison::Ge => ">=",
                };
                format!("({} {op} {})", self.expr(a), self.expr(b))
            }
            Node::Logic(is_and, a, b) => {
                let op = if *is_and { "&&" } else { "||" };
                format!("({} {op} {})", self.expr(a), self.expr(b))
            }
            Node::Select(no, yes, condition) => format!(
                "select({}, {}, {})",
                self.expr(no),
                self.expr(yes),
                self.expr(condition)
            ),
            Node::Clamp(a, low, high) => format!(
                "clamp({}, {}, {})",
                self.expr(a),
                literal(expr.ty, low),
                literal(expr.ty, high)
            ),
            Node::ExtractBits(a, first, count) => format!(
                "extractBits({}, {}, {})",
                self.expr(a),
                self.expr(first),
                self.expr(count)
            ),
            Node::InsertBits(a, b, first, count) => format!(
                "insertBits({}, {}, {}, {})",
                self.expr(a),
                self.expr(b),
                self.expr(first),
                self.expr(count)
            ),
            Node::Dot(a, b) => format!("dot({}, {})", self.expr(a), self.expr(b)),
            Node::Every(is_all, a) => {
                format!("{}({})", if *is_all { "all" } else { "any" }, self.expr(a))
            }
            Node::Compose(parts) => {
                let parts: Vec<String> = parts.iter().map(|part| self.expr(part)).collect();
                format!("{}({})", ty(), parts.join(", "))
            }
            Node::Splat(a) | Node::Convert(a) => format!("{}({})", ty(), self.expr(a)),
            Node::Swizzle(a, places) => {
                let letters: String = places
                    .iter()
                    .map(|i| "xyzw".as_bytes()[*i] as char)
                    .collect();
                format!("{}.{letters}", self.expr(a))
            }
            Node::Component(a, at) => {
                format!("{}[{} % {}u]", self.expr(a), self.expr(at), a.ty.width)
            }
            Node::Bitcast(a) => format!("bitcast<{}>({})", ty(), self.expr(a)),
        }
    }
}

fn operator(op: Binary) -> &'static str {
    match op {
        Binary::Add => "+",
        Binary::Sub => "-",
        Binary::Mul => "*",
        Binary::Div => "/",
        Binary::Rem => "%",
        Binary::And => "&",
        Binary::Or => "|",
        Binary::Xor => "^",
        Binary::Shl => "<<",
        Binary::Shr => ">>",
        Binary::Min | Binary::Max => unreachable!("they are functions"),
    }
}

/// The name, and the first of the two sums that are for it.
pub fn atomic(op: Atomic) -> (&'static str, u32) {
    match op {
        Atomic::Add => ("atomicAdd", 0),
        Atomic::Sub => ("atomicSub", 2),
        Atomic::Max => ("atomicMax", 4),
        Atomic::Min => ("atomicMin", 6),
        Atomic::And => ("atomicAnd", 8),
        Atomic::Or => ("atomicOr", 10),
        Atomic::Xor => ("atomicXor", 12),
        Atomic::Exchange => ("atomicExchange", 0),
    }
}

fn word(word: u32, scalar: Scalar) -> String {
    match scalar {
        Scalar::I32 if (word as i32) < 0 => format!("i32({})", word as i32),
        Scalar::I32 => format!("{word}i"),
        Scalar::U32 => format!("{word}u"),
        Scalar::F32 => format!("f32({:?})", f32::from_bits(word)),
        Scalar::Bool => (word != 0).to_string(),
    }
}

fn literal(ty: Type, words: &Words) -> String {
    let parts: Vec<String> = words[..ty.width]
        .iter()
        .map(|one| word(*one, ty.scalar))
        .collect();
    match ty.width {
        1 => parts[0].clone(),
        _ => format!("{}({})", type_name(ty), parts.join(", ")),
    }
}
