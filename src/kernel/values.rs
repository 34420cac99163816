//! Values for uniforms and overrides, checked against what WGSL makes of them.
//!
//! Compares sizes and names the member at which they part, and knows the numbers of Rust by their names; which Rust type it
//! was is the caller's to say.
//!
//! Invariant: a value that passes differs from the uniform's type in nothing but padding at the end, so far as its size and
//! the name of its type tell.

use super::{Binding, BindingKind, KernelError};
use naga::common::wgsl::TypeContext;
use naga::{Module, Override, Scalar, ScalarKind, TypeInner};

/// Why a value can't be bound.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The variable takes a buffer.
    #[error("`{name}` is a `var<storage>`: bind a buffer to it with `.bind(\"{name}\", &buffer)`")]
    IsBuffer {
        /// The variable's name.
        name: String,
    },
    /// The variable takes a value.
    #[error("`{name}` is a `var<uniform>`: give it a value with `.value(\"{name}\", value)`")]
    IsValue {
        /// The variable's name.
        name: String,
    },
    /// The value's size isn't that of the WGSL type.
    #[error(
        "`{name}` is a `{wgsl}` of {expected} bytes, but the value, a `{rust}`, has {actual}{hint}"
    )]
    Size {
        /// The variable's name.
        name: String,
        /// Its type in WGSL.
        wgsl: String,
        /// The type of the value in Rust.
        rust: &'static str,
        /// Bytes of the WGSL type.
        expected: u64,
        /// Bytes of the value.
        actual: u64,
        /// Where the two part, and what to do.
        hint: String,
    },
    /// The value is made of other numbers than the variable, and its bits would mean something else there.
    #[error("`{name}` is a `{wgsl}`, but the value is a `{rust}`: {hint}")]
    Type {
        /// The variable's name.
        name: String,
        /// Its type in WGSL.
        wgsl: String,
        /// The type of the value in Rust.
        rust: &'static str,
        /// What to give instead.
        hint: String,
    },
}

debug_is_message!(ValueError);

impl Binding {
    /// Checks that `value`, whose Rust type is called `rust`, can be bound here.
    ///
    /// Padding behind the last member may be there or not; it is added, or cut, when the value is bound.
    ///
    /// # Errors
    ///
    /// If the variable is no uniform, the sizes differ, or the variable is a scalar or a vector and the value is made of
    /// other numbers.
    pub fn check_value(&self, value: &[u8], rust: &'static str) -> Result<(), ValueError> {
        if self.kind != BindingKind::Uniform {
            return Err(ValueError::IsBuffer {
                name: self.name.clone(),
            });
        }
        self.check_numbers(rust)?;
        let (expected, actual) = (self.layout.least_bytes, value.len() as u64);
        let members = &self.layout.element.members;
        let end = members
            .last()
            .map_or(expected, |last| last.offset + last.bytes);
        let padded = expected.next_multiple_of(self.layout.element.alignment);
        if actual == expected || actual == end || actual == padded {
            return Ok(());
        }
        Err(ValueError::Size {
            name: self.name.clone(),
            wgsl: self.layout.type_name.clone(),
            rust,
            expected,
            actual,
            hint: self.hint(actual),
        })
    }

    /// Refuses numbers of another type than those of a scalar or a vector.
    fn check_numbers(&self, rust: &'static str) -> Result<(), ValueError> {
        let element = &self.layout.element;
        let (Some(scalar), Some((number, is_array))) = (&element.scalar, numbers(rust)) else {
            return Ok(());
        };
        if self.layout.type_name != element.type_name {
            // An array, which is bound as structs are.
            return Ok(());
        }
        let is_vector = element.type_name != *scalar;
        if is_array && !is_vector {
            // Whoever puts one number in brackets means its bits, as with the elements of a buffer.
            return Ok(());
        }
        // Who has no type of halves in Rust has their bits.
        if number == scalar || (scalar == "f16" && number == "u16") {
            return Ok(());
        }
        let hint = if is_vector {
            let bits = scalar.trim_start_matches(char::is_alphabetic);
            let count = bits.parse().map_or(1, |bits: u64| element.bytes * 8 / bits);
            format!("give it `[{scalar}; {count}]`")
        } else {
            let digits = if scalar.starts_with('f') { "1.0" } else { "1" };
            format!("give it `{scalar}`, as in `{digits}_{scalar}`")
        };
        Err(ValueError::Type {
            name: self.name.clone(),
            wgsl: self.layout.type_name.clone(),
            rust,
            hint,
        })
    }

    /// How elements of `actual` bytes, one behind the other, part from the variable's, if it is padding that they lack.
    pub(crate) fn element_hint(&self, actual: u64) -> String {
        let element = &self.layout.element;
        let end = element
            .members
            .last()
            .map_or(element.bytes, |last| last.offset + last.bytes);
        if actual != end || actual >= element.stride {
            return if actual < element.stride {
                self.hint(actual)
            } else {
                String::new()
            };
        }
        let gap = element.stride - end;
        let each = format!(
            "; each element begins at a multiple of {} bytes",
            element.stride
        );
        match &element.scalar {
            // Scalars have no padding: a vector of three.
            Some(scalar) => format!("{each}: hold `[{scalar}; 4]`, the last of which is padding"),
            None => format!("{each}: put {gap} bytes of padding behind it"),
        }
    }

    /// Names the member where a value of `actual` bytes ends, or the one that padding was forgotten before.
    fn hint(&self, actual: u64) -> String {
        let members = &self.layout.element.members;
        // Members packed without padding have this size in all: the mistake that a plain `repr(C)` struct makes.
        let packed: u64 = members.iter().map(|member| member.bytes).sum();
        let mut next = 0;
        for member in members {
            if packed == actual && member.offset != next {
                let gap = member.offset - next;
                return format!(
                    "; member `{}` (`{}`) begins at byte {}: put {gap} bytes of padding before it",
                    member.name, member.type_name, member.offset
                );
            }
            next = member.offset + member.bytes;
        }
        match members
            .iter()
            .find(|member| member.offset + member.bytes > actual)
        {
            Some(member) => format!(
                "; it ends before or inside member `{}` (`{}`, bytes {} to {})",
                member.name,
                member.type_name,
                member.offset,
                member.offset + member.bytes
            ),
            None => String::new(),
        }
    }
}

/// Checks that an `override`, which goes by `name`, can have the value as it is, with nothing rounded off or cut away but
/// the digits that a float hasn't.
pub(super) fn check_constant(
    module: &Module,
    constant: &Override,
    name: &str,
    value: f64,
) -> Result<(), KernelError> {
    let TypeInner::Scalar(Scalar { kind, width }) = module.types[constant.ty].inner else {
        // The rules of WGSL leave scalars only, and validation has kept to them.
        return Ok(());
    };
    let bits = i32::from(width) * 8;
    let (least, beyond) = match kind {
        ScalarKind::Sint => (-(2_f64.powi(bits - 1)), 2_f64.powi(bits - 1)),
        _ => (0.0, 2_f64.powi(bits)),
    };
    let whole = || match width {
        4 => format!("a whole number from {least} to {}", beyond - 1.0),
        _ => format!("a whole number of {bits} bits"),
    };
    let (fits, expected) = match kind {
        ScalarKind::Bool => (value == 0.0 || value == 1.0, "0 or 1".to_owned()),
        ScalarKind::Uint | ScalarKind::Sint => (
            value.fract() == 0.0 && value >= least && value < beyond,
            whole(),
        ),
        _ => {
            // The largest numbers of two and four bytes, and half of their last digit.
            let beyond = match width {
                2 => 65_520.0,
                4 => f64::from(f32::MAX) + 2_f64.powi(103),
                _ => f64::INFINITY,
            };
            (
                value.abs() < beyond,
                "a finite number in its range".to_owned(),
            )
        }
    };
    if fits {
        return Ok(());
    }
    Err(KernelError::ConstantValue {
        name: name.to_owned(),
        wgsl: module.to_ctx().type_to_string(constant.ty),
        value: value.to_string(),
        expected,
    })
}

/// The numbers that a Rust type of this name is made of, and whether it is an array of them; nothing for what is neither.
///
/// The language doesn't promise how it names types. Were a number ever called otherwise, its type would go unchecked, and
/// its size would not.
fn numbers(rust: &str) -> Option<(&str, bool)> {
    let element = rust
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("; "));
    let (name, is_array) = element.map_or((rust, false), |(element, _)| (element, true));
    let known = [
        "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
        "f32", "f64",
    ];
    known.contains(&name).then_some((name, is_array))
}
