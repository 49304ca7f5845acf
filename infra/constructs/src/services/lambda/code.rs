//! What a function or layer runs: packages, images, runtimes and architectures.

use crate::tree::{Backend, Properties, Stack, Text, Value};

/// A package: a zip file in a bucket, on this machine, or written in the template.
///
/// ```
/// use constructs::services::lambda::Code;
/// let released = Code::object("newsloom-code", "enrich/1.4.0.zip");
/// let built = Code::file("target/lambda/enrich.zip");
/// ```
#[derive(Debug, Clone)]
pub struct Code {
    place: Place,
    sha256: Option<Text>,
}

#[derive(Debug, Clone)]
enum Place {
    Object { bucket: Text, key: Text, version: Option<Text> },
    File(String),
    Inline(Text),
}

impl Code {
    /// An object in a bucket of the same region. A new package needs a new key or, for Terraform, a new
    /// [checksum](Code::sha256) to be seen.
    pub fn object(bucket: impl Into<Text>, key: impl Into<Text>) -> Self {
        Self::at(Place::Object { bucket: bucket.into(), key: key.into(), version: None })
    }

    /// One version of an object, in a bucket that keeps versions: a new one is seen, and nothing else is ever
    /// deployed.
    pub fn object_version(bucket: impl Into<Text>, key: impl Into<Text>, version: impl Into<Text>) -> Self {
        Self::at(Place::Object { bucket: bucket.into(), key: key.into(), version: Some(version.into()) })
    }

    /// A file on the machine that runs Terraform, up to 50 MB, relative to where it runs. A changed file is seen
    /// by its checksum. CloudFormation can't upload files.
    pub fn file(path: impl Into<String>) -> Self {
        Self::at(Place::File(path.into()))
    }

    /// A few lines of Python or JavaScript, up to 4 MB, for the handler `index.…`. Terraform can't do that.
    pub fn inline(source: impl Into<Text>) -> Self {
        Self::at(Place::Inline(source.into()))
    }

    /// The package's SHA-256 in base64: with it Terraform sees a new package under an old key. CloudFormation
    /// has no such property.
    pub fn sha256(mut self, base64: impl Into<Text>) -> Self {
        self.sha256 = Some(base64.into());
        self
    }

    fn at(place: Place) -> Self {
        Self { place, sha256: None }
    }

    pub(super) fn check(&self, stack: &mut Stack) {
        match &self.place {
            Place::File(path) if path.is_empty() => stack.problem("the code's path is empty; name a zip file"),
            Place::Inline(source) if source.literal() == Some("") => stack.problem("the inline code is empty"),
            _ => {}
        }
    }

    pub(super) fn refuses(&self, backend: Backend) -> Option<String> {
        match (&self.place, backend) {
            (Place::File(path), Backend::CloudFormation) => {
                Some(format!("CloudFormation can't upload `{path}`; put the code into a bucket and use `Code::object`"))
            }
            (Place::Inline(_), Backend::Terraform) => {
                Some("Terraform takes no inline code; use `Code::file` or `Code::object`".to_owned())
            }
            _ => None,
        }
    }

    pub(super) fn cloudformation(&self) -> Properties {
        match &self.place {
            Place::Object { bucket, key, version } => Properties::default()
                .set("S3Bucket", bucket)
                .set("S3Key", key)
                .set_some("S3ObjectVersion", version.as_ref()),
            Place::Inline(source) => Properties::default().set("ZipFile", source),
            Place::File(_) => Properties::default(),
        }
    }

    pub(super) fn terraform(&self, properties: Properties) -> Properties {
        match &self.place {
            Place::Object { bucket, key, version } => properties
                .set("s3_bucket", bucket)
                .set("s3_key", key)
                .set_some("s3_object_version", version.as_ref())
                .set_some("source_code_hash", self.sha256.as_ref()),
            Place::File(path) => {
                let hash = self.sha256.clone().unwrap_or_else(|| hash_of(path));
                properties.set("filename", path).set("source_code_hash", hash)
            }
            Place::Inline(_) => properties,
        }
    }
}

impl From<&'static str> for Code {
    /// A file, see [`Code::file`].
    fn from(path: &'static str) -> Self {
        Self::file(path)
    }
}

/// Terraform reads the file when it plans, so that a new build is deployed.
fn hash_of(path: &str) -> Text {
    let quoted = serde_json::Value::from(path).to_string().replace("${", "$${").replace("%{", "%%{");
    Text::expression([format!("filebase64sha256({quoted})")])
}

/// A container image in ECR, with the runtime in it.
///
/// ```
/// use constructs::services::lambda::Image;
/// let image = Image::of("111122223333.dkr.ecr.eu-west-1.amazonaws.com/enrich:1.4.0").command(["enrich"]);
/// ```
#[derive(Debug, Clone)]
pub struct Image {
    uri: Text,
    entry_point: Vec<String>,
    command: Vec<String>,
    directory: Option<String>,
}

impl Image {
    /// An image by its address, best with a digest: a tag that moves is not noticed.
    pub fn of(uri: impl Into<Text>) -> Self {
        Self { uri: uri.into(), entry_point: Vec::new(), command: Vec::new(), directory: None }
    }

    /// What is run instead of the image's own entry point.
    pub fn entry_point<T: Into<String>>(mut self, words: impl IntoIterator<Item = T>) -> Self {
        self.entry_point = words.into_iter().map(Into::into).collect();
        self
    }

    /// What the entry point is given instead of the image's own command.
    pub fn command<T: Into<String>>(mut self, words: impl IntoIterator<Item = T>) -> Self {
        self.command = words.into_iter().map(Into::into).collect();
        self
    }

    /// Where it is run instead of in the image's own directory.
    pub fn directory(mut self, directory: impl Into<String>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    pub(super) fn uri(&self) -> &Text {
        &self.uri
    }

    /// The settings in place of the image's own, in a backend's words.
    pub(super) fn settings(&self, [entry_point, command, directory]: [&'static str; 3]) -> Properties {
        Properties::default()
            .set_filled(entry_point, Value::list(&self.entry_point))
            .set_filled(command, Value::list(&self.command))
            .set_some(directory, self.directory.as_ref())
    }
}

impl<T: Into<Text>> From<T> for Image {
    fn from(uri: T) -> Self {
        Self::of(uri)
    }
}

/// What runs a package's handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Runtime(&'static str);

impl Runtime {
    /// Amazon Linux 2023 and nothing else: for binaries, such as Rust's.
    pub const PROVIDED_AL2023: Self = Self("provided.al2023");
    /// Node.js 24.
    pub const NODEJS_24: Self = Self("nodejs24.x");
    /// Python 3.14.
    pub const PYTHON_3_14: Self = Self("python3.14");
    /// Java 25.
    pub const JAVA_25: Self = Self("java25");
    /// .NET 10.
    pub const DOTNET_10: Self = Self("dotnet10");
    /// Ruby 3.4.
    pub const RUBY_3_4: Self = Self("ruby3.4");

    /// Any other, in Lambda's words: `python3.13`. Those that Lambda doesn't know are a problem at synth.
    pub const fn named(name: &'static str) -> Self {
        Self(name)
    }

    /// Lambda's word.
    pub fn name(self) -> &'static str {
        self.0
    }
}
