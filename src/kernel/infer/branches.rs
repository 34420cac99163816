//! Conditions, and bringing together what holds after several ways.
//!
//! Invariant: what is known after ways have met held at the end of each of them.

use super::arithmetic::{Cases, joined};
use super::machine::{Exit, Frame, Machine, State};
use super::path::{Facts, Path};
use super::value::{Case, Cond, Int, Order, Value};
use naga::{Block, Expression, Handle};
use std::rc::Rc;

/// The most ways for a condition to hold that are compared for what they have in common.
const MOST_COMPARED: usize = 4;

impl<'a> Machine<'a> {
    /// A condition that is known, as a value.
    pub(super) fn condition(
        &mut self,
        frame: &mut Frame<'a>,
        condition: Handle<Expression>,
        state: &mut State,
    ) -> Rc<Cond> {
        match self.get(frame, condition, state) {
            Value::Bool(cond) => cond,
            _ => Rc::new(Cond::Unknown),
        }
    }

    /// Goes on only where the condition is so.
    pub(super) fn assume(&mut self, cond: &Rc<Cond>, truth: bool, state: &mut State) {
        self.used |= cond.words();
        if **cond == Cond::Known(truth) {
            return;
        }
        let ways = self.ways(cond, truth, &state.path);
        state.path.conditions.push((cond.clone(), truth));
        match ways.as_slice() {
            [] => state.path.is_dead = true,
            [only] => {
                for fact in only {
                    state.path.assume(&self.symbols, fact);
                }
            }
            several if several.len() <= MOST_COMPARED => {
                for fact in self.common(several, &state.path) {
                    state.path.assume(&self.symbols, &fact);
                }
            }
            _ => {}
        }
    }

    /// What holds whichever way it came about.
    fn common(&mut self, ways: &[Facts], path: &Path) -> Facts {
        let paths: Vec<Path> = ways
            .iter()
            .map(|way| path.with(&self.symbols, way))
            .collect();
        let mut common = Facts::new();
        for fact in ways.iter().flatten() {
            self.burn(4 * ways.len());
            let holds = |path: &Path| path.is_dead || path.bound(&self.symbols, fact).1 <= 0;
            if !common.contains(fact) && paths.iter().all(holds) {
                common.push(fact.clone());
            }
        }
        common
    }

    pub(super) fn branch(
        &mut self,
        frame: &mut Frame<'a>,
        cond: &Rc<Cond>,
        accept: &'a Block,
        reject: &'a Block,
        state: &mut State,
    ) -> bool {
        let mark = state.path.assumed.len();
        let before = state.path.clone();
        let mut ends = Vec::new();
        for (truth, block) in [(true, accept), (false, reject)] {
            let mut inside = state.clone();
            self.assume(cond, truth, &mut inside);
            if self.block(frame, block, &mut inside) {
                ends.push(inside);
            }
        }
        match ends.len() {
            0 => false,
            // Everyone who is still here came this way.
            1 => {
                *state = ends.swap_remove(0);
                true
            }
            _ => {
                *state = self.join(&before, mark, ends, Some(cond));
                true
            }
        }
    }

    pub(super) fn switch(
        &mut self,
        frame: &mut Frame<'a>,
        selector: &Value,
        cases: &'a [naga::SwitchCase],
        state: &mut State,
    ) -> bool {
        let mark = state.path.assumed.len();
        let before = state.path.clone();
        self.exits.push(Exit {
            is_loop: false,
            breaks: Vec::new(),
            continues: Vec::new(),
        });
        let mut ends: Vec<State> = Vec::new();
        let mut through: Option<State> = None;
        for case in cases {
            let mut inside = state.clone();
            let value = match case.value {
                naga::SwitchValue::I32(value) => Some(Int::number(value.into(), true)),
                naga::SwitchValue::U32(value) => Some(Int::number(value.into(), false)),
                naga::SwitchValue::Default => None,
            };
            // With bodies that are shared there is no telling which value led there.
            let is_alone = through.is_none() && !case.fall_through;
            if let (Value::Int(selector), Some(value), true) = (selector, value, is_alone) {
                let cond = Cond::Compare(Order::Equal, selector.clone(), value);
                self.assume(&Rc::new(cond), true, &mut inside);
            } else {
                inside.path.conditions.push((Rc::new(Cond::Unknown), true));
            }
            if let Some(earlier) = through.take() {
                let states = if inside.path.is_dead {
                    vec![earlier]
                } else {
                    vec![earlier, inside]
                };
                inside = self.join(&before, mark, states, None);
            }
            if inside.path.is_dead {
                continue;
            }
            let falls = self.block(frame, &case.body, &mut inside);
            if falls && case.fall_through {
                through = Some(inside);
            } else if falls {
                ends.push(inside);
            }
        }
        ends.extend(through);
        if let Some(exit) = self.exits.pop() {
            ends.extend(exit.breaks);
        }
        if ends.is_empty() {
            return false;
        }
        *state = self.join(&before, mark, ends, None);
        true
    }

    /// Brings together what holds at the ends of several ways from one point.
    pub(super) fn join(
        &mut self,
        before: &Path,
        mark: usize,
        mut states: Vec<State>,
        cond: Option<&Rc<Cond>>,
    ) -> State {
        let ways = states.len();
        if ways == 1 && cond.is_some() {
            return states.swap_remove(0);
        }
        let mut path = before.clone();
        // Somebody left on the way if more was asked than the branch itself did.
        let asked = before.conditions.len() + 1;
        path.is_exact &= states
            .iter()
            .all(|state| state.path.is_exact && state.path.conditions.len() <= asked);
        let facts = |state: &State| Facts::from_iter(state.path.assumed.iter().skip(mark).cloned());
        let facts: Vec<Facts> = states.iter().map(facts).collect();
        let count = states
            .iter()
            .map(|state| state.variables.len())
            .min()
            .unwrap_or(0);
        let mut variables = Vec::with_capacity(count);
        for slot in 0..count {
            let first = &states[0].variables[slot];
            if states[1..]
                .iter()
                .all(|state| state.variables[slot] == *first)
            {
                variables.push(first.clone());
                continue;
            }
            self.burn(ways);
            let values: Vec<_> = states
                .iter()
                .zip(&facts)
                .map(|(state, facts)| (facts.clone(), state.variables[slot].clone()))
                .collect();
            let joined = self.joined_value(&values, &path, cond);
            variables.push(if joined == Value::Unknown {
                self.unknown_of(slot)
            } else {
                joined
            });
        }
        State { variables, path }
    }

    /// One of several values, each where its facts hold.
    pub(super) fn joined_value(
        &mut self,
        values: &[(Facts, Value)],
        path: &Path,
        cond: Option<&Rc<Cond>>,
    ) -> Value {
        let first = &values[0].1;
        if values[1..].iter().all(|(_, value)| value == first) {
            return first.clone();
        }
        match first {
            Value::Int(int) => {
                let (is_signed, mut words) = (int.is_signed, 0);
                let mut cases = Cases::new();
                for (facts, value) in values {
                    let Value::Int(int) = value else {
                        return Value::Unknown;
                    };
                    words |= int.words;
                    for case in int.cases.iter() {
                        let facts = joined(facts, &case.facts);
                        let form = case.form.clone();
                        let case = Case { facts, form };
                        if !path.with(&self.symbols, &case.facts).is_dead {
                            cases.push(case);
                        }
                    }
                }
                Value::Int(self.of_cases(cases, is_signed, words, path))
            }
            Value::Bool(accepted) => match (values, cond) {
                ([_, (_, Value::Bool(rejected))], Some(cond)) => {
                    let both = cond.both(accepted);
                    Value::Bool(both.either(&cond.not().both(rejected)))
                }
                _ => Value::bool(Cond::Unknown),
            },
            Value::Parts(parts) => {
                let part = |place: usize| {
                    let of = |(facts, value): &(Facts, Value)| (facts.clone(), value.part(place));
                    values.iter().map(of).collect::<Vec<_>>()
                };
                let parts =
                    (0..parts.len()).map(|place| self.joined_value(&part(place), path, cond));
                Value::parts(parts.collect())
            }
            _ => Value::Unknown,
        }
    }

    pub(super) fn unknown_of(&mut self, slot: usize) -> Value {
        let module = self.module;
        match self.types.get(slot) {
            Some(ty) => self.unknown(&module.types[*ty].inner),
            None => Value::Unknown,
        }
    }
}
