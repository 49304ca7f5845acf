//! What comes first in a stack: Terraform's and the provider's settings, and where states are kept.

use super::text::Terraform;
use crate::{
    render::{checks, context::Context, json},
    schema::Kind,
    tree::{Properties, State, Value},
};

pub(super) fn backend(state: &State, stack: &str) -> Option<Properties> {
    match state {
        // Terraform's default; saying nothing lets people choose with `terraform init -backend-config`.
        State::Local => None,
        State::S3 { .. } => Some(Properties::default().set("s3", state_settings(state, stack))),
    }
}

pub(super) fn remote_state(state: &State, stack: &str) -> Properties {
    let kind = match state {
        State::Local => "local",
        State::S3 { .. } => "s3",
    };
    Properties::default().set("backend", kind).set("config", state_settings(state, stack))
}

fn state_settings(state: &State, stack: &str) -> Properties {
    match state {
        State::Local => Properties::default().set("path", format!("../{stack}/terraform.tfstate")),
        State::S3 { bucket, region, prefix, key } => Properties::default()
            .set("bucket", bucket)
            .set("key", format!("{prefix}/{stack}.tfstate"))
            .set("region", region)
            .set("encrypt", true)
            .set_some("kms_key_id", key.as_ref())
            .set("use_lockfile", true),
    }
}

pub(super) fn provider_settings(context: &Context<'_>) -> String {
    let app = context.app;
    let tags: Properties = app
        .tags
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .chain(context.stack.tags.top())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let tags = (!tags.is_empty()).then(|| Properties::default().set("tags", tags));
    let mut main = Properties::default().set_some("region", app.defaults.region.clone());
    for (name, value) in app.provider.iter() {
        main.insert(name.to_owned(), value.clone());
    }
    let main = main.set_some("default_tags", tags.clone());
    checks::against(context, Kind::Provider, "aws", &main);
    let mut configurations = vec![Value::Map(main)];
    for (alias, settings) in &app.aliases {
        let mut one = Properties::default().set("alias", *alias);
        for (name, value) in settings.iter() {
            one.insert(name.to_owned(), value.clone());
        }
        checks::against(context, Kind::Provider, "aws", &one);
        configurations.push(Value::Map(one.set_some("default_tags", tags.clone())));
    }
    let aws = if configurations.len() == 1 { configurations.remove(0) } else { Value::List(configurations) };
    let mut out = String::new();
    json::write_object(&mut out, &Properties::default().set("aws", aws), 1, &Terraform(context));
    out
}
