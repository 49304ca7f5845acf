//! What a room was asked, in order.

/// The requests so far, and how many they were. Switched off, it counts and keeps none.
#[derive(Debug)]
pub(super) struct Journal<C> {
    calls: Vec<C>,
    /// The number of the first that is kept.
    first: usize,
    total: usize,
    off: bool,
}

impl<C> Journal<C> {
    /// Adds a request, and gives its number.
    pub(super) fn add(&mut self, call: C) -> usize {
        self.total += 1;
        if self.off {
            // Of a number that nobody will find: one that was given is never given again.
            self.first += 1;
            return self.first - 1;
        }
        self.calls.push(call);
        self.first + self.calls.len() - 1
    }

    /// The request of this number, if it is kept.
    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut C> {
        self.calls.get_mut(number.checked_sub(self.first)?)
    }

    /// Those that are kept.
    pub(super) fn calls(&self) -> &[C] {
        &self.calls
    }

    /// How many there were, kept or not.
    pub(super) fn total(&self) -> usize {
        self.total
    }

    /// Forgets what is kept.
    pub(super) fn forget(&mut self) {
        self.first += self.calls.len();
        self.calls = Vec::new();
    }

    /// Whether the next ones are kept; those that are kept are forgotten when not.
    pub(super) fn switch(&mut self, on: bool) {
        self.off = !on;
        if self.off {
            self.forget();
        }
    }

    /// As at the start, but that it is as on or off as it was.
    pub(super) fn reset(&mut self) {
        self.forget();
        self.total = 0;
    }
}

impl<C> Default for Journal<C> {
    fn default() -> Self {
        Self { calls: Vec::new(), first: 0, total: 0, off: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_finds_its_request_and_no_other_whatever_is_forgotten() {
        let mut journal = Journal::default();
        let numbers = [journal.add("a"), journal.add("b")];
        let found = |journal: &mut Journal<_>, number: usize| journal.get_mut(number).copied();
        assert_eq!(numbers.map(|number| found(&mut journal, number)), [Some("a"), Some("b")]);
        journal.forget();
        let third = journal.add("c");
        assert_eq!(numbers.map(|number| found(&mut journal, number)), [None, None]);
        journal.switch(false);
        let fourth = journal.add("d");
        journal.switch(true);
        let fifth = journal.add("e");
        assert_eq!([third, fourth, fifth].map(|number| found(&mut journal, number)), [None, None, Some("e")]);
        assert_eq!((journal.calls(), journal.total()), (["e"].as_slice(), 5));
        journal.reset();
        assert_eq!((journal.calls().len(), journal.total()), (0, 0));
        assert_eq!(found(&mut journal, fifth), None);
    }
}
