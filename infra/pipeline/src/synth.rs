//! From settings to files.

use std::{collections::BTreeSet, path::Path};

use constructs::{
    render::{Rendered, Written},
    services::{
        dynamodb::{StreamingTableRef, Table},
        kinesis::{Stream as NewsStream, StreamRef},
        kms::{Key, KeyRef},
    },
    tree::{self, App, Removal, Stack, State},
};
use settings::{Layout, Terraform};

use crate::{
    Assets, Format, Problem, Problems, Settings,
    stages::{self, Enrichment, Ingestion, Monitoring, Redistribution, Shared, SharedRef, Watched},
};

/// A part of the pipeline that can be created and destroyed alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Feeds → Kinesis.
    Ingestion,
    /// Kinesis → SageMaker → DynamoDB.
    Enrichment,
    /// DynamoDB → RabbitMQ.
    Redistribution,
    /// Alarms and dashboard.
    Monitoring,
}

impl Stage {
    /// All of them, in the order in which records flow.
    pub const ALL: [Self; 4] = [Self::Ingestion, Self::Enrichment, Self::Redistribution, Self::Monitoring];

    /// Its stack's name: `enrichment`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ingestion => "ingestion",
            Self::Enrichment => "enrichment",
            Self::Redistribution => "redistribution",
            Self::Monitoring => "monitoring",
        }
    }
}

/// What to synthesize.
#[derive(Debug, Clone)]
pub struct Options {
    /// These stages; all of them if empty.
    pub stages: BTreeSet<Stage>,
    /// In these formats.
    pub format: Format,
    /// With this code.
    pub assets: Assets,
}

/// What was synthesized.
#[derive(Debug, Clone, Default)]
pub struct Synthesized {
    /// The files.
    pub rendered: Rendered,
    /// How many resources there are, counted once for both formats.
    pub resources: usize,
}

/// The name of the stack that holds what several stages use, where each has a stack of its own.
const SHARED: &str = "shared";

/// Synthesizes the pipeline.
///
/// # Errors
///
/// Everything that is wrong with it, each with its construct's path.
pub fn synth(settings: &Settings, options: &Options) -> Result<Synthesized, Problems> {
    let app = app(settings, options);
    let rendered = app.synth(options.format).map_err(|found| problems(&found))?;
    let resources = app.resources();
    if settings.stages == Layout::Separate && !options.stages.is_empty() {
        let wanted: Vec<&str> = options.stages.iter().map(|stage| stage.name()).collect();
        return Ok(Synthesized { rendered: rendered.only(&wanted), resources });
    }
    Ok(Synthesized { rendered, resources })
}

/// Makes a folder hold what was synthesized; what others put there stays.
///
/// # Errors
///
/// Every file that can't be written.
pub fn write(synthesized: &Synthesized, folder: &Path) -> Result<Written, Problems> {
    synthesized.rendered.write(folder).map_err(|found| problems(&found))
}

/// Who may do what on which resource, under which condition: one line each.
pub fn permissions(settings: &Settings) -> String {
    let options = Options { stages: BTreeSet::new(), format: Format::All, assets: Assets::placeholders() };
    app(settings, &options).permissions()
}

/// The pipeline as a tree of constructs: for tests, and for whoever builds on it.
pub fn app(settings: &Settings, options: &Options) -> App {
    let mut app = empty_app(settings);
    let build = Build { settings, assets: &options.assets };
    match (settings.stages, options.stages.is_empty()) {
        (Layout::Separate, _) => build.connected(&mut app, None),
        (Layout::Together, true) => build.connected(&mut app, Some("newsloom")),
        (Layout::Together, false) => build.alone(app.stack("newsloom"), &options.stages),
    }
    app
}

/// An app with the name, region, tags and state of the settings, and nothing in it.
pub fn empty_app(settings: &Settings) -> App {
    let mut app = App::new(settings.name.clone()).region(settings.region.clone()).removal(removal(settings));
    for (key, value) in tags(settings) {
        app = app.tag(key, value);
    }
    app = app.state(state(settings));
    if let Some(account) = &settings.account {
        app = app.provider_setting("allowed_account_ids", [account.clone()]);
    }
    app
}

/// Adds the whole pipeline to one stack of an app, which may hold several of it: each by another name.
pub fn add(app: &mut App, stack: &str, settings: &Settings, assets: &Assets) {
    app.stack(stack).set_prefix(settings.name.clone());
    Build { settings, assets }.connected(app, Some(stack));
}

struct Build<'a> {
    settings: &'a Settings,
    assets: &'a Assets,
}

impl Build<'_> {
    /// All stages, in one stack or a stack each; each takes what it needs from those before it.
    fn connected(&self, app: &mut App, together: Option<&str>) {
        let Self { settings, assets } = *self;
        let stack = |stage: Stage| together.unwrap_or(stage.name());
        let mut watched = Watched::default();

        let shared = app.stack(together.unwrap_or(SHARED)).add("Shared", Shared { settings, with_network: true });

        let ingestion = Ingestion { settings, binary: &assets.ingester, shared };
        let ingestion = app.stack(stack(Stage::Ingestion)).add("Ingestion", ingestion);
        watched.ingestion(ingestion);

        let enrichment = Enrichment { settings, code: &assets.enrich, shared, news: ingestion.news };
        let enrichment = app.stack(stack(Stage::Enrichment)).add("Enrichment", enrichment);
        watched.enrichment(&enrichment);

        let articles = enrichment.articles;
        let redistribution = Redistribution { settings, code: &assets.publish, shared, articles };
        let redistribution = app.stack(stack(Stage::Redistribution)).add("Redistribution", redistribution);
        watched.redistribution(&redistribution);

        app.stack(stack(Stage::Monitoring)).add("Monitoring", Monitoring { settings, watched });
    }

    /// Some stages without the others: each brings what stages otherwise share, and finds what it reads from
    /// by its name.
    fn alone(&self, stack: &mut Stack, stages: &BTreeSet<Stage>) {
        let Self { settings, assets } = *self;
        let has = |stage| stages.contains(&stage);
        let mut watched = Watched::default();
        let shared = |stack: &mut Stack| -> SharedRef {
            let with_network = has(Stage::Ingestion) || has(Stage::Redistribution);
            let first = stages.first().map_or("", |stage| stage.name());
            stack.add(&format!("{}Shared", capital(first)), Shared { settings, with_network })
        };
        let shared = (!stages.iter().all(|stage| *stage == Stage::Monitoring)).then(|| shared(stack));

        let mut news: Option<StreamRef> = None;
        if let (true, Some(shared)) = (has(Stage::Ingestion), shared) {
            let ingestion = stack.add("Ingestion", Ingestion { settings, binary: &assets.ingester, shared });
            watched.ingestion(ingestion);
            news = Some(ingestion.news);
        }
        let mut articles: Option<StreamingTableRef> = None;
        if let (true, Some(shared)) = (has(Stage::Enrichment), shared) {
            let news = news.unwrap_or_else(|| self.existing_news(stack));
            let enrichment = stack.add("Enrichment", Enrichment { settings, code: &assets.enrich, shared, news });
            watched.enrichment(&enrichment);
            articles = Some(enrichment.articles);
        }
        if let (true, Some(shared)) = (has(Stage::Redistribution), shared) {
            let articles = articles.unwrap_or_else(|| self.existing_articles(stack));
            let redistribution = Redistribution { settings, code: &assets.publish, shared, articles };
            let redistribution = stack.add("Redistribution", redistribution);
            watched.redistribution(&redistribution);
        }
        if has(Stage::Monitoring) {
            stack.add("Monitoring", Monitoring { settings, watched });
        }
    }

    fn existing_news(&self, stack: &mut Stack) -> StreamRef {
        let news = NewsStream::existing(stages::stream_name(self.settings));
        let key = self.existing_key(stack, "NewsKey", Stage::Ingestion);
        stack.add("News", news.encrypted_by(key))
    }

    fn existing_articles(&self, stack: &mut Stack) -> StreamingTableRef {
        let articles = Table::existing(stages::table_name(self.settings));
        let key = self.existing_key(stack, "ArticlesKey", Stage::Enrichment);
        stack.add("Articles", articles.encrypted_by(key).streaming())
    }

    /// The key of a stage that is elsewhere, without which nothing that it encrypted can be read.
    fn existing_key(&self, stack: &mut Stack, id: &str, stage: Stage) -> Option<KeyRef> {
        let encryption = &self.settings.encryption;
        let key = match &encryption.key_arn {
            Some(arn) => Key::existing(arn),
            None => Key::existing_alias(format!("alias/{}-{}-key", self.settings.name, stage.name())),
        };
        encryption.customer_managed.then(|| stack.add(id, key))
    }
}

fn capital(name: &str) -> String {
    name.split_at_checked(1).map(|(first, rest)| first.to_ascii_uppercase() + rest).unwrap_or_default()
}

fn tags(settings: &Settings) -> Vec<(String, String)> {
    let mut tags = vec![("Application".to_owned(), settings.name.clone())];
    tags.extend(settings.environment.iter().map(|environment| ("Environment".to_owned(), environment.clone())));
    tags.extend(settings.tags.clone());
    tags
}

fn removal(settings: &Settings) -> Removal {
    match settings.removal {
        settings::Removal::Destroy => Removal::Destroy,
        settings::Removal::Retain => Removal::Retain,
        settings::Removal::Prevent => Removal::Prevent,
    }
}

fn state(settings: &Settings) -> State {
    match &settings.terraform {
        Terraform::Local => State::Local,
        Terraform::S3(s3) => State::S3 {
            bucket: s3.bucket.clone(),
            region: s3.region.clone().unwrap_or_else(|| settings.region.clone()),
            prefix: s3.key_prefix.clone().unwrap_or_else(|| settings.name.clone()),
            key: s3.kms_key_arn.clone(),
        },
    }
}

/// A construct's problem in the words of the command.
fn problems(problems: &tree::Problems) -> Problems {
    let each = problems.iter().map(|problem| Problem {
        place: None,
        subject: problem.path.clone(),
        message: if problem.property.is_empty() {
            problem.message.clone()
        } else {
            format!("{}: {}", problem.property, problem.message)
        },
        help: None,
    });
    Problems::new(each.collect())
}
