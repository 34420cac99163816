//! Integers as sums of symbols, each times a factor.
//!
//! Arithmetic only; what a symbol stands for and how far it reaches is kept by the facts in `path`.
//!
//! Invariant: the terms are sorted by symbol, none has the factor zero, and no number is beyond [`MOST`].

use smallvec::SmallVec;

/// A number that an invocation has and that isn't known.
pub(super) type Symbol = u32;

/// The largest magnitude of a number in a form: products of two stay far from the end of an `i128`.
const MOST: i128 = 1 << 58;
/// The most terms of a form.
const MOST_TERMS: usize = 12;

/// `constant + sum of factor * symbol`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Form {
    pub(super) constant: i128,
    pub(super) terms: SmallVec<[(Symbol, i128); 3]>,
}

impl Form {
    pub(super) fn number(constant: i128) -> Self {
        Self {
            constant,
            terms: SmallVec::new(),
        }
    }

    pub(super) fn symbol(symbol: Symbol) -> Self {
        Self {
            constant: 0,
            terms: SmallVec::from_slice(&[(symbol, 1)]),
        }
    }

    /// The number, if there are no symbols.
    pub(super) fn as_number(&self) -> Option<i128> {
        self.terms.is_empty().then_some(self.constant)
    }

    pub(super) fn factor(&self, symbol: Symbol) -> i128 {
        let found = self.terms.iter().find(|(other, _)| *other == symbol);
        found.map_or(0, |(_, factor)| *factor)
    }

    pub(super) fn shifted(&self, by: i128) -> Self {
        Self {
            constant: self.constant + by,
            terms: self.terms.clone(),
        }
    }

    /// The form times a number, unless that goes too far.
    pub(super) fn times(&self, factor: i128) -> Option<Self> {
        if factor == 0 {
            return Some(Self::default());
        }
        let mut product = self.clone();
        product.constant = product.constant.checked_mul(factor)?;
        for (_, own) in &mut product.terms {
            *own = own.checked_mul(factor)?;
        }
        product.small()
    }

    /// `self + factor * other`, unless that goes too far.
    pub(super) fn plus(&self, other: &Self, factor: i128) -> Option<Self> {
        let other_constant = other.constant.checked_mul(factor)?;
        let mut sum = Self {
            constant: self.constant.checked_add(other_constant)?,
            terms: SmallVec::new(),
        };
        let (mut a, mut b) = (self.terms.iter().peekable(), other.terms.iter().peekable());
        loop {
            let (symbol, value) = match (a.peek(), b.peek()) {
                (Some((x, m)), Some((y, n))) if x == y => {
                    a.next();
                    b.next();
                    (*x, m.checked_add(n.checked_mul(factor)?)?)
                }
                (Some((x, m)), Some((y, _))) if x < y => {
                    a.next();
                    (*x, *m)
                }
                (Some((x, m)), None) => {
                    a.next();
                    (*x, *m)
                }
                (_, Some((y, n))) => {
                    b.next();
                    (*y, n.checked_mul(factor)?)
                }
                (None, None) => break,
            };
            if value != 0 {
                sum.terms.push((symbol, value));
            }
        }
        sum.small()
    }

    pub(super) fn minus(&self, other: &Self) -> Option<Self> {
        self.plus(other, -1)
    }

    fn small(self) -> Option<Self> {
        let is_small = self.constant.abs() <= MOST
            && self.terms.len() <= MOST_TERMS
            && self.terms.iter().all(|(_, factor)| factor.abs() <= MOST);
        is_small.then_some(self)
    }

    /// The value, where these are the values of the symbols.
    pub(super) fn value(&self, of: &dyn Fn(Symbol) -> Option<i128>) -> Option<i128> {
        self.terms
            .iter()
            .try_fold(self.constant, |sum, (symbol, factor)| {
                Some(sum + factor * of(*symbol)?)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_keep_their_terms_sorted_and_drop_what_cancels() {
        let (x, y) = (Form::symbol(1), Form::symbol(2));
        let sum = y
            .plus(&x, 3)
            .and_then(|sum| sum.plus(&y, 4))
            .expect("it is small");
        assert_eq!(sum.terms.as_slice(), [(1, 3), (2, 5)]);
        assert_eq!(sum.minus(&sum), Some(Form::default()));
        assert_eq!(
            sum.shifted(7).value(&|symbol| Some(symbol.into())),
            Some(20)
        );
    }

    #[test]
    fn a_number_that_grows_too_large_is_refused() {
        let mut form = Form::symbol(0);
        let mut times = 0;
        while let Some(larger) = form.times(1 << 20) {
            form = larger;
            times += 1;
        }
        assert_eq!(times, 2);
    }
}
