//! An item of one's own.

use std::{io::Write, process::ExitCode, time::Duration};

use clap::Args;
use news::Sentiment;
use simulator::Pace;

use super::{
    control::{self, Request},
    options::Start,
    signals::{STOPPED, Signals},
};
use crate::{
    Pipeline,
    follow::{Followed, Letter, follow},
    subscriber::Subscriber,
};

/// `newsloom-local send`.
///
/// It goes to the demo that runs in the same folder; where there is none, a pipeline is started for it.
#[derive(Args, Debug)]
pub struct Send {
    #[command(flatten)]
    start: Start,

    /// The headline
    headline: String,

    /// The text
    #[arg(long, default_value = "")]
    body: String,

    /// The language, ISO 639: en, de, ja
    #[arg(long, default_value = "en")]
    language: String,

    /// An alert: a headline before its story
    #[arg(long)]
    alert: bool,

    /// How long to wait for it
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    patience: u64,

    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

impl Send {
    pub(crate) async fn run(self) -> ExitCode {
        let stopped = async {
            // Without signals there is nothing that could stop it in order.
            match Signals::new() {
                Ok(mut signals) => signals.next().await,
                Err(_) => std::future::pending().await,
            }
        };
        let followed = tokio::select! {
            followed = Box::pin(self.followed()) => followed,
            () = stopped => return ExitCode::from(STOPPED),
        };
        match followed {
            Ok(followed) => {
                // Who reads it may be gone.
                let _ = writeln!(std::io::stdout(), "{}", if self.json { json(&followed) } else { text(&followed) });
                if followed.arrived() {
                    return ExitCode::SUCCESS;
                }
                eprintln!(
                    "newsloom-local: it did not come out within {} s; logs are in {}",
                    self.patience,
                    self.start.folder.display()
                );
                ExitCode::FAILURE
            }
            Err(error) => {
                eprintln!("newsloom-local: {error:#}");
                ExitCode::FAILURE
            }
        }
    }

    async fn followed(&self) -> anyhow::Result<Followed> {
        let letter = Letter {
            headline: self.headline.clone(),
            body: self.body.clone(),
            language: self.language.clone(),
            alert: self.alert,
        };
        let patience = Duration::from_secs(self.patience);
        let request = Request { letter: letter.clone(), patience_ms: self.patience.saturating_mul(1000) };
        if let Some(followed) = control::ask(&self.start.folder, &request).await? {
            return Ok(followed);
        }
        eprintln!("No demo runs in {}: starting a pipeline for this item.", self.start.folder.display());
        let mut options = self.start.options()?;
        options.feed.pace = Pace::Manual;
        let pipeline = Box::pin(Pipeline::start(options, |started| eprintln!("{started}"))).await?;
        let subscriber = Subscriber::start(pipeline.deployment(), None).await?;
        pipeline.feed().until_subscribed(1).await?;
        pipeline.feed().resume();
        let followed = follow(&pipeline, &subscriber, &letter, patience).await?;
        drop(subscriber);
        pipeline.stop().await?;
        Ok(followed)
    }
}

fn json(followed: &Followed) -> String {
    serde_json::to_string(followed).unwrap_or_default()
}

fn text(followed: &Followed) -> String {
    let mut lines: Vec<_> =
        followed.steps.iter().map(|step| format!("  {:<10}{:>8.1} ms", step.name, step.after_ms)).collect();
    if let Some(item) = &followed.item {
        let verdict = match &item.sentiment {
            Sentiment::Judged(judged) => format!("{} {:.2}; {}", judged.label.name(), judged.score, followed.judge),
            Sentiment::Unjudged { reason } => format!("unjudged: {}", reason.name()),
        };
        lines.push(format!("  {:<10}{verdict}", "sentiment"));
    }
    lines.extend(followed.routing_key.as_ref().map(|key| format!("  {:<10}{key}", "key")));
    lines.push(format!("  {:<10}{}", "id", followed.id));
    lines.join("\n")
}
