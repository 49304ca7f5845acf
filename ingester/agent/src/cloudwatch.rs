//! Log and metrics to CloudWatch Logs: no agent is needed on the machine.
//!
//! Lines wait in memory, at most 10 000; what doesn't fit is counted and left out, for nothing here may hold news up.

use aws_sdk_cloudwatchlogs::{
    Client,
    error::{DisplayErrorContext, SdkError},
    operation::{create_log_stream::CreateLogStreamError, put_log_events::PutLogEventsError},
    types::InputLogEvent,
};
use jiff::Timestamp;
use runtime::{Backoff, emf::Metrics};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

/// How many lines may wait.
const WAITING: usize = 10_000;

/// How long a line waits for others.
const LINGER: Duration = Duration::from_secs(2);

/// The most lines of a request, and its most bytes with 26 more for each line (CloudWatch Logs API, PutLogEvents: 10 000
/// and 1 048 576).
const LINES: usize = 5_000;
const BYTES: usize = 900_000;
const BYTES_BESIDE: usize = 26;

/// The longest line that is sent (256 KiB was the limit for long; nothing here writes such lines).
const LONGEST: usize = 250_000;

/// Where lines are put. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lines {
    queue: mpsc::Sender<Message>,
    left_out: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Message {
    Line(Line),
    /// Send what came before it now, and say so.
    Flush(oneshot::Sender<()>),
}

#[derive(Debug)]
struct Line {
    time: i64,
    text: String,
}

impl Lines {
    /// A place for lines, and who sends them.
    pub fn new() -> (Self, Waiting) {
        let (queue, lines) = mpsc::channel(WAITING);
        let left_out = Arc::new(AtomicU64::new(0));
        (Self { queue, left_out: Arc::clone(&left_out) }, Waiting { lines, left_out })
    }

    /// Puts a line, without its end; leaves it out where too many wait.
    pub fn put(&self, text: &str) {
        let text = text.get(..text.len().min(LONGEST)).unwrap_or("a line that is too long").to_owned();
        let line = Line { time: Timestamp::now().as_millisecond(), text };
        // CloudWatch refuses a whole request for one line without text.
        let is_blank = line.text.trim().is_empty();
        if !is_blank && self.queue.try_send(Message::Line(line)).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Puts metrics, in the format that CloudWatch makes metrics of.
    pub fn put_report(&self, metrics: &Metrics) {
        let mut report = Vec::new();
        if metrics.write(Timestamp::now(), &[], &mut report).is_ok() {
            String::from_utf8_lossy(&report).lines().for_each(|line| self.put(line));
        }
    }

    /// Waits until everything that was put before is sent.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.queue.send(Message::Flush(done)).await.is_ok() {
            let _ = flushed.await;
        }
    }
}

/// Whole lines at once, as loggers write them.
impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for line in String::from_utf8_lossy(bytes).lines() {
            self.put(line);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lines that wait to be sent.
#[derive(Debug)]
pub struct Waiting {
    lines: mpsc::Receiver<Message>,
    left_out: Arc<AtomicU64>,
}

impl Waiting {
    /// Sends lines to a stream of the group, made first, until all [`Lines`] are dropped. It tries again for ever; what it
    /// can't send it says to `complain`, never to the log that it sends.
    pub async fn send(mut self, client: Client, group: String, stream: String, complain: impl Fn(&str)) {
        let place = Place { client, group, stream };
        retrying(&complain, || place.make()).await;
        while let Some(Batch { events, flush }) = self.next_batch().await {
            if !events.is_empty() {
                retrying(&complain, || place.put(events.clone(), &complain)).await;
            }
            if let Some(done) = flush {
                let _ = done.send(());
            }
            let left_out = self.left_out.swap(0, Ordering::Relaxed);
            if left_out > 0 {
                complain(&format!("{left_out} lines were left out of CloudWatch: too many waited"));
            }
        }
    }

    async fn next_batch(&mut self) -> Option<Batch> {
        let mut batch = Batch { events: Vec::new(), flush: None };
        let mut bytes = 0;
        let mut next = Some(self.lines.recv().await?);
        let until = Instant::now() + LINGER;
        while let Some(message) = next {
            let line = match message {
                Message::Line(line) => line,
                Message::Flush(done) => {
                    batch.flush = Some(done);
                    break;
                }
            };
            bytes += line.text.len() + BYTES_BESIDE;
            batch.events.extend(InputLogEvent::builder().timestamp(line.time).message(line.text).build());
            if batch.events.len() >= LINES || bytes >= BYTES - LONGEST {
                break;
            }
            next = tokio::time::timeout_at(until, self.lines.recv()).await.unwrap_or(None);
        }
        // A request's lines must be in the order of their times, and a clock can be set back.
        batch.events.sort_by_key(InputLogEvent::timestamp);
        Some(batch)
    }
}

struct Batch {
    events: Vec<InputLogEvent>,
    flush: Option<oneshot::Sender<()>>,
}

struct Place {
    client: Client,
    group: String,
    stream: String,
}

impl Place {
    async fn make(&self) -> Result<(), String> {
        let asked = self.client.create_log_stream().log_group_name(&self.group).log_stream_name(&self.stream);
        match asked.send().await {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error))
                if matches!(error.err(), CreateLogStreamError::ResourceAlreadyExistsException(_)) =>
            {
                Ok(())
            }
            Err(error) => Err(format!("could not make the log stream {}: {}", self.stream, DisplayErrorContext(error))),
        }
    }

    async fn put(&self, events: Vec<InputLogEvent>, complain: &impl Fn(&str)) -> Result<(), String> {
        let put = self.client.put_log_events().log_group_name(&self.group).log_stream_name(&self.stream);
        match put.set_log_events(Some(events)).send().await {
            Ok(_) => Ok(()),
            // The same lines would be refused again.
            Err(SdkError::ServiceError(error)) if is_refusal(error.err()) => {
                complain(&format!("CloudWatch refuses lines, which are left out: {}", error.err()));
                Ok(())
            }
            Err(error) => {
                Err(format!("could not write to the log group {}: {}", self.group, DisplayErrorContext(error)))
            }
        }
    }
}

fn is_refusal(error: &PutLogEventsError) -> bool {
    matches!(
        error,
        PutLogEventsError::InvalidParameterException(_) | PutLogEventsError::DataAlreadyAcceptedException(_)
    )
}

async fn retrying<F: Future<Output = Result<(), String>>>(complain: &impl Fn(&str), attempt: impl Fn() -> F) {
    let mut pauses = Backoff::new(Duration::from_secs(1), Duration::from_mins(1));
    let mut complained = false;
    while let Err(why) = attempt().await {
        if !complained {
            complain(&why);
            complained = true;
        }
        tokio::time::sleep(pauses.next_pause()).await;
    }
}
