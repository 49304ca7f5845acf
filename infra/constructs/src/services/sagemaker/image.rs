//! The images that models run in.

use std::borrow::Cow;

use crate::tree::{Access, Attribute, Block, NodeRef, Other, Properties, Pseudo, Ref, Resource, Stack, Text, Types};

/// Whose registry holds the Hugging Face inference containers, by region. From the AWS provider's
/// `aws_sagemaker_prebuilt_ecr_image` (deep learning repositories), which agrees with the SageMaker Python SDK's
/// `image_uri_config/huggingface.json`.
const REGISTRIES: [(&str, &str); 35] = [
    ("af-south-1", "626614931356"),
    ("ap-east-1", "871362719292"),
    ("ap-northeast-1", "763104351884"),
    ("ap-northeast-2", "763104351884"),
    ("ap-northeast-3", "364406365360"),
    ("ap-south-1", "763104351884"),
    ("ap-south-2", "772153158452"),
    ("ap-southeast-1", "763104351884"),
    ("ap-southeast-2", "763104351884"),
    ("ap-southeast-3", "907027046896"),
    ("ap-southeast-4", "457447274322"),
    ("ca-central-1", "763104351884"),
    ("ca-west-1", "204538143572"),
    ("cn-north-1", "727897471807"),
    ("cn-northwest-1", "727897471807"),
    ("eu-central-1", "763104351884"),
    ("eu-central-2", "380420809688"),
    ("eu-north-1", "763104351884"),
    ("eu-south-1", "692866216735"),
    ("eu-south-2", "503227376785"),
    ("eu-west-1", "763104351884"),
    ("eu-west-2", "763104351884"),
    ("eu-west-3", "763104351884"),
    ("il-central-1", "780543022126"),
    ("me-central-1", "914824155844"),
    ("me-south-1", "217643126080"),
    ("sa-east-1", "763104351884"),
    ("us-east-1", "763104351884"),
    ("us-east-2", "763104351884"),
    ("us-gov-east-1", "446045086412"),
    ("us-gov-west-1", "442386744353"),
    ("us-iso-east-1", "886529160074"),
    ("us-isob-east-1", "094389454867"),
    ("us-west-1", "763104351884"),
    ("us-west-2", "763104351884"),
];

const REPOSITORY: &str = "huggingface-pytorch-inference";

/// What a container computes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// Processors: the only choice for serverless endpoints.
    Cpu,
    /// Graphics processors, for `ml.g` and `ml.p` instances.
    Gpu,
}

/// A version of AWS's Hugging Face inference container, which serves any model of the hub by its task.
///
/// ```
/// use constructs::services::sagemaker::{Device, HuggingFace};
/// let newer = HuggingFace { pytorch: "2.7.1", transformers: "4.55.0", ..HuggingFace::CPU };
/// assert_eq!(newer.device, Device::Cpu);
/// assert_eq!(HuggingFace::CPU.tag(), "2.6.0-transformers4.49.0-cpu-py312-ubuntu22.04");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HuggingFace {
    /// PyTorch's version: `2.6.0`.
    pub pytorch: &'static str,
    /// The transformers library's version: `4.49.0`.
    pub transformers: &'static str,
    /// What it computes on.
    pub device: Device,
    /// Python's version: `py312`.
    pub python: &'static str,
    /// The system, with CUDA's version before it on GPUs: `ubuntu22.04`, `cu124-ubuntu22.04`.
    pub system: &'static str,
}

impl HuggingFace {
    /// PyTorch 2.6.0 and transformers 4.49.0 on processors.
    pub const CPU: Self =
        Self { pytorch: "2.6.0", transformers: "4.49.0", device: Device::Cpu, python: "py312", system: "ubuntu22.04" };
    /// PyTorch 2.6.0 and transformers 4.49.0 on graphics processors, CUDA 12.4.
    pub const GPU: Self = Self { device: Device::Gpu, system: "cu124-ubuntu22.04", ..Self::CPU };

    /// The image's tag.
    pub fn tag(self) -> String {
        let device = if self.device == Device::Cpu { "cpu" } else { "gpu" };
        format!("{}-transformers{}-{device}-{}-{}", self.pytorch, self.transformers, self.python, self.system)
    }
}

/// The image of a container.
///
/// ```
/// use constructs::services::sagemaker::{HuggingFace, Image};
/// let prebuilt = Image::hugging_face(HuggingFace::GPU);
/// let own = Image::uri("111122223333.dkr.ecr.eu-west-1.amazonaws.com/sentiment:7");
/// ```
#[derive(Debug, Clone)]
pub struct Image {
    source: Source,
    digest: Option<Cow<'static, str>>,
}

#[derive(Debug, Clone)]
enum Source {
    HuggingFace(HuggingFace),
    Uri { uri: Text, repository: Option<Text> },
}

/// An image whose registry is known.
pub(super) struct Located {
    pub(super) uri: Text,
    /// The repository's ARN, for the rights to pull.
    pub(super) repository: Text,
}

impl Image {
    /// AWS's Hugging Face container, from the registry of the app's region.
    pub fn hugging_face(version: HuggingFace) -> Self {
        Self { source: Source::HuggingFace(version), digest: None }
    }

    /// An image in an ECR repository, by its whole address, in the region of the endpoint. An address that holds
    /// references needs [`Image::in_repository`] too.
    pub fn uri(uri: impl Into<Text>) -> Self {
        Self { source: Source::Uri { uri: uri.into(), repository: None }, digest: None }
    }

    /// The ARN of the repository, for the rights to pull from it.
    pub fn in_repository(mut self, arn: impl Into<Text>) -> Self {
        if let Source::Uri { repository, .. } = &mut self.source {
            *repository = Some(arn.into());
        }
        self
    }

    /// Exactly the image with this digest, `sha256:…`. Left out, the tag decides, and AWS moves its tags to
    /// patched images.
    pub fn pinned(mut self, digest: impl Into<Cow<'static, str>>) -> Self {
        self.digest = Some(digest.into());
        self
    }

    /// What it computes on, where that is known.
    pub(super) fn device(&self) -> Option<Device> {
        match self.source {
            Source::HuggingFace(version) => Some(version.device),
            Source::Uri { .. } => None,
        }
    }

    /// Where the image is, for the stack's region; reports what is missing.
    pub(super) fn locate(&self, stack: &mut Stack) -> Option<Located> {
        self.check_digest(stack);
        match &self.source {
            Source::HuggingFace(version) => self.locate_prebuilt(*version, stack),
            Source::Uri { uri, repository } => self.locate_uri(uri, repository.as_ref(), stack),
        }
    }

    fn check_digest(&self, stack: &mut Stack) {
        let Some(digest) = &self.digest else { return };
        let hexadecimal = |rest: &str| rest.len() == 64 && rest.chars().all(|digit| digit.is_ascii_hexdigit());
        if !digest.strip_prefix("sha256:").is_some_and(hexadecimal) {
            stack.problem(format!("the image's digest `{digest}` must be `sha256:` and 64 hexadecimal digits"));
        }
    }

    fn locate_prebuilt(&self, version: HuggingFace, stack: &mut Stack) -> Option<Located> {
        let (registry, region) = match stack.region().map(str::to_owned) {
            None => (prebuilt_registry(stack, version), Text::from(Pseudo::Region)),
            Some(region) => match REGISTRIES.iter().find(|(known, _)| *known == region) {
                Some((_, account)) => (Text::from(*account), Text::from(region)),
                None => {
                    stack.problem(format!(
                        "no registry of the Hugging Face containers is known in `{region}`; copy the image to a \
                         repository of yours there and give it with `Image::uri`"
                    ));
                    return None;
                }
            },
        };
        let address = registry.clone() + ".dkr.ecr." + &region + "." + Pseudo::DnsSuffix + "/" + REPOSITORY;
        let uri = match &self.digest {
            Some(digest) => address + "@" + digest.clone().into_owned(),
            None => address + ":" + version.tag(),
        };
        let repository =
            Text::from("arn:") + Pseudo::Partition + ":ecr:" + region + ":" + registry + ":repository/" + REPOSITORY;
        Some(Located { uri, repository })
    }

    fn locate_uri(&self, uri: &Text, repository: Option<&Text>, stack: &mut Stack) -> Option<Located> {
        let repository = match (repository, uri.literal()) {
            (Some(arn), _) => arn.clone(),
            (None, Some(literal)) => match repository_of(literal) {
                Some(arn) => arn,
                None => {
                    stack.problem(format!(
                        "the image `{literal}` is not in an ECR repository; SageMaker pulls from \
                         `<account>.dkr.ecr.<region>.amazonaws.com/<repository>`"
                    ));
                    return None;
                }
            },
            (None, None) => {
                stack.problem(
                    "the image's address holds references; say which repository it is in with `in_repository`",
                );
                return None;
            }
        };
        let uri = match &self.digest {
            Some(digest) => untagged(uri) + "@" + digest.clone().into_owned(),
            None => uri.clone(),
        };
        Some(Located { uri, repository })
    }
}

/// An address without its tag, which a digest takes the place of.
fn untagged(uri: &Text) -> Text {
    let Some(literal) = uri.literal() else { return uri.clone() };
    match literal.rsplit_once(':') {
        Some((address, tag)) if !tag.contains('/') => address.to_owned().into(),
        _ => uri.clone(),
    }
}

/// The ARN of the repository in an address of ECR's.
fn repository_of(uri: &str) -> Option<Text> {
    let (host, path) = uri.split_once('/')?;
    let (account, rest) = host.split_once(".dkr.ecr.")?;
    let (region, _) = rest.split_once('.')?;
    let name = path.split(['@', ':']).next()?;
    let digits = account.len() == 12 && account.chars().all(|digit| digit.is_ascii_digit());
    let arn = Text::from("arn:") + Pseudo::Partition + ":ecr:" + region.to_owned() + ":" + account.to_owned();
    (digits && !name.is_empty()).then(|| arn + ":repository/" + name.to_owned())
}

// ---------------------------------------------------------------------------------------------------

/// Without a fixed region, Terraform knows the registry only when it runs.
fn prebuilt_registry(stack: &mut Stack, version: HuggingFace) -> Text {
    let node: NodeRef = stack.child("Registry", PrebuiltImage { version });
    Ref::<Other>::new(node, Attribute::other("registry_id", Access::None)).into()
}

#[derive(Debug)]
struct PrebuiltImage {
    version: HuggingFace,
}

impl Resource for PrebuiltImage {
    fn types(&self) -> Types {
        Types { block: Block::Data, ..Types::terraform("sagemaker", "aws_sagemaker_prebuilt_ecr_image") }
    }

    fn terraform(&self) -> Properties {
        Properties::default().set("repository_name", REPOSITORY).set("image_tag", self.version.tag())
    }

    fn terraform_only(&self) -> Option<&'static str> {
        Some(
            "the registry of the Hugging Face containers differs by region; fix one with `App::region`, or give the image with `Image::uri`",
        )
    }
}
