//! What is known of an entry point, as text.

use crate::data::Slot;
use divvy::Access;
use divvy::kernel::{BindingKind, Facts, Grounds, Override, Pattern, Usage};
use std::fmt::Write;

/// The entry point and what it binds.
pub(super) fn reflection(facts: &Facts, slots: &[Slot], overrides: &[Override]) -> String {
    let [x, y, z] = facts.workgroup;
    let mut text = format!("{}: workgroups of {x} x {y} x {z}\n", facts.entry);
    for found in overrides {
        let id = found.id.map_or(String::new(), |id| format!("@id({id}) "));
        let default = match (found.default, found.has_default) {
            (Some(value), _) => format!(" = {value}"),
            (None, true) => " = an expression".to_owned(),
            (None, false) => ", without a default".to_owned(),
        };
        let (name, type_name) = (&found.name, &found.type_name);
        _ = writeln!(text, "  {id}override {name}: {type_name}{default}");
    }
    for slot in slots {
        let (binding, layout) = (&slot.binding, &slot.binding.layout);
        let (space, usage) = match binding.kind {
            BindingKind::Uniform => ("uniform", "a value"),
            BindingKind::Storage(Usage::Read) => ("storage", "read"),
            BindingKind::Storage(Usage::Write) => ("storage", "written"),
            BindingKind::Storage(_) => ("storage", "read and written"),
        };
        let size = match &slot.shape.repeated {
            Some(array) if array.count.is_none() => {
                format!("{} bytes an element", array.stride)
            }
            _ => format!("{} bytes", layout.least_bytes),
        };
        let (group, number) = (binding.group, binding.binding);
        _ = writeln!(
            text,
            "  @group({group}) @binding({number}) var<{space}> {}: {}  {usage}, {size}",
            binding.name, layout.type_name
        );
        for member in &layout.element.members {
            _ = writeln!(
                text,
                "      {}: {}  at byte {}",
                member.name, member.type_name, member.offset
            );
        }
    }
    text
}

/// How each buffer is accessed, or what stands in the way of knowing.
pub(super) fn patterns(patterns: &[Pattern]) -> String {
    let mut text = String::new();
    for pattern in patterns {
        let name = &pattern.binding;
        match (&pattern.grounds, pattern.access) {
            (Grounds::Unproven(obstacle), access) => {
                let so = match access {
                    Some(_) => "every device gets all of it",
                    None => "a dispatch runs whole on one device",
                };
                _ = writeln!(text, "  {name}: not proven, so {so}");
                for line in obstacle.to_string().lines() {
                    _ = writeln!(text, "      {line}");
                }
            }
            (_, Some(access)) => {
                _ = writeln!(text, "  {name}: proven, {}", words(access));
            }
            (_, None) => _ = writeln!(text, "  {name}: nothing is known of it"),
        }
    }
    text
}

fn words(access: Access) -> String {
    match access {
        Access::OneToOne => {
            "each place in the range touches its own elements (OneToOne)".to_owned()
        }
        Access::Neighborhood(n) => {
            format!("each place touches elements up to {n} away (Neighborhood({n}))")
        }
        Access::Wrapped(n) => {
            format!("each place touches elements up to {n} away, around the ends (Wrapped({n}))")
        }
        // Blocks that are further apart than any buffer is long: there is one.
        Access::Strided(strided) if strided.stride.unsigned_abs() >> 40 > 0 => {
            "one workgroup touches all of it, and a workgroup is never cut (Strided)".to_owned()
        }
        Access::Strided(strided) => format!(
            "each block of {} along the slowest dimension touches elements {} to {} from {} times its number on (Strided)",
            strided.units, strided.from, strided.to, strided.stride
        ),
        Access::All => "each place may touch all of it (All)".to_owned(),
        Access::Accumulate(combine) => {
            let combine = format!("{combine:?}");
            format!(
                "all are combined by {} (Accumulate({combine}))",
                combine.to_lowercase()
            )
        }
    }
}
