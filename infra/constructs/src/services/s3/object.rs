//! Objects that come with the infrastructure: code, models, settings.

use std::borrow::Cow;

use super::handle::BucketRef;
use crate::{
    policy::{Grant, Statement},
    tree::{Access, Arn, Attribute, Construct, Handle, NodeRef, Other, Properties, Ref, Resource, Stack, Text, Types},
};

/// An object that Terraform uploads, again whenever its content changes.
///
/// CloudFormation has no such resource. There, upload the file before the deploy, with
/// `aws s3 cp target/ingester.zip s3://…` or `aws cloudformation package`, and give the key where it is needed;
/// using this object's attributes in a template is a problem at synth.
///
/// ```
/// use constructs::{services::s3::{Bucket, Object}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("ingestion");
/// let code = stack.add("Code", Bucket::new());
/// let ingester = stack.add("Ingester", Object::file(code, "ingester.zip", "target/ingester.zip"));
/// stack.add("Settings", Object::text(code, "settings.json", "{}").content_type("application/json"));
/// ```
#[derive(Debug, Clone)]
pub struct Object {
    bucket: BucketRef,
    key: Text,
    content: Content,
    hash: Option<Text>,
    content_type: Option<Cow<'static, str>>,
}

#[derive(Debug, Clone)]
enum Content {
    File(String),
    Text(Text),
}

impl Object {
    /// A file by its path, seen from the folder that Terraform runs in. It has to exist when Terraform plans.
    pub fn file(bucket: BucketRef, key: impl Into<Text>, path: impl Into<String>) -> Self {
        Self { bucket, key: key.into(), content: Content::File(path.into()), hash: None, content_type: None }
    }

    /// A text, which may hold references. It is kept in Terraform's state.
    pub fn text(bucket: BucketRef, key: impl Into<Text>, content: impl Into<Text>) -> Self {
        Self { bucket, key: key.into(), content: Content::Text(content.into()), hash: None, content_type: None }
    }

    /// A hash of the file that is known already; a change of it uploads the file anew. Left out, Terraform
    /// reads the file and makes one, so that the file must be there for every plan.
    pub fn hash(mut self, hash: impl Into<Text>) -> Self {
        self.hash = Some(hash.into());
        self
    }

    /// What it is: `application/json`. Defaults to `application/octet-stream`.
    pub fn content_type(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.content_type = Some(name.into());
        self
    }
}

impl Construct for Object {
    type Handle = ObjectRef;

    fn build(self, stack: &mut Stack) -> ObjectRef {
        if let Some(key) = self.key.literal() {
            if key.starts_with('/') {
                stack.problem(format!("the object key `{key}` starts with `/`, which Terraform drops; leave it out"));
            }
            if !(1..=1024).contains(&key.len()) {
                stack.problem(format!("the object key `{key}` has {} bytes; S3 takes 1 to 1024", key.len()));
            }
        }
        if matches!(&self.content, Content::File(path) if path.is_empty()) {
            stack.problem("the object's file has an empty path");
        }
        let bucket = self.bucket;
        let object = ObjectRef { node: stack.resource(self), bucket };
        // Uploading needs the encryption that the bucket is to have, and a version where there are versions.
        for satellite in ["Encryption", "Versioning"] {
            if let Some(satellite) = bucket.child(stack, satellite) {
                stack.depends(object, satellite);
            }
        }
        object
    }
}

// ---------------------------------------------------------------------------------------------------

/// An [`Object`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct ObjectRef {
    node: NodeRef,
    bucket: BucketRef,
}

const ARN: Attribute = Attribute::arn("arn", Access::None);

impl ObjectRef {
    /// The object's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, ARN)
    }

    /// The key, once the object is there.
    pub fn key(self) -> Ref<Other> {
        Ref::new(self.node, Attribute::other("key", Access::None))
    }

    /// The version, which changes with the content; empty in a bucket without versions.
    pub fn version(self) -> Ref<Other> {
        Ref::new(self.node, Attribute::other("version_id", Access::None))
    }

    /// The bucket it is in.
    pub fn bucket(self) -> BucketRef {
        self.bucket
    }

    /// May get this object.
    pub fn read(self) -> Grant {
        self.bucket.with_decrypt(Statement::allow(["s3:GetObject"]).on(self.arn()))
    }
}

impl Handle for ObjectRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for Object {
    fn types(&self) -> Types {
        Types::terraform("s3", "aws_s3_object")
    }

    fn terraform(&self) -> Properties {
        let start = Properties::default().set("bucket", self.bucket.name()).set("key", &self.key);
        let content = match &self.content {
            // A hash of the source, because the object's ETag is none where a key encrypts it.
            Content::File(path) => {
                let hash = self.hash.clone().unwrap_or_else(|| hash_of(path));
                start.set("source", path).set("source_hash", hash)
            }
            Content::Text(content) => start.set("content", content),
        };
        content.set_some("content_type", self.content_type.clone().map(Cow::into_owned))
    }
}

/// `filemd5("…")`, with what would be a template in the path escaped.
fn hash_of(path: &str) -> Text {
    let quoted = serde_json::Value::from(path).to_string().replace("${", "$${").replace("%{", "%%{");
    Text::expression([format!("filemd5({quoted})")])
}
