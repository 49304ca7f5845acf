//! Processors, as functions and instances name them.

/// What a processor runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// Graviton: a fifth cheaper for the same work.
    Arm64,
    /// Intel and AMD.
    X86,
}

impl Architecture {
    /// AWS's word: `arm64`, `x86_64`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86 => "x86_64",
        }
    }
}
