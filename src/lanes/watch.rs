//! Does the checks of a checked program, and keeps what they find.
//!
//! Sees what the lanes have at each check, workgroup after workgroup. Which checks there are is the affair of `check`, how
//! findings read that of the room `check`.
//!
//! Invariant: nothing that a program does depends on whether it is watched.

mod shadow;

use super::check::{By, Called, Check, Checks, Orders, Site, Update, Watched, What};
use super::op::Memory;
use super::{Bank, Block, Program};
use crate::check::{
    Between, Call, Does, Fault, Finding, Findings, Invocation, MOST_FINDINGS,
    Memory as SharedMemory, Misuse, Place, Touch, Value,
};
use crate::kernel::{Access as Pattern, BindingKind, Facts};
use crate::range::Chunk;
use crate::span::Span;
use shadow::{Record, Shadow};
use std::collections::HashMap;

/// What watches over one dispatch.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    checks: &'a Checks,
    facts: &'a Facts,
    accesses: &'a [Option<Pattern>],
    source: &'a str,
    chunk: Chunk,
    /// How many words each binding has.
    words: Vec<u32>,
    /// Workgroups along x and y.
    across: [u32; 2],
    /// The present workgroup, and its invocations.
    group: u32,
    live: u32,
    /// How many barriers it has come to that order a memory.
    workgroup_epoch: u32,
    storage_epoch: u32,
    barriers: u32,
    /// The present check, and what the lanes have.
    check: usize,
    seen: Vec<(u32, [u32; 3])>,
    /// Lanes whose present access has a fault already: an index, a pattern, a race.
    failed: Vec<Failed>,
    shared: Shadow,
    bound: Vec<Option<Shadow>>,
    /// Kept to be filled again without an allocation.
    raced: Vec<Record>,
    found: Vec<Finding>,
    known: HashMap<Key, usize>,
    more: u64,
}

/// An access of one number by one lane.
#[derive(Clone, Copy, Debug)]
struct Access {
    /// Where it is, in halves of words, and how many of them it takes.
    at: u64,
    halves: u32,
    lane: u32,
    does: Does,
    value: u32,
}

/// What was told of one access.
#[derive(Clone, Copy, Debug, Default)]
struct Failed {
    index: bool,
    pattern: bool,
    race: bool,
}

/// What makes findings the same: the kind of fault, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    kind: Kind,
    site: u32,
    other: u32,
}

impl Key {
    fn new(kind: Kind, site: u32) -> Self {
        Self {
            kind,
            site,
            other: 0,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Index,
    Pattern,
    Accumulation,
    Barrier,
    Uniform,
    Race(Between),
}

impl<'a> Watch<'a> {
    /// For a dispatch of a checked program over the whole of its range, with what it binds and the patterns of that.
    pub(crate) fn new(
        program: &'a Program,
        facts: &'a Facts,
        accesses: &'a [Option<Pattern>],
        source: &'a str,
        chunk: Chunk,
        banks: &[Bank],
    ) -> Option<Self> {
        let checks = program.checks.as_ref()?;
        let has_halves = |place: usize| {
            let is_it = |variable: &&Watched| variable.region.memory == Memory::Bound(place as u32);
            checks
                .variables
                .iter()
                .find(is_it)
                .is_some_and(|variable| variable.has_halves)
        };
        let shadow = |(place, bank): (usize, &Bank)| match facts.bindings[place].kind {
            BindingKind::Storage(usage) if usage.writes() => {
                let parts = if has_halves(place) { 2 } else { 1 };
                Some(Shadow::new(parts * bank.len))
            }
            _ => None,
        };
        let [x, y, _] = chunk.range.workgroups(facts.workgroup);
        Some(Self {
            checks,
            facts,
            accesses,
            source,
            chunk,
            words: banks.iter().map(|bank| bank.len as u32).collect(),
            across: [x as u32, y as u32],
            group: 0,
            live: 0,
            workgroup_epoch: 0,
            storage_epoch: 0,
            barriers: 0,
            check: 0,
            seen: Vec::new(),
            failed: vec![Failed::default(); program.lanes],
            shared: Shadow::new(program.shared_words),
            bound: banks.iter().enumerate().map(shadow).collect(),
            raced: Vec::new(),
            found: Vec::new(),
            known: HashMap::new(),
            more: 0,
        })
    }

    /// The next workgroup begins.
    pub(crate) fn enter(&mut self, block: &Block) {
        let [x, y] = self.across;
        let [i, j, k] = block.first;
        self.group = (k * y + j) * x + i;
        self.live = block.lanes as u32;
        (self.workgroup_epoch, self.storage_epoch, self.barriers) = (0, 0, 0);
        self.shared.clear();
    }

    /// What was found.
    pub(crate) fn findings(self) -> Option<Findings> {
        (!self.found.is_empty()).then(|| Findings {
            entry: self.facts.entry.clone(),
            found: self.found,
            more: self.more,
        })
    }

    /// A check begins.
    pub(super) fn begin(&mut self, check: u32) {
        self.check = check as usize;
        self.seen.clear();
        if self.checks.checks[self.check].begins {
            self.failed.fill(Failed::default());
        }
    }

    /// A lane comes to it with these operands.
    pub(super) fn see(&mut self, lane: u32, words: [u32; 3]) {
        self.seen.push((lane, words));
    }

    /// All lanes that come have come.
    pub(super) fn end(&mut self) {
        let checks = self.checks;
        let Check { what, site, .. } = &checks.checks[self.check];
        match what {
            What::Index { of, is_signed } => self.index(of, *is_signed, *site),
            What::Touch {
                variable,
                first,
                half,
                halves,
                does,
                update,
            } => {
                let variable = &checks.variables[*variable as usize];
                for i in 0..self.seen.len() {
                    let (lane, [place, value, more]) = self.seen[i];
                    let first = u64::from(place.wrapping_add(*first));
                    let access = Access {
                        at: 2 * first + u64::from(*half) + u64::from(more),
                        halves: *halves,
                        lane,
                        does: *does,
                        value,
                    };
                    self.touch(variable, access, *update, *site);
                }
            }
            What::Barrier {
                name,
                orders,
                is_second,
            } => self.barrier(name, *orders, *is_second, *site),
            What::Uniform { variable, first } => {
                let variable = &checks.variables[*variable as usize];
                self.uniform(variable, *first, *site);
            }
        }
    }

    fn index(&mut self, of: &Called, is_signed: bool, site: u32) {
        for i in 0..self.seen.len() {
            let (lane, [index, len, _]) = self.seen[i];
            if index < len {
                continue;
            }
            self.failed[lane as usize].index = true;
            let key = Key::new(Kind::Index, site);
            if self.is_told(key) {
                continue;
            }
            let index = if is_signed {
                i64::from(index as i32)
            } else {
                i64::from(index)
            };
            let indexed = match of {
                Called::Name(name) => name.clone(),
                Called::Bytes(start, end) => text(self.source, *start, *end),
            };
            self.tell(
                key,
                lane,
                Fault::OutOfBounds {
                    indexed,
                    index,
                    len,
                },
            );
        }
    }

    fn touch(&mut self, variable: &Watched, access: Access, update: Option<Update>, site: u32) {
        let first = variable.region.first;
        let words = match variable.region.memory {
            Memory::Bound(bound) => self.words[bound as usize],
            _ => first + variable.region.words.unwrap_or(0),
        };
        let is_inside = (2 * u64::from(first)..2 * u64::from(words)).contains(&access.at);
        // What lies outside is told by the index that leads there, and neither read nor written.
        if self.failed[access.lane as usize].index || !is_inside {
            return;
        }
        if let Memory::Bound(bound) = variable.region.memory {
            self.pattern(bound as usize, variable, access, site);
            self.accumulation(bound as usize, access, update, site);
        }
        self.race(variable, access);
    }

    /// Whether the declared pattern of a binding gives the number to the invocation.
    fn pattern(&mut self, bound: usize, variable: &Watched, access: Access, site: u32) {
        let lane = access.lane;
        let declared = match self.accesses[bound] {
            None | Some(Pattern::All | Pattern::Accumulate(_)) => return,
            Some(declared) => declared,
        };
        if self.failed[lane as usize].pattern {
            return;
        }
        let layout = &self.facts.bindings[bound].layout;
        let is_array = layout.type_name != layout.element.type_name;
        let halves = if is_array {
            (layout.element.stride / 2).max(1)
        } else {
            2
        };
        let extent = self.chunk.range.extents()[self.chunk.slowest];
        // Invocations past the range are always run with the last of it.
        let unit = u64::from(self.invocation(self.group, lane).global[self.chunk.slowest]);
        let unit = unit.min(extent - 1);
        // Chunks end between workgroups, so what is given to one invocation is given to all of its workgroup.
        let size = u64::from(self.facts.workgroup[self.chunk.slowest]);
        let first = unit / size * size;
        let own = Span::new(first, (first + size).min(extent));
        let all = 2 * u64::from(self.words[bound]);
        let per_unit = (all / extent).max(1);
        // Patterns of units are looked at in units, so that an element may be shared among them; others in elements.
        let (place, count, scale) = match declared {
            Pattern::Strided(_) => {
                let halves = (layout.element.stride / 2).max(1);
                (access.at / halves, all / halves, halves)
            }
            _ => (access.at / per_unit, extent, per_unit),
        };
        let Ok(pieces) = declared.pieces(own, extent, count) else {
            return;
        };
        let is_own = |piece: &Span| piece.contains(Span::new(place, place + 1));
        if pieces.iter().any(is_own) {
            return;
        }
        self.failed[lane as usize].pattern = true;
        let touched = access.at / per_unit;
        let before = own.start.saturating_sub(touched);
        let reach = before.max((touched + 1).saturating_sub(own.end));
        let allowed = pieces.first().copied().unwrap_or_default();
        let allowed = allowed.scaled(scale);
        let key = Key::new(Kind::Pattern, site);
        if self.is_told(key) {
            if let Some(known) = self.known.get(&key)
                && let Fault::OutsidePattern { reach: most, .. } = &mut self.found[*known].fault
            {
                *most = reach.max(*most);
            }
            return;
        }
        let fault = Fault::OutsidePattern {
            binding: variable.name.clone(),
            declared,
            does: access.does,
            touched: name(variable, access.at).0,
            element: access.at / halves,
            allowed: Span::new(allowed.start / halves, allowed.end.div_ceil(halves)),
            units: own,
            elements_per_unit: (per_unit / halves).max(1),
            reach,
            is_written: self.bound[bound].is_some(),
        };
        self.tell(key, lane, fault);
    }

    /// Whether an operation on what accumulates is the one that was declared.
    fn accumulation(&mut self, bound: usize, access: Access, update: Option<Update>, site: u32) {
        let Some(Pattern::Accumulate(declared)) = self.accesses[bound] else {
            return;
        };
        let why = match (access.does, update) {
            (Does::AtomicWrite, _) => Misuse::Overwrites,
            (_, Some(update)) => match update.by {
                By::Exchange => Misuse::Overwrites,
                By::Xor => Misuse::Combines("exclusive or"),
                By::Combine(combine) if combine != declared => Misuse::Combines(combine.words()),
                By::Combine(_) if update.uses_old => Misuse::UsesOld,
                _ => return,
            },
            _ => return,
        };
        let key = Key::new(Kind::Accumulation, site);
        if self.is_told(key) {
            return;
        }
        let binding = self.facts.bindings[bound].name.clone();
        let fault = Fault::NotAccumulated {
            binding,
            declared,
            why,
        };
        self.tell(key, access.lane, fault);
    }

    /// Whether the access races with one that was made before.
    fn race(&mut self, variable: &Watched, access: Access) {
        let (memory, epoch) = match variable.region.memory {
            Memory::Bound(_) => (SharedMemory::Storage, self.storage_epoch),
            _ => (SharedMemory::Workgroup, self.workgroup_epoch),
        };
        let new = Record {
            next: 0,
            group: self.group,
            epoch,
            barriers: self.barriers,
            check: self.check as u32,
            value: access.value,
            lane: access.lane as u16,
            does: access.does,
        };
        let shadow = match variable.region.memory {
            Memory::Bound(bound) => self.bound[bound as usize].as_mut(),
            _ => Some(&mut self.shared),
        };
        let mut raced = std::mem::take(&mut self.raced);
        raced.clear();
        if let Some(shadow) = shadow {
            // Numbers of half a word are remembered one by one, all others by their words.
            let at = access.at as usize;
            let places = match variable.has_halves {
                true => at..at + access.halves as usize,
                false => at / 2..at / 2 + 1,
            };
            for place in places {
                shadow.touch(place, new, &mut raced);
            }
        }
        // An access of several words is told of once.
        let failed = &mut self.failed[access.lane as usize];
        if !raced.is_empty() && !std::mem::replace(&mut failed.race, true) {
            for old in &raced {
                self.raced(variable, access.at, memory, *old, new);
            }
        }
        self.raced = raced;
    }

    fn raced(
        &mut self,
        variable: &Watched,
        at: u64,
        memory: SharedMemory,
        old: Record,
        new: Record,
    ) {
        let between = if old.group == new.group {
            Between::Invocations
        } else {
            Between::Workgroups
        };
        let checks = self.checks;
        let site = |record: Record| checks.checks[record.check as usize].site;
        // In the order of the source; if both are at the same place the write comes first.
        let order = |record: Record| {
            let site = site(record);
            (
                checks.sites[site as usize].bytes,
                !record.does.writes(),
                site,
            )
        };
        let (one, other) = if order(old) <= order(new) {
            (old, new)
        } else {
            (new, old)
        };
        let (site, other_site) = (site(one), site(other));
        let key = Key {
            other: site.max(other_site),
            ..Key::new(Kind::Race(between), site.min(other_site))
        };
        if self.is_told(key) {
            return;
        }
        let (touched, scalar) = name(variable, at);
        let touch = |record: Record| Touch {
            does: record.does,
            invocation: self.invocation(record.group, u32::from(record.lane)),
            value: Value {
                bits: record.value,
                scalar,
            },
        };
        let (one, other) = (touch(one), touch(other));
        let fault = Fault::Race {
            touched,
            between,
            memory,
            is_other_barrier: old.barriers != new.barriers,
            one,
            other,
            other_place: self.place(other_site),
        };
        self.add(key, site, one.invocation, fault);
    }

    fn barrier(&mut self, name: &'static str, orders: Orders, is_second: bool, site: u32) {
        self.workgroup_epoch += u32::from(orders.workgroup);
        self.storage_epoch += u32::from(orders.storage);
        self.barriers += 1;
        let came = self.seen.len() as u32;
        if is_second || came == 0 || came == self.live {
            return;
        }
        // Lanes come in their order: the first that isn't where it would be is missing.
        let lanes = self.seen.iter().map(|(lane, _)| *lane);
        let absent = lanes
            .zip(0..)
            .find(|(lane, place)| lane != place)
            .map_or(came, |(_, place)| place);
        let key = Key::new(Kind::Barrier, site);
        if self.is_told(key) {
            return;
        }
        let fault = Fault::DivergentBarrier {
            barrier: name,
            came,
            of: self.live,
            absent: self.invocation(self.group, absent),
        };
        self.tell(key, self.seen[0].0, fault);
    }

    fn uniform(&mut self, variable: &Watched, first: u32, site: u32) {
        let Some(&(lane, [place, ..])) = self.seen.first() else {
            return;
        };
        let Some(&(other, [differs, ..])) =
            self.seen.iter().find(|(_, [other, ..])| *other != place)
        else {
            return;
        };
        let key = Key::new(Kind::Uniform, site);
        if self.is_told(key) {
            return;
        }
        let called = |place: u32| name(variable, 2 * u64::from(place.wrapping_add(first))).0;
        let fault = Fault::NotUniform {
            loads: called(place),
            other_loads: called(differs),
            other: self.invocation(self.group, other),
        };
        self.tell(key, lane, fault);
    }

    fn invocation(&self, group: u32, lane: u32) -> Invocation {
        let [x, y] = self.across;
        let [width, height, _] = self.facts.workgroup;
        let workgroup = [group % x, group / x % y, group / x / y];
        let local = [lane % width, lane / width % height, lane / width / height];
        let global = std::array::from_fn(|axis| {
            let first = workgroup[axis].wrapping_mul(self.facts.workgroup[axis]);
            first.wrapping_add(local[axis])
        });
        Invocation {
            global,
            local,
            workgroup,
        }
    }

    fn place(&self, site: u32) -> Place {
        let Site {
            bytes: (start, end),
            calls,
        } = &self.checks.sites[site as usize];
        let call = |(function, start): &(String, u32)| {
            Call::new(self.source, *start as usize, function.clone())
        };
        let calls = calls.iter().map(call).collect();
        Place::new(self.source, *start as usize, *end as usize, calls)
    }

    /// Counts a fault that is known, or that there is no room for.
    fn is_told(&mut self, key: Key) -> bool {
        if let Some(known) = self.known.get(&key) {
            self.found[*known].times += 1;
            return true;
        }
        let is_full = self.found.len() == MOST_FINDINGS;
        self.more += u64::from(is_full);
        is_full
    }

    fn tell(&mut self, key: Key, lane: u32, fault: Fault) {
        let invocation = self.invocation(self.group, lane);
        self.add(key, key.site, invocation, fault);
    }

    fn add(&mut self, key: Key, site: u32, invocation: Invocation, fault: Fault) {
        self.known.insert(key, self.found.len());
        self.found.push(Finding {
            fault,
            place: self.place(site),
            invocation,
            times: 1,
        });
    }
}

/// What the source would call what lies at a place, in halves of words, and what it is.
fn name(variable: &Watched, at: u64) -> (String, crate::check::Scalar) {
    let mut path = variable.name.clone();
    let at = at.saturating_sub(2 * u64::from(variable.region.first));
    let scalar = variable.shape.path(at, &mut path);
    (path, scalar)
}

/// The text of some bytes of a source, on one line.
fn text(source: &str, start: u32, end: u32) -> String {
    let text = source.get(start as usize..end as usize).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
