//! What must go together: rules that concern more than one setting.

mod enrichment;
mod ingestion;
mod network;
mod redistribution;

use crate::file::{Finding, Spans};
use crate::{Function, Partition, Settings, Terraform, Trigger};

/// Checks every rule.
pub(crate) fn check(settings: &Settings, spans: &Spans, findings: &mut Vec<Finding>) {
    let mut rules = Rules { settings, spans, findings };
    rules.environment();
    rules.encryption();
    network::check(&mut rules);
    ingestion::check(&mut rules);
    enrichment::check(&mut rules);
    redistribution::check(&mut rules);
}

/// The settings, and what was found in them so far.
pub(crate) struct Rules<'a> {
    settings: &'a Settings,
    spans: &'a Spans,
    findings: &'a mut Vec<Finding>,
}

impl Rules<'_> {
    /// Reports a problem at a key, or where the nearest table around it is. A key that is known to
    /// be wrong is left in peace.
    fn problem(&mut self, key: &str, message: String) {
        if self.findings.iter().any(|finding| finding.key == key) {
            return;
        }
        self.findings.push(Finding { span: self.span(key), key: key.into(), message, help: None });
    }

    fn span(&self, key: &str) -> std::ops::Range<usize> {
        let mut key = key;
        loop {
            if let Some(span) = self.spans.get(key) {
                return span.clone();
            }
            match key.rfind(['.', '[']) {
                Some(end) => key = &key[..end],
                None => return 0..0,
            }
        }
    }

    /// Reports every name that came before.
    fn unique<'n>(&mut self, names: impl Iterator<Item = (String, &'n str)>) {
        let mut seen: Vec<(String, &str)> = Vec::new();
        for (key, name) in names {
            match seen.iter().find(|(_, other)| *other == name) {
                Some((first, _)) => self.problem(&key, format!("{name:?} is taken by {first}")),
                None => seen.push((key, name)),
            }
        }
    }

    fn environment(&mut self) {
        let settings = self.settings;
        let (region, own) = (&settings.region, Partition::of_region(&settings.region));
        if let Some(given) = settings.partition.filter(|given| *given != own) {
            let (given, own) = (given.name(), own.name());
            let message = format!("{given:?} given, but {region} is a region of {own}");
            self.problem("partition", message);
        }
        for (tag, value) in &settings.tags {
            self.tag(tag, value);
        }
        if let Terraform::S3(backend) = &settings.terraform {
            self.kms_key("terraform.kms_key_arn", backend.kms_key_arn.as_deref(), None);
        }
    }

    fn tag(&mut self, tag: &str, value: &str) {
        let key = format!("tags.{tag}");
        let lower = tag.to_lowercase();
        if lower.starts_with("aws:") {
            self.problem(&key, "tags that begin with aws: are AWS's own".into());
        }
        if lower == "environment" && self.settings.environment.is_some() {
            self.problem(&key, "environment writes this tag already; leave one of them out".into());
        }
        if !(1..=128).contains(&tag.chars().count()) {
            self.problem(&key, "a tag's key has 1 to 128 characters".into());
        }
        if value.chars().count() > 256 {
            self.problem(&key, "a tag's value has at most 256 characters".into());
        }
    }

    fn encryption(&mut self) {
        let encryption = &self.settings.encryption;
        let Some(arn) = encryption.key_arn.as_deref() else {
            return;
        };
        let key = "encryption.key_arn";
        if !encryption.customer_managed {
            let message = "used only with customer_managed = true, which is false";
            self.problem(key, message.into());
        }
        self.kms_key(key, Some(arn), Some(&self.settings.region));
    }

    /// Checks partition and region of a key's ARN.
    fn kms_key(&mut self, key: &str, arn: Option<&str>, region: Option<&str>) {
        let mut parts = arn.unwrap_or_default().split(':').skip(1);
        let (Some(partition), Some(_), Some(own)) = (parts.next(), parts.next(), parts.next()) else {
            return;
        };
        let wanted = self.settings.partition().name();
        if partition != wanted {
            self.problem(key, format!("lies in the partition {partition}, the environment in {wanted}"));
        }
        if let Some(region) = region.filter(|region| *region != own) {
            self.problem(key, format!("lies in {own}, the environment in {region}"));
        }
    }

    /// Checks that one batch fits into the function's time, and its records into the stream's.
    fn budget(&mut self, at: &str, function: &Function, trigger: &Trigger, budget: &Budget) {
        let allowed_ms = u64::from(function.timeout_seconds) * 1000;
        if budget.worst_ms > allowed_ms {
            let (worst, sum) = (budget.worst_ms.div_ceil(1000), &budget.sum);
            let message =
                format!("{} seconds are less than a batch may take, {worst} seconds: {sum}", function.timeout_seconds);
            self.problem(&format!("{at}.function.timeout_seconds"), message);
        }
        let age = trigger.max_record_age_seconds;
        let key = format!("{at}.trigger.max_record_age_seconds");
        if age >= budget.kept_seconds {
            let (stream, kept) = (budget.stream, budget.kept_seconds);
            let message =
                format!("{age} given, but {stream} keeps records {kept} seconds; older ones would expire unseen");
            self.problem(&key, message);
        }
        if age <= u32::from(function.timeout_seconds) {
            let timeout = function.timeout_seconds;
            let message = format!("{age} given, not more than the function's timeout of {timeout}");
            self.problem(&key, message);
        }
    }
}

/// What one batch may take, and how long its records are there.
struct Budget {
    worst_ms: u64,
    sum: String,
    stream: &'static str,
    kept_seconds: u32,
}
