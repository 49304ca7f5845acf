//! Kinesis → SageMaker → DynamoDB.

use constructs::{
    services::{
        appautoscaling::Scaling,
        dynamodb::{StreamingTableRef, Table, View},
        kinesis::StreamRef,
        kms::KeyRef,
        lambda::{Code, Function, FunctionRef},
        sagemaker::{self, EndpointRef, HubModel, HuggingFace, Image, Instances, ModelRef, Serverless},
        sqs::QueueRef,
        units::{Days, Mib, Seconds},
    },
    tree::{Construct, Stack, Text},
};
use news::{
    settings::{EnrichSettings, Route},
    table,
};
use settings::{Endpoint, InstanceEndpoint, Model, Settings};

use super::{SharedRef, id, own_key, queue_for_people, sized, triggered};
use crate::Asset;

/// Kinesis → SageMaker → DynamoDB.
pub(crate) struct Enrichment<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) code: &'a Asset,
    pub(crate) shared: SharedRef,
    pub(crate) news: StreamRef,
}

/// What others take from [`Enrichment`].
pub(crate) struct EnrichmentRef {
    pub(crate) articles: StreamingTableRef,
    pub(crate) enrich: FunctionRef,
    pub(crate) failures: QueueRef,
    pub(crate) quarantine: QueueRef,
    /// The route's name and its endpoint, made here or not.
    pub(crate) endpoints: Vec<(String, EndpointRef)>,
}

/// What the table is called; other stages find it by this when they are alone.
pub(crate) fn table_name(settings: &Settings) -> String {
    format!("{}-enrichment-articles", settings.name)
}

impl Construct for Enrichment<'_> {
    type Handle = EnrichmentRef;

    fn build(self, stack: &mut Stack) -> EnrichmentRef {
        let settings = self.settings;
        let key = own_key(stack, settings, "Encrypts articles and what waits for a person");
        let articles = stack.add("Articles", articles(settings, key));
        let quarantine = queue_for_people(stack, "Quarantine", settings.enrichment.quarantine_days, key);
        let failures = queue_for_people(stack, "Failures", 14, key);
        let endpoints = stack.add("Models", Models { settings, key });
        let code = self.shared.uploaded(stack, "EnrichCode", self.code);
        let enrich = self.enrich(code.code, &articles, quarantine, &endpoints, key);
        let enrich = stack.add("Enrich", enrich);
        stack.depends(enrich, code.object);

        stack.trigger(enrich, triggered(self.news.records(), &settings.enrichment.trigger, failures));
        stack.grant(enrich, articles.get_items().and(articles.insert_items()));
        stack.grant(enrich, quarantine.send());
        for (_, endpoint) in &endpoints {
            stack.grant(enrich, endpoint.invoke());
        }

        stack.output("ArticlesTable", articles.name()).describe("Enriched articles, by article_id");
        stack.output("EnrichFunction", enrich.name()).describe("Reads the stream, asks the models, writes the table");
        stack.output("QuarantineUrl", quarantine.url()).describe("Records that can never succeed, with the reason");
        stack.output("EnrichFailuresUrl", failures.url()).describe("Where records were that enrich gave up on");
        EnrichmentRef { articles, enrich, failures, quarantine, endpoints }
    }
}

impl Enrichment<'_> {
    fn enrich(
        &self,
        code: Code,
        articles: &StreamingTableRef,
        quarantine: QueueRef,
        endpoints: &[(String, EndpointRef)],
        key: Option<KeyRef>,
    ) -> Function {
        let enrichment = &self.settings.enrichment;
        let routes = enrichment.routes.iter().zip(endpoints).map(|(route, (_, endpoint))| {
            let (model, model_version) = model_of(&route.endpoint);
            Route { languages: route.languages.clone(), endpoint_name: endpoint.name().into(), model, model_version }
        });
        let told = EnrichSettings::<Text> {
            pipeline: self.settings.name.clone().into(),
            table_name: articles.name().into(),
            quarantine_url: quarantine.url().into(),
            ttl_days: self.settings.table.ttl_days,
            routes: routes.collect(),
            headlines_per_request: enrichment.headlines_per_request,
            requests_in_flight: enrichment.requests_in_flight,
            request_timeout_ms: enrichment.request_timeout_ms,
            writes_in_flight: enrichment.writes_in_flight,
        };
        let function = Function::rust(code)
            .description("Asks the models for the sentiment of headlines and stores the articles")
            .environment(told.into_variables());
        sized(function, &enrichment.function, self.settings, key)
    }
}

fn articles(settings: &Settings, key: Option<KeyRef>) -> constructs::services::dynamodb::StreamingTable {
    let mut articles = Table::keyed_by(table::KEY).named(table_name(settings));
    if settings.table.ttl_days > 0 {
        articles = articles.expires_at(table::EXPIRES_AT);
    }
    if !settings.table.point_in_time_recovery {
        articles = articles.unrecoverable();
    }
    articles.encrypted_by(key).streaming(View::NewImage)
}

/// Which model an item was judged by, and which version of it.
fn model_of(endpoint: &Endpoint) -> (String, String) {
    let (model, version) = match endpoint {
        Endpoint::Serverless(endpoint) => (endpoint.model.id(), endpoint.model.version()),
        Endpoint::Instances(endpoint) => (endpoint.model.id(), endpoint.model.version()),
        Endpoint::Existing(endpoint) => (endpoint.model.as_str(), endpoint.model_version.as_str()),
    };
    (model.to_owned(), version.to_owned())
}

/// One endpoint for each route.
struct Models<'a> {
    settings: &'a Settings,
    key: Option<KeyRef>,
}

impl Construct for Models<'_> {
    type Handle = Vec<(String, EndpointRef)>;

    fn build(self, stack: &mut Stack) -> Self::Handle {
        let routes = &self.settings.enrichment.routes;
        routes.iter().map(|route| (route.name.clone(), self.endpoint(stack, route))).collect()
    }
}

impl Models<'_> {
    fn endpoint(&self, stack: &mut Stack, route: &settings::Route) -> EndpointRef {
        let name = id(&route.name);
        match &route.endpoint {
            Endpoint::Existing(existing) => {
                stack.add(&name, sagemaker::Endpoint::existing(existing.endpoint_name.clone()))
            }
            Endpoint::Serverless(endpoint) => {
                let image = image(endpoint.image.as_deref(), HuggingFace::CPU);
                let model = stack.add(&format!("{name}Model"), model(&endpoint.model, image));
                let mut size = Serverless::of(Mib(endpoint.memory_mib.into()), endpoint.max_concurrency.into());
                if let Some(warm) = endpoint.provisioned_concurrency {
                    size = size.provisioned(warm.into());
                }
                stack.add(&name, self.logged(sagemaker::Endpoint::serving(model).serverless(size), route))
            }
            Endpoint::Instances(endpoint) => self.on_instances(stack, route, endpoint),
        }
    }

    fn on_instances(&self, stack: &mut Stack, route: &settings::Route, endpoint: &InstanceEndpoint) -> EndpointRef {
        let name = id(&route.name);
        let image = image(endpoint.image.as_deref(), container_for(&endpoint.instance_type));
        let model = stack.add(&format!("{name}Model"), model(&endpoint.model, image));
        let served = stack.add(&name, self.served(model, route, endpoint));
        if let Some(scaling) = &endpoint.autoscaling {
            let scaling = Scaling::of(served)
                .between(scaling.min.into(), scaling.max.into())
                .invocations_per_instance(scaling.requests_per_instance.into())
                .scale_in_cooldown(Seconds(scaling.scale_in_cooldown_seconds.into()))
                .scale_out_cooldown(Seconds(scaling.scale_out_cooldown_seconds.into()));
            stack.add(&format!("{name}Scaling"), scaling);
        }
        served
    }

    fn served(&self, model: ModelRef, route: &settings::Route, endpoint: &InstanceEndpoint) -> sagemaker::Endpoint {
        let instances = Instances::of(endpoint.instance_type.clone()).count(endpoint.count.into());
        let has_local_storage = instances.has_local_storage();
        let configuration = sagemaker::EndpointConfiguration::on_instances(model, instances);
        let configuration = match self.key {
            Some(key) if !has_local_storage => configuration.encrypted_by(key),
            _ => configuration,
        };
        self.logged(sagemaker::Endpoint::configured(configuration), route)
    }

    /// Named after the route; its logs are kept and encrypted as all others.
    fn logged(&self, endpoint: sagemaker::Endpoint, route: &settings::Route) -> sagemaker::Endpoint {
        endpoint
            .named(format!("{}-{}", self.settings.name, route.name))
            .logs_kept(Days(self.settings.monitoring.log_retention_days.into()))
            .logs_encrypted_by(self.key)
    }
}

fn image(uri: Option<&str>, usual: HuggingFace) -> Image {
    match uri {
        Some(uri) => Image::uri(uri.to_owned()),
        None => Image::hugging_face(usual),
    }
}

/// `ml.g…` and `ml.p…` have graphics processors.
fn container_for(instance_type: &str) -> HuggingFace {
    let family = instance_type.strip_prefix("ml.").unwrap_or(instance_type);
    if family.starts_with(['g', 'p']) { HuggingFace::GPU } else { HuggingFace::CPU }
}

fn model(model: &Model, image: Image) -> sagemaker::Model {
    match model {
        Model::Hub(hub) => {
            let hub = HubModel::new(hub.id.clone()).revision(hub.revision.clone()).task("text-classification");
            sagemaker::Model::hugging_face(hub).image(image)
        }
        Model::S3(archive) => {
            sagemaker::Model::artifact(image, archive.archive.clone()).environment("HF_TASK", "text-classification")
        }
    }
}
