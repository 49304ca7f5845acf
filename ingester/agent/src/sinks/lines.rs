//! Lines, for a desk: an item a line, as it is on the stream, or its headline for people.

use super::Sink;
use crate::{
    outbox::{Record, Records},
    status::SinkStatus,
};
use anyhow::Context;
use news::{Kind, NewsItem, Status};
use serde::de::IgnoredAny;
use std::{
    fs,
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

/// How many lines are written at once.
const AT_ONCE: usize = 500;

/// How much of a file is read at once, backwards, to find its last line.
const BLOCK: u64 = 64 << 10;

/// Standard output. It ends quietly when nobody reads any more, as `head` does.
#[derive(Debug)]
pub struct Stdout {
    status: Arc<SinkStatus>,
    form: Form,
}

/// What becomes of a record: a line with its end.
type Form = fn(&Record) -> Vec<u8>;

/// A file that is added to, and made if it isn't there.
///
/// A last line that was torn when an earlier process died is cut off, or ended if only its end is missing.
///
/// ```no_run
/// # async fn example(records: ingester::outbox::Records) -> anyhow::Result<()> {
/// use ingester::{sinks::{Sink, lines}, status::Status};
///
/// let status = Status::new();
/// lines::File::new("news.jsonl", status.sink()).run(records).await
/// # }
/// ```
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    status: Arc<SinkStatus>,
}

impl Stdout {
    /// This process' standard output.
    pub fn new(status: Arc<SinkStatus>) -> Self {
        Self { status, form: json }
    }

    /// Only when, whose, in which language, and the headline.
    pub fn headlines(status: Arc<SinkStatus>) -> Self {
        Self { status, form: headline }
    }
}

impl File {
    /// The file of that path.
    pub fn new(path: impl Into<PathBuf>, status: Arc<SinkStatus>) -> Self {
        Self { path: path.into(), status }
    }
}

impl Sink for Stdout {
    /// # Errors
    ///
    /// It can't be written, for another reason than that nobody reads it.
    async fn run(self, records: Records) -> anyhow::Result<()> {
        match write_all(Pipe(io::stdout()), records, self.form, &self.status).await {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            ended => ended.context("could not write to standard output"),
        }
    }
}

impl Sink for File {
    /// # Errors
    ///
    /// It can't be opened or written. What it has then ends with a whole line.
    async fn run(self, records: Records) -> anyhow::Result<()> {
        let named = || format!("could not write {}", self.path.display());
        let file = Appended::open(&self.path).with_context(named)?;
        write_all(file, records, json, &self.status).await.with_context(named)
    }
}

fn json(record: &Record) -> Vec<u8> {
    [&record.data[..], b"\n"].concat()
}

/// `03:04:05 RTRS  en  ALERT Example plc warns on profit`
fn headline(record: &Record) -> Vec<u8> {
    let Ok(item) = NewsItem::from_record(&record.data) else { return Vec::new() };
    let time = item.published.strftime("%H:%M:%S");
    let kind = match (item.status, item.kind) {
        (Status::Canceled, _) => "CANCEL",
        (_, Kind::Alert) => "ALERT",
        (_, Kind::Correction) => "CORR",
        (_, Kind::Article) => "",
    };
    let line = format!("{time} {:6} {:3} {kind:6} {}", item.provider, item.language, item.headline);
    // Whoever writes headlines doesn't command the terminal.
    line.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).chain(['\n']).collect::<String>().into()
}

/// Where lines go.
trait Output: Send + 'static {
    /// Writes whole lines: all of them or, if it fails, as few as can be.
    fn put(&mut self, lines: &[u8]) -> io::Result<()>;

    /// Nothing more will come.
    fn end(&mut self) -> io::Result<()>;
}

async fn write_all(mut output: impl Output, mut records: Records, form: Form, status: &SinkStatus) -> io::Result<()> {
    let mut came = Vec::with_capacity(AT_ONCE);
    while records.recv_many(&mut came, AT_ONCE).await > 0 {
        let lines: Vec<u8> = came.iter().flat_map(form).collect();
        let written;
        // A pipe may be full for long, and a disk slow.
        (output, written) = blocking(output, move |output| output.put(&lines)).await?;
        status.requests.inc();
        if let Err(error) = written {
            status.trouble(Some(error.to_string()));
            status.lost.inc_by(came.len() as u64);
            return Err(error);
        }
        for Record { data, published, received, .. } in came.drain(..) {
            status.accept(data.len(), published, received);
        }
    }
    blocking(output, Output::end).await?.1
}

async fn blocking<O: Output>(
    mut output: O,
    work: impl FnOnce(&mut O) -> io::Result<()> + Send + 'static,
) -> io::Result<(O, io::Result<()>)> {
    let work = move || {
        let done = work(&mut output);
        (output, done)
    };
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}

struct Pipe(io::Stdout);

impl Output for Pipe {
    fn put(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut output = self.0.lock();
        output.write_all(lines)?;
        output.flush()
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that ends with a whole line.
struct Appended {
    file: fs::File,
    length: u64,
}

impl Appended {
    fn open(path: &Path) -> io::Result<Self> {
        let mut file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        if !file.metadata()?.is_file() {
            // A pipe or a terminal has no end to look at.
            return Ok(Self { file, length: 0 });
        }
        let torn = last_line(&mut file)?;
        let mut length = file.metadata()?.len() - torn.len() as u64;
        if serde_json::from_slice::<IgnoredAny>(&torn).is_ok() {
            length += torn.len() as u64;
            file.seek(SeekFrom::Start(length))?;
            file.write_all(b"\n")?;
            length += 1;
        } else if !torn.is_empty() {
            tracing::warn!(path = %path.display(), bytes = torn.len(), "The last line was torn, and is cut off.");
        }
        file.set_len(length)?;
        file.seek(SeekFrom::Start(length))?;
        Ok(Self { file, length })
    }
}

impl Output for Appended {
    fn put(&mut self, lines: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(lines);
        match &written {
            Ok(()) => self.length += lines.len() as u64,
            // No half line stays.
            Err(_) => drop(self.file.set_len(self.length)),
        }
        written
    }

    fn end(&mut self) -> io::Result<()> {
        match self.file.sync_all() {
            // A pipe can't be.
            Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
            synced => synced,
        }
    }
}

/// What is behind the last end of a line.
fn last_line(file: &mut fs::File) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut start = file.metadata()?.len();
    while start > 0 {
        let size = BLOCK.min(start);
        start -= size;
        file.seek(SeekFrom::Start(start))?;
        let mut block = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        file.read_exact(&mut block)?;
        let end = block.iter().rposition(|byte| *byte == b'\n');
        block.drain(..end.map_or(0, |end| end + 1));
        block.append(&mut line);
        line = block;
        if end.is_some() {
            break;
        }
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        outbox::{Outbox, Outboxes},
        status::Status,
    };
    use news::{NewsItem, feeds::Filter};

    fn feed(status: &mut Status) -> (Outbox, Records) {
        let (outboxes, records) = Outboxes::new(Filter::default(), 1 << 20);
        (outboxes.of(status.feed("wire")), records)
    }

    fn item(id: &str) -> NewsItem {
        let item = serde_json::json!({
            "version": 1, "id": id, "thread": "t", "source": "wire", "provider": "RTRS", "language": "en",
            "kind": "alert", "status": "usable", "headline": "Example\nplc", "published": "2026-01-02T03:04:05Z",
        });
        serde_json::from_value(item).unwrap()
    }

    async fn write(path: &Path, ids: &[&str]) -> anyhow::Result<Status> {
        let mut status = Status::new();
        let (outbox, records) = feed(&mut status);
        for id in ids {
            outbox.offer(item(id));
        }
        drop(outbox);
        File::new(path, status.sink()).run(records).await?;
        Ok(status)
    }

    #[tokio::test]
    async fn each_item_is_a_line_and_a_file_is_added_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("news.jsonl");
        assert_eq!(write(&path, &["a", "b"]).await.unwrap().sink().accepted.get(), 2);
        write(&path, &["c"]).await.unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let ids: Vec<_> = text.lines().map(|line| NewsItem::from_record(line.as_bytes()).unwrap().id).collect();
        assert_eq!(ids, ["a", "b", "c"]);
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn line_that_was_torn_is_cut_off_and_one_without_its_end_is_ended() {
        let long = format!("{{\"long\":\"{}\"}}\n", "x".repeat(100_000));
        let cases = [
            (String::new(), String::new()),
            ("{\"a\":1}\n".into(), "{\"a\":1}\n".into()),
            ("{\"a\":1}\n{\"b\"".into(), "{\"a\":1}\n".into()),
            ("{\"a\":1}\n{\"b\":2}".into(), "{\"a\":1}\n{\"b\":2}\n".into()),
            ("{\"b".into(), String::new()),
            (format!("{long}{}", &long[..99_000]), long.clone()),
            (long[..99_000].into(), String::new()),
            (long.trim_end().into(), long.clone()),
        ];
        for (before, after) in cases {
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), &before).unwrap();
            Appended::open(file.path()).unwrap().put(b"{}\n").unwrap();
            assert_eq!(fs::read_to_string(file.path()).unwrap(), format!("{after}{{}}\n"));
        }
    }

    #[tokio::test]
    async fn file_that_cannot_be_written_is_an_error_and_what_it_should_have_had_is_counted() {
        let error = write(Path::new("/dev/full"), &["a"]).await.unwrap_err();
        assert!(format!("{error:#}").starts_with("could not write /dev/full: No space left"), "{error:#}");
        let error = write(Path::new("/"), &["a"]).await.unwrap_err();
        assert!(format!("{error:#}").starts_with("could not write /: "), "{error:#}");
    }

    /// Nobody reads.
    struct Closed;

    impl Output for Closed {
        fn put(&mut self, _: &[u8]) -> io::Result<()> {
            Err(ErrorKind::BrokenPipe.into())
        }

        fn end(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn what_could_not_be_written_is_counted_as_lost() {
        let mut status = Status::new();
        let (outbox, records) = feed(&mut status);
        outbox.offer(item("a"));
        let error = write_all(Closed, records, json, &status.sink()).await.unwrap_err();
        assert_eq!((error.kind(), status.sink().lost.get()), (ErrorKind::BrokenPipe, 1));
    }
}
