//! Routes, endpoints, and the time that models may take.

use super::{Budget, Rules};
use crate::{Endpoint, InstanceEndpoint, ServerlessEndpoint};

pub(super) fn check(rules: &mut Rules<'_>) {
    rules.routes();
    for (index, route) in rules.settings.enrichment.routes.iter().enumerate() {
        let at = format!("enrichment.routes[{index}].endpoint");
        match &route.endpoint {
            Endpoint::Serverless(endpoint) => rules.serverless(&at, endpoint),
            Endpoint::Instances(endpoint) => rules.instances(&at, endpoint),
            Endpoint::Existing(_) => (),
        }
    }
    rules.model_time();
}

impl Rules<'_> {
    fn routes(&mut self) {
        let routes = &self.settings.enrichment.routes;
        let names = routes.iter().enumerate();
        self.unique(names.map(|(index, route)| (format!("enrichment.routes[{index}].name"), route.name.as_str())));
        let languages = routes.iter().enumerate().flat_map(|(index, route)| {
            let languages = route.languages.iter().enumerate();
            languages.map(move |(entry, language)| {
                (format!("enrichment.routes[{index}].languages[{entry}]"), language.as_str())
            })
        });
        self.unique(languages);
    }

    fn serverless(&mut self, at: &str, endpoint: &ServerlessEndpoint) {
        let most = endpoint.max_concurrency;
        if let Some(warm) = endpoint.provisioned_concurrency.filter(|warm| *warm > most) {
            let message = format!("{warm} given, more than max_concurrency, which is {most}");
            self.problem(&format!("{at}.provisioned_concurrency"), message);
        }
        let in_flight = self.settings.enrichment.requests_in_flight;
        if in_flight > most {
            let message = format!(
                "{most} given, but the function has up to {in_flight} requests in flight \
                 (enrichment.requests_in_flight); the endpoint would refuse the rest"
            );
            self.problem(&format!("{at}.max_concurrency"), message);
        }
    }

    fn instances(&mut self, at: &str, endpoint: &InstanceEndpoint) {
        let (Some(scaling), count) = (&endpoint.autoscaling, endpoint.count) else {
            return;
        };
        let (min, max) = (scaling.min, scaling.max);
        if min > max {
            let message = format!("{max} given, less than min, which is {min}");
            self.problem(&format!("{at}.autoscaling.max"), message);
        } else if !(min..=max).contains(&count) {
            let message = format!("{count} given, but autoscaling keeps {min} to {max}");
            self.problem(&format!("{at}.count"), message);
        }
    }

    fn model_time(&mut self) {
        let enrichment = &self.settings.enrichment;
        let timeout_ms = enrichment.request_timeout_ms;
        let per_request = enrichment.headlines_per_request.max(1);
        let in_flight = enrichment.requests_in_flight.max(1);
        let requests = enrichment.trigger.batch_size.div_ceil(per_request);
        let rounds = requests.div_ceil(in_flight);
        // A request that fails late is tried once more before the batch is given back.
        let worst_ms = 2 * u64::from(rounds) * u64::from(timeout_ms);
        let budget = Budget {
            worst_ms,
            sum: format!("{requests} requests, {in_flight} at once, {timeout_ms} ms each, each tried twice"),
            stream: "the stream (ingestion.stream.retention_hours)",
            kept_seconds: u32::from(self.settings.ingestion.stream.retention_hours) * 3600,
        };
        self.budget("enrichment", &enrichment.function, &enrichment.trigger, &budget);
    }
}
