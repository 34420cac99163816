//! Cuts a program that fails down to a small one that still does.
//!
//! Tries one cut after another and keeps those after which it still fails, until none is left.
//!
//! Invariant: what is returned fails.

use super::tree::*;

/// The most cuts that are tried.
const MOST_TRIES: usize = 1500;

pub fn shrunk(program: &Program, fails: &mut dyn FnMut(&Program) -> bool) -> Program {
    let mut best = program.clone();
    let mut tries = 0;
    loop {
        let mut has_changed = false;
        for cut in [
            cut_extents as Cut,
            cut_items,
            cut_statements,
            unwrap_statements,
            cut_expressions,
            cut_functions,
            cut_wide,
        ] {
            let mut place = 0;
            while tries < MOST_TRIES {
                let mut next = best.clone();
                match cut(&mut next, place) {
                    Found::Nothing => break,
                    Found::Unchanged => place += 1,
                    Found::Changed => {
                        tries += 1;
                        if fails(&next) {
                            best = next;
                            has_changed = true;
                        } else {
                            place += 1;
                        }
                    }
                }
            }
        }
        if !has_changed || tries >= MOST_TRIES {
            return best;
        }
    }
}

/// What a cut did at a place.
enum Found {
    Changed,
    Unchanged,
    /// There is no such place.
    Nothing,
}

/// Makes the change with this number.
type Cut = fn(&mut Program, usize) -> Found;

fn cut_extents(program: &mut Program, place: usize) -> Found {
    let (list, axis): (&mut [u32; 3], usize) = match place {
        0..6 => (&mut program.extents, place / 2),
        6..12 => (&mut program.workgroup, place / 2 - 3),
        _ => return Found::Nothing,
    };
    let less = if place.is_multiple_of(2) {
        1
    } else {
        list[axis] - 1
    };
    if less == list[axis] || less == 0 {
        return Found::Unchanged;
    }
    list[axis] = less;
    Found::Changed
}

fn cut_items(program: &mut Program, place: usize) -> Found {
    let mut count = 0;
    if items(&mut program.items, place, &mut count) {
        Found::Changed
    } else {
        Found::Nothing
    }
}

fn items(list: &mut Vec<Item>, place: usize, count: &mut usize) -> bool {
    for at in 0..list.len() {
        if *count == place {
            match list.remove(at) {
                Item::Repeat(_, _, body) => drop(list.splice(at..at, body)),
                Item::IfOdd(yes, _) => drop(list.splice(at..at, yes)),
                _ => {}
            }
            return true;
        }
        *count += 1;
        let is_done = match &mut list[at] {
            Item::Repeat(_, _, body) => items(body, place, count),
            Item::IfOdd(yes, no) => items(yes, place, count) || items(no, place, count),
            _ => false,
        };
        if is_done {
            return true;
        }
    }
    false
}

/// Takes out whole statements: the last ones of a list first, as nothing uses them.
fn cut_statements(program: &mut Program, place: usize) -> Found {
    let mut count = 0;
    let mut found = Found::Nothing;
    each_list(program, &mut |list| {
        if (count..count + list.len()).contains(&place) {
            list.remove(list.len() - 1 - (place - count));
            found = Found::Changed;
            count = usize::MAX / 2;
        } else {
            count += list.len();
        }
    });
    found
}

/// Puts what is inside a statement in its place.
fn unwrap_statements(program: &mut Program, place: usize) -> Found {
    let mut count = 0;
    let mut found = Found::Nothing;
    each_list(program, &mut |list| {
        if !(count..count + list.len()).contains(&place) {
            count += list.len();
            return;
        }
        let at = place - count;
        count = usize::MAX / 2;
        found = Found::Unchanged;
        let inner = match &mut list[at] {
            Stmt::If(_, yes, no) => {
                if yes.is_empty() {
                    std::mem::take(no)
                } else {
                    std::mem::take(yes)
                }
            }
            Stmt::Switch(_, cases, default, _) => match cases.pop() {
                Some(_) => {
                    found = Found::Changed;
                    return;
                }
                None => std::mem::take(default),
            },
            Stmt::For(_, _, _, body) | Stmt::While(_, _, _, body) | Stmt::Block(body) => {
                std::mem::take(body)
            }
            Stmt::Loop(_, _, body, _, until) => {
                if until.take().is_some() {
                    found = Found::Changed;
                    return;
                }
                std::mem::take(body)
            }
            _ => return,
        };
        found = Found::Changed;
        list.splice(at..=at, inner);
    });
    found
}

/// Puts something simpler in place of an expression: a part of it, or a literal.
fn cut_expressions(program: &mut Program, place: usize) -> Found {
    const WAYS: usize = 5;
    let mut count = 0;
    let mut found = Found::Nothing;
    each_expr(program, &mut |expr| {
        if count == place / WAYS {
            found = Found::Unchanged;
            let ty = expr.ty;
            let way = place % WAYS;
            if way == 4 {
                if !matches!(expr.node, Node::Literal(_)) {
                    let one = match ty.scalar {
                        Scalar::F32 => 1.0_f32.to_bits(),
                        _ => 1,
                    };
                    expr.node = Node::Literal([one; 4]);
                    found = Found::Changed;
                }
            // Parts of floats may be larger than what they are in.
            } else if ty.scalar != Scalar::F32
                && let Some(part) = parts(expr).into_iter().nth(way)
                && part.ty == ty
            {
                *expr = part.clone();
                found = Found::Changed;
            }
        }
        count += 1;
    });
    found
}

/// Takes out the last function, if nobody calls it.
fn cut_functions(program: &mut Program, place: usize) -> Found {
    if place > 0 || program.functions.is_empty() {
        return Found::Nothing;
    }
    let last = program.functions.len() - 1;
    let mut is_called = false;
    each_list(program, &mut |list| {
        is_called |= list
            .iter()
            .any(|statement| matches!(statement, Stmt::Call(_, called, _) if *called == last));
    });
    if is_called {
        return Found::Unchanged;
    }
    program.functions.pop();
    Found::Changed
}

/// Takes out what atomics of 64 bits need, if there are none.
fn cut_wide(program: &mut Program, place: usize) -> Found {
    if place > 0 || !program.uses_wide {
        return Found::Nothing;
    }
    program.uses_wide = false;
    Found::Changed
}
