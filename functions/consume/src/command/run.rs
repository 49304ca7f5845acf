//! Items in, lines out, acknowledgements back.

use super::{
    Options,
    console::Console,
    line::{Look, json, line},
    logs,
    options::Color,
    task::{Environment, Task, task},
};
use crate::{Counts, Delivery, Subscribe, SubscribeError, Subscription};
use clap::{CommandFactory, error::ErrorKind};
use futures_util::{FutureExt, StreamExt};
use jiff::Timestamp;
use std::{
    collections::VecDeque,
    io::{self, IsTerminal},
    time::Duration,
};
use tokio::{
    io::{AsyncWriteExt, Stdout},
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    time::{Instant, MissedTickBehavior},
};

/// How many items are written at once, at most. All that wait are, so that a line is never held back for others.
const BATCH: usize = 1000;

/// What a second signal ends with, as shells have it for the first.
const ENDED_AT_ONCE: i32 = 130;

/// Does what the command line asks for; the exit code.
pub async fn run(options: Options) -> i32 {
    let console = Console::new(!options.quiet);
    logs::init(options.verbose, options.quiet, console.clone());
    let task = match task(&options, &Environment::of_the_process()).await {
        Ok(task) => task,
        Err(error) => return usage(&error),
    };
    let Task { subscribe, warnings } = task;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let stop = match stop_signal() {
        Ok(stop) => stop,
        Err(error) => return fail(&format!("could not listen to signals: {error}")),
    };
    if options.delete {
        return delete(&subscribe, stop).await;
    }
    Printer::new(&options, console, stop).run(subscribe.start()).await
}

fn usage(error: &anyhow::Error) -> i32 {
    let error = Options::command().error(ErrorKind::ValueValidation, format!("{error:#}"));
    let _ = error.print();
    error.exit_code()
}

fn fail(text: &str) -> i32 {
    tracing::error!("{text}");
    1
}

async fn delete(subscribe: &Subscribe, mut stop: Stop) -> i32 {
    let deleted = tokio::select! {
        () = stop.asked() => return 0,
        deleted = subscribe.delete_queue() => deleted,
    };
    match deleted {
        Ok(items) => {
            tracing::info!(items, "Deleted the queue, with what waited in it.");
            0
        }
        Err(error) => fail(&explained(&error)),
    }
}

/// The first of Ctrl-C and SIGTERM; the second ends the process.
fn stop_signal() -> io::Result<Stop> {
    let (sender, receiver) = watch::channel(false);
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::spawn(async move {
        either(&mut interrupt, &mut terminate).await;
        tracing::debug!("Stopping; a second signal ends it at once.");
        let _ = sender.send(true);
        either(&mut interrupt, &mut terminate).await;
        std::process::exit(ENDED_AT_ONCE);
    });
    Ok(Stop(receiver))
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => (),
        _ = terminate.recv() => (),
    }
}

struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Comes back when it was asked to stop; at once from then on.
    async fn asked(&mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

struct Printer {
    stdout: Stdout,
    console: Console,
    stop: Stop,
    look: Look,
    json: bool,
    is_terminal: bool,
    left: Option<u64>,
    printed: u64,
    /// When the last items were printed, and how many; of the last seconds.
    recent: VecDeque<(Instant, u64)>,
}

/// Why printing ended.
enum End {
    Asked,
    /// Nobody reads the lines any more.
    Unread,
    Failed(String),
}

impl Printer {
    fn new(options: &Options, console: Console, stop: Stop) -> Self {
        let is_terminal = io::stdout().is_terminal();
        let color = match options.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => is_terminal && wants_color(|name| std::env::var(name).ok()),
        };
        Self {
            stdout: tokio::io::stdout(),
            console,
            stop,
            look: Look { color, columns: None },
            json: options.json,
            is_terminal,
            left: options.count,
            printed: 0,
            recent: VecDeque::new(),
        }
    }

    async fn run(mut self, mut subscription: Subscription) -> i32 {
        let end = self.print(&mut subscription).await;
        self.console.show("");
        let counts = subscription.close().await;
        match end {
            // Whoever closed the pipe has what he wanted.
            End::Unread => 0,
            End::Asked => {
                self.sum_up(counts);
                0
            }
            End::Failed(cause) => {
                if self.printed > 0 || counts != Counts::default() {
                    self.sum_up(counts);
                }
                fail(&cause)
            }
        }
    }

    /// Writes what comes, and acknowledges what was written: what is read twice after a crash was perhaps not seen,
    /// what was acknowledged was.
    async fn print(&mut self, subscription: &mut Subscription) -> End {
        let mut clock = tokio::time::interval(Duration::from_secs(1));
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.left != Some(0) {
            let most = self.left.map_or(BATCH, |left| usize::try_from(left).unwrap_or(BATCH).min(BATCH));
            let (mut batch, failure) = tokio::select! {
                biased;
                () = self.stop.asked() => return End::Asked,
                batch = next_batch(subscription, most) => batch,
                _ = clock.tick(), if self.console.has_status() => {
                    self.show_status(subscription);
                    continue;
                }
            };
            if let Err(error) = self.write(&batch).await {
                return if error.kind() == io::ErrorKind::BrokenPipe {
                    End::Unread
                } else {
                    End::Failed(unwritten(&error))
                };
            }
            self.count(batch.len());
            if let Some(last) = batch.pop() {
                last.ack_through();
            }
            if let Some(failure) = failure {
                return End::Failed(failure);
            }
        }
        End::Asked
    }

    async fn write(&mut self, batch: &[Delivery]) -> io::Result<()> {
        // Each time: terminals are made wider. One that doesn't know its width breaks lines by itself.
        let columns = || terminal_size::terminal_size_of(io::stdout()).map_or(usize::MAX, |(width, _)| width.0.into());
        self.look.columns = self.is_terminal.then(columns);
        let now = Timestamp::now();
        let mut lines = Vec::new();
        for delivery in batch {
            if self.json {
                lines.extend(json(&delivery.body));
            } else {
                lines.extend(line(&delivery.item, now, self.look).into_bytes());
            }
            lines.push(b'\n');
        }
        if self.is_terminal {
            self.console.make_room();
        }
        self.stdout.write_all(&lines).await?;
        self.stdout.flush().await?;
        self.console.show_again();
        Ok(())
    }

    fn count(&mut self, items: usize) {
        let items = items as u64;
        self.printed += items;
        self.left = self.left.map(|left| left.saturating_sub(items));
        if self.console.has_status() {
            self.recent.push_back((Instant::now(), items));
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "nobody sees more than 2^53 items in ten seconds")]
    fn show_status(&mut self, subscription: &Subscription) {
        let (span, now) = (Duration::from_secs(10), Instant::now());
        self.recent.retain(|(time, _)| now.duration_since(*time) < span);
        let rate = self.recent.iter().map(|(_, items)| items).sum::<u64>() as f64 / span.as_secs_f64();
        let connection = if subscription.is_connected() { "" } else { ", connecting" };
        let text = format!("{}, {rate:.1}/s{connection}", tally(self.printed, subscription.counts()));
        self.console.show(&text);
    }

    fn sum_up(&self, counts: Counts) {
        tracing::info!("{}.", tally(self.printed, counts));
    }
}

/// What is there, once something is; and the error that is the end of it.
async fn next_batch(subscription: &mut Subscription, most: usize) -> (Vec<Delivery>, Option<String>) {
    let mut batch = Vec::new();
    let mut next = subscription.next().await;
    loop {
        match next {
            Some(Ok(delivery)) => batch.push(delivery),
            Some(Err(error)) => return (batch, Some(explained(&error))),
            None => return (batch, Some("the subscription ended".into())),
        }
        if batch.len() >= most {
            return (batch, None);
        }
        match subscription.next().now_or_never() {
            Some(there) => next = there,
            None => return (batch, None),
        }
    }
}

fn tally(printed: u64, counts: Counts) -> String {
    let mut text = counted(printed, "item");
    for (count, what) in
        [(counts.duplicates, "repeat"), (counts.malformed, "malformed message"), (counts.lost, "lost connection")]
    {
        if count > 0 {
            text = format!("{text}, {}", counted(count, what));
        }
    }
    text
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn unwritten(error: &io::Error) -> String {
    format!("could not write to standard output: {error}")
}

/// An error with what can be done about it.
fn explained(error: &SubscribeError) -> String {
    let advice = match error {
        SubscribeError::Certificate { cause, .. } if !cause.contains("certificate") => "; is this its port for TLS?",
        SubscribeError::Certificate { .. } => "; --ca names a file with the certificate to trust",
        SubscribeError::QueueDiffers { .. } => {
            "; take another --queue, give --max-length and --expires as they were, or remove it with --delete"
        }
        SubscribeError::Newer { .. } => "; take a later version of consume, the item stays in the queue",
        _ => "",
    };
    let text =
        std::error::Error::source(error).map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
    text + advice
}

/// <https://no-color.org>, and terminals that have none.
fn wants_color(variable: impl Fn(&str) -> Option<String>) -> bool {
    let refused = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && variable("TERM").is_none_or(|name| name != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tally_names_only_what_happened() {
        assert_eq!(tally(1, Counts::default()), "1 item");
        let counts = Counts { duplicates: 2, malformed: 1, lost: 1 };
        assert_eq!(tally(0, counts), "0 items, 2 repeats, 1 malformed message, 1 lost connection");
    }

    #[test]
    fn colours_are_refused_by_the_environment() {
        assert!(wants_color(|_| None));
        assert!(wants_color(|name| (name == "NO_COLOR").then(String::new)));
        assert!(!wants_color(|name| (name == "NO_COLOR").then(|| "1".into())));
        assert!(!wants_color(|name| (name == "TERM").then(|| "dumb".into())));
    }
}
