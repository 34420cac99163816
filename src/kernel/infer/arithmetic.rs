//! Arithmetic on integers that are cases, and on conditions.
//!
//! What WGSL's operations make of what their operands can be; expressions and statements are other files' affair.
//!
//! Invariant: every value that an operation can have for an invocation of the path is in one of the cases of its result.

use super::form::Form;
use super::machine::{Change, Machine};
use super::path::{Facts, Path};
use super::value::{Case, Cond, Int, Order, limits};
use smallvec::SmallVec;

/// The most cases of an integer; with more it is one case that spans them.
const MOST_CASES: usize = 16;
/// How many of the cases are tried as what the others are measured from.
const MOST_BASES: usize = 4;
/// The most ways in which a condition can come to hold that are told apart.
const MOST_WAYS: usize = 8;
/// The most facts of a case.
const MOST_FACTS: usize = 10;
const WORD: i128 = 1 << 32;

pub(super) type Cases = SmallVec<[Case; 1]>;

/// Both lists of facts, as far as there is room: with fewer a case is merely wider.
pub(super) fn joined(a: &[Form], b: &[Form]) -> Facts {
    let mut facts = Facts::from_iter(a.iter().cloned());
    for fact in b {
        if facts.len() < MOST_FACTS && !facts.contains(fact) {
            facts.push(fact.clone());
        }
    }
    facts
}

impl Machine<'_> {
    /// A number between these, of which nothing else is known.
    pub(super) fn between(&mut self, low: i128, high: i128, is_signed: bool, words: u64) -> Int {
        let (least, most) = limits(is_signed);
        if low == high {
            return Int {
                words,
                ..Int::number(low, is_signed)
            };
        }
        let is_inside = least <= low && low <= high && high <= most;
        let (low, high) = if is_inside {
            (low, high)
        } else {
            (least, most)
        };
        let form = self.symbol(low, high);
        Int {
            words,
            ..Int::of(form, is_signed)
        }
    }

    pub(super) fn anything(&mut self, is_signed: bool, words: u64) -> Int {
        let (low, high) = limits(is_signed);
        self.between(low, high, is_signed, words)
    }

    /// Where the case holds besides the path; nothing if it can't.
    fn path_of(&mut self, case: &Case, path: &Path) -> Option<Path> {
        self.burn(1 + case.facts.len());
        let path = path.with(&self.symbols, &case.facts);
        (!path.is_dead).then_some(path)
    }

    /// The cases whose forms are the value itself, not just modulo 2^32.
    pub(super) fn resolve(&mut self, int: &Int, path: &Path) -> Cases {
        let (least, most) = int.limits();
        let mut resolved = Cases::new();
        for case in int.cases.iter() {
            let Some(path) = self.path_of(case, path) else {
                continue;
            };
            self.burn(4);
            let (low, high) = path.bound(&self.symbols, &case.form);
            if least <= low && high <= most {
                resolved.push(case.clone());
                continue;
            }
            let (first, last) = (
                (low - least).div_euclid(WORD),
                (high - least).div_euclid(WORD),
            );
            if high - low >= WORD / 2 || last - first > 1 {
                let facts = case.facts.clone();
                let form = self.symbol(least, most);
                resolved.push(Case { facts, form });
                continue;
            }
            for window in first..=last {
                let form = case.form.shifted(-window * WORD);
                let mut facts = case.facts.clone();
                if first != last {
                    let inside = [
                        Some(form.shifted(-most)),
                        form.times(-1).map(|form| form.shifted(least)),
                    ];
                    facts = joined(&facts, &inside.into_iter().flatten().collect::<Facts>());
                }
                resolved.push(Case { facts, form });
            }
        }
        resolved
    }

    /// The value, where it is one number.
    pub(super) fn number(&self, int: &Int) -> Option<i128> {
        let (least, _) = int.limits();
        let number = int.form()?.as_number()?;
        Some((number - least).rem_euclid(WORD) + least)
    }

    /// The least and the largest value on the path.
    pub(super) fn range(&mut self, int: &Int, path: &Path) -> (i128, i128) {
        let cases = self.resolve(int, path);
        self.range_of(&cases, path).unwrap_or(int.limits())
    }

    fn range_of(&mut self, cases: &Cases, path: &Path) -> Option<(i128, i128)> {
        let mut range: Option<(i128, i128)> = None;
        for case in cases {
            let Some(path) = self.path_of(case, path) else {
                continue;
            };
            let (low, high) = path.bound(&self.symbols, &case.form);
            range = Some(range.map_or((low, high), |(a, b)| (a.min(low), b.max(high))));
        }
        range
    }

    /// An integer of these cases; of one that spans them if they are too many.
    pub(super) fn of_cases(
        &mut self,
        mut cases: Cases,
        is_signed: bool,
        words: u64,
        path: &Path,
    ) -> Int {
        cases.dedup();
        if cases.len() > MOST_CASES {
            cases = self.spanning(cases, is_signed, path);
        }
        if cases.is_empty() {
            return self.anything(is_signed, words);
        }
        if let [only] = cases.as_mut_slice() {
            // There is nothing else that it could be.
            only.facts.clear();
        }
        Int::cases(cases, is_signed, words)
    }

    /// One case that spans these: one of them, and how far the others are from it.
    pub(super) fn spanning(&mut self, cases: Cases, is_signed: bool, path: &Path) -> Cases {
        let paths: Vec<_> = cases.iter().map(|case| self.path_of(case, path)).collect();
        let mut best: Option<(&Form, (i128, i128))> = None;
        for base in cases.iter().take(MOST_BASES) {
            let mut range = Some((0, 0));
            for (case, path) in cases.iter().zip(&paths) {
                let (Some(path), Some((low, high))) = (path, range) else {
                    continue;
                };
                range = case.form.minus(&base.form).map(|apart| {
                    let (a, b) = path.bound(&self.symbols, &apart);
                    (low.min(a), high.max(b))
                });
            }
            if let Some(range) = range
                && best.is_none_or(|(_, (low, high))| range.1 - range.0 < high - low)
            {
                best = Some((&base.form, range));
            }
        }
        let (base, range) = match best {
            Some((base, range)) => (base.clone(), Some(range)),
            None => (Form::default(), None),
        };
        let facts = Facts::new();
        if let Some((low, high)) = range
            && high - low < WORD / 2
        {
            let apart = self.symbol(low, high);
            if let Some(form) = base.plus(&apart, 1) {
                return Cases::from_iter([Case { facts, form }]);
            }
        }
        let (least, most) = limits(is_signed);
        let range = self.range_of(&cases, path);
        let (low, high) = range
            .filter(|(low, high)| least <= *low && *high <= most)
            .unwrap_or((least, most));
        let form = self.symbol(low, high);
        Cases::from_iter([Case { facts, form }])
    }

    /// Combines each case of one with each of the other.
    fn pairs(
        &mut self,
        a: &Int,
        b: &Int,
        path: &Path,
        combine: impl Fn(&Form, &Form) -> Option<Form>,
    ) -> Int {
        let words = a.words | b.words;
        let is_one = a.cases.len() * b.cases.len() == 1;
        let mut cases = Cases::new();
        for x in a.cases.iter() {
            for y in b.cases.iter() {
                self.burn(1);
                let facts = joined(&x.facts, &y.facts);
                let form = combine(&x.form, &y.form);
                let Some(form) = form else {
                    return self.anything(a.is_signed, words);
                };
                let case = Case { facts, form };
                if is_one || self.path_of(&case, path).is_some() {
                    cases.push(case);
                }
            }
        }
        self.of_cases(cases, a.is_signed, words, path)
    }

    pub(super) fn add(&mut self, a: &Int, b: &Int, path: &Path) -> Int {
        self.pairs(a, b, path, |a, b| a.plus(b, 1))
    }

    pub(super) fn subtract(&mut self, a: &Int, b: &Int, path: &Path) -> Int {
        self.pairs(a, b, path, Form::minus)
    }

    pub(super) fn multiply(&mut self, a: &Int, b: &Int, path: &Path) -> Int {
        let words = a.words | b.words;
        for (factor, other) in [(a, b), (b, a)] {
            if let Some(factor) = self.number(factor) {
                // The shorter way around the circle, so that numbers stay small.
                let factor = if factor >= WORD / 2 {
                    factor - WORD
                } else {
                    factor
                };
                return self.scaled(other, factor, words, path);
            }
        }
        let (a_range, b_range) = (self.range(a, path), self.range(b, path));
        let corners = [
            a_range.0 * b_range.0,
            a_range.0 * b_range.1,
            a_range.1 * b_range.0,
            a_range.1 * b_range.1,
        ];
        let [low, high] =
            [corners.iter().min(), corners.iter().max()].map(|end| end.copied().unwrap_or(0));
        self.between(low, high, a.is_signed, words)
    }

    fn scaled(&mut self, int: &Int, factor: i128, words: u64, path: &Path) -> Int {
        let mut cases = Cases::new();
        for case in int.cases.iter() {
            let Some(form) = case.form.times(factor) else {
                return self.anything(int.is_signed, words);
            };
            let facts = case.facts.clone();
            cases.push(Case { facts, form });
        }
        self.of_cases(cases, int.is_signed, words, path)
    }

    pub(super) fn negate(&mut self, int: &Int, path: &Path) -> Int {
        self.scaled(int, -1, int.words, path)
    }

    /// What remains of the largest whole number of divisors that isn't more than the form.
    pub(super) fn floor(&mut self, form: &Form, divisor: i128, path: &Path) -> Option<Form> {
        self.burn(4);
        let (low, high) = path.bound(&self.symbols, form);
        let (first, last) = (low.div_euclid(divisor), high.div_euclid(divisor));
        if first == last {
            return Some(Form::number(first));
        }
        // `divisor * whole + rest`, with a rest that is less than the divisor.
        let (mut whole, mut rest) = (
            Form::default(),
            Form::number(form.constant.rem_euclid(divisor)),
        );
        whole.constant = form.constant.div_euclid(divisor);
        for (symbol, factor) in &form.terms {
            let (into, factor) = if factor % divisor == 0 {
                (&mut whole, factor / divisor)
            } else {
                (&mut rest, *factor)
            };
            *into = into.plus(&Form::symbol(*symbol), factor)?;
        }
        let (low, high) = path.bound(&self.symbols, &rest);
        if low.div_euclid(divisor) == high.div_euclid(divisor) {
            return Some(whole.shifted(low.div_euclid(divisor)));
        }
        // What a symbol is the whole part of may be in there beside it.
        for (symbol, _) in rest.terms.iter().filter(|_| rest.terms.len() > 1) {
            if self.symbols.of(*symbol).part_of.is_none() {
                continue;
            }
            self.burn(4);
            let symbol = Form::symbol(*symbol);
            let (low, high) = path.bound(&self.symbols, &rest.plus(&symbol, -divisor)?);
            if low.div_euclid(divisor) == high.div_euclid(divisor) {
                return whole
                    .plus(&symbol, 1)
                    .map(|whole| whole.shifted(low.div_euclid(divisor)));
            }
        }
        let part = self.part(&rest, divisor)?;
        whole.plus(&part, 1)
    }

    /// The form less all whole divisors that are in it; one case for each number of them if they are few.
    fn remainder(&mut self, case: &Case, divisor: i128, path: &Path) -> Option<Cases> {
        let (low, high) = path.bound(&self.symbols, &case.form);
        let (first, last) = (low.div_euclid(divisor), high.div_euclid(divisor));
        if last - first < 3 {
            let mut cases = Cases::new();
            for times in first..=last {
                let form = case.form.shifted(-times * divisor);
                let mut facts = case.facts.clone();
                if first != last {
                    let inside = [form.times(-1)?, form.shifted(1 - divisor)];
                    facts = joined(&facts, &inside);
                }
                cases.push(Case { facts, form });
            }
            return Some(cases);
        }
        let whole = self.floor(&case.form, divisor, path)?;
        let form = case.form.plus(&whole, -divisor)?;
        let facts = case.facts.clone();
        Some(Cases::from_iter([Case { facts, form }]))
    }

    pub(super) fn divide(&mut self, a: &Int, b: &Int, path: &Path) -> Int {
        let words = a.words | b.words;
        let divisor = self.number(b).filter(|divisor| *divisor > 0);
        let Some(divisor) = divisor else {
            let (low, high) = self.range(a, path);
            let most = high.max(-low);
            // No quotient is larger than what is divided, by zero neither.
            let low = if low < 0 || b.is_signed { -most } else { 0 };
            return self.between(low, most, a.is_signed, words);
        };
        let mut cases = Cases::new();
        for case in self.resolve(a, path) {
            let Some(path) = self.path_of(&case, path) else {
                continue;
            };
            let (low, high) = path.bound(&self.symbols, &case.form);
            let form = if low >= 0 {
                self.floor(&case.form, divisor, &path)
            } else {
                // Towards zero.
                Some(self.symbol(low / divisor, high / divisor))
            };
            let Some(form) = form else {
                return self.anything(a.is_signed, words);
            };
            let facts = case.facts;
            cases.push(Case { facts, form });
        }
        self.of_cases(cases, a.is_signed, words, path)
    }

    pub(super) fn modulo(&mut self, a: &Int, b: &Int, path: &Path) -> Int {
        let words = a.words | b.words;
        let divisor = self.number(b).filter(|divisor| *divisor > 0);
        let Some(divisor) = divisor else {
            let (low, high) = self.range(a, path);
            let (_, most) = self.range(b, path);
            let (least, _) = self.range(b, path);
            let high = if least > 0 { high.min(most - 1) } else { high };
            return self.between(low.min(0), high.max(0), a.is_signed, words);
        };
        let mut cases = Cases::new();
        for case in self.resolve(a, path) {
            let Some(of_case) = self.path_of(&case, path) else {
                continue;
            };
            let (low, _) = of_case.bound(&self.symbols, &case.form);
            if low >= 0 {
                match self.remainder(&case, divisor, &of_case) {
                    Some(found) => cases.extend(found),
                    None => return self.between(0, divisor - 1, a.is_signed, words),
                }
                continue;
            }
            // The sign is that of what is divided: both halves by themselves, the negative one the other way around.
            let Some(negative) = case.form.times(-1) else {
                return self.anything(a.is_signed, words);
            };
            let below = Case {
                facts: joined(&case.facts, &[case.form.shifted(1)]),
                form: negative.clone(),
            };
            let above = Case {
                facts: joined(&case.facts, &[negative]),
                form: case.form,
            };
            for (half, sign) in [(below, -1), (above, 1)] {
                let Some(path) = self.path_of(&half, path) else {
                    continue;
                };
                let found = self.remainder(&half, divisor, &path);
                let signed = found.and_then(|found| {
                    let sign = |case: Case| {
                        let form = case.form.times(sign)?;
                        Some(Case { form, ..case })
                    };
                    found.into_iter().map(sign).collect::<Option<Cases>>()
                });
                match signed {
                    Some(found) => cases.extend(found),
                    None => return self.between(1 - divisor, divisor - 1, a.is_signed, words),
                }
            }
        }
        self.of_cases(cases, a.is_signed, words, path)
    }

    pub(super) fn shift_left(&mut self, a: &Int, b: &Int, path: &Path) -> Int {
        let words = a.words | b.words;
        match self.number(b) {
            Some(by) => self.scaled(a, 1 << (by & 31), words, path),
            None => {
                let ((low, high), (least, most)) = (self.range(a, path), self.range(b, path));
                if low < 0 || least < 0 || most > 31 {
                    return self.anything(a.is_signed, words);
                }
                self.between(low << least, high << most, a.is_signed, words)
            }
        }
    }

    pub(super) fn shift_right(&mut self, a: &Int, b: &Int, path: &Path) -> Int {
        let words = a.words | b.words;
        match self.number(b) {
            Some(by) => {
                let mut cases = Cases::new();
                for case in self.resolve(a, path) {
                    let Some(path) = self.path_of(&case, path) else {
                        continue;
                    };
                    // Towards minus infinity, whatever the sign.
                    let Some(form) = self.floor(&case.form, 1 << (by & 31), &path) else {
                        return self.anything(a.is_signed, words);
                    };
                    let facts = case.facts;
                    cases.push(Case { facts, form });
                }
                self.of_cases(cases, a.is_signed, words, path)
            }
            None => {
                let (low, high) = self.range(a, path);
                self.between(low.min(0), high.max(0), a.is_signed, words)
            }
        }
    }

    pub(super) fn and(&mut self, a: &Int, b: &Int, path: &Path) -> Int {
        let words = a.words | b.words;
        for (mask, other) in [(a, b), (b, a)] {
            let Some(mask) = self.number(mask) else {
                continue;
            };
            let mask = mask.rem_euclid(WORD);
            let low_bits = mask + 1;
            if low_bits & mask == 0 && low_bits < WORD {
                return self.low_bits(other, low_bits, words, path);
            }
            let step = WORD - mask;
            if mask != 0 && step & (step - 1) == 0 {
                let low = self.low_bits(other, step, words, path);
                let high = self.subtract(other, &low, path);
                return Int { words, ..high };
            }
            if mask < WORD / 2 {
                if let Some(cases) = self.masked(other, mask, path) {
                    return self.of_cases(cases, a.is_signed, words, path);
                }
                let (low, high) = self.range(other, path);
                let most = if low >= 0 { high.min(mask) } else { mask };
                return self.between(0, most, a.is_signed, words);
            }
        }
        let ((a_low, a_high), (b_low, b_high)) = (self.range(a, path), self.range(b, path));
        if a_low >= 0 && b_low >= 0 {
            return self.between(0, a_high.min(b_high), a.is_signed, words);
        }
        self.anything(a.is_signed, words)
    }

    /// The bits of an integer that are set in a mask, if that is one run of bits.
    fn masked(&mut self, int: &Int, mask: i128, path: &Path) -> Option<Cases> {
        let first = mask & -mask;
        let end = mask + first;
        if end & (end - 1) != 0 {
            return None;
        }
        self.each_form(int, path, |machine, form, path| {
            machine.bits(form, first, end, path)?.times(first)
        })
    }

    /// The cases of an integer with what becomes of the form of each. Nothing if one comes to nothing.
    fn each_form(
        &mut self,
        int: &Int,
        path: &Path,
        mut of: impl FnMut(&mut Self, &Form, &Path) -> Option<Form>,
    ) -> Option<Cases> {
        let mut cases = Cases::new();
        for case in int.cases.iter() {
            let Some(path) = self.path_of(case, path) else {
                continue;
            };
            let form = of(self, &case.form, &path)?;
            let facts = case.facts.clone();
            cases.push(Case { facts, form });
        }
        Some(cases)
    }

    /// An integer modulo a power of two: the same for a value and for what it is modulo 2^32.
    fn low_bits(&mut self, int: &Int, end: i128, words: u64, path: &Path) -> Int {
        let mut cases = Cases::new();
        for case in int.cases.iter() {
            let Some(path) = self.path_of(case, path) else {
                continue;
            };
            match self.remainder(case, end, &path) {
                Some(found) => cases.extend(found),
                None => return self.between(0, end - 1, int.is_signed, words),
            }
        }
        self.of_cases(cases, int.is_signed, words, path)
    }

    /// Changes the bits of an integer that are set in a mask, case by case. Nothing if what comes out is too large.
    fn change_bits(&mut self, int: &Int, change: Change, mask: i128, path: &Path) -> Option<Cases> {
        let first = mask & -mask;
        let end = (mask as u128 + 1).next_power_of_two() as i128;
        self.each_form(int, path, |machine, form, path| {
            // The same for a form and for what it is modulo 2^32.
            let bits = machine.bits(form, first, end, path)?;
            let changed = machine.changed_bits(&bits, change, mask / first)?;
            form.plus(&changed.minus(&bits)?, first)
        })
    }

    /// Bitwise or, and exclusive or: one changes the bits that are set in the other.
    pub(super) fn or(&mut self, a: &Int, b: &Int, change: Change, path: &Path) -> Int {
        let words = a.words | b.words;
        if let Some(sum) = self.of_other_bits(a, b, path) {
            return sum;
        }
        for (mask, other) in [(a, b), (b, a)] {
            let Some(mask) = self.number(mask) else {
                continue;
            };
            let mask = mask.rem_euclid(WORD);
            if (1..WORD / 2).contains(&mask) {
                if let Some(cases) = self.change_bits(other, change, mask, path) {
                    return self.of_cases(cases, a.is_signed, words, path);
                }
                continue;
            }
            let found = match change {
                Change::Set => continue,
                Change::Turn if mask == 0 => other.clone(),
                Change::Turn => {
                    // -1 - x turns all bits over.
                    let rest = Int::number(WORD - 1 - mask, a.is_signed);
                    let turned = self.or(other, &rest, change, path);
                    self.subtract(&Int::number(-1, a.is_signed), &turned, path)
                }
            };
            return Int { words, ..found };
        }
        self.mixed(a, b, path)
    }

    /// The sum, where it is known that no bit is in both.
    fn of_other_bits(&mut self, a: &Int, b: &Int, path: &Path) -> Option<Int> {
        let words = a.words | b.words;
        let ranges = [self.range(a, path), self.range(b, path)];
        if ranges.iter().any(|(low, _)| *low < 0) {
            return None;
        }
        for (high, (_, most)) in [(a, ranges[1]), (b, ranges[0])] {
            let step = (most + 1).max(1) as u128;
            let step = step.next_power_of_two() as i128;
            let is_clear = |case: &Case| {
                let form = &case.form;
                form.constant % step == 0 && form.terms.iter().all(|(_, factor)| factor % step == 0)
            };
            if high.cases.iter().all(is_clear) {
                let sum = self.add(a, b, path);
                return Some(Int { words, ..sum });
            }
        }
        None
    }

    /// What two integers are when bits of them are mixed, whichever of them: within the block of the one that the bits of
    /// the other reach.
    fn mixed(&mut self, a: &Int, b: &Int, path: &Path) -> Int {
        let words = a.words | b.words;
        let ranges = [self.range(a, path), self.range(b, path)];
        if ranges.iter().any(|(low, _)| *low < 0) {
            return self.anything(a.is_signed, words);
        }
        let most = ranges[0].1.min(ranges[1].1).max(0) as u128 + 1;
        let block = most.next_power_of_two() as i128;
        let larger = if ranges[0].1 < ranges[1].1 { b } else { a };
        if block < WORD {
            let low = self.low_bits(larger, block, words, path);
            let corner = self.subtract(larger, &low, path);
            let place = self.between(0, block - 1, a.is_signed, words);
            let sum = self.add(&corner, &place, path);
            return Int { words, ..sum };
        }
        let most = ranges[0].1.max(ranges[1].1).max(0) as u128 + 1;
        self.between(0, most.next_power_of_two() as i128 - 1, a.is_signed, words)
    }

    pub(super) fn least(&mut self, a: &Int, b: &Int, path: &Path) -> Int {
        let is_less = Cond::Compare(Order::LessOrEqual, a.clone(), b.clone());
        self.select(&is_less, a, b, path)
    }

    pub(super) fn largest(&mut self, a: &Int, b: &Int, path: &Path) -> Int {
        let is_less = Cond::Compare(Order::LessOrEqual, a.clone(), b.clone());
        self.select(&is_less, b, a, path)
    }

    /// One of two, by a condition.
    pub(super) fn select(&mut self, cond: &Cond, accept: &Int, reject: &Int, path: &Path) -> Int {
        let words = accept.words | reject.words | cond.words();
        let mut cases = Cases::new();
        for (truth, int) in [(true, accept), (false, reject)] {
            for facts in self.ways(cond, truth, path) {
                for case in int.cases.iter() {
                    let case = Case {
                        facts: joined(&facts, &case.facts),
                        form: case.form.clone(),
                    };
                    if self.path_of(&case, path).is_some() {
                        cases.push(case);
                    }
                }
            }
        }
        self.of_cases(cases, accept.is_signed, words, path)
    }

    /// In which ways a condition can come to be what it is: facts that hold together, for each. One way without facts
    /// says nothing; no way, that it can't.
    pub(super) fn ways(&mut self, cond: &Cond, truth: bool, path: &Path) -> Vec<Facts> {
        let all = || vec![Facts::new()];
        let ways = match cond {
            Cond::Known(known) if *known == truth => all(),
            Cond::Known(_) => Vec::new(),
            Cond::Unknown => all(),
            Cond::Not(inner) => self.ways(inner, !truth, path),
            Cond::Compare(order, a, b) => self.compared(*order, a, b, truth, path),
            Cond::Both(a, b) if truth => self.and_then(a, true, b, true, path),
            Cond::Either(a, b) if !truth => self.and_then(a, false, b, false, path),
            Cond::Both(a, b) => {
                let mut ways = self.ways(a, false, path);
                ways.extend(self.and_then(a, true, b, false, path));
                ways
            }
            Cond::Either(a, b) => {
                let mut ways = self.ways(a, true, path);
                ways.extend(self.and_then(a, false, b, true, path));
                ways
            }
        };
        if ways.len() > MOST_WAYS || ways.iter().any(|way| way.is_empty()) {
            return all();
        }
        ways
    }

    fn and_then(&mut self, a: &Cond, is_a: bool, b: &Cond, is_b: bool, path: &Path) -> Vec<Facts> {
        let mut ways = Vec::new();
        for first in self.ways(a, is_a, path) {
            let after = path.with(&self.symbols, &first);
            if after.is_dead {
                continue;
            }
            for second in self.ways(b, is_b, &after) {
                ways.push(joined(&first, &second));
            }
        }
        ways
    }

    fn compared(&mut self, order: Order, a: &Int, b: &Int, truth: bool, path: &Path) -> Vec<Facts> {
        let mut ways = Vec::new();
        let (left, right) = (self.resolve(a, path), self.resolve(b, path));
        for x in &left {
            for y in &right {
                self.burn(4);
                let (Some(apart), Some(back)) = (x.form.minus(&y.form), y.form.minus(&x.form))
                else {
                    return vec![Facts::new()];
                };
                let results: &[&[Form]] = match (order, truth) {
                    (Order::Less, true) => &[&[apart.shifted(1)]],
                    (Order::Less, false) => &[&[back]],
                    (Order::LessOrEqual, true) => &[&[apart]],
                    (Order::LessOrEqual, false) => &[&[back.shifted(1)]],
                    (Order::Equal, true) => &[&[apart, back]],
                    (Order::Equal, false) => &[&[apart.shifted(1)], &[back.shifted(1)]],
                };
                for result in results {
                    let facts = joined(&joined(&x.facts, &y.facts), result);
                    // Facts that always hold make a way that says nothing.
                    let after = path.with(&self.symbols, &facts);
                    if !after.is_dead {
                        ways.push(facts);
                    }
                }
            }
        }
        ways
    }
}
