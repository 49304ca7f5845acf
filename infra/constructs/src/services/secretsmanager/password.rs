//! Passwords that AWS makes up.

use crate::tree::{Access, Attribute, Block, Properties, Resource, Stack, Types};

const PASSWORD_LENGTH: std::ops::RangeInclusive<u32> = 12..=4096;

/// How a password is made. By default 32 letters and digits, 190 bits, which need no escaping in a URL, in
/// JSON or in a shell, and which every engine takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordRules {
    pub(super) length: u32,
    /// The punctuation that may not occur; `None` where none may.
    pub(super) punctuation_without: Option<&'static str>,
}

impl Default for PasswordRules {
    fn default() -> Self {
        Self { length: 32, punctuation_without: None }
    }
}

impl PasswordRules {
    /// The number of characters, 12 to 4096. Defaults to 32.
    pub fn length(mut self, characters: u32) -> Self {
        self.length = characters;
        self
    }

    /// Punctuation too, but for these characters. Double quotes and backslashes never occur.
    pub fn with_punctuation_but(mut self, excluded: &'static str) -> Self {
        self.punctuation_without = Some(excluded);
        self
    }

    /// Reports what Secrets Manager would refuse.
    pub(in crate::services) fn check(self, stack: &mut Stack) {
        let length = self.length;
        if !PASSWORD_LENGTH.contains(&length) {
            stack.problem(format!("a password of {length} characters; it can have 12 to 4096"));
        }
    }

    pub(super) fn excluded(self) -> Option<String> {
        self.punctuation_without.map(|characters| format!("{characters}\"\\"))
    }
}

/// A password that is made up anew at every run, and kept by whoever writes it down first.
#[derive(Debug)]
pub(in crate::services) struct RandomPassword(pub(in crate::services) PasswordRules);

impl RandomPassword {
    /// The password itself.
    pub(in crate::services) const VALUE: Attribute = Attribute::other("random_password", Access::None).sensitive();
}

impl Resource for RandomPassword {
    fn types(&self) -> Types {
        let types = Types::terraform("secretsmanager", "aws_secretsmanager_random_password");
        Types { block: Block::Ephemeral, ..types }
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set("password_length", self.0.length)
            .set_some("exclude_characters", self.0.excluded())
            .set("exclude_punctuation", self.0.punctuation_without.is_none())
            .set("require_each_included_type", true)
    }
}
