//! Lane programs as text, for people and for tests that keep them.
//!
//! An operation a line: what it sets, its name, what it reads. `u` is a word for all lanes, `v` one for each, `m` a bit for
//! each, `n` a run of numbers, `p` two words for each.
//!
//! Invariant: none; nothing is read back.

use super::op::{Class, Code, Held, Input, Op, Reg};
use std::fmt::Write;

/// The operations, and what of inputs and constants they read.
pub(super) fn text(once: &[Op], ops: &[Op], held: &[Held]) -> String {
    let mut text = String::new();
    if !once.is_empty() {
        text.push_str("once\n");
        once.iter().for_each(|op| line(&mut text, op, held));
        text.push_str("each block\n");
    }
    ops.iter().for_each(|op| line(&mut text, op, held));
    text
}

fn name(reg: Reg, held: &[Held]) -> String {
    match held[reg.0 as usize] {
        Held::Constant(word) => {
            let float = f32::from_bits(word);
            if word > 1 << 23 && (1e-6..1e9).contains(&float.abs()) {
                format!("{float:?}")
            } else {
                format!("{}", word as i32)
            }
        }
        Held::Input(input) => match input {
            Input::Live => "live".to_owned(),
            Input::Lane => "lane".to_owned(),
            Input::Global(axis) => format!("global.{axis}"),
            Input::Local(axis) => format!("local.{axis}"),
            Input::Workgroup(axis) => format!("workgroup.{axis}"),
            Input::Workgroups(axis) => format!("workgroups.{axis}"),
            Input::Word(memory, at) => format!("{memory:?}[{at}]"),
            Input::Length { memory, .. } => format!("length({memory:?})"),
        },
        Held::Class(class) => {
            let letter = match class {
                Class::Uniform => 'u',
                Class::Run(_) => 'n',
                Class::Varying => 'v',
                Class::Bits => 'm',
                Class::Pair => 'p',
            };
            format!("{letter}{}", reg.0)
        }
    }
}

fn line(text: &mut String, op: &Op, held: &[Held]) {
    if op.code == Code::Label {
        let _ = writeln!(text, "{}:", op.label.0);
        return;
    }
    text.push_str("  ");
    if let Some(dst) = op.dst {
        let _ = write!(text, "{} = ", name(dst, held));
    }
    let _ = write!(text, "{:?}", op.code);
    for reg in op.operands.iter().flatten() {
        let _ = write!(text, " {}", name(*reg, held));
    }
    match op.code {
        Code::Load
        | Code::LoadHalf
        | Code::Store
        | Code::StoreHalf
        | Code::Atomic(_)
        | Code::AtomicWide(_)
        | Code::CompareExchange => {
            let _ = write!(text, " in {:?} {:+}", op.memory, op.offset as i32);
        }
        Code::Narrow => {
            let _ = write!(text, " depth {} else {}", op.offset, op.label.0);
        }
        Code::Widen => {
            let _ = write!(text, " depth {}", op.offset);
        }
        Code::Count => {
            let _ = write!(text, " by {}", op.offset as i32);
        }
        Code::Jump | Code::JumpUnless | Code::JumpIfNone => {
            let _ = write!(text, " to {}", op.label.0);
        }
        _ => {}
    }
    text.push('\n');
}
