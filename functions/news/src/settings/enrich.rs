//! What `enrich` is told.

use super::{Reader, SettingsError, Writer};

/// The language of a route that takes every language no other route names.
pub const ANY_LANGUAGE: &str = "*";

/// What `enrich` needs to know: Kinesis → SageMaker → DynamoDB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrichSettings<V = String> {
    /// The environment's name, for the metrics.
    pub pipeline: V,
    /// The articles table.
    pub table_name: V,
    /// The queue for records that can never succeed.
    pub quarantine_url: V,
    /// After how many days an item may go; 0 keeps it for ever.
    pub ttl_days: u16,
    /// Which endpoint judges which language. A language without a route is stored unjudged.
    pub routes: Vec<Route<V>>,
    /// How many headlines one request carries.
    pub headlines_per_request: u16,
    /// How many requests to one endpoint may be on their way at once.
    pub requests_in_flight: u16,
    /// After how many milliseconds a request to a model is given up.
    pub request_timeout_ms: u32,
    /// How many table writes may be on their way at once.
    pub writes_in_flight: u16,
}

/// The endpoint for some languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route<V = String> {
    /// Languages in lower case, or [`ANY_LANGUAGE`].
    pub languages: Vec<String>,
    /// The SageMaker endpoint.
    pub endpoint_name: V,
    /// Which model it runs, as items will say.
    pub model: String,
    /// Which version of it, as items will say.
    pub model_version: String,
}

impl<V> EnrichSettings<V> {
    /// The environment that says all this.
    pub fn into_variables(self) -> Vec<(String, V)>
    where
        V: From<String>,
    {
        let Self {
            pipeline,
            table_name,
            quarantine_url,
            ttl_days,
            routes,
            headlines_per_request,
            requests_in_flight,
            request_timeout_ms,
            writes_in_flight,
        } = self;
        let mut writer = Writer::new();
        writer.value("PIPELINE", pipeline);
        writer.value("TABLE_NAME", table_name);
        writer.value("QUARANTINE_URL", quarantine_url);
        writer.number("TTL_DAYS", ttl_days);
        writer.number("HEADLINES_PER_REQUEST", headlines_per_request);
        writer.number("REQUESTS_IN_FLIGHT", requests_in_flight);
        writer.number("REQUEST_TIMEOUT_MS", request_timeout_ms);
        writer.number("WRITES_IN_FLIGHT", writes_in_flight);
        writer.number("ROUTES", routes.len());
        for (index, route) in (1..).zip(routes) {
            route.write(index, &mut writer);
        }
        writer.variables
    }
}

impl EnrichSettings {
    /// Reads the settings back, from `std::env::var(name).ok()` or a test's table.
    ///
    /// # Errors
    ///
    /// Names every variable that is missing and every one that makes no sense.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(&lookup);
        let settings = Self {
            pipeline: reader.text("PIPELINE"),
            table_name: reader.text("TABLE_NAME"),
            quarantine_url: reader.text("QUARANTINE_URL"),
            ttl_days: reader.number("TTL_DAYS"),
            headlines_per_request: reader.positive("HEADLINES_PER_REQUEST"),
            requests_in_flight: reader.positive("REQUESTS_IN_FLIGHT"),
            request_timeout_ms: reader.positive("REQUEST_TIMEOUT_MS"),
            writes_in_flight: reader.positive("WRITES_IN_FLIGHT"),
            routes: Route::read_all(&mut reader),
        };
        reader.finish(settings)
    }

    /// The route for a language in any case: its own, else the one for any, else none.
    pub fn route(&self, language: &str) -> Option<&Route> {
        let takes = |route: &&Route, wanted: &str| route.languages.iter().any(|own| own.eq_ignore_ascii_case(wanted));
        let own = self.routes.iter().find(|route| takes(route, language));
        own.or_else(|| self.routes.iter().find(|route| takes(route, ANY_LANGUAGE)))
    }
}

impl<V: From<String>> Route<V> {
    fn write(self, index: u16, writer: &mut Writer<V>) {
        let Self { languages, endpoint_name, model, model_version } = self;
        writer.list(&format!("ROUTE_{index}_LANGUAGES"), &languages);
        writer.value(&format!("ROUTE_{index}_ENDPOINT"), endpoint_name);
        writer.value(&format!("ROUTE_{index}_MODEL"), model.into());
        writer.value(&format!("ROUTE_{index}_MODEL_VERSION"), model_version.into());
    }
}

impl Route {
    fn read_all(reader: &mut Reader<'_>) -> Vec<Self> {
        let count: u16 = reader.at_most("ROUTES", 64);
        (1..=count)
            .map(|index| Self {
                languages: reader.list(&format!("ROUTE_{index}_LANGUAGES")),
                endpoint_name: reader.text(&format!("ROUTE_{index}_ENDPOINT")),
                model: reader.text(&format!("ROUTE_{index}_MODEL")),
                model_version: reader.text(&format!("ROUTE_{index}_MODEL_VERSION")),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::variables::tests::{assert_allowed, lookup};

    pub(crate) fn example(routes: u16) -> EnrichSettings {
        let route = |index| Route {
            languages: vec![format!("l{index}"), ANY_LANGUAGE.into()],
            endpoint_name: format!("endpoint, {index}"),
            model: "ProsusAI/finbert".into(),
            model_version: "main".into(),
        };
        EnrichSettings {
            pipeline: "news".into(),
            table_name: "articles".into(),
            quarantine_url: "https://sqs.eu-west-1.amazonaws.com/1/q".into(),
            ttl_days: 0,
            routes: (0..routes).map(route).collect(),
            headlines_per_request: 16,
            requests_in_flight: u16::MAX,
            request_timeout_ms: u32::MAX,
            writes_in_flight: 1,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for routes in [0, 1, 12] {
            let variables = example(routes).into_variables();
            assert_allowed(&variables);
            let read = EnrichSettings::from_variables(lookup(&variables)).unwrap();
            assert_eq!(read, example(routes));
        }
    }

    #[test]
    fn all_that_is_wrong_is_named_at_once() {
        let variables = [
            ("TABLE_NAME".to_string(), String::new()),
            ("TTL_DAYS".into(), "-1".into()),
            ("REQUESTS_IN_FLIGHT".into(), "0".into()),
            ("ROUTES".into(), "1".into()),
            ("ROUTE_1_LANGUAGES".into(), "en".into()),
        ];
        let error = EnrichSettings::from_variables(lookup(&variables)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "missing environment variables: PIPELINE, TABLE_NAME, QUARANTINE_URL, \
             HEADLINES_PER_REQUEST, REQUEST_TIMEOUT_MS, WRITES_IN_FLIGHT, ROUTE_1_ENDPOINT, \
             ROUTE_1_MODEL, ROUTE_1_MODEL_VERSION; malformed: TTL_DAYS is \"-1\", a whole number \
             of 0 to 65535 is needed; REQUESTS_IN_FLIGHT is \"0\", a whole number of 1 to 65535 \
             is needed"
        );
    }

    #[test]
    fn own_language_comes_before_any_language_and_case_does_not_matter() {
        let mut settings = example(0);
        let route = |language: &str| Route {
            languages: vec![language.into()],
            endpoint_name: language.into(),
            model: String::new(),
            model_version: String::new(),
        };
        settings.routes = vec![route(ANY_LANGUAGE), route("en")];
        assert_eq!(settings.route("EN").unwrap().endpoint_name, "en");
        assert_eq!(settings.route("de").unwrap().endpoint_name, "*");
        settings.routes.remove(0);
        assert_eq!(settings.route("de"), None);
    }
}
