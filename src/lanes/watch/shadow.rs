//! Who touched which word of a memory.
//!
//! Compares each access with those that nothing orders before it; what is told of a race is the affair of `watch`.
//!
//! Invariant: of the accesses of a word, enough are remembered that whatever races with any of them races with one of those.

use crate::check::Does;

/// An access that was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    /// The number of another record of the same word, from one; none if zero.
    pub(super) next: u32,
    pub(super) group: u32,
    /// Barriers before it that order the memory, and barriers of any kind.
    pub(super) epoch: u32,
    pub(super) barriers: u32,
    pub(super) check: u32,
    pub(super) value: u32,
    pub(super) lane: u16,
    pub(super) does: Does,
}

/// Who touched which word of a memory.
#[derive(Debug, Default)]
pub(super) struct Shadow {
    /// The number of the first record of each word, from one; none if zero.
    heads: Vec<u32>,
    records: Vec<Record>,
}

/// The most records of one word that do the same: one of another workgroup, two of this one. Any access races with the
/// first, and with one of the other two unless it is by the same invocation.
const OWN_RECORDS: usize = 2;

impl Shadow {
    pub(super) fn new(words: usize) -> Self {
        Self {
            heads: vec![0; words],
            records: Vec::new(),
        }
    }

    pub(super) fn clear(&mut self) {
        self.heads.fill(0);
        self.records.clear();
    }

    /// Notes an access, and lists those that it races with, one for each check and each side.
    pub(super) fn touch(&mut self, word: usize, mut new: Record, raced: &mut Vec<Record>) {
        let Some(head) = self.heads.get_mut(word) else {
            return;
        };
        // Of those that do the same: how many are of this workgroup since its last barrier, and whether one is of this
        // invocation; the first of another workgroup, or from before the barrier; and one that nobody needs.
        let (mut own, mut is_there) = (0, false);
        let (mut other, mut old, mut spare) = (None, None, None);
        let mut weaker = None;
        let mut next = *head;
        while next != 0 {
            let number = next;
            let record = self.records[number as usize - 1];
            next = record.next;
            let is_other = record.group != new.group;
            let is_present = !is_other && record.epoch == new.epoch;
            let is_unordered = is_other || (is_present && record.lane != new.lane);
            let is_like = |other: &Record| {
                other.check == record.check && (other.group == new.group) != is_other
            };
            if is_unordered && new.does.races_with(record.does) && !raced.iter().any(is_like) {
                raced.push(record);
            }
            // Whatever races with a read races with a write by the same invocation.
            if is_present && record.lane == new.lane {
                match (record.does, new.does) {
                    (Does::Write, Does::Read) => is_there = true,
                    (Does::Read, Does::Write) => weaker = Some(number),
                    _ => {}
                }
            }
            if class(record.does) != class(new.does) {
                continue;
            }
            if is_present {
                own += 1;
                is_there |= record.lane == new.lane;
            } else {
                let kept = if is_other { &mut other } else { &mut old };
                if kept.is_some() {
                    spare = Some(number);
                } else {
                    *kept = Some(number);
                }
            }
        }
        if is_there || own == OWN_RECORDS {
            return;
        }
        // What was before the barrier is needed only by later workgroups, and they race with another one's as well.
        if other.is_some() {
            spare = spare.or(old);
        }
        match spare.or(weaker) {
            Some(number) => {
                let record = &mut self.records[number as usize - 1];
                new.next = record.next;
                *record = new;
            }
            None => {
                new.next = *head;
                self.records.push(new);
                *head = self.records.len() as u32;
            }
        }
    }
}

/// What races with the same.
fn class(does: Does) -> Does {
    match does {
        Does::AtomicWrite => Does::AtomicUpdate,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DOES: [Does; 5] = [
        Does::Read,
        Does::Write,
        Does::AtomicRead,
        Does::AtomicWrite,
        Does::AtomicUpdate,
    ];

    /// An access of a word: whether the next workgroup, or what comes after the next barrier, begins with it; the lane;
    /// what it does.
    fn accesses() -> impl Strategy<Value = Vec<(u8, u16, usize)>> {
        prop::collection::vec((0..8_u8, 0..4_u16, 0..DOES.len()), 0..120)
    }

    proptest! {
        #[test]
        fn an_access_that_races_with_any_before_it_races_with_one_that_is_remembered(accesses in accesses()) {
            let mut shadow = Shadow::new(1);
            let mut before: Vec<Record> = Vec::new();
            let (mut group, mut epoch) = (0, 0);
            for (begins, lane, does) in accesses {
                match begins {
                    0 => (group, epoch) = (group + 1, 0),
                    1 => epoch += 1,
                    _ => {}
                }
                let new = Record { next: 0, group, epoch, barriers: epoch, check: 0, value: 0, lane, does: DOES[does] };
                let races = |old: &Record| {
                    let is_unordered = old.group != group || (old.epoch == epoch && old.lane != lane);
                    is_unordered && old.does.races_with(new.does)
                };
                let mut raced = Vec::new();
                shadow.touch(0, new, &mut raced);
                prop_assert!(raced.iter().all(races));
                prop_assert_eq!(!raced.is_empty(), before.iter().any(races));
                before.push(new);
            }
            // Three for each kind of access: memory doesn't grow with the dispatch.
            prop_assert!(shadow.records.len() <= 12);
        }
    }

    #[test]
    fn words_past_the_end_are_not_remembered() {
        let mut shadow = Shadow::new(1);
        let new = Record {
            next: 0,
            group: 0,
            epoch: 0,
            barriers: 0,
            check: 0,
            value: 0,
            lane: 0,
            does: Does::Write,
        };
        shadow.touch(1, new, &mut Vec::new());
        assert!(shadow.records.is_empty());
    }
}
