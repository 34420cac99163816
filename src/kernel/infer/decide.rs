//! From the sites of a run to access patterns.
//!
//! Decides for each buffer which pattern covers all that is done with it; where sites come from is the affair of the
//! machine.
//!
//! Invariant: a pattern that comes out of here covers every site of its buffer, and one of a buffer that is written gives
//! no element to two chunks.

use super::form::Form;
use super::machine::Machine;
use super::path::{Path, gcd};
use super::sites::{Does, Index, Site};
use super::{Contradiction, Why};
use crate::kernel::access::{Access, Combine, Strided, Word};
use crate::span::Span;

/// More elements than any buffer has.
const ALL: i64 = 1 << 62;

/// A buffer, and the sites that touch it.
pub(super) struct Touched<'a> {
    pub(super) sites: Vec<&'a Site>,
    /// Elements of the buffer.
    pub(super) len: u64,
    pub(super) is_written: bool,
    pub(super) word: Option<Word>,
}

/// Which pattern holds; what stands in the way of a better one.
pub(super) type Verdict = Result<Access, (Option<Access>, naga::Span, Why)>;

/// How far from its own elements a unit reaches, in units.
struct Reach {
    units: i128,
    wraps: bool,
}

/// What a workgroup touches, relative to a multiple of its number.
#[derive(Clone, Copy)]
struct Window {
    /// How many workgroups are taken for one.
    groups: i128,
    stride: i128,
    low: i128,
    high: i128,
}

impl Window {
    fn width(&self) -> i128 {
        self.high - self.low + 1
    }

    /// Elements that a workgroup touches besides as many as there are for each.
    fn excess(&self) -> i128 {
        (self.width() - self.stride.abs()).max(0)
    }

    /// Elements that a chunk touches besides its own: a chunk of workgroups ends within a block of them as often as not.
    fn cost(&self) -> i128 {
        let cut = if self.groups > 1 {
            self.stride.abs()
        } else {
            0
        };
        self.excess() + cut
    }

    /// Whether a halo of units, `per` elements each, is the better pattern where it costs so much.
    fn is_worse_than(&self, cost: i128, per: i128) -> bool {
        let is_plain = self.groups == 1 && self.excess() > 0;
        cost < self.cost() || is_plain && cost <= self.cost() + 2 * per
    }
}

impl Machine<'_> {
    pub(super) fn decide(&mut self, touched: &Touched<'_>) -> Verdict {
        let fallback = (!touched.is_written).then_some(Access::All);
        if let Some((_, span)) = self.lost {
            return Err((fallback, span, Why::TooComplex));
        }
        if touched.sites.is_empty() {
            return Ok(self.nothing());
        }
        if self.inputs.groups(self.inputs.slowest) <= 1 {
            // There is only ever one chunk.
            return Ok(fallback.unwrap_or(Access::Strided(Strided {
                units: self.grain(),
                stride: ALL,
                from: 0,
                to: ALL,
            })));
        }
        let owned = self.owned(touched);
        if owned.is_ok() {
            return owned;
        }
        match accumulated(touched) {
            Some(combine) => Ok(Access::Accumulate(combine)),
            None => owned,
        }
    }

    fn grain(&self) -> u64 {
        u64::from(self.inputs.workgroup[self.inputs.slowest])
    }

    fn nothing(&self) -> Access {
        let units = self.grain();
        Access::Strided(Strided {
            units,
            stride: 0,
            from: 0,
            to: 0,
        })
    }

    fn owned(&mut self, touched: &Touched<'_>) -> Verdict {
        let fallback = (!touched.is_written).then_some(Access::All);
        let mut known: Vec<(usize, &Path, &Form)> = Vec::new();
        for (place, site) in touched.sites.iter().enumerate() {
            let why = match &site.index {
                Index::Known(cases) => {
                    known.extend(cases.iter().map(|(path, form)| (place, path, form)));
                    continue;
                }
                Index::Outside(low, high, len) => Why::Outside {
                    low: *low as i64,
                    high: *high as i64,
                    len: *len,
                },
                Index::All => Why::NotAnElement,
            };
            return Err((fallback, site.span, why));
        }
        if known.is_empty() {
            return Ok(self.nothing());
        }
        let extent = self.inputs.extents[self.inputs.slowest];
        let per = (touched.len.is_multiple_of(extent)).then(|| i128::from(touched.len / extent));
        let per = per.filter(|per| *per > 0);
        let units = per.and_then(|per| self.units(&known, per, extent, touched.len));
        if let Some(reach) = &units
            && reach.units == 0
            && !reach.wraps
        {
            return Ok(Access::OneToOne);
        }
        let window = self.window(&known, touched.len);
        if touched.is_written {
            return match window {
                Some(window) if window.width() <= window.stride.abs() => Ok(self.strided(window)),
                _ => {
                    let (span, why) = self.blame(touched, &known);
                    Err((None, span, why))
                }
            };
        }
        // The pattern that brings the least; a word for it where that costs no more than a unit on each side.
        let half = i128::from(touched.len) / 2;
        let by_units = units
            .zip(per)
            .filter(|(reach, _)| 2 * reach.units + 1 < i128::from(extent))
            .map(|(reach, per)| {
                let cost = 2 * reach.units * per;
                let halo = reach.units as u64;
                let access = if reach.wraps {
                    Access::Wrapped(halo)
                } else {
                    Access::Neighborhood(halo)
                };
                (cost, per, access)
            })
            .filter(|(cost, ..)| *cost <= half);
        let window = [self.blocks(&known), window].into_iter().flatten();
        let by_window = window
            .filter(|window| window.excess() <= half && window.width() < i128::from(touched.len))
            .min_by_key(Window::cost);
        match (by_units, by_window) {
            (Some((cost, per, access)), Some(window)) if window.is_worse_than(cost, per) => {
                Ok(access)
            }
            (_, Some(window)) => Ok(self.strided(window)),
            (Some((_, _, access)), None) => Ok(access),
            (None, None) => {
                let (span, why) = self.blame(touched, &known);
                Err((fallback, span, why))
            }
        }
    }

    fn strided(&self, window: Window) -> Access {
        Access::Strided(Strided {
            units: self.grain() * window.groups as u64,
            stride: window.stride as i64,
            from: window.low as i64,
            to: (window.high + 1) as i64,
        })
    }

    /// How far units reach, if elements belong to units `per` each.
    fn units(
        &mut self,
        known: &[(usize, &Path, &Form)],
        per: i128,
        extent: u64,
        len: u64,
    ) -> Option<Reach> {
        let mut all = Reach {
            units: 0,
            wraps: false,
        };
        for (_, path, form) in known {
            let one = self.reach(path, form, per, extent, len)?;
            all.units = all.units.max(one.units);
            all.wraps |= one.wraps;
        }
        Some(all)
    }

    fn reach(
        &mut self,
        path: &Path,
        form: &Form,
        per: i128,
        extent: u64,
        len: u64,
    ) -> Option<Reach> {
        let id = self.ids[self.inputs.slowest].0.clone();
        let last = i128::from(extent) - 1;
        // Invocations past the range run with the last unit.
        let inside = (id.shifted(-last), form.plus(&id, -per));
        let beyond = (
            id.times(-1)?.shifted(last + 1),
            Some(form.shifted(-per * last)),
        );
        let mut reach = Reach {
            units: 0,
            wraps: false,
        };
        for (fact, relative) in [inside, beyond] {
            self.burn(8);
            let path = path.with(&self.symbols, &[fact]);
            if path.is_dead {
                continue;
            }
            let (low, high) = path.bound(&self.symbols, &relative?);
            let of = |by: i128| {
                let (low, high) = (low + by, high + by);
                let before = -low.div_euclid(per);
                let after = (high - (per - 1)).max(0) + per - 1;
                before.max(after / per).max(0)
            };
            let len = i128::from(len);
            let (straight, around) = (of(0), of(len).min(of(-len)));
            reach.units = reach.units.max(straight.min(around));
            reach.wraps |= around < straight;
        }
        Some(reach)
    }

    /// What a workgroup touches, with the stride for which that is the least.
    fn window(&mut self, known: &[(usize, &Path, &Form)], len: u64) -> Option<Window> {
        let mut strides: Vec<i128> = Vec::new();
        for (_, _, form) in known {
            let slope = self.symbols.slope(form);
            if let Some(slope) = slope
                && !strides.contains(&slope)
                && strides.len() < 4
            {
                strides.push(slope);
            }
        }
        // What one workgroup alone does belongs to it, however wide it is.
        strides.push(len.into());
        let group = self.ids[self.inputs.slowest].1.clone();
        let windows = strides
            .into_iter()
            .filter_map(|stride| self.window_of(known, (&group, 1), stride));
        let windows: Vec<_> = windows.collect();
        windows
            .into_iter()
            .min_by_key(|window| (window.excess(), window.width(), window.stride.abs()))
    }

    /// What blocks of several workgroups touch, where indices go by such blocks.
    fn blocks(&mut self, known: &[(usize, &Path, &Form)]) -> Option<Window> {
        let groups = i128::from(self.inputs.groups(self.inputs.slowest));
        let mut sizes: Vec<i128> = Vec::new();
        // Bits of an index are in the index itself, or in what was asked of it on the way.
        let forms = known
            .iter()
            .flat_map(|(_, path, form)| path.assumed.iter().chain([*form]));
        for (symbol, _) in forms.flat_map(|form| &form.terms) {
            // The symbol grows by one in so many workgroups.
            let (rise, run) = self.symbols.of(*symbol).slope;
            let size = run / gcd(rise.abs(), run);
            if rise != 0 && size > 1 && size < groups && !sizes.contains(&size) && sizes.len() < 4 {
                sizes.push(size);
            }
        }
        let group = self.ids[self.inputs.slowest].1.clone();
        let mut best: Option<Window> = None;
        for size in sizes {
            let block = self.part(&group, size)?;
            let mut slopes = known.iter();
            let slope = slopes.find_map(|(.., form)| self.symbols.slope_over(form, size));
            let window = slope.and_then(|stride| self.window_of(known, (&block, size), stride));
            if let Some(window) = window
                && best.is_none_or(|best| window.cost() < best.cost())
            {
                best = Some(window);
            }
        }
        best
    }

    /// What blocks of so many workgroups touch, from the number of a block and how far one is from the next.
    fn window_of(
        &mut self,
        known: &[(usize, &Path, &Form)],
        (block, groups): (&Form, i128),
        stride: i128,
    ) -> Option<Window> {
        const FARTHEST: i128 = 1 << 62;
        let mut window: Option<Window> = None;
        for (_, path, form) in known {
            self.burn(8);
            let (low, high) = path.bound(&self.symbols, &form.plus(block, -stride)?);
            window = Some(match window {
                None => Window {
                    groups,
                    stride,
                    low,
                    high,
                },
                Some(all) => Window {
                    groups,
                    stride,
                    low: all.low.min(low),
                    high: all.high.max(high),
                },
            });
        }
        window.filter(|window| {
            window.low > -FARTHEST && window.high < FARTHEST && stride.abs() < FARTHEST
        })
    }

    /// The site that can't be covered, and what is wrong with it.
    fn blame(
        &mut self,
        touched: &Touched<'_>,
        known: &[(usize, &Path, &Form)],
    ) -> (naga::Span, Why) {
        let mut culprit = None;
        for place in 0..touched.sites.len() {
            let own: Vec<_> = known
                .iter()
                .filter(|(of, ..)| *of == place)
                .copied()
                .collect();
            if own.is_empty() {
                continue;
            }
            let window = self.window(&own, touched.len);
            let is_alone = window.is_some_and(|window| window.width() <= window.stride.abs());
            if !is_alone {
                culprit = Some(place);
                break;
            }
        }
        // Where atomics combine it is what doesn't that is in the way.
        let first = touched.sites.iter().find_map(|site| match site.does {
            Does::Atomic(Some(combine)) => Some(combine),
            _ => None,
        });
        let is_other =
            |site: &&&Site| Some(site.does) != first.map(|first| Does::Atomic(Some(first)));
        if let Some(site) = touched.sites.iter().find(is_other)
            && touched
                .sites
                .iter()
                .any(|site| matches!(site.does, Does::Atomic(_)))
        {
            return (site.span, Why::NotCombined);
        }
        // Each by itself is well, so it is the first that isn't about the unit's own elements that meets with the others.
        let is_together = culprit.is_none();
        let stranger = || {
            let extent = self.inputs.extents[self.inputs.slowest];
            let per = i128::from(touched.len / extent).max(1);
            let mut strangers = known.iter().filter_map(|(place, path, form)| {
                let reach = self.reach(path, form, per, extent, touched.len);
                let is_own = reach.is_some_and(|reach| reach.units == 0);
                (!is_own).then_some(*place)
            });
            strangers.next()
        };
        let place = culprit.or_else(stranger).unwrap_or(touched.sites.len() - 1);
        let site = touched.sites[place];
        let is_id = |symbol: u32| {
            self.ids
                .iter()
                .any(|(global, group)| global.factor(symbol) != 0 || group.factor(symbol) != 0)
        };
        let is_unknown = known
            .iter()
            .filter(|(of, ..)| *of == place)
            .any(|(_, _, form)| {
                self.symbols.slope(form) == Some(0)
                    && form.terms.iter().any(|(symbol, _)| !is_id(*symbol))
            });
        let why = if is_unknown && !is_together {
            Why::Unknown
        } else {
            Why::Shared
        };
        (site.span, why)
    }

    /// Somebody who certainly touches what a declared pattern doesn't give to its workgroup.
    pub(super) fn contradiction(
        &self,
        declared: Access,
        touched: &Touched<'_>,
    ) -> Option<Contradiction> {
        if matches!(declared, Access::All | Access::Accumulate(_)) {
            return None;
        }
        let slowest = self.inputs.slowest;
        let extents = self.inputs.extents;
        let grain = self.grain();
        let tried = |axis: usize| {
            let (last, size) = (extents[axis] - 1, u64::from(self.inputs.workgroup[axis]));
            let mut tried = vec![0, 1, size - 1, size, last / 2, last.saturating_sub(1), last];
            tried.retain(|id| *id <= last);
            tried.sort_unstable();
            tried.dedup();
            tried
        };
        let tried = [tried(0), tried(1), tried(2)];
        for site in &touched.sites {
            let Some((index, path)) = &site.exact else {
                continue;
            };
            let [xs, ys, zs] = &tried;
            for number in 0..xs.len() * ys.len() * zs.len() {
                let id = [
                    xs[number % xs.len()],
                    ys[number / xs.len() % ys.len()],
                    zs[number / xs.len() / ys.len()],
                ];
                let of = |symbol: u32| self.id_value(symbol, id);
                let comes = path
                    .conditions
                    .iter()
                    .all(|(cond, truth)| cond.value(&of) == Some(*truth));
                let element = index.value(&of).and_then(|index| u64::try_from(index).ok());
                let Some(element) = element.filter(|element| comes && *element < touched.len)
                else {
                    continue;
                };
                let first = id[slowest] / grain * grain;
                let units = Span::new(first, (first + grain).min(extents[slowest]));
                let Ok(pieces) = declared.pieces(units, extents[slowest], touched.len) else {
                    return None;
                };
                if !pieces
                    .iter()
                    .any(|piece| piece.contains(Span::new(element, element + 1)))
                {
                    return Some(Contradiction {
                        span: site.span,
                        writes: site.does != Does::Read,
                        invocation: id,
                        element,
                        allowed: pieces.first().copied().unwrap_or_default(),
                        units: extents[slowest],
                        elements: touched.len,
                    });
                }
            }
        }
        None
    }

    /// What a symbol is for an invocation, if it is one of its ids.
    fn id_value(&self, symbol: u32, id: [u64; 3]) -> Option<i128> {
        for (axis, (global, group)) in self.ids.iter().enumerate() {
            if global.factor(symbol) != 0 {
                return Some(id[axis].into());
            }
            if group.factor(symbol) != 0 {
                return Some((id[axis] / u64::from(self.inputs.workgroup[axis])).into());
            }
        }
        None
    }
}

/// The operation by which all that is done with a buffer combines values into it.
fn accumulated(touched: &Touched<'_>) -> Option<Combine> {
    let word = touched.word?;
    let mut all = None;
    for site in &touched.sites {
        let Does::Atomic(Some(combine)) = site.does else {
            return None;
        };
        if *all.get_or_insert(combine) != combine {
            return None;
        }
    }
    all.filter(|combine| combine.suits(word))
}
