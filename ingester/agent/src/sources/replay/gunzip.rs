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
