//! Where recorded items are.

use std::{fmt, path::PathBuf, str::FromStr};

/// A file, standard input or an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Location {
    StandardInput,
    File(PathBuf),
    Object { bucket: String, key: String },
}

/// No place of items.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoLocation {
    #[error("{0:?} is no object: s3://bucket/key is expected")]
    Incomplete(String),
    // The address of a request has no such parts: whoever reads it takes them away.
    #[error("the key of {0:?} has a part \".\" or \"..\", which no address can have")]
    Dots(String),
    #[error("the location is empty: a path, s3://bucket/key or - is expected")]
    Empty,
}

impl FromStr for Location {
    type Err = NoLocation;

    fn from_str(text: &str) -> Result<Self, NoLocation> {
        let Some(object) = text.strip_prefix("s3://") else {
            return match text {
                "" => Err(NoLocation::Empty),
                "-" => Ok(Self::StandardInput),
                path => Ok(Self::File(path.into())),
            };
        };
        match object.split_once('/') {
            Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => {
                if key.split('/').any(|part| part == "." || part == "..") {
                    return Err(NoLocation::Dots(text.into()));
                }
                Ok(Self::Object { bucket: bucket.into(), key: key.into() })
            }
            _ => Err(NoLocation::Incomplete(text.into())),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StandardInput => f.write_str("standard input"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Object { bucket, key } => write!(f, "s3://{bucket}/{key}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_read_and_said_again() {
        let object = Location::Object { bucket: "example".into(), key: "a/b.jsonl.gz".into() };
        assert_eq!("s3://example/a/b.jsonl.gz".parse(), Ok(object.clone()));
        assert_eq!(object.to_string(), "s3://example/a/b.jsonl.gz");
        assert_eq!("-".parse(), Ok(Location::StandardInput));
        assert_eq!("/srv/items.jsonl".parse(), Ok(Location::File("/srv/items.jsonl".into())));
    }

    #[test]
    fn what_is_no_location_is_refused() {
        for (text, expected) in [
            ("s3://example", "\"s3://example\" is no object: s3://bucket/key is expected"),
            ("s3:///key", "\"s3:///key\" is no object: s3://bucket/key is expected"),
            ("s3://a/b/../c", "the key of \"s3://a/b/../c\" has a part \".\" or \"..\", which no address can have"),
            ("", "the location is empty: a path, s3://bucket/key or - is expected"),
        ] {
            assert_eq!(text.parse::<Location>().unwrap_err().to_string(), expected);
        }
    }
}
