//! What scripted devices take for a part of the range, and the partition by which all of them end together.
//!
//! Knows what no runtime does: the scripts. Copies are counted as a device does them that keeps what it has; the way of
//! bytes from one device to another is through the host.
//!
//! Invariant: chunks are in the order of the devices, cover the range, and begin at workgroups.

use super::lanes::workloads::{Bound, Pass};
use super::reference;
use super::workloads::Workload;
use divvy::Access;
use divvy::kernel::{BindingKind, Pattern};
use std::ops::Range;
use std::sync::Arc;

/// What a scripted device is like.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    pub is_host: bool,
    pub items_per_second: f64,
    pub bytes_per_second: f64,
    pub overhead_seconds: f64,
}

/// What the data is like when an iteration begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// All of it is in the host's memory, and the answer is to be there at the end.
    AllHome,
    /// Each device has what it computed in the iteration before.
    Settled,
}

/// What invocations cost, by kernel and place.
#[derive(Clone, Debug)]
pub struct Costs(Vec<(String, Arc<[f64]>)>);

impl Costs {
    pub fn new(workload: &Workload) -> Self {
        Self(reference::costs(workload))
    }

    pub fn of_kernels(&self) -> Vec<(String, Arc<[f64]>)> {
        self.0.clone()
    }

    /// Of an iteration.
    pub fn whole(&self, workload: &Workload) -> f64 {
        let passes = workload.turns[0].passes.iter();
        let whole = 0..workload.extent();
        passes.map(|pass| self.of(workload, pass, &whole)).sum()
    }

    /// Of a part of the range in a pass.
    fn of(&self, workload: &Workload, pass: &Pass, units: &Range<usize>) -> f64 {
        let invocations = pass.range.iter().product::<usize>() as f64;
        let (extent, facts) = (workload.extent() as f64, facts(workload, pass));
        let Some((_, costs)) = self.0.iter().find(|(entry, _)| *entry == facts.entry) else {
            return invocations * units.len() as f64 / extent;
        };
        let scale = costs.len() as f64 / extent;
        let (start, end) = (units.start as f64 * scale, units.end as f64 * scale);
        let inside = |i: usize| (end.min(i as f64 + 1.0) - start.max(i as f64)).max(0.0);
        let parts = start as usize..costs.len().min(end.ceil() as usize);
        parts.map(|i| costs[i] * inside(i)).sum::<f64>() * invocations / costs.len() as f64
    }
}

fn facts<'a>(workload: &'a Workload, pass: &Pass) -> &'a divvy::kernel::Facts {
    workload.kernels[pass.kernel]
        .facts()
        .expect("it is complete")
}

/// A workload on scripted devices.
pub struct Model<'a> {
    pub workload: &'a Workload,
    pub costs: &'a Costs,
    pub specs: &'a [Spec],
    /// Of each kernel.
    pub patterns: &'a [Vec<Pattern>],
    pub before: Before,
}

impl Model<'_> {
    /// Seconds of an iteration with these chunks; a device whose chunk is empty takes none.
    pub fn seconds(&self, device: usize, units: &Range<usize>) -> f64 {
        if units.is_empty() {
            return 0.0;
        }
        let spec = &self.specs[device];
        let (mut seconds, mut touched) = (0.0, Vec::new());
        for pass in &self.workload.turns[0].passes {
            let cost = self.costs.of(self.workload, pass, units);
            seconds += spec.overhead_seconds + cost / spec.items_per_second;
            if !spec.is_host {
                let (bytes, copies) = self.copied(pass, units, &mut touched);
                seconds += bytes / spec.bytes_per_second + copies as f64 * spec.overhead_seconds;
            }
        }
        if self.before == Before::AllHome && !spec.is_host {
            let answer = self.workload.answer(1);
            let part = units.len() as f64 / self.workload.extent() as f64;
            // What is accumulated is home already.
            let is_home = self.accumulates(answer);
            let bytes = if is_home {
                0.0
            } else {
                self.bytes(answer) * part
            };
            seconds += bytes / spec.bytes_per_second + spec.overhead_seconds;
        }
        seconds
    }

    /// Bytes that a device copies for a pass, to it and from it, and in how many copies.
    fn copied(&self, pass: &Pass, units: &Range<usize>, touched: &mut Vec<usize>) -> (f64, usize) {
        let extent = self.workload.extent();
        let part = units.len() as f64 / extent as f64;
        let ends_with_others = |access: Access| match access {
            Access::Wrapped(_) if units.len() < extent => 2,
            Access::Wrapped(_) => 0,
            _ => usize::from(units.start > 0) + usize::from(units.end < extent),
        };
        let facts = facts(self.workload, pass);
        let (mut bytes, mut copies) = (0.0, 0);
        let mut add = |more: f64, count: usize| {
            if more > 0.0 {
                bytes += more;
                copies += count;
            }
        };
        for (name, bound) in &pass.bound {
            let Bound::Buffer(at) = *bound else { continue };
            let place = facts.find(name).expect("it is bound by its name");
            let BindingKind::Storage(_) = facts.bindings[place].kind else {
                continue;
            };
            let whole = self.bytes(at);
            let access = self.access(pass, name);
            let is_first = !touched.contains(&at);
            touched.push(at);
            let ends = ends_with_others(access);
            let halo = |rows: u64| whole / extent as f64 * rows as f64 * ends as f64;
            match (access, self.before) {
                // The private copy comes home.
                (Access::Accumulate(_), _) => add(whole, 2),
                (Access::OneToOne | Access::Strided(_), Before::AllHome) if is_first => {
                    add(whole * part, 1);
                }
                (Access::Neighborhood(rows) | Access::Wrapped(rows), Before::AllHome)
                    if is_first =>
                {
                    add(whole * part + halo(rows), 1);
                }
                (Access::All, Before::AllHome) if is_first => add(whole, 1),
                // What others changed comes in, and what they need goes out.
                (Access::Neighborhood(rows) | Access::Wrapped(rows), _) if self.changes(at) => {
                    add(2.0 * halo(rows), 2 * ends);
                }
                (Access::All, _) if self.changes(at) => {
                    add(whole * (1.0 - part), 1);
                    add(if part < 1.0 { whole * part } else { 0.0 }, 1);
                }
                _ => {}
            }
        }
        (bytes, copies)
    }

    fn bytes(&self, buffer: usize) -> f64 {
        4.0 * self.workload.buffers[buffer].1.len() as f64
    }

    /// Whether a kernel writes the buffer.
    fn changes(&self, buffer: usize) -> bool {
        self.binds(
            buffer,
            |kind, _| matches!(kind, BindingKind::Storage(usage) if usage.writes()),
        )
    }

    fn accumulates(&self, buffer: usize) -> bool {
        self.binds(buffer, |_, access| matches!(access, Access::Accumulate(_)))
    }

    fn access(&self, pass: &Pass, name: &str) -> Access {
        let mut patterns = self.patterns[pass.kernel].iter();
        let pattern = patterns.find(|pattern| pattern.binding == name);
        pattern
            .and_then(|pattern| pattern.access)
            .unwrap_or(Access::All)
    }

    fn binds(&self, buffer: usize, is_so: impl Fn(BindingKind, Access) -> bool) -> bool {
        let turns = self.workload.turns.iter();
        turns.flat_map(|turn| &turn.passes).any(|pass| {
            let facts = facts(self.workload, pass);
            pass.bound.iter().any(|(name, bound)| {
                let place = facts.find(name).expect("it is bound by its name");
                matches!(bound, Bound::Buffer(at) if *at == buffer)
                    && is_so(facts.bindings[place].kind, self.access(pass, name))
            })
        })
    }

    /// Units that each chunk begins and ends at a multiple of.
    fn grain(&self) -> usize {
        let pass = &self.workload.turns[0].passes[0];
        let [x, y, _] = facts(self.workload, pass).workgroup;
        if pass.range[1] > 1 {
            y as usize
        } else {
            x as usize
        }
    }

    /// The least seconds that any partition takes, and the chunks of one that does.
    pub fn optimum(&self) -> (f64, Vec<Range<usize>>) {
        let whole = 0..self.workload.extent();
        let alone = (0..self.specs.len()).map(|device| (device, self.seconds(device, &whole)));
        let (single, mut high) = alone
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .expect("a machine has devices");
        let mut best = vec![0..0; self.specs.len()];
        best[single] = whole;
        let mut low = 0.0;
        for _ in 0..50 {
            let middle = 0.5 * (low + high);
            match self.within(middle) {
                Some(chunks) => (best, high) = (chunks, middle),
                None => low = middle,
            }
        }
        (high, best)
    }

    /// The shares of that partition.
    pub fn shares(&self) -> Vec<f64> {
        let extent = self.workload.extent() as f64;
        let (_, chunks) = self.optimum();
        chunks
            .iter()
            .map(|chunk| chunk.len() as f64 / extent)
            .collect()
    }

    /// Chunks with which no device takes longer than so many seconds, if there are any: as much as it can for each device
    /// in turn.
    fn within(&self, seconds: f64) -> Option<Vec<Range<usize>>> {
        let (extent, grain) = (self.workload.extent(), self.grain());
        let mut start = 0;
        let chunks = (0..self.specs.len()).map(|device| {
            let (mut fits, mut exceeds) = (0, (extent - start).div_ceil(grain) + 1);
            while fits + 1 < exceeds {
                let middle = usize::midpoint(fits, exceeds);
                let end = (start + middle * grain).min(extent);
                if self.seconds(device, &(start..end)) <= seconds {
                    fits = middle;
                } else {
                    exceeds = middle;
                }
            }
            let chunk = start..(start + fits * grain).min(extent);
            start = chunk.end;
            chunk
        });
        let chunks: Vec<_> = chunks.collect();
        (start == extent).then_some(chunks)
    }
}
