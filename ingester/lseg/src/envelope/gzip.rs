//! Inflating, with buffers that are kept and a limit.

use super::MAX_INFLATED;
use std::fmt;
use zlib_rs::{Inflate, InflateFlush, Status, crc32::crc32};

/// The window of gzip: 32 KiB.
const WINDOW_BITS: u8 = 15;

/// The buffer that is kept: the feed's items are far below; one large item must not hold its memory for ever.
const KEPT: usize = 256 * 1024;

/// Room behind what is expected: near the end of its buffer the inflater is slow.
const SLACK: usize = 512;

/// Inflates one item after the other.
pub(super) struct Gunzip {
    state: Inflate,
    /// Longer than what was inflated last: clearing it for every item would cost as much as a copy.
    buffer: Vec<u8>,
}

/// What is in the parts is no item. Kinds of RFC 1952.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Corrupt {
    /// Its only part is no base64.
    #[error("is no base64")]
    Base64,
    /// No gzip, or one that ends in its header.
    #[error("is no gzip")]
    Header,
    /// Compressed data that is none.
    #[error("can't be inflated")]
    Data,
    /// It ends too early.
    #[error("is cut off")]
    Cut,
    /// What came out is not what went in.
    #[error("is damaged: the checksum differs")]
    Checksum,
    /// More comes out than any item has.
    #[error("inflates to more than {MAX_INFLATED} bytes")]
    Large,
}

impl Default for Gunzip {
    fn default() -> Self {
        Self { state: Inflate::new(false, WINDOW_BITS), buffer: Vec::new() }
    }
}

impl fmt::Debug for Gunzip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gunzip").field("kept", &self.buffer.capacity()).finish_non_exhaustive()
    }
}

impl Gunzip {
    /// Inflates a gzip of one member; what may follow it is ignored.
    pub(super) fn inflate(&mut self, gzip: &[u8]) -> Result<&[u8], Corrupt> {
        let compressed = after_header(gzip).ok_or(Corrupt::Header)?;
        self.state.reset(false);
        self.prepare(expected(compressed));
        let (length, rest) = self.inflate_all(compressed)?;
        let inflated = &self.buffer[..length];
        let trailer = rest.first_chunk::<8>().ok_or(Corrupt::Cut)?;
        // The checksum and the length, each of 32 bits.
        let expected = (length as u64) << 32 | u64::from(crc32(0, inflated));
        if u64::from_le_bytes(*trailer) == expected { Ok(inflated) } else { Err(Corrupt::Checksum) }
    }

    /// Makes room, and gives back what a large item before this one took.
    fn prepare(&mut self, expected: usize) {
        if expected <= KEPT && self.buffer.len() > KEPT {
            self.buffer.truncate(KEPT);
            self.buffer.shrink_to_fit();
        }
        if self.buffer.len() < expected {
            self.grow_to(expected);
        }
    }

    /// Inflates to the end, and gives back how much that was, and what follows it.
    fn inflate_all<'a>(&mut self, compressed: &'a [u8]) -> Result<(usize, &'a [u8]), Corrupt> {
        let (mut rest, mut length) = (compressed, 0);
        loop {
            let (read, written) = (self.state.total_in(), self.state.total_out());
            let room = &mut self.buffer[length..];
            let status = self.state.decompress(rest, room, InflateFlush::NoFlush).map_err(|_| Corrupt::Data)?;
            let (read, written) = (self.state.total_in() - read, self.state.total_out() - written);
            rest = rest.get(usize::try_from(read).unwrap_or(rest.len())..).unwrap_or_default();
            length += usize::try_from(written).unwrap_or(room.len());
            if length > MAX_INFLATED {
                return Err(Corrupt::Large);
            }
            if status == Status::StreamEnd {
                return Ok((length, rest));
            }
            let full = length == self.buffer.len();
            if !full && (rest.is_empty() || read == 0 && written == 0) {
                return Err(Corrupt::Cut);
            }
            if full {
                // One byte more than the limit shows that it is passed.
                self.grow_to((2 * length).clamp(4096, MAX_INFLATED + 1));
            }
        }
    }

    fn grow_to(&mut self, length: usize) {
        self.buffer.reserve_exact(length - self.buffer.len());
        self.buffer.resize(length, 0);
    }
}

/// How much to expect: what the trailer says, as far as that is likely, as deflate makes a thousandth at best.
fn expected(compressed: &[u8]) -> usize {
    let said = compressed.last_chunk::<4>().map_or(0, |said| u32::from_le_bytes(*said) as usize);
    said.min(compressed.len().saturating_mul(16)).min(MAX_INFLATED - SLACK) + SLACK
}

/// What follows the header.
fn after_header(gzip: &[u8]) -> Option<&[u8]> {
    const CHECKSUM: u8 = 1 << 1;
    const EXTRA: u8 = 1 << 2;
    const NAME: u8 = 1 << 3;
    const COMMENT: u8 = 1 << 4;
    let [0x1F, 0x8B, 8, flags, _, _, _, _, _, _, rest @ ..] = gzip else { return None };
    let mut rest = rest;
    if flags & EXTRA != 0 {
        let (length, after) = rest.split_first_chunk::<2>()?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for flag in [NAME, COMMENT] {
        if flags & flag != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = &rest[end + 1..];
        }
    }
    if flags & CHECKSUM != 0 { rest.get(2..) } else { Some(rest) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, GzBuilder, write::GzEncoder};
    use std::io::Write;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_was_compressed_comes_back_whatever_the_header_holds() {
        let mut gunzip = Gunzip::default();
        let mut named =
            GzBuilder::new().filename("a").comment("b").extra(vec![1, 2, 3]).write(vec![], Compression::fast());
        named.write_all(b"content").unwrap();
        assert_eq!(gunzip.inflate(&named.finish().unwrap()), Ok(&b"content"[..]));
        for length in [0, 1, 63, 64, 65, 4096, 100_000, MAX_INFLATED] {
            let content: Vec<u8> = (0..=250).cycle().take(length).collect();
            assert!(gunzip.inflate(&gzip(&content)).unwrap() == content, "{length} bytes");
        }
    }

    #[test]
    fn what_is_no_item_is_refused_and_the_next_one_is_none_the_worse() {
        let good = gzip(b"content");
        let mut damaged = good.clone();
        let checksum = damaged.len() - 8;
        damaged[checksum] ^= 1;
        let cases: Vec<(&[u8], Corrupt)> = vec![
            (b"", Corrupt::Header),
            (b"{}", Corrupt::Header),
            (&good[..9], Corrupt::Header),
            (&good[..12], Corrupt::Cut),
            (&good[..good.len() - 1], Corrupt::Cut),
            (&damaged, Corrupt::Checksum),
            (b"\x1F\x8B\x08\0\0\0\0\0\0\0\xFF\xFF\xFF\xFF", Corrupt::Data),
        ];
        let mut gunzip = Gunzip::default();
        for (bytes, expected) in cases {
            assert_eq!(gunzip.inflate(bytes), Err(expected), "{bytes:?}");
            assert_eq!(gunzip.inflate(&good), Ok(&b"content"[..]));
        }
    }

    #[test]
    fn bomb_is_stopped_at_the_limit_and_its_memory_given_back() {
        let mut gunzip = Gunzip::default();
        assert_eq!(gunzip.inflate(&gzip(&vec![0; MAX_INFLATED + 1])), Err(Corrupt::Large));
        assert_eq!(gunzip.inflate(&gzip(&vec![0; 20 * MAX_INFLATED])), Err(Corrupt::Large));
        assert!(gunzip.buffer.capacity() <= MAX_INFLATED + 1);
        gunzip.inflate(&gzip(b"content")).unwrap();
        assert!(gunzip.buffer.capacity() <= KEPT);
    }
}
