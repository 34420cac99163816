//! Why a kernel could not be made, in words that name the way out.
//!
//! What finds that out stands elsewhere.

use super::{Access, Combine, Contradicted};
use std::error::Error;

/// Why a kernel could not be made.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// The source isn't WGSL, or breaks one of its rules.
    #[error("the kernel is not valid WGSL\n{excerpt}")]
    Wgsl {
        /// The fault, with the lines of the source around it.
        excerpt: String,
    },
    /// Terms or blocks lie so deep in one another that a parser, a validator or a driver could run out of its stack.
    #[error(
        "the kernel nests deeper than {most} levels in line {line}, counting operators of a term, brackets and `else`; give \
         parts of it a name with `let`, or use a loop, an array or a `switch`"
    )]
    TooDeep {
        /// The line that goes too deep, from one.
        line: usize,
        /// How deep kernels may nest.
        most: usize,
    },
    /// The source has no entry point for compute.
    #[error(
        "the kernel has no compute entry point; mark a function with `@compute @workgroup_size(64)`"
    )]
    NoEntry,
    /// The source has several entry points and none was chosen.
    #[error("the kernel has several entry points ({}); choose one with `.entry(name)`", found.join(", "))]
    SeveralEntries {
        /// Their names.
        found: Vec<String>,
    },
    /// No compute entry point has this name.
    #[error("the kernel has no compute entry point `{name}`; it has {}", found.join(", "))]
    UnknownEntry {
        /// The name that was asked for.
        name: String,
        /// The names there are.
        found: Vec<String>,
    },
    /// No `override` has this name.
    #[error("the kernel has no `override {name}`; it has {}", listed(found))]
    UnknownConstant {
        /// The name that was asked for.
        name: String,
        /// The names there are.
        found: Vec<String>,
    },
    /// An `override` without a default has no value.
    #[error(
        "`override {name}` has no default; give it a value with `.constant(\"{name}\", value)`"
    )]
    MissingConstant {
        /// The constant's name.
        name: String,
    },
    /// An `override` can't have the value.
    #[error("`override {name}` is a `{wgsl}`, which can't be {value}: give it {expected}")]
    ConstantValue {
        /// The constant's name.
        name: String,
        /// Its type in WGSL.
        wgsl: String,
        /// The value, in decimal.
        value: String,
        /// What it takes.
        expected: String,
    },
    /// The constants' values don't make a valid kernel.
    #[error("the constants don't fit the kernel: {message}")]
    Constants {
        /// What is wrong with them.
        message: String,
    },
    /// The entry point has no variable of this name.
    #[error("the kernel binds no `{name}`; it binds {}", listed(found))]
    UnknownBinding {
        /// The name that was asked for.
        name: String,
        /// The names there are.
        found: Vec<String>,
    },
    /// The entry point binds something that is neither a buffer nor a value.
    #[error(
        "`{name}` is a `{type_name}`: kernels bind buffers (`var<storage>`) and values (`var<uniform>`) only\n{excerpt}"
    )]
    UnsupportedBinding {
        /// The variable's name.
        name: String,
        /// Its type.
        type_name: String,
        /// The lines of the source that declare it.
        excerpt: String,
    },
    /// An access pattern was declared for a value.
    #[error(
        "`{name}` is a `var<uniform>`, which every device gets whole: it has no access pattern"
    )]
    AccessOfValue {
        /// The variable's name.
        name: String,
    },
    /// A pattern for reading was declared for a binding that is written.
    #[error(
        "the kernel writes `{name}`, so it can't be `{access}`: two devices could write the same element; \
         declare `OneToOne` or `Accumulate`, or nothing"
    )]
    WritesSharedElements {
        /// The variable's name.
        name: String,
        /// The pattern that was declared.
        access: Access,
    },
    /// The code does something else than was declared.
    #[error("{0}")]
    Contradicted(Box<Contradicted>),
    /// Blocks of units were declared that chunks would cut in two.
    #[error(
        "`{name}` is declared by blocks of {units} units, but chunks end anywhere between workgroups of {workgroup}; \
         declare blocks of {workgroup}"
    )]
    CutBlocks {
        /// The variable's name.
        name: String,
        /// Units of a block.
        units: u64,
        /// Units of a workgroup along the slowest dimension.
        workgroup: u64,
    },
    /// A binding that is never written was declared to accumulate.
    #[error("the kernel never writes `{name}`, so it can't be `{access}`")]
    AccumulatesNothing {
        /// The variable's name.
        name: String,
        /// The pattern that was declared.
        access: Access,
    },
    /// Integers that are the bits of floats were declared to be added.
    #[error(
        "`{name}` is made of `{element}`, but holds the bits of floats, which can't be `{access}`: those would be added as \
         integers; declare nothing, so that one device runs the dispatch, or collect a sum for each workgroup in an element \
         of its own, and add those\n{excerpt}"
    )]
    AccumulatesBits {
        /// The variable's name.
        name: String,
        /// The type of its elements.
        element: String,
        /// The pattern that was declared.
        access: Access,
        /// The lines of the source that set it to the bits of a float.
        excerpt: String,
    },
    /// The binding's elements can't be combined.
    #[error("`{name}` is made of `{element}`, which can't be `{access}`: {}", combinable(*access))]
    NotCombinable {
        /// The variable's name.
        name: String,
        /// The type of its elements.
        element: String,
        /// The pattern that was declared.
        access: Access,
    },
}

debug_is_message!(KernelError);

/// What an error says, and what each that caused it does.
pub(super) fn said(error: &(dyn Error + 'static)) -> String {
    let all = std::iter::successors(Some(error), |&error| error.source());
    let mut said: Vec<String> = all.map(ToString::to_string).collect();
    // One that only hands on another says the same.
    said.dedup();
    said.join(": ")
}

fn listed(found: &[String]) -> String {
    if found.is_empty() {
        "none".to_owned()
    } else {
        found.join(", ")
    }
}

fn combinable(access: Access) -> &'static str {
    match access {
        Access::Accumulate(Combine::Or | Combine::And) => "it takes u32 or i32, or atomics of them",
        _ => "it takes u32, i32 or f32, or atomics of them",
    }
}
