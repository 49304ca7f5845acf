//! What becomes of objects as they grow old.

use std::borrow::Cow;

use crate::{
    services::units::Days,
    tree::{Properties, Stack, Value},
};

/// Where objects are kept: the less they are read, the cheaper the keeping and the dearer the reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageClass {
    /// Read about once a month, kept for 30 days at least.
    InfrequentAccess,
    /// The same in one zone, and lost with it.
    OneZone,
    /// AWS moves each object by how often it is read, for a fee per object.
    IntelligentTiering,
    /// Read about once a quarter, kept for 90 days at least.
    GlacierInstant,
    /// Read within minutes or hours of asking, kept for 90 days at least.
    Glacier,
    /// Read within 12 or 48 hours of asking, kept for 180 days at least.
    DeepArchive,
}

impl StorageClass {
    fn word(self) -> &'static str {
        match self {
            Self::InfrequentAccess => "STANDARD_IA",
            Self::OneZone => "ONEZONE_IA",
            Self::IntelligentTiering => "INTELLIGENT_TIERING",
            Self::GlacierInstant => "GLACIER_IR",
            Self::Glacier => "GLACIER",
            Self::DeepArchive => "DEEP_ARCHIVE",
        }
    }

    /// S3 moves nothing to these in an object's first 30 days.
    fn needs_thirty_days(self) -> bool {
        matches!(self, Self::InfrequentAccess | Self::OneZone)
    }
}

/// What happens to objects, or to those under a prefix, after some days.
///
/// ```
/// use constructs::services::{s3::{Bucket, Rule, StorageClass}, units::Days};
/// let quarantine = Bucket::new().rule(
///     Rule::new("Quarantine").under("quarantine/").move_to(StorageClass::Glacier, Days(30)).expire_after(Days(365)),
/// );
/// ```
#[derive(Debug, Clone)]
pub struct Rule {
    pub(super) id: Cow<'static, str>,
    prefix: Option<Cow<'static, str>>,
    abort_uploads: Option<Days>,
    expire: Option<Days>,
    expire_noncurrent: Option<Days>,
    keep_newest: Option<u32>,
    drop_markers: bool,
    moves: Vec<(StorageClass, Days)>,
    noncurrent_moves: Vec<(StorageClass, Days)>,
}

impl Rule {
    /// A rule for all objects, by a name of up to 255 characters. It does nothing until it is told what.
    pub fn new(id: impl Into<Cow<'static, str>>) -> Self {
        Self {
            id: id.into(),
            prefix: None,
            abort_uploads: None,
            expire: None,
            expire_noncurrent: None,
            keep_newest: None,
            drop_markers: false,
            moves: Vec::new(),
            noncurrent_moves: Vec::new(),
        }
    }

    /// Only for objects whose keys start so.
    pub fn under(mut self, prefix: impl Into<Cow<'static, str>>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Deletes an object so many days after it was made, at least 1. In a versioned bucket the version
    /// stays, as one that isn't current.
    pub fn expire_after(mut self, days: Days) -> Self {
        self.expire = Some(days);
        self
    }

    /// Deletes a version so many days after a newer one took its place, at least 1.
    pub fn expire_noncurrent_after(mut self, days: Days) -> Self {
        self.expire_noncurrent = Some(days);
        self
    }

    /// Keeps so many of the newest versions that aren't current, 1 to 100, however old they are. With
    /// [`Rule::expire_noncurrent_after`].
    pub fn keep_newest(mut self, versions: u32) -> Self {
        self.keep_newest = Some(versions);
        self
    }

    /// Moves an object to another class so many days after it was made; at least 30 for infrequent access.
    pub fn move_to(mut self, class: StorageClass, after: Days) -> Self {
        self.moves.push((class, after));
        self
    }

    /// Moves a version to another class so many days after a newer one took its place.
    pub fn move_noncurrent_to(mut self, class: StorageClass, after: Days) -> Self {
        self.noncurrent_moves.push((class, after));
        self
    }

    pub(super) fn abort_uploads(days: Days) -> Self {
        Self { abort_uploads: Some(days), ..Self::new("Uploads") }
    }

    /// Without the markers of deletions, which stay behind when the last version is gone.
    pub(super) fn noncurrent(days: Days) -> Self {
        Self { drop_markers: true, ..Self::new("Noncurrent").expire_noncurrent_after(days) }
    }

    pub(super) fn needs_versions(&self) -> bool {
        self.expire_noncurrent.is_some() || self.keep_newest.is_some() || !self.noncurrent_moves.is_empty()
    }

    pub(super) fn check(&self, stack: &mut Stack) {
        let id = &self.id;
        if !(1..=255).contains(&id.len()) {
            stack.problem(format!("the rule `{id}` has a name of {} characters; S3 takes 1 to 255", id.len()));
        }
        let acts =
            self.abort_uploads.is_some() || self.expire.is_some() || self.needs_versions() || !self.moves.is_empty();
        if !acts {
            stack.problem(format!("the rule `{id}` does nothing; say when objects expire or move"));
        }
        let days = [self.abort_uploads, self.expire, self.expire_noncurrent];
        if days.into_iter().flatten().any(|days| days.0 == 0) {
            stack.problem(format!("the rule `{id}` acts after 0 days; S3 takes 1 or more"));
        }
        for (class, Days(days)) in self.moves.iter().chain(&self.noncurrent_moves) {
            if class.needs_thirty_days() && *days < 30 {
                let class = class.word();
                stack.problem(format!("the rule `{id}` moves to {class} after {days} days; S3 takes 30 or more"));
            }
        }
        if let Some(Days(expire)) = self.expire
            && let Some((_, Days(days))) = self.moves.iter().find(|(_, days)| days.0 >= expire)
        {
            stack.problem(format!("the rule `{id}` moves objects after {days} days, when they expired after {expire}"));
        }
        if self.keep_newest.is_some() && self.expire_noncurrent.is_none() {
            stack.problem(format!(
                "the rule `{id}` keeps the newest versions but expires none; say after how many days"
            ));
        }
        if let Some(versions) = self.keep_newest.filter(|versions| !(1..=100).contains(versions)) {
            stack.problem(format!("the rule `{id}` keeps {versions} versions; S3 takes 1 to 100"));
        }
    }

    pub(super) fn cloudformation(&self) -> Properties {
        let moved = |(class, days): &(StorageClass, Days)| {
            Properties::default().set("StorageClass", class.word()).set("TransitionInDays", *days)
        };
        let noncurrent = |days: Days| {
            let expiration = Properties::default().set("NoncurrentDays", days);
            expiration.set_some("NewerNoncurrentVersions", self.keep_newest)
        };
        let abort = |days: Days| Properties::default().set("DaysAfterInitiation", days);
        Properties::default()
            .set("Id", self.id.to_string())
            .set("Status", "Enabled")
            .set_some("Prefix", self.prefix.as_ref().map(ToString::to_string))
            .set_some("AbortIncompleteMultipartUpload", self.abort_uploads.map(abort))
            .set_filled("Transitions", Value::list(self.moves.iter().map(moved)))
            .set_some("ExpirationInDays", self.expire)
            .set_some("ExpiredObjectDeleteMarker", self.drop_markers.then_some(true))
            .set_filled("NoncurrentVersionTransitions", Value::list(self.noncurrent_moves.iter().map(moved)))
            .set_some("NoncurrentVersionExpiration", self.expire_noncurrent.map(noncurrent))
    }

    pub(super) fn terraform(&self) -> Properties {
        let moved = |name: &'static str| {
            move |(class, days): &(StorageClass, Days)| {
                Properties::default().set(name, *days).set("storage_class", class.word())
            }
        };
        let noncurrent = |days: Days| {
            let expiration = Properties::default().set("noncurrent_days", days);
            expiration.set_some("newer_noncurrent_versions", self.keep_newest)
        };
        let abort = |days: Days| Properties::default().set("days_after_initiation", days);
        let expiration = Properties::default()
            .set_some("days", self.expire)
            .set_some("expired_object_delete_marker", self.drop_markers.then_some(true));
        // An empty filter is every object; leaving it out means the deprecated prefix beside it.
        let filter = Properties::default().set_some("prefix", self.prefix.as_ref().map(ToString::to_string));
        Properties::default()
            .set("id", self.id.to_string())
            .set("status", "Enabled")
            .set("filter", filter)
            .set_some("abort_incomplete_multipart_upload", self.abort_uploads.map(abort))
            .set_filled("transition", Value::list(self.moves.iter().map(moved("days"))))
            .set_filled("expiration", expiration)
            .set_filled(
                "noncurrent_version_transition",
                Value::list(self.noncurrent_moves.iter().map(moved("noncurrent_days"))),
            )
            .set_some("noncurrent_version_expiration", self.expire_noncurrent.map(noncurrent))
    }
}
