//! The sentiment of headlines, asked of models behind endpoints.
//!
//! Which endpoint judges which language the settings say. Headlines go in requests of several, some requests at once;
//! what is not now is tried again within the time that is left; a request that a model refuses is halved until the
//! headline is found that it can't stand.

mod answer;
mod questions;

use crate::{
    Failure,
    enricher::{Enricher, Findings},
    rejected::Rejected,
};
use answer::Opinion;
use futures_util::{
    FutureExt,
    future::{LocalBoxFuture, join, join_all},
};
use news::{Judgement, NewsItem, Reason, Sentiment, Status, settings::EnrichSettings};
use questions::{Group, Question};
use runtime::{Backoff, Budget};
use std::{cell::RefCell, collections::HashMap, time::Duration};
use tokio::{
    sync::{OnceCell, Semaphore},
    time::{Instant, timeout},
};

/// Models behind endpoints.
#[diagnostic::on_unimplemented(
    message = "`{Self}` invokes no models",
    label = "pass `SageMaker`, or implement `Models`"
)]
pub trait Models {
    /// Sends a request's body to an endpoint, and returns the answer's.
    fn invoke(&self, endpoint: &str, body: Vec<u8>) -> impl Future<Output = Result<Vec<u8>, Rejected>>;
}

/// Judges headlines by the models that the settings name.
#[derive(Debug)]
pub struct Sentiments<M> {
    models: M,
    settings: EnrichSettings,
    /// By endpoint: how many more requests it may have.
    free: HashMap<String, Semaphore>,
}

/// The first pause before asking again is at most this.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// No pause is longer. A serverless endpoint may need a minute to start.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A headline that any model can judge.
const PLAIN: &str = "Shares are unchanged.";

impl<M> Sentiments<M> {
    /// Asks these models, by the settings' routes and bounds.
    pub fn new(models: M, settings: EnrichSettings) -> Self {
        let endpoints = settings.routes.iter().map(|route| route.endpoint_name.clone());
        let free = endpoints.map(|name| (name, Semaphore::new(settings.requests_in_flight.into()))).collect();
        Self { models, settings, free }
    }
}

impl<M: Models> Enricher for Sentiments<M> {
    type Finding = Sentiment;

    async fn enrich(&self, items: &[&NewsItem], budget: Budget) -> Findings<Sentiment> {
        let (mut outcomes, groups) = self.sort(items);
        let asked = join_all(groups.iter().map(|group| self.ask_group(group, budget))).await;
        let mut latencies = Vec::new();
        for (judged, took) in asked {
            for (at, outcome) in judged {
                outcomes[at] = outcome;
            }
            latencies.extend(took);
        }
        Findings { outcomes, latencies }
    }
}

/// What one request ends with.
type Answers = Vec<Result<Opinion, Failure>>;

/// What asking one endpoint has shown so far.
struct Talk<'a> {
    group: &'a Group<'a>,
    free: &'a Semaphore,
    budget: Budget,
    /// Whether the endpoint can judge anything at all, once that is known, and why not.
    sound: OnceCell<Result<(), String>>,
    latencies: RefCell<Vec<(String, Duration)>>,
}

impl<M: Models> Sentiments<M> {
    /// Each item's place in the answers, and what has to be asked of whom.
    fn sort<'a>(&'a self, items: &[&'a NewsItem]) -> (Vec<Result<Sentiment, Failure>>, Vec<Group<'a>>) {
        let mut groups: Vec<Group<'a>> = Vec::new();
        let mut outcomes = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let unjudged = |reason| Ok(Sentiment::Unjudged { reason });
            outcomes.push(match self.settings.route(&item.language) {
                _ if item.status == Status::Canceled => unjudged(Reason::Canceled),
                _ if item.headline.trim().is_empty() => unjudged(Reason::NoHeadline),
                None => unjudged(Reason::NoRoute),
                Some(route) => {
                    Group::of(&mut groups, route).add(at, item);
                    Err(Failure::transient("was not asked"))
                }
            });
        }
        (outcomes, groups)
    }

    async fn ask_group<'a>(
        &self,
        group: &'a Group<'a>,
        budget: Budget,
    ) -> (Vec<(usize, Result<Sentiment, Failure>)>, Vec<(String, Duration)>) {
        let free = &self.free[&group.route.endpoint_name];
        let talk = Talk { group, free, budget, sound: OnceCell::new(), latencies: RefCell::default() };
        let requests = group.requests(self.settings.headlines_per_request.into());
        let answers = join_all(requests.iter().map(|questions| self.ask(&talk, questions))).await;
        let answers = group.questions.iter().zip(answers.into_iter().flatten());
        let judged = answers.flat_map(|(question, answer)| {
            let sentiment = answer.map(|opinion| group.sentiment(opinion));
            question.items.iter().map(move |at| (*at, sentiment.clone()))
        });
        (judged.collect(), talk.latencies.take())
    }

    /// One answer for each question, in their order. What the model refuses is halved.
    fn ask<'a>(&'a self, talk: &'a Talk<'a>, questions: &'a [Question<'a>]) -> LocalBoxFuture<'a, Answers> {
        async move {
            let same = |failure: Failure| vec![Err(failure); questions.len()];
            let refused = match self.try_for_long(talk, questions).await {
                Ok(answers) => return answers,
                Err(Rejected::Refused(text)) => text,
                Err(rejected) => return same(Failure::transient(rejected.text())),
            };
            if let Err(broken) = self.is_sound(talk).await {
                return same(Failure::transient(broken));
            }
            if questions.len() == 1 {
                return same(Failure::permanent("model_refused", refused.chars().take(1000).collect::<String>()));
            }
            let (left, right) = questions.split_at(questions.len() / 2);
            let (mut left, right) = join(self.ask(talk, left), self.ask(talk, right)).await;
            left.extend(right);
            left
        }
        .boxed_local()
    }

    /// A refusal counts against headlines only if the endpoint can judge others: if it has in this batch, or if it
    /// judges a plain one. Else everything would be set aside because of an endpoint that is broken.
    async fn is_sound(&self, talk: &Talk<'_>) -> Result<(), String> {
        let plain = Question::plain(PLAIN);
        let probe = async || match self.try_for_long(talk, std::slice::from_ref(&plain)).await {
            Ok(_) => Ok(()),
            Err(Rejected::Refused(text)) => {
                let text = format!("refuses even a plain headline: {text}");
                talk.is_broken(&text);
                Err(text)
            }
            Err(rejected) => Err(rejected.text().to_owned()),
        };
        talk.sound.get_or_init(probe).await.clone()
    }

    /// Asks until there is an answer, or no time.
    async fn try_for_long(&self, talk: &Talk<'_>, questions: &[Question<'_>]) -> Result<Answers, Rejected> {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            let rejected = match self.attempt(talk, questions).await {
                Err(Rejected::Busy(text)) => Rejected::Busy(text),
                Err(Rejected::Unusable(text)) => {
                    if talk.sound.set(Err(text.clone())).is_ok() {
                        talk.is_broken(&text);
                    }
                    return Err(Rejected::Unusable(text));
                }
                other => return other,
            };
            if backoff.pause(talk.budget).await.is_err() {
                return Err(rejected);
            }
        }
    }

    async fn attempt(&self, talk: &Talk<'_>, questions: &[Question<'_>]) -> Result<Answers, Rejected> {
        let late = || Rejected::Busy("no time left for the model".into());
        let _turn = talk.budget.run(talk.free.acquire()).await.map_err(|_| late())?;
        if let Some(Err(broken)) = talk.sound.get() {
            return Err(Rejected::Unusable(broken.clone()));
        }
        let longest = Duration::from_millis(self.settings.request_timeout_ms.into()).min(talk.budget.left());
        if longest.is_zero() {
            return Err(late());
        }
        let asked = Instant::now();
        let request = self.models.invoke(&talk.group.route.endpoint_name, questions::body(questions));
        let answer = timeout(longest, request).await;
        let took = asked.elapsed();
        let answer = answer.map_err(|_| Rejected::Busy("no answer from the model in time".into()))??;
        // Not the shape of an answer: then the endpoint is broken, for now.
        let opinions = answer::read(&answer, questions.len()).map_err(Rejected::Busy)?;
        talk.answered(questions, took);
        Ok(opinions)
    }
}

impl Talk<'_> {
    fn answered(&self, questions: &[Question<'_>], took: Duration) {
        let _ = self.sound.set(Ok(()));
        let mut latencies = self.latencies.borrow_mut();
        for language in questions::languages(questions) {
            latencies.push((language.to_owned(), took));
        }
    }

    fn is_broken(&self, why: &str) {
        tracing::error!(endpoint = self.group.route.endpoint_name, why, "The endpoint cannot be used as it is.");
    }
}

impl Group<'_> {
    fn sentiment(&self, opinion: Opinion) -> Sentiment {
        let Opinion { label, score, scores } = opinion;
        let (model, model_version) = (self.route.model.clone(), self.route.model_version.clone());
        Sentiment::Judged(Judgement { label, score, scores, model, model_version })
    }
}
