//! How another process asks a demo for something: a socket in the demo's folder, a line of JSON each way.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    time::timeout,
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

/// How long somebody may take to ask.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many are answered at once; others wait.
const AT_ONCE: usize = 64;

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

    /// Answers until the socket fails.
    pub(super) async fn serve(&self, pipeline: &Pipeline, subscriber: &Subscriber) -> io::Error {
        self.answer(async |Request { letter, patience_ms }| {
            let followed = follow(pipeline, subscriber, &letter, Duration::from_millis(patience_ms)).await;
            followed.map_err(|error| error.to_string())
        })
        .await
    }

    async fn answer(&self, followed: impl AsyncFn(Request) -> Result<Followed, String>) -> io::Error {
        let mut answers = FuturesUnordered::new();
        loop {
            tokio::select! {
                asked = self.listener.accept(), if answers.len() < AT_ONCE => match asked {
                    Ok((stream, _)) => answers.push(answer(stream, &followed)),
                    Err(error) => return error,
                },
                // Who asked may be gone again, or ask nonsense: that is told to them alone.
                Some(_) = answers.next() => (),
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
    if !line.ends_with('\n') {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the demo ended before it answered"));
    }
    let answer: Result<Followed, String> = serde_json::from_str(&line)?;
    answer.map(Some).map_err(io::Error::other)
}

async fn answer(mut stream: UnixStream, followed: impl AsyncFn(Request) -> Result<Followed, String>) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader);
    let mut line = String::new();
    let asked = timeout(PATIENCE, (&mut reader).take(LONGEST).read_line(&mut line)).await;
    let answer = match (asked, serde_json::from_str(&line)) {
        (Err(_), _) => Err(format!("nothing was asked within {} s", PATIENCE.as_secs())),
        (Ok(read), Ok(request)) => {
            read?;
            tokio::select! {
                answer = followed(request) => answer,
                // Whoever waits for an answer keeps the stream open.
                () = closed(&mut reader) => return Ok(()),
            }
        }
        (Ok(read), Err(error)) => {
            read?;
            Err(format!("not understood: {error}"))
        }
    };
    writer.write_all(format!("{}\n", serde_json::to_string(&answer)?).as_bytes()).await
}

/// When nobody is there any more; what else is said goes nowhere.
async fn closed(reader: &mut (impl AsyncReadExt + Unpin)) {
    let mut more = [0; 512];
    while reader.read(&mut more).await.is_ok_and(|bytes| bytes > 0) {}
}

fn path(folder: &Path) -> PathBuf {
    folder.join("demo.sock")
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::future::join;
    use tokio::sync::Notify;

    use super::*;

    fn request() -> Request {
        let letter = Letter { headline: "h".into(), body: String::new(), language: "en".into(), alert: false };
        Request { letter, patience_ms: 1 }
    }

    fn followed(id: &str) -> Followed {
        let judge = "a lexicon".into();
        Followed { id: id.into(), steps: Vec::new(), item: None, routing_key: None, judge }
    }

    /// What `asks` comes to while these answers are given.
    async fn with<T>(
        answers: impl AsyncFn(Request) -> Result<Followed, String>,
        asks: impl AsyncFnOnce(&Path) -> T,
    ) -> T {
        let folder = tempfile::tempdir().unwrap();
        let control = Control::listen(folder.path()).unwrap();
        tokio::select! {
            done = asks(folder.path()) => done,
            error = control.answer(answers) => panic!("{error}"),
        }
    }

    #[tokio::test]
    async fn silent_client_and_slow_answer_hold_nobody_up() {
        let calls = Cell::new(0);
        let both_are_asked = Notify::new();
        let answers = async |_: Request| {
            calls.set(calls.get() + 1);
            if calls.get() < 2 {
                both_are_asked.notified().await;
            }
            both_are_asked.notify_one();
            Ok(followed("a"))
        };
        with(answers, async |folder| {
            let _silent = UnixStream::connect(path(folder)).await.unwrap();
            let request = request();
            let (one, other) = join(ask(folder, &request), ask(folder, &request)).await;
            assert_eq!((one.unwrap().unwrap().id, other.unwrap().unwrap().id), ("a".into(), "a".into()));
        })
        .await;
    }

    #[tokio::test]
    async fn nobody_is_followed_for_one_who_is_gone() {
        /// Says when it is dropped.
        struct Gone<'a>(&'a Notify);
        impl Drop for Gone<'_> {
            fn drop(&mut self) {
                self.0.notify_one();
            }
        }
        let (begun, gone) = (Notify::new(), Notify::new());
        let answers = async |_: Request| {
            let _gone = Gone(&gone);
            begun.notify_one();
            std::future::pending().await
        };
        with(answers, async |folder| {
            let mut stream = UnixStream::connect(path(folder)).await.unwrap();
            stream.write_all((serde_json::to_string(&request()).unwrap() + "\n").as_bytes()).await.unwrap();
            begun.notified().await;
            drop(stream);
            gone.notified().await;
        })
        .await;
    }

    #[tokio::test]
    async fn nonsense_is_told_and_a_demo_that_ended_too() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(ask(folder.path(), &request()).await.unwrap(), None);
        let control = Control::listen(folder.path()).unwrap();
        let ends = async {
            let (mut stream, _) = control.listener.accept().await.unwrap();
            BufReader::new(&mut stream).read_line(&mut String::new()).await.unwrap();
        };
        let request = request();
        let (answer, ()) = join(ask(folder.path(), &request), ends).await;
        assert_eq!(answer.unwrap_err().to_string(), "the demo ended before it answered");
        drop(control);
        let said = with(
            async |_| Ok(followed("a")),
            async |folder| {
                let mut stream = UnixStream::connect(path(folder)).await.unwrap();
                stream.write_all(b"hello\n").await.unwrap();
                let mut said = String::new();
                stream.read_to_string(&mut said).await.unwrap();
                said
            },
        );
        let said = said.await;
        assert!(said.starts_with(r#"{"Err":"not understood: "#), "{said}");
    }
}
