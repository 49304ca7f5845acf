//! What instances run on, and what is on their disk.

use std::borrow::Cow;

use crate::{
    services::processor::Architecture,
    tree::{Id, Ref, Text},
};

/// An instance type, such as `t4g.small`.
///
/// ```
/// use constructs::services::ec2::{Architecture, InstanceType};
/// assert_eq!(InstanceType::new("c7gn.large").architecture(), Architecture::Arm64);
/// assert_eq!(InstanceType::new("g4dn.xlarge").architecture(), Architecture::X86);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceType(Cow<'static, str>);

impl InstanceType {
    /// A type by its name: family and generation, a dot, and the size.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self(name.into())
    }

    /// The type's name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// What it runs. AWS marks Graviton by a `g` after the generation: `t4g`, `m7gd`, `im4gn`; the first
    /// generation was called `a1`.
    pub fn architecture(&self) -> Architecture {
        let family = self.0.split('.').next().unwrap_or_default();
        let after_generation = family.trim_start_matches(|letter: char| !letter.is_ascii_digit());
        let is_graviton = family == "a1" || after_generation.contains('g');
        if is_graviton { Architecture::Arm64 } else { Architecture::X86 }
    }

    pub(super) fn is_well_formed(&self) -> bool {
        self.0.split_once('.').is_some_and(|(family, size)| {
            family.starts_with(|first: char| first.is_ascii_lowercase()) && !size.is_empty()
        })
    }
}

impl From<&'static str> for InstanceType {
    fn from(name: &'static str) -> Self {
        Self::new(name)
    }
}

impl From<String> for InstanceType {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

/// What is on an instance's disk when it starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Ami {
    pub(super) image: Text,
    /// `None` where it isn't known.
    pub(super) architecture: Option<Architecture>,
    pub(super) root_device: &'static str,
}

impl Ami {
    /// The newest Amazon Linux 2023 at the time an instance is launched: two launches may differ.
    pub fn amazon_linux_2023(architecture: Architecture) -> Self {
        let path = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-";
        Self::parameter(format!("{path}{}", architecture.name())).running(architecture)
    }

    /// The image whose id a parameter of Systems Manager holds at the time an instance is launched, by the
    /// parameter's name, which may end in `:<version>`. Whoever changes the group or launches the instance
    /// needs `ssm:GetParameters`.
    pub fn parameter(name: impl Into<Text>) -> Self {
        Self::of(Text::from("resolve:ssm:") + name)
    }

    /// One image by its id, for good.
    pub fn id(id: impl Into<Text>) -> Self {
        Self::of(id.into())
    }

    /// An image that is built elsewhere in the app.
    pub fn built(id: Ref<Id>) -> Self {
        Self::of(id.into())
    }

    /// What it runs, so that an instance type that can't is found at synth.
    pub fn running(mut self, architecture: Architecture) -> Self {
        self.architecture = Some(architecture);
        self
    }

    /// What the image calls its first disk. Defaults to `/dev/xvda`, as Amazon Linux does; Ubuntu says
    /// `/dev/sda1`. With a wrong name the settings make a second disk.
    pub fn root_device(mut self, device: &'static str) -> Self {
        self.root_device = device;
        self
    }

    fn of(image: Text) -> Self {
        Self { image, architecture: None, root_device: "/dev/xvda" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graviton_is_told_by_its_name() {
        for arm in [
            "a1.large",
            "t4g.nano",
            "m7gd.large",
            "c6gn.large",
            "im4gn.large",
            "is4gen.large",
            "x2gd.large",
            "g5g.xlarge",
        ] {
            assert_eq!(InstanceType::new(arm).architecture(), Architecture::Arm64, "{arm}");
        }
        for intel in
            ["t3.micro", "t3a.micro", "g4dn.xlarge", "g6e.xlarge", "p4d.24xlarge", "i3en.large", "u-6tb1.metal"]
        {
            assert_eq!(InstanceType::new(intel).architecture(), Architecture::X86, "{intel}");
        }
    }
}
