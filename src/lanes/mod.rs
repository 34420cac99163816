//! WGSL on the CPU: kernels as programs over lanes.
//!
//! The invocations of a block, neighbours along x or a workgroup, are lanes: each value is an array with a word for each
//! of them, control flow is masks, and every operation is done for all lanes before the next begins. Which blocks there
//! are and which threads run them is the device's affair.
//!
//! Invariant: a program touches no address outside of what its kernel binds.

mod build;
mod cache;
mod check;
#[cfg(target_arch = "x86_64")]
mod compile;
mod functions;
mod jumps;
mod lower;
mod math;
mod math_words;
mod number;
mod op;
mod place;
#[cfg(test)]
mod print;
mod processor;
mod run;
mod shape;
mod subgroup;
mod tidy;
mod value;
mod watch;
mod wide;
mod wide_atomic;

pub(crate) use cache::cache_bytes;
pub(crate) use lower::Layout;
pub(crate) use processor::Level;
pub(crate) use run::{Bank, Machine};
pub(crate) use watch::Watch;

use crate::kernel::{Facts, excerpt};
use crate::stack::deep;
use build::Region;
use naga::{AddressSpace, Statement};
use op::{Code, Held, Input, Memory};
use run::{CHUNK, Step};
use std::collections::HashMap;

/// Why a kernel can't run as lanes.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("the CPU can't run {what} yet: give the kernel a native body with `.native(closure)`")]
pub(crate) struct Unsupported {
    what: String,
    place: Option<naga::Span>,
}

impl Unsupported {
    fn new(what: String) -> Self {
        Self { what, place: None }
    }

    /// With its place in the source, unless a nearer one is known.
    fn at(mut self, place: naga::Span) -> Self {
        if place.is_defined() {
            self.place.get_or_insert(place);
        }
        self
    }

    /// The message, and the lines of the kernel's source that it is about.
    pub(crate) fn in_source(&self, source: &str) -> String {
        self.placed(self.to_string(), source)
    }

    /// The same, of checked mode, which native bodies are no help to.
    pub(crate) fn in_checked_source(&self, source: &str) -> String {
        self.placed(format!("checked mode can't run {} yet", self.what), source)
    }

    fn placed(&self, message: String, source: &str) -> String {
        match self.place {
            Some(place) => format!("{message}\n{}", excerpt(source, place)),
            None => message,
        }
    }
}

/// A kernel as lanes.
#[derive(Debug)]
pub(crate) struct Program {
    /// What is done before the first block, and for each.
    once: Vec<Step>,
    steps: Vec<Step>,
    /// Bytes of registers.
    bytes: usize,
    /// What is the same for all blocks, by the place of its register.
    settled: Vec<(usize, Held)>,
    /// What is told to each block.
    inputs: Vec<(usize, Input)>,
    /// How deep loops are that narrow the lanes.
    windows: usize,
    /// Lanes of a block.
    pub(crate) lanes: usize,
    pub(crate) layout: Layout,
    pub(crate) workgroup: [u32; 3],
    shared_words: usize,
    own_words: usize,
    #[cfg(target_arch = "x86_64")]
    compiled: Option<compile::Compiled>,
    /// What a checked program checks.
    checks: Option<check::Checks>,
    #[cfg(test)]
    text: String,
    /// How often the module was walked through.
    #[cfg(test)]
    walks: u32,
}

/// What one block does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    /// The first invocation of a row, or the workgroup's id.
    pub(crate) first: [u32; 3],
    /// Lanes that are invocations; the others do nothing that is seen.
    pub(crate) lanes: usize,
}

/// Lanes of a row: as many of these as the nearest memory has room for the registers of.
const ROW_LANES: [usize; 5] = [1024, 512, 256, 128, 64];
const NEAR_BYTES: usize = 16 << 10;
/// Rows shorter than this run as workgroups.
const SHORT_ROW: u64 = 32;
/// The most words of a buffer that lanes can be given: places are words of 32 bits, and what gathers takes them as signed.
pub(crate) const MOST_BOUND_WORDS: usize = i32::MAX as usize;
/// The most words of workgroup memory.
pub(crate) const MOST_SHARED_WORDS: u32 = 4 << 20;
/// The most invocations of a workgroup.
pub(crate) const MOST_INVOCATIONS: u32 = 4096;

impl Program {
    /// Whether rows of this extent along x are too short to fill a block while the kernel's workgroups have more of them.
    pub(crate) fn is_short(facts: &Facts, extent: u64) -> bool {
        extent < SHORT_ROW && (facts.workgroup[1] > 1 || facts.workgroup[2] > 1)
    }

    /// What blocks are to be.
    fn layout(facts: &Facts, is_short: bool) -> Layout {
        let module = facts.module();
        let entry = facts.entry_index();
        let uses_workgroup = module
            .global_variables
            .iter()
            .any(|(_, variable)| variable.space == AddressSpace::WorkGroup)
            || module
                .functions
                .iter()
                .any(|(_, function)| waits(&function.body))
            || waits(&module.entry_points[entry].function.body)
            || asks_for_subgroup(module, &module.entry_points[entry].function);
        if uses_workgroup || is_short {
            Layout::Workgroup
        } else {
            Layout::Row
        }
    }

    /// The program of a kernel, for rows that are short or not.
    pub(crate) fn new(facts: &Facts, is_short: bool) -> Result<Self, Unsupported> {
        deep(|| Self::lowered(facts, Self::layout(facts, is_short), false))
    }

    /// The program of a kernel that checks every access. Blocks are workgroups.
    pub(crate) fn checked(facts: &Facts) -> Result<Self, Unsupported> {
        deep(|| Self::lowered(facts, Layout::Workgroup, true))
    }

    fn lowered(facts: &Facts, layout: Layout, is_checked: bool) -> Result<Self, Unsupported> {
        let (module, info) = (facts.module(), facts.info());
        let entry = facts.entry_index();
        let invocations = facts.workgroup.iter().product::<u32>();
        if layout == Layout::Workgroup && invocations > MOST_INVOCATIONS {
            return Err(Unsupported::new(format!(
                "workgroups of {invocations} invocations, more than {MOST_INVOCATIONS},"
            )));
        }
        let lanes: &[usize] = match layout {
            Layout::Row => &ROW_LANES,
            Layout::Workgroup => &[(invocations as usize).next_multiple_of(CHUNK)],
        };
        let mut memories = HashMap::new();
        let mut shared_words = 0;
        for (handle, variable) in module.global_variables.iter() {
            if variable.space == AddressSpace::WorkGroup {
                let inner = &module.types[variable.ty].inner;
                // Looked at first, as counting the words of a type takes time for each of its members.
                let is_large = inner.size(module.to_ctx()) > 4 * MOST_SHARED_WORDS;
                let words = if is_large {
                    u32::MAX
                } else {
                    shape::count(module, inner)?
                };
                if words > MOST_SHARED_WORDS - shared_words {
                    let what = format!("more than {MOST_SHARED_WORDS} words of workgroup memory");
                    let place = module.global_variables.get_span(handle);
                    return Err(Unsupported::new(what).at(place));
                }
                let region = Region {
                    memory: Memory::Shared,
                    first: shared_words,
                    words: Some(words),
                };
                memories.insert(handle, region);
                shared_words += words.next_multiple_of(4);
            }
            if let Some(place) = &variable.binding {
                let is_it = |binding: &crate::kernel::Binding| {
                    binding.group == place.group && binding.binding == place.binding
                };
                if let Some(place) = facts.bindings.iter().position(is_it) {
                    let region = Region {
                        memory: Memory::Bound(place as u32),
                        first: 0,
                        words: None,
                    };
                    memories.insert(handle, region);
                }
            }
        }
        // What is checked is loaded where the source loads it, and not before.
        let is_settled = |one: &crate::kernel::Binding| !one.writable && !is_checked;
        let settled: Vec<bool> = facts.bindings.iter().map(is_settled).collect();
        let lowered = lower::lower(module, info, entry, layout, &memories, &settled, is_checked)?;
        let mut builder = lowered.builder;
        let mut ops = std::mem::take(&mut builder.first);
        ops.append(&mut builder.ops);
        let (held, mut once) = (builder.held, builder.once);
        jumps::straighten(&mut ops);
        tidy::tidy(&mut once, &mut ops, &held);
        #[cfg(test)]
        let text = print::text(&once, &ops, &held);
        let places = |lanes: &usize| (*lanes, place::places(&once, &ops, &held, *lanes));
        #[cfg(target_arch = "x86_64")]
        let near = |lanes: usize, places: &place::Places| {
            compile::bytes_between_stretches(&ops, &held, places, lanes).unwrap_or(places.bytes)
        };
        #[cfg(not(target_arch = "x86_64"))]
        let near = |_: usize, places: &place::Places| places.bytes;
        let (lanes, places) = lanes
            .iter()
            .map(places)
            .find(|(lanes, places)| {
                layout == Layout::Workgroup
                    || Some(lanes) == ROW_LANES.last()
                    || near(*lanes, places) <= NEAR_BYTES
            })
            .ok_or_else(|| Unsupported::new("blocks without lanes".to_owned()))?;
        let is_used = |(at, held): (&usize, &Held)| (*at != usize::MAX).then_some((*at, *held));
        let (mut settled, mut inputs) = (Vec::new(), Vec::new());
        for (at, held) in places.at.iter().zip(&held).filter_map(is_used) {
            match held {
                Held::Input(input) if !input.is_settled() => inputs.push((at, input)),
                Held::Class(_) => {}
                _ => settled.push((at, held)),
            }
        }
        let depth = |op: &op::Op| match op.code {
            Code::Narrow => op.offset as usize,
            _ => 0,
        };
        #[cfg(target_arch = "x86_64")]
        let source = compile::Source {
            once: &once,
            ops: &ops,
            held: &held,
            places: &places,
            lanes,
            workgroup: facts.workgroup,
            shared_words,
            own_words: lowered.own_words,
        };
        // Checks are done by the interpreter, and they are what takes the time.
        #[cfg(target_arch = "x86_64")]
        let compiled = match is_checked {
            true => None,
            false => compile::Compiled::new(&source),
        };
        Ok(Self {
            #[cfg(target_arch = "x86_64")]
            compiled,
            once: run::steps(&once, &held, &places),
            steps: run::steps(&ops, &held, &places),
            bytes: places.bytes.max(64),
            settled,
            inputs,
            windows: ops.iter().map(depth).max().unwrap_or(0),
            lanes,
            layout,
            workgroup: facts.workgroup,
            shared_words: shared_words as usize,
            own_words: lowered.own_words as usize,
            checks: lowered.checks,
            #[cfg(test)]
            text,
            #[cfg(test)]
            walks: lowered.walks,
        })
    }
}

/// Whether an entry point is told its place in a subgroup.
fn asks_for_subgroup(module: &naga::Module, function: &naga::Function) -> bool {
    use naga::{Binding, BuiltIn};
    let is_of_subgroup = |binding: &Option<Binding>| {
        matches!(
            binding,
            Some(Binding::BuiltIn(
                BuiltIn::SubgroupId | BuiltIn::SubgroupInvocationId | BuiltIn::NumSubgroups
            ))
        )
    };
    function.arguments.iter().any(|argument| {
        let members = match &module.types[argument.ty].inner {
            naga::TypeInner::Struct { members, .. } => members.as_slice(),
            _ => &[],
        };
        is_of_subgroup(&argument.binding)
            || members.iter().any(|member| is_of_subgroup(&member.binding))
    })
}

/// Whether a block waits for others of its workgroup, or does something together with them.
fn waits(block: &naga::Block) -> bool {
    block.iter().any(|statement| match statement {
        Statement::ControlBarrier(_)
        | Statement::WorkGroupUniformLoad { .. }
        | Statement::SubgroupBallot { .. }
        | Statement::SubgroupCollectiveOperation { .. }
        | Statement::SubgroupGather { .. } => true,
        Statement::Block(block) => waits(block),
        Statement::If { accept, reject, .. } => waits(accept) || waits(reject),
        Statement::Loop {
            body, continuing, ..
        } => waits(body) || waits(continuing),
        Statement::Switch { cases, .. } => cases.iter().any(|case| waits(&case.body)),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    mod atomics;
    mod control;
    mod harness;
    mod kinds;
    mod memory;
    mod mutants;
    mod programs;
    mod rounds;
    mod size;
    mod subgroups;
    mod texts;
    mod values;

    use super::*;
    use crate::kernel::Kernel;

    #[test]
    #[ignore = "for people: prints the program of the file in WGSL, and writes the instructions to the one in CODE"]
    fn print_a_program() {
        let file = std::env::var("WGSL").expect("a file is named");
        let wgsl = std::fs::read_to_string(file).expect("it is there");
        let kernel = Kernel::from_wgsl(&wgsl).expect("it is valid");
        let facts = kernel.facts().expect("it is complete");
        let program = Program::new(facts, false).expect("lanes run it");
        println!(
            "{}\nlanes {} bytes {}",
            program.text, program.lanes, program.bytes
        );
        #[cfg(target_arch = "x86_64")]
        if let (Ok(file), Some(compiled)) = (std::env::var("CODE"), &program.compiled) {
            // For `objdump -D -b binary -m i386:x86-64`.
            std::fs::write(file, compiled.bytes()).expect("it can be written");
        }
    }
}
