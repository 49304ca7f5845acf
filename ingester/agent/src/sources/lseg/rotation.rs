//! Who connects where: one endpoint after the other, and a hot standby never where the first connection is.

use url::Url;

/// The endpoints of a feed, in order of preference, and who is where.
#[derive(Debug, Default)]
pub(super) struct Rotation {
    servers: Vec<Url>,
    slots: [Slot; 2],
}

#[derive(Debug, Default)]
struct Slot {
    /// Where it is, or tries to be.
    at: Option<Url>,
    /// Where it was last.
    last: Option<Url>,
    /// How many it has tried since it was last up.
    tried: usize,
}

impl Rotation {
    /// These are the endpoints. Each connection goes on after the one that it tried last.
    pub(super) fn learn(&mut self, servers: Vec<Url>) {
        self.servers = servers;
    }

    /// The next endpoint for a connection; `None` after a full round, when it is time to ask for the endpoints anew.
    pub(super) fn take(&mut self, slot: usize) -> Option<Url> {
        self.leave(slot);
        let taken = self.slots[1 - slot].at.clone().filter(|_| self.servers.len() > 1);
        let first = self.first(slot);
        while self.slots[slot].tried < self.servers.len() {
            let server = &self.servers[(first + self.slots[slot].tried) % self.servers.len()];
            self.slots[slot].tried += 1;
            if taken.as_ref() != Some(server) {
                let server = server.clone();
                self.slots[slot].at = Some(server.clone());
                return Some(server);
            }
        }
        self.slots[slot].tried = 0;
        self.slots[slot].last = None;
        None
    }

    /// The connection works: the next round begins after this endpoint.
    pub(super) fn works(&mut self, slot: usize) {
        let slot = &mut self.slots[slot];
        slot.last.clone_from(&slot.at);
        slot.tried = 0;
    }

    /// The connection is no longer anywhere.
    pub(super) fn leave(&mut self, slot: usize) {
        self.slots[slot].at = None;
    }

    fn first(&self, slot: usize) -> usize {
        let last = self.slots[slot].last.as_ref();
        let last = last.and_then(|last| self.servers.iter().position(|server| server == last));
        last.map_or(slot, |last| last + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotation(hosts: &[&str]) -> Rotation {
        let mut rotation = Rotation::default();
        rotation.learn(hosts.iter().map(|host| Url::parse(&format!("wss://{host}/WebSocket")).unwrap()).collect());
        rotation
    }

    fn taken(rotation: &mut Rotation, slot: usize) -> Option<String> {
        rotation.take(slot).map(|url| url.host_str().unwrap().to_owned())
    }

    #[test]
    fn round_tries_each_endpoint_once_and_then_asks_anew() {
        let mut rotation = rotation(&["a", "b", "c"]);
        for _ in 0..2 {
            for expected in [Some("a"), Some("b"), Some("c"), None] {
                assert_eq!(taken(&mut rotation, 0).as_deref(), expected);
            }
        }
    }

    #[test]
    fn endpoint_that_worked_is_the_last_to_be_tried_again() {
        let mut rotation = rotation(&["a", "b", "c"]);
        taken(&mut rotation, 0);
        assert_eq!(taken(&mut rotation, 0).as_deref(), Some("b"));
        rotation.works(0);
        for expected in [Some("c"), Some("a"), Some("b"), None] {
            assert_eq!(taken(&mut rotation, 0).as_deref(), expected);
        }
    }

    #[test]
    fn standby_is_never_where_the_other_is_when_there_are_two() {
        let mut rotation = rotation(&["a", "b"]);
        assert_eq!(taken(&mut rotation, 0).as_deref(), Some("a"));
        rotation.works(0);
        assert_eq!(taken(&mut rotation, 1).as_deref(), Some("b"));
        rotation.works(1);
        assert_eq!(taken(&mut rotation, 0).as_deref(), Some("a"), "b is the other's");
        assert_eq!(taken(&mut rotation, 0), None);
        rotation.leave(0);
        assert_eq!(taken(&mut rotation, 1).as_deref(), Some("a"), "nobody is there now");
    }

    #[test]
    fn single_endpoint_serves_both() {
        let mut rotation = rotation(&["a"]);
        assert_eq!(taken(&mut rotation, 0).as_deref(), Some("a"));
        assert_eq!(taken(&mut rotation, 1).as_deref(), Some("a"));
        assert_eq!(taken(&mut rotation, 1), None);
    }
}
