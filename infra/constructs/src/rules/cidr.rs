//! Blocks of IPv4 addresses.

use std::{fmt, net::Ipv4Addr, str::FromStr};

/// A block of IPv4 addresses in CIDR notation, such as `10.0.0.0/16`.
///
/// ```
/// use constructs::services::vpc::Cidr;
/// let network: Cidr = "10.0.0.0/16".parse()?;
/// assert_eq!(network.nth(20, 1).map(|block| block.to_string()), Some("10.0.16.0/20".to_owned()));
/// assert!("10.0.0.1/16".parse::<Cidr>().is_err());
/// # Ok::<(), constructs::services::vpc::CidrError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    first: u32,
    prefix: u8,
}

impl Cidr {
    /// Every address: `0.0.0.0/0`.
    pub const ANYWHERE: Self = Self { first: 0, prefix: 0 };

    /// How many leading bits all its addresses share, 0 to 32; the smaller, the larger the block.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether every address of the other block is in this one.
    pub fn contains(self, other: Self) -> bool {
        self.prefix <= other.prefix && other.first & self.mask() == self.first
    }

    /// Whether the two share an address.
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// The `index`-th block with this prefix in the block, from 0 on; nothing where there are not so many.
    pub fn nth(self, prefix: u8, index: u32) -> Option<Self> {
        let more_bits = prefix.checked_sub(self.prefix).filter(|_| prefix <= 32)?;
        let fits = u64::from(index) < 1 << more_bits;
        let first = u64::from(self.first) + (u64::from(index) << (32 - prefix));
        fits.then(|| u32::try_from(first).ok()).flatten().map(|first| Self { first, prefix })
    }

    fn mask(self) -> u32 {
        mask(self.prefix)
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.first), self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let parts = text.split_once('/').and_then(|(address, prefix)| {
            let address: Ipv4Addr = address.parse().ok()?;
            let prefix: u8 = prefix.parse().ok().filter(|prefix| *prefix <= 32)?;
            Some((u32::from(address), prefix))
        });
        let Some((address, prefix)) = parts else {
            return Err(CidrError(format!("`{text}` is no block of IPv4 addresses such as `10.0.0.0/16`")));
        };
        let block = Self { first: address & mask(prefix), prefix };
        if block.first != address {
            return Err(CidrError(format!("`{text}` starts inside a block; the block is `{block}`")));
        }
        Ok(block)
    }
}

/// Why a text is no [`Cidr`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CidrError(String);

impl fmt::Display for CidrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CidrError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> Cidr {
        text.parse().expect("a block")
    }

    #[test]
    fn blocks_are_parsed_and_checked() {
        for text in ["10.0.0.0/16", "0.0.0.0/0", "192.168.1.1/32", "10.0.0.0/0"] {
            assert_eq!(text.parse::<Cidr>().is_ok(), text != "10.0.0.0/0", "{text}");
        }
        for text in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0/16", "10.0.0.256/32", "10.0.0.0/-1", "fd00::/8"] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
        let error = "10.0.0.1/16".parse::<Cidr>().expect_err("inside");
        assert_eq!(error.to_string(), "`10.0.0.1/16` starts inside a block; the block is `10.0.0.0/16`");
    }

    #[test]
    fn blocks_contain_and_overlap() {
        let network = block("10.0.0.0/16");
        assert!(network.contains(block("10.0.255.0/24")) && network.contains(network));
        assert!(!network.contains(block("10.1.0.0/24")) && !network.contains(block("10.0.0.0/15")));
        assert!(network.overlaps(block("10.0.0.0/8")) && !network.overlaps(block("10.1.0.0/16")));
        assert!(Cidr::ANYWHERE.contains(network));
    }

    #[test]
    fn blocks_are_carved_in_order() {
        let network = block("10.0.0.0/16");
        assert_eq!(network.nth(24, 255), Some(block("10.0.255.0/24")));
        assert_eq!(network.nth(24, 256), None);
        assert_eq!(network.nth(16, 0), Some(network));
        assert_eq!(network.nth(15, 0), None);
        assert_eq!(Cidr::ANYWHERE.nth(32, u32::MAX), Some(block("255.255.255.255/32")));
    }
}
