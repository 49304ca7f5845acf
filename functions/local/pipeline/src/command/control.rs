//! How another process asks a demo for something: a socket in the demo's folder, a line of JSON each way.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
};

use crate::{
    Pipeline,
    follow::{Followed, Letter, follow},
    subscriber::Subscriber,
};

/// A demo's socket. It is gone when this is dropped.
#[derive(Debug)]
pub(super) struct Control {
    listener: UnixListener,
    path: PathBuf,
}

/// What is asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) letter: Letter,
    pub(super) patience_ms: u64,
}

/// The longest question, bytes.
const LONGEST: u64 = 1 << 20;

impl Control {
    /// Listens, in place of a demo that is gone.
    pub(super) fn listen(folder: &Path) -> io::Result<Self> {
        let path = path(folder);
        if std::os::unix::net::UnixStream::connect(&path).is_ok() {
            let message = format!("another demo runs in {}; --folder names another one", folder.display());
            return Err(io::Error::new(io::ErrorKind::AddrInUse, message));
        }
        let _ = std::fs::remove_file(&path);
        Ok(Self { listener: UnixListener::bind(&path)?, path })
    }

    /// Answers, one after the other, until the socket fails.
    pub(super) async fn serve(&self, pipeline: &Pipeline, subscriber: &Subscriber) -> io::Error {
        loop {
            match self.listener.accept().await {
                // Who asked may be gone again, or ask nonsense: that is told to them alone.
                Ok((stream, _)) => drop(answer(stream, pipeline, subscriber).await),
                Err(error) => return error,
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Asks the demo that runs in this folder; none when there is none.
pub(super) async fn ask(folder: &Path, request: &Request) -> io::Result<Option<Followed>> {
    let Ok(mut stream) = UnixStream::connect(path(folder)).await else { return Ok(None) };
    stream.write_all(format!("{}\n", serde_json::to_string(request)?).as_bytes()).await?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await?;
    let answer: Result<Followed, String> = serde_json::from_str(&line)?;
    answer.map(Some).map_err(io::Error::other)
}

async fn answer(mut stream: UnixStream, pipeline: &Pipeline, subscriber: &Subscriber) -> io::Result<()> {
    let mut line = String::new();
    let (reader, mut writer) = stream.split();
    tokio::io::AsyncReadExt::take(BufReader::new(reader), LONGEST).read_line(&mut line).await?;
    let answer = match serde_json::from_str::<Request>(&line) {
        Ok(Request { letter, patience_ms }) => {
            let followed = follow(pipeline, subscriber, &letter, Duration::from_millis(patience_ms)).await;
            followed.map_err(|error| error.to_string())
        }
        Err(error) => Err(format!("not understood: {error}")),
    };
    writer.write_all(format!("{}\n", serde_json::to_string(&answer)?).as_bytes()).await
}

fn path(folder: &Path) -> PathBuf {
    folder.join("demo.sock")
}
