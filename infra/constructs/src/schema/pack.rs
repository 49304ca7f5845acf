//! The packed form: an index that needs no parsing, and one deflated blob per type.

use miniz_oxide::inflate::{
    TINFLStatus,
    core::{DecompressorOxide, decompress, inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF},
};

const HEAD: usize = 12;
const CORRUPT: &str = "schema pack is corrupt; write it again with infra/constructs/schema/generate.py";

/// A pack, and room to unpack in.
pub(super) struct Pack {
    bytes: &'static [u8],
    count: usize,
    dictionary: usize,
    inflater: Box<DecompressorOxide>,
    /// The dictionary, then whatever was unpacked last: blobs refer back into the dictionary.
    room: Vec<u8>,
}

impl Pack {
    /// A pack as `generate.py` writes it.
    pub(super) fn new(bytes: &'static [u8]) -> Self {
        assert!(bytes.starts_with(b"NLS1"), "{CORRUPT}");
        let mut pack = Self { bytes, count: word(bytes, 4), dictionary: 0, inflater: Box::default(), room: Vec::new() };
        let packed = word(bytes, 8);
        let start = pack.tables_end();
        pack.inflate(&bytes[start..start + packed]);
        pack.dictionary = pack.room.len();
        pack
    }

    /// All names, sorted.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        (0..self.count).map(|index| self.name(index))
    }

    /// The bytes of a type's schema.
    pub(super) fn unpack(&mut self, name: &str) -> Option<&[u8]> {
        let index = self.position(name)?;
        let blobs = self.names_start() + self.end(0, self.count);
        let range = blobs + self.end(1, index)..blobs + self.end(1, index + 1);
        Some(self.inflate(&self.bytes[range]))
    }

    fn position(&self, name: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.name(middle).cmp(name) {
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    fn name(&self, index: usize) -> &'static str {
        let names = self.names_start();
        let range = names + self.end(0, index)..names + self.end(0, index + 1);
        std::str::from_utf8(&self.bytes[range]).expect(CORRUPT)
    }

    /// Where the `index`th entry of a table starts, which is where the one before it ends.
    fn end(&self, table: usize, index: usize) -> usize {
        match index.checked_sub(1) {
            Some(before) => word(self.bytes, HEAD + 4 * (table * self.count + before)),
            None => 0,
        }
    }

    fn tables_end(&self) -> usize {
        HEAD + 8 * self.count
    }

    fn names_start(&self) -> usize {
        self.tables_end() + word(self.bytes, 8)
    }

    /// Unpacks behind the dictionary.
    fn inflate(&mut self, mut blob: &'static [u8]) -> &[u8] {
        let length = number(&mut blob);
        let start = self.dictionary;
        self.room.resize(start + length, 0);
        self.inflater.init();
        let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let (status, _, written) = decompress(&mut self.inflater, blob, &mut self.room, start, flags);
        assert!(status == TINFLStatus::Done && written == length, "{CORRUPT}");
        &self.room[start..]
    }
}

/// Takes a number off the front: seven bits a byte, the lowest first.
pub(super) fn number(bytes: &mut &[u8]) -> usize {
    let mut value = 0;
    for shift in (0..usize::BITS).step_by(7) {
        let (first, rest) = bytes.split_first().expect(CORRUPT);
        *bytes = rest;
        value |= usize::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            break;
        }
    }
    value
}

fn word(bytes: &[u8], at: usize) -> usize {
    let word = bytes[at..at + 4].try_into().expect("four bytes");
    u32::from_le_bytes(word) as usize
}
