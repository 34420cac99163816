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
        });
        (self.known.len() - 1) as Symbol
    }

    pub(super) fn of(&self, symbol: Symbol) -> &Known {
        &self.known[symbol as usize]
    }

    /// How much a form grows from one workgroup to the next, if that is a whole number.
    pub(super) fn slope(&self, form: &Form) -> Option<i128> {
        let (mut number, mut divisor) = (0_i128, 1_i128);
        for (symbol, factor) in &form.terms {
            let (n, d) = self.of(*symbol).slope;
            number = number
                .checked_mul(d)?
                .checked_add(n.checked_mul(*factor)?.checked_mul(divisor)?)?;
            divisor = divisor.checked_mul(d)?;
        }
        (number % divisor == 0).then(|| number / divisor)
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

/// The way to a place in the kernel.
#[derive(Clone, Debug, Default)]
pub(super) struct Path {
    /// What was taken for true on the way.
    pub(super) assumed: Vec<Form>,
    /// Tighter bounds of symbols.
    bounds: SmallVec<[(Symbol, i128, i128); 6]>,
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

    fn interval(&self, symbols: &Symbols, symbol: Symbol) -> (i128, i128) {
        let own = self.bounds.iter().find(|(other, ..)| *other == symbol);
        own.map_or_else(
            || (symbols.of(symbol).low, symbols.of(symbol).high),
            |(_, low, high)| (*low, *high),
        )
    }

    /// The least and the largest value of a form, by the intervals of its symbols alone.
    fn loose(&self, symbols: &Symbols, form: &Form) -> (i128, i128) {
        let (mut least, mut most) = (form.constant, form.constant);
        for (symbol, factor) in &form.terms {
            let (low, high) = self.interval(symbols, *symbol);
            let (a, b) = (factor.saturating_mul(low), factor.saturating_mul(high));
            least = least.saturating_add(a.min(b));
            most = most.saturating_add(a.max(b));
        }
        (least, most)
    }

    /// Bounds of what the form can be here.
    pub(super) fn bound(&self, symbols: &Symbols, form: &Form) -> (i128, i128) {
        if let Some(number) = form.as_number() {
            return (number, number);
        }
        let upper = |form: &Form| {
            let mut left = MOST_TRIED;
            let bound = self.upper(symbols, form, DEPTH, &mut left);
            let tried = (MOST_TRIED - left) as usize;
            symbols.work.set(symbols.work.get() + 1 + tried);
            bound
        };
        let low = form.times(-1);
        let low = low.map_or_else(|| self.loose(symbols, form).0, |negative| -upper(&negative));
        (low, upper(form))
    }

    fn upper(&self, symbols: &Symbols, form: &Form, depth: u32, left: &mut u32) -> i128 {
        let mut best = self.loose(symbols, form).1;
        if depth == 0 || form.terms.is_empty() {
            return best;
        }
        let own = form
            .terms
            .iter()
            .flat_map(|(symbol, _)| &symbols.of(*symbol).facts);
        for fact in self
            .assumed
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
                if *left == 0 {
                    return best;
                }
                *left -= 1;
                let rest = self.upper(symbols, &rest, depth - 1, left);
                best = best.min(rest.div_euclid(factor));
            }
        }
        best
    }

    /// Takes for true that the form is at most zero.
    pub(super) fn assume(&mut self, symbols: &Symbols, fact: &Form) {
        if self.is_dead {
            return;
        }
        if self.loose(symbols, fact).1 <= 0 {
            // Known already, unless some combination is needed to see it; then it may help to have it.
            return;
        }
        if self.loose(symbols, fact).0 > 0
            || (fact.terms.len() > 1 && self.bound(symbols, fact).0 > 0)
        {
            self.is_dead = true;
            return;
        }
        if self.assumed.len() < MOST_FACTS {
            self.assumed.push(fact.clone());
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
        }
        self.assumed = assumed;
    }

    /// Draws the intervals of a fact's symbols together.
    fn tighten(&mut self, symbols: &Symbols, fact: &Form) {
        let least = self.loose(symbols, fact).0;
        for (symbol, factor) in &fact.terms {
            let (low, high) = self.interval(symbols, *symbol);
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
                self.is_dead = true;
                return;
            }
            match self.bounds.iter_mut().find(|(other, ..)| other == symbol) {
                Some(own) => (own.1, own.2) = (new_low, new_high),
                None => self.bounds.push((*symbol, new_low, new_high)),
            }
        }
    }

    /// The path with more that is known, without the conditions that led there.
    pub(super) fn with(&self, symbols: &Symbols, facts: &[Form]) -> Self {
        let mut path = Self {
            assumed: self.assumed.clone(),
            bounds: self.bounds.clone(),
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

fn gcd(mut a: i128, mut b: i128) -> i128 {
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
