//! What is known of the symbols: always, and of the invocations that come to one place.
//!
//! Bounds forms by intervals and by adding multiples of what is known to be at most zero; where a place lies is the
//! interpreter's affair.
//!
//! Invariant: what is known here holds for every invocation that the path is taken by, and for others it needn't.

use super::form::{Form, Symbol};
use super::value::Cond;
use smallvec::SmallVec;
use std::cell::Cell;
use std::rc::Rc;

/// How many facts are combined to bound a form.
const DEPTH: u32 = 3;
/// How many combinations are tried for one bound.
const MOST_TRIED: u32 = 1_000;
/// Facts beyond these many are forgotten: a bound is looked for among all of them.
const MOST_FACTS: usize = 48;

/// Forms that are at most zero, all of them.
pub(super) type Facts = SmallVec<[Form; 2]>;

/// What is always known of a symbol.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) low: i128,
    pub(super) high: i128,
    /// How much it grows from one workgroup to the next along the dimension that is split, at most a constant aside: a
    /// fraction.
    pub(super) slope: (i128, i128),
    /// Forms of it that are at most zero.
    pub(super) facts: Facts,
    /// What it is the whole part of, and the divisor.
    pub(super) part_of: Option<(Form, i128)>,
}

/// All symbols.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    pub(super) known: Vec<Known>,
    /// Steps of work since it was last asked.
    pub(super) work: Cell<usize>,
}

impl Symbols {
    pub(super) fn add(&mut self, low: i128, high: i128) -> Symbol {
        self.known.push(Known {
            low,
            high,
            slope: (0, 1),
            facts: Facts::new(),
            part_of: None,
        });
        (self.known.len() - 1) as Symbol
    }

    pub(super) fn of(&self, symbol: Symbol) -> &Known {
        &self.known[symbol as usize]
    }

    /// How much a form grows from one workgroup to the next, if that is a whole number.
    pub(super) fn slope(&self, form: &Form) -> Option<i128> {
        self.slope_over(form, 1)
    }

    /// How much a form grows over so many workgroups, if that is a whole number.
    pub(super) fn slope_over(&self, form: &Form, groups: i128) -> Option<i128> {
        let (rise, run) = self.rise(form)?;
        let rise = rise.checked_mul(groups)?;
        (rise % run == 0).then(|| rise / run)
    }

    /// How much a form grows, and over how many workgroups it does.
    pub(super) fn rise(&self, form: &Form) -> Option<(i128, i128)> {
        let (mut number, mut divisor) = (0_i128, 1_i128);
        for (symbol, factor) in &form.terms {
            let (n, d) = self.of(*symbol).slope;
            number = number
                .checked_mul(d)?
                .checked_add(n.checked_mul(*factor)?.checked_mul(divisor)?)?;
            divisor = divisor.checked_mul(d)?;
            let common = gcd(number.abs(), divisor);
            (number, divisor) = (number / common, divisor / common);
        }
        Some((number, divisor))
    }

    /// The slope of what the form is divided by a number.
    pub(super) fn slope_of_part(&self, form: &Form, divisor: i128) -> (i128, i128) {
        match self.slope(form) {
            Some(slope) if slope % divisor == 0 => (slope / divisor, 1),
            Some(slope) => (slope, divisor),
            None => (0, 1),
        }
    }
}

/// Intervals of symbols that are tighter than what is always known of them.
#[derive(Clone, Debug, Default)]
struct Intervals(SmallVec<[(Symbol, i128, i128); 6]>);

impl Intervals {
    fn of(&self, symbols: &Symbols, symbol: Symbol) -> (i128, i128) {
        let own = self.0.iter().find(|(other, ..)| *other == symbol);
        own.map_or_else(
            || (symbols.of(symbol).low, symbols.of(symbol).high),
            |(_, low, high)| (*low, *high),
        )
    }

    /// The least and the largest value of a form, by the intervals of its symbols alone.
    fn bound(&self, symbols: &Symbols, form: &Form) -> (i128, i128) {
        let (mut least, mut most) = (form.constant, form.constant);
        for (symbol, factor) in &form.terms {
            let (low, high) = self.of(symbols, *symbol);
            let (a, b) = (factor.saturating_mul(low), factor.saturating_mul(high));
            least = least.saturating_add(a.min(b));
            most = most.saturating_add(a.max(b));
        }
        (least, most)
    }

    /// Draws the intervals of a fact's symbols together; whether the fact can hold.
    fn tighten(&mut self, symbols: &Symbols, fact: &Form) -> bool {
        let least = self.bound(symbols, fact).0;
        for (symbol, factor) in &fact.terms {
            let (low, high) = self.of(symbols, *symbol);
            let own = factor.saturating_mul(low).min(factor.saturating_mul(high));
            // The others are at least this.
            let Some(others) = least.checked_sub(own) else {
                continue;
            };
            // `factor * symbol <= -others`
            let (new_low, new_high) = if *factor > 0 {
                (low, high.min((-others).div_euclid(*factor)))
            } else {
                (low.max(-(-others).div_euclid(-*factor)), high)
            };
            if (new_low, new_high) == (low, high) {
                continue;
            }
            if new_low > new_high {
                return false;
            }
            self.set(*symbol, new_low, new_high);
        }
        true
    }

    fn set(&mut self, symbol: Symbol, low: i128, high: i128) {
        match self.0.iter_mut().find(|(other, ..)| *other == symbol) {
            Some(own) => (own.1, own.2) = (low, high),
            None => self.0.push((symbol, low, high)),
        }
    }
}

/// A search for the largest value of a form.
struct Search<'a> {
    symbols: &'a Symbols,
    assumed: &'a [Form],
    intervals: Intervals,
    /// How many combinations may still be tried.
    left: u32,
}

impl Search<'_> {
    fn upper(&mut self, form: &Form, depth: u32) -> i128 {
        let mut best = self.intervals.bound(self.symbols, form).1;
        if depth == 0 || form.terms.is_empty() {
            return best;
        }
        let common = common_factor(form.terms.iter());
        if common > 1 {
            // What a sum of whole multiples can be at most is a whole multiple.
            let mut multiples = form.clone();
            multiples.constant = 0;
            for (_, factor) in &mut multiples.terms {
                *factor /= common;
            }
            let most = self.upper(&multiples, depth).saturating_mul(common);
            return best.min(most.saturating_add(form.constant));
        }
        for place in 0..form.terms.len() {
            // Where all but one are multiples of a number, that one may be in the way of seeing what they can be.
            let others = form.terms.iter().enumerate();
            let others = others.filter(|(other, _)| *other != place);
            if form.terms.len() < 3 || common_factor(others.map(|(_, term)| term)) == 1 {
                continue;
            }
            if !self.may_try() {
                return best;
            }
            let mut rest = form.clone();
            let (symbol, factor) = rest.terms.remove(place);
            let alone = Form {
                constant: 0,
                terms: SmallVec::from_slice(&[(symbol, factor)]),
            };
            let most = self.intervals.bound(self.symbols, &alone).1;
            best = best.min(self.upper(&rest, depth).saturating_add(most));
        }
        let (symbols, assumed) = (self.symbols, self.assumed);
        let own = form
            .terms
            .iter()
            .flat_map(|(symbol, _)| &symbols.of(*symbol).facts);
        for fact in assumed
            .iter()
            .filter(|fact| fact.terms.len() > 1)
            .chain(own)
        {
            let mut last = (0, 0);
            for (symbol, factor) in &fact.terms {
                let mine = form.factor(*symbol);
                if mine == 0 || (mine > 0) != (*factor > 0) {
                    continue;
                }
                let (mine, factor) = (mine.abs(), factor.abs());
                let common = gcd(mine, factor);
                let (mine, factor) = (mine / common, factor / common);
                // Symbols are only traded for older ones, those that they were made from: so this ends soon.
                let is_older =
                    |(other, _): &(Symbol, i128)| other <= symbol || form.factor(*other) != 0;
                if last == (mine, factor) || !fact.terms.iter().all(is_older) {
                    continue;
                }
                last = (mine, factor);
                // `fact <= 0`, so `factor * form <= factor * form - mine * fact`.
                let Some(rest) = form.times(factor).and_then(|form| form.plus(fact, -mine)) else {
                    continue;
                };
                if rest.terms.len() > form.terms.len() {
                    continue;
                }
                if !self.may_try() {
                    return best;
                }
                let rest = self.upper(&rest, depth - 1);
                best = best.min(rest.div_euclid(factor));
            }
        }
        best
    }

    /// Draws the interval of a symbol in that is the whole part of a sum, of which more may be known than of its terms.
    fn draw_in(&mut self, symbol: Symbol) {
        let Some((sum, divisor)) = &self.symbols.of(symbol).part_of else {
            return;
        };
        if sum.terms.len() < 2 {
            return;
        }
        let (low, high) = self.intervals.of(self.symbols, symbol);
        let most = self.upper(sum, 1).div_euclid(*divisor);
        let least = sum.times(-1).map(|negative| -self.upper(&negative, 1));
        let least = least.map_or(low, |least| least.div_euclid(*divisor));
        self.intervals
            .set(symbol, low.max(least), high.min(most).max(least.max(low)));
    }

    fn may_try(&mut self) -> bool {
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }
}

/// The way to a place in the kernel.
#[derive(Clone, Debug, Default)]
pub(super) struct Path {
    /// What was taken for true on the way.
    pub(super) assumed: Vec<Form>,
    intervals: Intervals,
    /// No invocation comes here.
    pub(super) is_dead: bool,
    /// The conditions on the way, and what they were.
    pub(super) conditions: Vec<(Rc<Cond>, bool)>,
    /// Whether the conditions say exactly which invocations come here.
    pub(super) is_exact: bool,
}

impl Path {
    pub(super) fn start() -> Self {
        Self {
            is_exact: true,
            ..Self::default()
        }
    }

    /// Bounds of what the form can be here.
    pub(super) fn bound(&self, symbols: &Symbols, form: &Form) -> (i128, i128) {
        if let Some(number) = form.as_number() {
            return (number, number);
        }
        let mut intervals = self.intervals.clone();
        // A symbol that was made later than what is known here isn't in its intervals yet.
        for (symbol, _) in &form.terms {
            let own = symbols.of(*symbol).facts.iter();
            for fact in own.filter(|fact| fact.terms.last().is_some_and(|(last, _)| last == symbol))
            {
                symbols.work.set(symbols.work.get() + 1);
                let mut tighter = intervals.clone();
                if tighter.tighten(symbols, fact) {
                    intervals = tighter;
                }
            }
        }
        let mut search = Search {
            symbols,
            assumed: &self.assumed,
            intervals,
            left: MOST_TRIED,
        };
        for (symbol, _) in &form.terms {
            search.draw_in(*symbol);
        }
        let high = search.upper(form, DEPTH);
        let mut tried = MOST_TRIED - search.left;
        search.left = MOST_TRIED;
        let low = match form.times(-1) {
            Some(negative) => -search.upper(&negative, DEPTH),
            None => search.intervals.bound(symbols, form).0,
        };
        tried += MOST_TRIED - search.left;
        symbols.work.set(symbols.work.get() + 2 + tried as usize);
        (low, high)
    }

    /// Takes for true that the form is at most zero.
    pub(super) fn assume(&mut self, symbols: &Symbols, fact: &Form) {
        if self.is_dead {
            return;
        }
        let fact = &lowest(fact);
        let (least, most) = self.intervals.bound(symbols, fact);
        if most <= 0 {
            // Known already, unless some combination is needed to see it; then it may help to have it.
            return;
        }
        if least > 0 || (fact.terms.len() > 1 && self.bound(symbols, fact).0 > 0) {
            self.is_dead = true;
            return;
        }
        if self.assumed.len() < MOST_FACTS {
            self.assumed.push(fact.clone());
        }
        let is_sum = |(symbol, _): &(Symbol, i128)| {
            let of = &symbols.of(*symbol).part_of;
            of.as_ref().is_some_and(|(sum, _)| sum.terms.len() > 1)
        };
        if fact.terms.iter().any(is_sum) {
            let mut search = Search {
                symbols,
                assumed: &self.assumed,
                intervals: std::mem::take(&mut self.intervals),
                left: MOST_TRIED,
            };
            for (symbol, _) in &fact.terms {
                search.draw_in(*symbol);
            }
            let tried = (MOST_TRIED - search.left) as usize;
            symbols.work.set(symbols.work.get() + tried);
            self.intervals = search.intervals;
        }
        self.tighten(symbols, fact);
        for (symbol, _) in &fact.terms {
            for own in &symbols.of(*symbol).facts {
                self.tighten(symbols, own);
            }
        }
        let last = self.assumed.len().saturating_sub(8);
        let assumed = std::mem::take(&mut self.assumed);
        for other in &assumed[last..] {
            self.tighten(symbols, other);
            if let Some(rest) = remaining(fact, other) {
                self.tighten(symbols, &rest);
            }
        }
        self.assumed = assumed;
    }

    fn tighten(&mut self, symbols: &Symbols, fact: &Form) {
        self.is_dead |= !self.intervals.tighten(symbols, fact);
    }

    /// The path with more that is known, without the conditions that led there.
    pub(super) fn with(&self, symbols: &Symbols, facts: &[Form]) -> Self {
        let mut path = Self {
            assumed: self.assumed.clone(),
            intervals: self.intervals.clone(),
            is_dead: self.is_dead,
            conditions: Vec::new(),
            is_exact: false,
        };
        for fact in facts {
            path.assume(symbols, fact);
        }
        path
    }
}

/// What two facts together say of one symbol alone, if all others in them cancel out.
fn remaining(one: &Form, other: &Form) -> Option<Form> {
    if one.terms.len().abs_diff(other.terms.len()) > 1 {
        return None;
    }
    let opposite = |(symbol, mine): &(Symbol, i128)| {
        let its = other.factor(*symbol);
        (its != 0 && (its > 0) != (*mine > 0)).then(|| (mine.abs(), its.abs()))
    };
    let (mine, its) = one.terms.iter().rev().find_map(opposite)?;
    let common = gcd(mine, its);
    let rest = one.times(its / common)?.plus(other, mine / common)?;
    (rest.terms.len() == 1).then_some(rest)
}

/// The fact in the lowest terms: whole numbers that are at most a fraction are at most the whole number below it.
fn lowest(fact: &Form) -> Form {
    let mut fact = fact.clone();
    let common = common_factor(fact.terms.iter());
    if common > 1 {
        fact.constant = -(-fact.constant).div_euclid(common);
        for (_, factor) in &mut fact.terms {
            *factor /= common;
        }
    }
    fact
}

/// The largest number that all of the factors are multiples of.
fn common_factor<'a>(terms: impl Iterator<Item = &'a (Symbol, i128)>) -> i128 {
    terms
        .map(|(_, factor)| factor.abs())
        .reduce(gcd)
        .unwrap_or(1)
}

pub(super) fn gcd(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_combines_what_is_known() {
        let mut symbols = Symbols::default();
        let (x, y) = (symbols.add(0, 1_000), symbols.add(0, 1_000));
        let (x, y) = (Form::symbol(x), Form::symbol(y));
        let mut path = Path::start();
        // 10 y + x <= 99
        let index = x.plus(&y, 10).expect("it is small");
        path.assume(&symbols, &index.shifted(-99));
        assert_eq!(path.bound(&symbols, &index), (0, 99));
        assert_eq!(path.bound(&symbols, &y), (0, 9));
        path.assume(&symbols, &y.times(-1).expect("it is small").shifted(11));
        assert!(path.is_dead, "y can't be 11");
    }

    #[test]
    fn what_is_divided_is_bounded_through_its_definition() {
        let mut symbols = Symbols::default();
        let (x, group) = (symbols.add(0, 6_399), symbols.add(0, 99));
        let part = symbols.add(0, 1_599);
        let (x, group, part) = (Form::symbol(x), Form::symbol(group), Form::symbol(part));
        let fact = |form: Option<Form>| form.expect("it is small");
        // 4 part <= x <= 4 part + 3, and 64 group <= x <= 64 group + 63.
        let four = fact(part.times(4));
        let facts = [fact(four.minus(&x)), fact(x.minus(&four)).shifted(-3)];
        symbols.known[2].facts.extend(facts);
        let corner = fact(group.times(64));
        symbols.known[0].facts.push(fact(corner.minus(&x)));
        symbols.known[0]
            .facts
            .push(fact(x.minus(&corner)).shifted(-63));
        let place = fact(part.plus(&group, -16));
        assert_eq!(Path::start().bound(&symbols, &place), (0, 15));
    }
}
