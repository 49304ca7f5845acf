//! A short name for a text, the same on every machine and in every version of this program.

/// FNV-1a of 128 bits (RFC 9923), over parts that can't run into each other.
///
/// Ids are made of it, and a table remembers ids, so the standard library's hasher won't do: it may change with the
/// compiler. Two texts have the same one by chance once in 10^38; who publishes texts that share one harms his own feed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fingerprint(u128);

const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

impl Fingerprint {
    /// Of these parts, in this order.
    pub(crate) fn of<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let start = Self(OFFSET);
        parts.into_iter().fold(start, |sum, part| {
            // A byte that UTF-8 never has, so that "ab", "c" isn't "a", "bc".
            sum.and(part.as_bytes()).and(&[0xff])
        })
    }

    fn and(self, bytes: &[u8]) -> Self {
        Self(bytes.iter().fold(self.0, |sum, byte| (sum ^ u128::from(*byte)).wrapping_mul(PRIME)))
    }

    /// The first 64 bits, for what is remembered in memory only.
    pub(crate) fn short(self) -> u64 {
        (self.0 >> 64) as u64
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_published_function() {
        let sum = |text: &[u8]| Fingerprint(OFFSET).and(text).to_string();
        assert_eq!(sum(b""), "6c62272e07bb014262b821756295c58d");
        assert_eq!(sum(b"a"), "d228cb696f1a8caf78912b704e4a8964");
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let sum = |parts: &[&str]| Fingerprint::of(parts.iter().copied()).to_string();
        assert_ne!(sum(&["ab", "c"]), sum(&["a", "bc"]));
        assert_ne!(sum(&["", "a"]), sum(&["a"]));
        assert_eq!(sum(&["a", "b"]), sum(&["a", "b"]));
    }
}
