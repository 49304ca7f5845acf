//! The articles table: what its key and its special attributes are called.

/// The partition key, text: the story's own id, so that a repeat finds itself.
///
/// There is no sort key and no index; a reader who wants one story asks by id, and everyone else
/// subscribes.
pub const KEY: &str = "article_id";

/// When DynamoDB may delete the item, number, seconds since 1970. Absent where items are kept.
pub const EXPIRES_AT: &str = "expires_at";
