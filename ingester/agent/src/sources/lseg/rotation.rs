//! Who connects where: one endpoint after the other, and a hot standby never where the first connection is.

use url::Url;

/// Who is where.
#[derive(Debug, Default)]
pub(super) struct Rotation([Slot; 2]);

#[derive(Debug, Default)]
struct Slot {
    /// Its endpoints, in order of preference.
    servers: Vec<Url>,
    /// Where it is, or tries to be.
    at: Option<Url>,
    /// Where it was last.
    last: Option<Url>,
    /// How many it has tried since it was last up.
    tried: usize,
}

impl Rotation {
    /// These are each connection's endpoints, in its order of preference. It goes on after the one that worked last.
    pub(super) fn learn(&mut self, lists: Vec<Vec<Url>>) {
        for (slot, servers) in self.0.iter_mut().zip(lists) {
            slot.servers = servers;
        }
    }

    /// The next endpoint for a connection; `None` after a full round, when it is time to ask for the endpoints anew.
    pub(super) fn take(&mut self, slot: usize) -> Option<Url> {
        let taken = self.0[1 - slot].at.clone();
        self.0[slot].take(taken.as_ref())
    }

    /// The connection works: the next round begins after this endpoint.
    pub(super) fn works(&mut self, slot: usize) {
        let slot = &mut self.0[slot];
        slot.last.clone_from(&slot.at);
        slot.tried = 0;
    }

    /// The connection is no longer anywhere.
    pub(super) fn leave(&mut self, slot: usize) {
        self.0[slot].at = None;
    }
}

impl Slot {
    /// The next endpoint but `taken`, unless there is no other.
    fn take(&mut self, taken: Option<&Url>) -> Option<Url> {
        let first = self.first();
        let count = self.servers.len();
        while self.tried < count {
            let server = &self.servers[(first + self.tried) % count];
            self.tried += 1;
            if taken != Some(server) || count == 1 {
                self.at = Some(server.clone());
                return self.at.clone();
            }
        }
        (self.at, self.last, self.tried) = (None, None, 0);
        None
    }

    fn first(&self) -> usize {
        let last = self.last.as_ref().and_then(|last| self.servers.iter().position(|server| server == last));
        last.map_or(0, |last| last + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotation(hosts: &[&str]) -> Rotation {
        let mut rotation = Rotation::default();
        let servers: Vec<_> =
            hosts.iter().map(|host| Url::parse(&format!("wss://{host}/WebSocket")).unwrap()).collect();
        let mut others = servers.clone();
        others.rotate_left(1);
        rotation.learn(vec![servers, others]);
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
