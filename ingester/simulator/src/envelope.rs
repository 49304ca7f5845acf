//! Items packed for the wire: gzip, cut, base64.

use crate::item::{About, Item, Ric};
use base64::{Engine, prelude::BASE64_STANDARD};
use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use std::{cell::RefCell, sync::Arc};

/// The longest fragment, bytes before base64, as seen on the feed.
pub const FRAGMENT_BYTES: usize = 2600;

/// An item, packed.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    pub(crate) about: Arc<About>,
    pub(crate) total: usize,
    /// Base64 of each; the padding of one doesn't depend on the next.
    pub(crate) fragments: Vec<String>,
}

/// One message's part of an item. Honest ones come of [`Packed::parts`]; trouble changes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) id: String,
    pub(crate) number: u32,
    pub(crate) total: usize,
    pub(crate) fragment: String,
}

impl Packed {
    /// Packs an item in fragments of at most `limit` bytes.
    pub(crate) fn new(item: &Item, limit: usize) -> Self {
        Self::of(Arc::clone(&item.about), &gzip(&item.content, item.about.ric), limit)
    }

    /// What is packed already.
    pub(crate) fn of(about: Arc<About>, packed: &[u8], limit: usize) -> Self {
        let fragments = packed.chunks(limit.max(1)).map(|piece| BASE64_STANDARD.encode(piece)).collect();
        Self { about, total: packed.len(), fragments }
    }

    /// The bytes again.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.fragments.iter().flat_map(|piece| BASE64_STANDARD.decode(piece).unwrap_or_default()).collect()
    }

    pub(crate) fn parts(&self) -> Vec<Part> {
        let part = |(number, fragment): (u32, &String)| Part {
            id: self.about.id.clone(),
            number,
            total: self.total,
            fragment: fragment.clone(),
        };
        (1..).zip(&self.fragments).map(part).collect()
    }
}

thread_local! {
    /// Kept: its 300 KB, newly allocated for each item, leave holes in the heap that nothing else fits.
    static DEFLATE: RefCell<Compress> = RefCell::new(Compress::new(Compression::new(6), false));
}

/// A member with the header that the feed's have: no name, no time, system 255 (unknown), and the extra flags that say
/// "best compression" for stories, nothing for scores.
pub(crate) fn gzip(content: &[u8], ric: Ric) -> Vec<u8> {
    let flags = if ric == Ric::Story { 2 } else { 0 };
    let mut crc = Crc::new();
    crc.update(content);
    let mut packed = Vec::with_capacity(content.len() / 2 + 64);
    packed.extend([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, flags, 255]);
    deflate(content, &mut packed);
    packed.extend(crc.sum().to_le_bytes());
    packed.extend(crc.amount().to_le_bytes());
    packed
}

fn deflate(content: &[u8], packed: &mut Vec<u8>) {
    DEFLATE.with_borrow_mut(|deflate| {
        deflate.reset();
        loop {
            let read = usize::try_from(deflate.total_in()).unwrap_or(content.len());
            match deflate.compress_vec(&content[read..], packed, FlushCompress::Finish) {
                Ok(Status::Ok | Status::BufError) => packed.reserve(content.len() / 2 + 64),
                Ok(Status::StreamEnd) | Err(_) => break,
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Read;

    proptest! {
        #[test]
        fn what_is_packed_comes_back(content in proptest::collection::vec(any::<u8>(), 0..9000), limit in 1_usize..4000) {
            let packed = Packed::new(&Item::raw("a", content.clone()), limit);
            let bytes = packed.bytes();
            prop_assert_eq!(bytes.len(), packed.total);
            let mut unpacked = Vec::new();
            flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut unpacked).unwrap();
            prop_assert_eq!(unpacked, content);
        }
    }

    #[test]
    fn header_is_the_feeds_own() {
        assert_eq!(gzip(b"{}", Ric::Story)[..10], [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 255]);
        assert_eq!(gzip(b"{}", Ric::Scores)[8..10], [0, 255]);
    }

    #[test]
    fn every_fragment_has_its_own_padding() {
        let mut random = fastrand::Rng::with_seed(1);
        let content: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(6000).collect();
        let packed = Packed::new(&Item::raw("a", content), FRAGMENT_BYTES);
        assert_eq!(packed.fragments.len(), 3);
        assert!(packed.fragments[..2].iter().all(|fragment| fragment.len() == 3468 && fragment.ends_with('=')));
    }
}
