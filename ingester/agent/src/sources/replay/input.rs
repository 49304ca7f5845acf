//! Bytes of a file, of standard input or of an object.

use super::{Reach, location::Location, object::Object};
use crate::status::FeedStatus;
use anyhow::Context;
use bytes::{Bytes, BytesMut};
use tokio::{
    fs::File,
    io::{AsyncReadExt, Stdin},
};

/// How much of a file is read at once.
const PIECE: usize = 64 * 1024;

pub(super) enum Input {
    File(File),
    Standard(Stdin),
    Object(Box<Object>),
}

impl Input {
    pub(super) async fn open(location: &Location, reach: &Reach) -> anyhow::Result<Self> {
        Ok(match location {
            Location::StandardInput => Self::Standard(tokio::io::stdin()),
            Location::File(path) => {
                Self::File(File::open(path).await.with_context(|| format!("could not open {location}"))?)
            }
            Location::Object { bucket, key } => Self::Object(Box::new(Object::find(bucket, key, reach).await?)),
        })
    }

    /// Some more; nothing at the end.
    pub(super) async fn read(&mut self, status: &FeedStatus) -> anyhow::Result<Bytes> {
        let mut piece = BytesMut::with_capacity(PIECE);
        match self {
            Self::File(file) => file.read_buf(&mut piece).await?,
            Self::Standard(stdin) => stdin.read_buf(&mut piece).await?,
            Self::Object(object) => return object.read(status).await,
        };
        Ok(piece.freeze())
    }
}
