//! Loops: what holds in every round.
//!
//! A round is run once to see what it does to its variables. What is guessed from that is then taken for true at the start of
//! a round, and kept only if the end of the round bears it out.
//!
//! Invariant: what a variable is said to be at the start of a round it is in every round.

use super::form::{Form, Symbol};
use super::machine::{Exit, Frame, Machine, State};
use super::path::Path;
use super::value::{Int, Root, Value, limits};
use naga::valid::GlobalUse;
use naga::{Block, Expression, Handle, Statement};

/// Loops inside of more loops than this are followed once, without looking for what their variables have in common.
const DEEPEST_LOOP: usize = 4;

/// More rounds than a variable takes that changes in each.
const WORD: i128 = 1 << 32;

/// What a variable is taken to do in a loop.
#[derive(Clone, Debug)]
enum Guess {
    /// It is this, plus the step times the number of the round.
    Marches(Form, i128),
    /// It is this, plus a multiple of the step.
    Steps(Form, i128),
    /// It is somewhere between.
    Stays(i128, i128),
    Anything,
}

impl<'a> Machine<'a> {
    pub(super) fn repeat(
        &mut self,
        frame: &mut Frame<'a>,
        body: &'a Block,
        continuing: &'a Block,
        break_if: Option<Handle<Expression>>,
        state: &mut State,
    ) -> bool {
        let mut changed = Vec::new();
        self.changed(frame, body, &mut changed);
        self.changed(frame, continuing, &mut changed);
        changed.sort_unstable();
        changed.dedup();
        changed.retain(|slot| *slot < state.variables.len());
        self.loops += 1;
        let mut guesses = if self.loops > DEEPEST_LOOP {
            vec![Guess::Anything; changed.len()]
        } else {
            self.guesses(frame, body, continuing, &changed, state)
        };
        let before = state.clone();
        // Each time that a guess turns out wrong it is given up, so this ends.
        loop {
            let noted = self.sites.len();
            let (returned, ended) = (frame.returns.len(), self.ends.len());
            let mut inside = before.clone();
            inside.path.is_exact = false;
            self.begin(&changed, &guesses, &mut inside);
            let start = inside.variables.clone();
            let (ends, breaks) = self.round(frame, body, continuing, break_if, inside);
            let mut holds = true;
            for (place, slot) in changed.iter().enumerate() {
                let is_kept = ends.iter().all(|end| {
                    self.keeps(
                        &guesses[place],
                        &start[*slot],
                        &end.variables[*slot],
                        &end.path,
                    )
                });
                if !is_kept {
                    guesses[place] = Guess::Anything;
                    holds = false;
                }
            }
            if holds || self.lost.is_some() {
                self.loops -= 1;
                return self.after(&before, breaks, state);
            }
            self.sites.truncate(noted);
            frame.returns.truncate(returned);
            self.ends.truncate(ended);
        }
    }

    /// What holds after a loop.
    fn after(&mut self, before: &State, mut breaks: Vec<State>, state: &mut State) -> bool {
        if breaks.is_empty() {
            return false;
        }
        let mark = before.path.assumed.len();
        *state = if breaks.len() == 1 {
            breaks.swap_remove(0)
        } else {
            self.join(&before.path, mark, breaks, None)
        };
        state.path.is_exact = false;
        true
    }

    /// Runs the body and what comes between two rounds; the states at the end of the round, and those that leave.
    fn round(
        &mut self,
        frame: &mut Frame<'a>,
        body: &'a Block,
        continuing: &'a Block,
        break_if: Option<Handle<Expression>>,
        mut state: State,
    ) -> (Vec<State>, Vec<State>) {
        let mark = state.path.assumed.len();
        let before = state.path.clone();
        self.exits.push(Exit {
            is_loop: true,
            breaks: Vec::new(),
            continues: Vec::new(),
        });
        let falls = self.block(frame, body, &mut state);
        let Some(exit) = self.exits.last_mut() else {
            return (Vec::new(), Vec::new());
        };
        let mut ends = std::mem::take(&mut exit.continues);
        if falls {
            ends.push(state);
        }
        let mut again = Vec::new();
        if !ends.is_empty() {
            let mut state = if ends.len() == 1 {
                ends.swap_remove(0)
            } else {
                self.join(&before, mark, ends, None)
            };
            if self.block(frame, continuing, &mut state) {
                if let Some(condition) = break_if {
                    let cond = self.condition(frame, condition, &mut state);
                    let mut leaving = state.clone();
                    self.assume(&cond, true, &mut leaving);
                    if !leaving.path.is_dead
                        && let Some(exit) = self.exits.last_mut()
                    {
                        exit.breaks.push(leaving);
                    }
                    self.assume(&cond, false, &mut state);
                }
                if !state.path.is_dead {
                    again.push(state);
                }
            }
        }
        let breaks = self.exits.pop().map_or(Vec::new(), |exit| exit.breaks);
        (again, breaks)
    }

    /// Guesses from one round without anything noted what the changed variables do.
    fn guesses(
        &mut self,
        frame: &mut Frame<'a>,
        body: &'a Block,
        continuing: &'a Block,
        changed: &[usize],
        state: &State,
    ) -> Vec<Guess> {
        if self.is_trying {
            return vec![Guess::Anything; changed.len()];
        }
        let noted = self.sites.len();
        let (returned, ended) = (frame.returns.len(), self.ends.len());
        let noting = std::mem::replace(&mut self.is_noting, false);
        self.is_trying = true;
        let mut inside = state.clone();
        for slot in changed {
            inside.variables[*slot] = self.unknown_of(*slot);
        }
        let start = inside.variables.clone();
        let (ends, _) = self.round(frame, body, continuing, None, inside);
        (self.is_noting, self.is_trying) = (noting, false);
        self.sites.truncate(noted);
        frame.returns.truncate(returned);
        self.ends.truncate(ended);
        let guesses = changed.iter().map(|slot| {
            let ends: Vec<_> = ends
                .iter()
                .map(|end| (end.variables[*slot].clone(), end.path.clone()))
                .collect();
            self.guess(&state.variables[*slot], &state.path, &start[*slot], &ends)
        });
        guesses.collect()
    }

    fn guess(
        &mut self,
        first: &Value,
        path: &Path,
        start: &Value,
        ends: &[(Value, Path)],
    ) -> Guess {
        let (Value::Int(first), Value::Int(start)) = (first, start) else {
            return Guess::Anything;
        };
        let Some(begin) = start.form().cloned() else {
            return Guess::Anything;
        };
        let mut step: Option<i128> = None;
        let (mut is_march, mut is_steps, mut grows, mut shrinks) = (true, true, true, true);
        for (end, path) in ends {
            let Value::Int(end) = end else {
                return Guess::Anything;
            };
            self.used |= end.words;
            for case in end.cases.iter() {
                let Some(by) = case.form.minus(&begin) else {
                    return Guess::Anything;
                };
                match by.as_number() {
                    Some(0) => is_march = false,
                    Some(by) => {
                        let by = shortest(by);
                        is_steps &= step.is_none_or(|step| step == by);
                        step = Some(by);
                        (grows, shrinks) = (grows && by > 0, shrinks && by < 0);
                    }
                    None => {
                        is_steps = false;
                        let path = path.with(&self.symbols, &case.facts);
                        let (low, high) = path.bound(&self.symbols, &by);
                        (grows, shrinks) = (grows && low >= 0, shrinks && high <= 0);
                    }
                }
            }
        }
        self.used |= first.words;
        let mut cases = self.resolve(first, path);
        if is_steps && cases.len() > 1 {
            cases = self.spanning(cases, first.is_signed, path);
        }
        if is_steps && let (Some(step), [only]) = (step, cases.as_slice()) {
            let first = only.form.clone();
            return if is_march {
                Guess::Marches(first, step)
            } else {
                Guess::Steps(first, step)
            };
        }
        let (least, most) = first.limits();
        let (low, high) = self.range(first, path);
        match (grows, shrinks) {
            (true, true) => Guess::Stays(low, high),
            (true, false) => Guess::Stays(low, most),
            (false, true) => Guess::Stays(least, high),
            _ => Guess::Anything,
        }
    }

    /// Sets the variables to what is guessed of them at the start of a round.
    fn begin(&mut self, changed: &[usize], guesses: &[Guess], state: &mut State) {
        // Those that take a step in every round have taken equally many.
        let round = self.new_symbol(0, WORD);
        for (slot, guess) in changed.iter().zip(guesses) {
            let is_signed = matches!(&state.variables[*slot], Value::Int(int) if int.is_signed);
            let value = match guess {
                Guess::Marches(first, step) => {
                    self.stepping(first, *step, is_signed, &state.path, Some(round))
                }
                Guess::Steps(first, step) => {
                    self.stepping(first, *step, is_signed, &state.path, None)
                }
                Guess::Stays(low, high) => {
                    Some(Value::Int(self.between(*low, *high, is_signed, 0)))
                }
                Guess::Anything => None,
            };
            state.variables[*slot] = match value {
                Some(value) => value,
                None => self.unknown_of(*slot),
            };
        }
    }

    /// The first value plus some steps, without going past the end of the type.
    fn stepping(
        &mut self,
        first: &Form,
        step: i128,
        is_signed: bool,
        path: &Path,
        round: Option<Symbol>,
    ) -> Option<Value> {
        let (least, most) = limits(is_signed);
        let (low, high) = path.bound(&self.symbols, first);
        let rounds = if step > 0 {
            (most - low) / step
        } else {
            (high - least) / -step
        };
        let round = round.unwrap_or_else(|| self.new_symbol(0, WORD));
        let form = first.plus(&Form::symbol(round), step)?;
        // Where it begins is a value of the type, and no step leads past an end of it.
        let facts = [form.shifted(-most), form.times(-1)?.shifted(least)];
        let known = &mut self.symbols.known[round as usize];
        known.high = known.high.min(rounds.max(0));
        known.facts.extend(facts);
        Some(Value::Int(Int::of(form, is_signed)))
    }

    /// Whether what a variable is at the end of a round is what is guessed of it.
    fn keeps(&mut self, guess: &Guess, start: &Value, end: &Value, path: &Path) -> bool {
        match guess {
            Guess::Anything => true,
            Guess::Stays(low, high) => {
                let Value::Int(end) = end else { return false };
                self.used |= end.words;
                let (a, b) = self.range(end, path);
                *low <= a && b <= *high
            }
            Guess::Marches(_, step) | Guess::Steps(_, step) => {
                let may_rest = matches!(guess, Guess::Steps(..));
                let (Value::Int(start), Value::Int(end)) = (start, end) else {
                    return false;
                };
                self.used |= end.words;
                let Some(begin) = start.form().cloned() else {
                    return false;
                };
                let (least, most) = start.limits();
                end.cases.iter().all(|case| {
                    let by = case.form.minus(&begin).and_then(|by| by.as_number());
                    let Some(by) = by.map(shortest) else {
                        return false;
                    };
                    let is_step = may_rest && by == 0 || by == *step;
                    let path = path.with(&self.symbols, &case.facts);
                    let (low, high) = path.bound(&self.symbols, &begin.shifted(by));
                    path.is_dead || is_step && least <= low && high <= most
                })
            }
        }
    }

    /// The variables that a block may change.
    fn changed(&self, frame: &Frame<'a>, block: &'a Block, found: &mut Vec<usize>) {
        for statement in block {
            match statement {
                Statement::Store { pointer, .. } => self.root(frame, *pointer, found),
                Statement::Block(block) => self.changed(frame, block, found),
                Statement::If { accept, reject, .. } => {
                    self.changed(frame, accept, found);
                    self.changed(frame, reject, found);
                }
                Statement::Switch { cases, .. } => {
                    for case in cases {
                        self.changed(frame, &case.body, found);
                    }
                }
                Statement::Loop {
                    body, continuing, ..
                } => {
                    self.changed(frame, body, found);
                    self.changed(frame, continuing, found);
                }
                Statement::Call {
                    function,
                    arguments,
                    ..
                } => {
                    for argument in arguments {
                        self.root(frame, *argument, found);
                    }
                    let info = &self.info[*function];
                    let written = self.privates.iter();
                    let written =
                        written.filter(|(handle, _)| info[**handle].contains(GlobalUse::WRITE));
                    found.extend(written.map(|(_, slot)| *slot));
                }
                _ => {}
            }
        }
    }

    /// The variable that a pointer leads to, if it is the invocation's own.
    pub(super) fn root(
        &self,
        frame: &Frame<'a>,
        pointer: Handle<Expression>,
        found: &mut Vec<usize>,
    ) {
        match frame.function.expressions[pointer] {
            Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => {
                self.root(frame, base, found);
            }
            Expression::LocalVariable(local) => found.push(self.slot(frame, local)),
            Expression::GlobalVariable(global) => found.extend(self.privates.get(&global)),
            Expression::FunctionArgument(place) => {
                if let Some(Value::Pointer(place)) = frame.arguments.get(place as usize)
                    && let Root::Own(slot) = place.root
                {
                    found.push(slot);
                }
            }
            _ => {}
        }
    }
}

/// A difference modulo 2^32, the shorter way around.
fn shortest(by: i128) -> i128 {
    let half = 1 << 31;
    (by + half).rem_euclid(1 << 32) - half
}
