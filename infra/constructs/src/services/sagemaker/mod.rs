//! SageMaker AI: models, and the endpoints that answer with them.
//!
//! A model is a container and what it loads; an endpoint configuration says on what it runs; an endpoint is the
//! name that is called. `Endpoint::serving(model)` writes the one in the middle by itself.

mod capacity;
mod configuration;
mod deployment;
mod endpoint;
mod image;
mod model;

pub use capacity::{Instances, Routing, Serverless};
pub use configuration::{
    Asynchronous, Capture, DataCapture, EndpointConfiguration, EndpointConfigurationRef, InstanceConfiguration, Variant,
};
pub use deployment::Deployment;
pub(crate) use endpoint::Serves;
pub use endpoint::{Endpoint, EndpointRef, ExistingEndpoint, Serving, VariantRef};
pub use image::{Device, HuggingFace, Image};
pub use model::{ExistingModel, HubModel, Model, ModelRef};

use crate::tree::{Part, Pseudo, Stack, Text};

/// What SageMaker lets names have.
const NAME_LENGTH: usize = 63;

/// Reports a name that is too long or has letters that SageMaker doesn't take.
fn check_name(stack: &mut Stack, what: &str, name: &Text) {
    let Some(name) = name.literal() else { return };
    if name.len() > NAME_LENGTH {
        let length = name.len();
        stack.problem(format!("the {what}'s name `{name}` has {length} letters; SageMaker takes up to {NAME_LENGTH}"));
    } else if !is_name(name) {
        stack.problem(format!("the {what}'s name `{name}` must be letters, digits and single hyphens between them"));
    }
}

fn is_name(name: &str) -> bool {
    let inner = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
    inner && !name.is_empty() && !name.starts_with('-') && !name.ends_with('-')
}

/// A place in S3, taken apart so that rights can be given on it.
struct Place {
    /// The bucket's ARN.
    bucket: Text,
    /// The ARN of the object, or of the prefix.
    object: Text,
    /// The object's key or prefix, without the slash before it.
    key: Text,
}

/// Takes `s3://bucket/key` apart, whether the bucket is a literal or a reference. Nothing for anything else.
fn place(address: &Text) -> Option<Place> {
    let mut parts = address.parts().iter();
    let Some(Part::Literal(scheme)) = parts.next() else { return None };
    let rest = scheme.strip_prefix("s3://")?.to_owned();
    let arn = || Text::from("arn:") + Pseudo::Partition + ":s3:::";
    let (mut bucket, mut key, mut in_bucket) = (arn(), Text::from(""), true);
    for part in std::iter::once(Part::Literal(rest.into())).chain(parts.cloned()) {
        match part {
            Part::Literal(text) if in_bucket => match text.split_once('/') {
                Some((end, start)) => {
                    if !end.is_empty() {
                        bucket = bucket + end.to_owned();
                    }
                    (key, in_bucket) = (key + start.to_owned(), false);
                }
                None => bucket = bucket + Part::Literal(text),
            },
            part if in_bucket => bucket = bucket + part,
            part => key = key + part,
        }
    }
    Some(Place { object: bucket.clone() + "/" + &key, bucket, key })
}

/// Everything under a prefix: `models/` and `models` alike.
fn under(place: &Place) -> Text {
    let slash = matches!(place.object.parts().last(), Some(Part::Literal(end)) if end.ends_with('/'));
    place.object.clone() + if slash { "*" } else { "/*" }
}

#[cfg(test)]
mod tests;
