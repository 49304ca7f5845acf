//! The parts of one item.

use super::{Loss, MAX_TOTAL};
use std::collections::BTreeMap;

/// What keeping a part costs beside its bytes, roughly.
const COST: usize = 64;

/// The parts of one item.
#[derive(Debug, Default)]
pub(super) struct Parts {
    total: Option<usize>,
    /// Those without a hole before them, joined.
    bytes: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
    /// Those that came before one with a lower number.
    early: BTreeMap<u32, Box<[u8]>>,
    early_bytes: usize,
}

/// What came of a part.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Whole,
    Waiting,
    Repeated,
    Lost(Loss),
}

impl Parts {
    /// Takes a part that isn't empty.
    pub(super) fn add(&mut self, number: u32, total: Option<usize>, bytes: &[u8]) -> Progress {
        if let Some(known) = self.get(number) {
            let same = known == bytes && (number != 1 || total == self.total);
            return if same { Progress::Repeated } else { Progress::Lost(Loss::Conflict(number)) };
        }
        self.total = self.total.or(total);
        let (held, limit) = (self.len() + bytes.len(), self.total.unwrap_or(MAX_TOTAL));
        if held > limit {
            return Progress::Lost(Loss::TooLong { held, total: limit });
        }
        self.keep(number, bytes);
        match self.total {
            Some(total) if held < total => Progress::Waiting,
            Some(_) if self.early.is_empty() => Progress::Whole,
            // Every part has a byte, so that there is no room for the missing one.
            Some(_) => Progress::Lost(Loss::Hole(self.next())),
            None => Progress::Waiting,
        }
    }

    /// Why it is given up when time is up.
    pub(super) fn expired(&self) -> Loss {
        self.total.map_or(Loss::Orphan, |total| Loss::Expired { held: self.len(), total })
    }

    /// Its bytes, in order.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The bytes it takes, with what keeping them costs.
    pub(super) fn cost(&self) -> usize {
        self.len() + COST * (self.ends.len() + self.early.len())
    }

    fn len(&self) -> usize {
        self.bytes.len() + self.early_bytes
    }

    fn get(&self, number: u32) -> Option<&[u8]> {
        let index = number as usize - 1;
        let Some(end) = self.ends.get(index) else { return self.early.get(&number).map(|bytes| &**bytes) };
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        Some(&self.bytes[start..*end])
    }

    fn next(&self) -> u32 {
        u32::try_from(self.ends.len() + 1).unwrap_or(u32::MAX)
    }

    fn keep(&mut self, number: u32, bytes: &[u8]) {
        if number != self.next() {
            self.early_bytes += bytes.len();
            self.early.insert(number, bytes.into());
            return;
        }
        self.append(bytes);
        while let Some(bytes) = self.early.remove(&self.next()) {
            self.early_bytes -= bytes.len();
            self.append(&bytes);
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Step = (u32, Option<usize>, &'static [u8], Progress);

    #[test]
    fn parts_are_taken_in_any_order_and_judged_by_the_rules() {
        let whole = || Progress::Whole;
        let waiting = || Progress::Waiting;
        let lost = Progress::Lost;
        let cases: Vec<(&str, Vec<Step>)> = vec![
            ("in order", vec![(1, Some(3), b"a", waiting()), (2, None, b"b", waiting()), (3, None, b"c", whole())]),
            ("backwards", vec![(3, None, b"c", waiting()), (2, None, b"b", waiting()), (1, Some(3), b"a", whole())]),
            (
                "again the same",
                vec![(1, Some(2), b"a", waiting()), (1, Some(2), b"a", Progress::Repeated), (2, None, b"b", whole())],
            ),
            (
                "an early one again",
                vec![(2, None, b"b", waiting()), (2, None, b"b", Progress::Repeated), (1, Some(2), b"a", whole())],
            ),
            ("again another", vec![(1, Some(9), b"a", waiting()), (1, Some(9), b"b", lost(Loss::Conflict(1)))]),
            ("again another size", vec![(1, Some(9), b"a", waiting()), (1, Some(8), b"a", lost(Loss::Conflict(1)))]),
            ("an early one again another", vec![(2, None, b"b", waiting()), (2, None, b"c", lost(Loss::Conflict(2)))]),
            (
                "too long",
                vec![(1, Some(2), b"a", waiting()), (2, None, b"bc", lost(Loss::TooLong { held: 3, total: 2 }))],
            ),
            (
                "too long before the size is known",
                vec![(2, None, b"bcd", waiting()), (1, Some(3), b"a", lost(Loss::TooLong { held: 4, total: 3 }))],
            ),
            ("a hole", vec![(1, Some(2), b"a", waiting()), (3, None, b"c", lost(Loss::Hole(2)))]),
        ];
        for (case, steps) in cases {
            let mut parts = Parts::default();
            for (number, total, bytes, expected) in steps {
                assert_eq!(parts.add(number, total, bytes), expected, "{case}, part {number}");
            }
        }
    }

    #[test]
    fn without_a_first_part_there_is_a_limit_all_the_same() {
        let mut parts = Parts::default();
        let half = vec![0; MAX_TOTAL / 2 + 1];
        assert_eq!(parts.add(2, None, &half), Progress::Waiting);
        assert_eq!(parts.add(3, None, &half), Progress::Lost(Loss::TooLong { held: MAX_TOTAL + 2, total: MAX_TOTAL }));
    }
}
