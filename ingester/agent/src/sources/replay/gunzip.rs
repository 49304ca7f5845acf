//! Decompression piece by piece.

use bytes::{Buf, Bytes};
use flate2::write::MultiGzDecoder;
use std::io::{self, Write};

/// How much is decompressed at once: at gzip's best, a thousandfold, 16 MB come out.
const PIECE: usize = 16 * 1024;

/// Takes compressed bytes and gives what they were; all members of a file, one after the other.
#[derive(Debug)]
pub(super) struct Gunzip {
    decoder: MultiGzDecoder<Vec<u8>>,
    waiting: Bytes,
}

impl Gunzip {
    pub(super) fn new() -> Self {
        Self { decoder: MultiGzDecoder::new(Vec::new()), waiting: Bytes::new() }
    }

    /// More to decompress. What was given before was taken out.
    pub(super) fn give(&mut self, compressed: Bytes) {
        self.waiting = compressed;
    }

    /// Some of what comes out; `None` needs more.
    pub(super) fn take(&mut self) -> io::Result<Option<Vec<u8>>> {
        while self.waiting.has_remaining() {
            let piece = self.waiting.split_to(PIECE.min(self.waiting.len()));
            self.decoder.write_all(&piece)?;
            let out = std::mem::take(self.decoder.get_mut());
            if !out.is_empty() {
                return Ok(Some(out));
            }
        }
        Ok(None)
    }

    /// The rest. A file that was cut off is an error.
    pub(super) fn finish(&mut self) -> io::Result<Vec<u8>> {
        self.decoder.try_finish()?;
        Ok(std::mem::take(self.decoder.get_mut()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;

    fn all(pieces: &[&[u8]]) -> io::Result<Vec<u8>> {
        let mut gunzip = Gunzip::new();
        let mut out = Vec::new();
        for piece in pieces {
            gunzip.give(Bytes::copy_from_slice(piece));
            while let Some(piece) = gunzip.take()? {
                out.extend(piece);
            }
        }
        out.extend(gunzip.finish()?);
        Ok(out)
    }

    proptest! {
        #[test]
        fn what_was_compressed_comes_back_however_it_is_cut(text in "[a-c\n]{0,300}", size in 1..50_usize) {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(text.as_bytes()).unwrap();
            let compressed = encoder.finish().unwrap();
            let pieces: Vec<_> = compressed.chunks(size).collect();
            prop_assert_eq!(all(&pieces).unwrap(), text.as_bytes());
            prop_assert!(all(&pieces[..pieces.len() - 1]).is_err(), "its end is missing");
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = all(&[&[0x1f, 0x8b, 8, 0], &bytes]);
        }
    }
}
