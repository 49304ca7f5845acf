//! What Lambda's `provided.al2023` asks of an executable, read from its ELF headers.

use std::{collections::BTreeSet, fmt, path::Path};

use object::{
    LittleEndian, elf,
    read::elf::{FileHeader, ProgramHeader},
};
use settings::{Architecture, Problem, Problems};

use crate::{problem, toolchain::cargo_lambda};

/// The glibc of Amazon Linux 2023, in all of its releases: <https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html>.
pub const GLIBC: Version = Version([2, 34, 0]);

/// What every Amazon Linux 2023 has, Lambda's too: glibc's own libraries, and libgcc's, which Rust unwinds with.
const LIBRARIES: [&str; 9] = [
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libmvec.so.1",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libutil.so.1",
];

type Header = elf::FileHeader64<LittleEndian>;

/// What was found in an executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    /// The processor that it is for.
    pub architecture: Architecture,
    /// The oldest glibc that it starts with; `None` where it needs none, being linked statically.
    pub glibc: Option<Version>,
    /// The shared libraries that it needs: `libc.so.6`.
    pub libraries: Vec<String>,
}

/// A version of glibc: 2.34, or 2.2.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version([u16; 3]);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [major, minor, 0] => write!(f, "{major}.{minor}"),
            [major, minor, patch] => write!(f, "{major}.{minor}.{patch}"),
        }
    }
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = [0; 3];
        let mut parts = text.split('.');
        for (number, part) in numbers.iter_mut().zip(&mut parts) {
            *number = part.parse().ok()?;
        }
        parts.next().is_none().then_some(Self(numbers))
    }
}

/// Checks that Lambda can start an executable.
///
/// # Errors
///
/// Everything that keeps it from that, under the executable's path: what was found, what is allowed, what to do.
pub fn check(path: &Path, content: &[u8], wanted: Architecture) -> Result<Binary, Problems> {
    let subject = path.display().to_string();
    let header = header(&subject, content)?;
    let needs = Needs::read(header, content)
        .map_err(|error| Problems::of(&*subject, format!("is a broken ELF file: {error}")))?;
    let checks = Checks { subject: &subject, wanted };
    let mut problems = Vec::new();
    problems.extend(checks.kind(header));
    problems.extend(checks.machine(header));
    problems.extend(checks.sections(header, content));
    problems.extend(checks.loader(&needs));
    problems.extend(checks.libraries(&needs));
    problems.extend(checks.glibc(&needs));
    if !problems.is_empty() {
        return Err(Problems::new(problems));
    }
    let glibc = needs.versions.iter().filter_map(|version| version.number).max();
    Ok(Binary { architecture: wanted, glibc, libraries: needs.libraries })
}

/// The processor that an executable is for, told by its first 64 bytes.
pub(crate) fn architecture(beginning: &[u8]) -> Option<Architecture> {
    let header = header("", beginning).ok()?;
    let is_for = |architecture: &Architecture| machine(*architecture) == header.e_machine(LittleEndian);
    [Architecture::X86, Architecture::Arm].into_iter().find(is_for)
}

/// What an executable asks of the machine that it starts on.
struct Needs {
    loader: Option<String>,
    libraries: Vec<String>,
    versions: BTreeSet<Need>,
}

/// A version of glibc that a library is asked for.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Need {
    /// `None` for those that aren't numbers, such as `GLIBC_ABI_DT_RELR`, which came with 2.36. Amazon Linux 2023
    /// has none of them.
    number: Option<Version>,
    name: String,
    library: String,
}

impl Needs {
    fn read(header: &Header, content: &[u8]) -> object::read::Result<Self> {
        let mut loader = None;
        for segment in header.program_headers(LittleEndian, content)? {
            if let Some(name) = segment.interpreter(LittleEndian, content)? {
                loader = Some(text(name));
            }
        }
        Ok(Self { loader, libraries: libraries(header, content)?, versions: versions(header, content)? })
    }
}

fn libraries(header: &Header, content: &[u8]) -> object::read::Result<Vec<String>> {
    let sections = header.sections(LittleEndian, content)?;
    let table = sections.dynamic_table(LittleEndian, content)?;
    let needed = table.iter().filter(|entry| entry.tag == elf::DT_NEEDED);
    needed.map(|entry| table.string(entry).map(text)).collect()
}

/// The versions that the dynamic loader compares. The names of symbols say less: one may be there in several versions.
fn versions(header: &Header, content: &[u8]) -> object::read::Result<BTreeSet<Need>> {
    let sections = header.sections(LittleEndian, content)?;
    let mut needs = BTreeSet::new();
    let Some((mut files, link)) = sections.gnu_verneed(LittleEndian, content)? else { return Ok(needs) };
    let strings = sections.strings(LittleEndian, content, link)?;
    while let Some((file, mut versions)) = files.next()? {
        let library = text(file.file(LittleEndian, strings)?);
        while let Some(version) = versions.next()? {
            let name = text(version.name(LittleEndian, strings)?);
            if let Some(number) = name.strip_prefix("GLIBC_") {
                needs.insert(Need { number: Version::parse(number), name, library: library.clone() });
            }
        }
    }
    Ok(needs)
}

/// What is asked of an executable, one question each.
struct Checks<'a> {
    subject: &'a str,
    wanted: Architecture,
}

impl Checks<'_> {
    fn kind(&self, header: &Header) -> Option<Problem> {
        let is_executable =
            matches!(header.e_type(LittleEndian), elf::ET_EXEC | elf::ET_DYN) && header.e_entry(LittleEndian) != 0;
        let found = "is an object file or a library, nothing that starts";
        (!is_executable)
            .then(|| problem(self.subject, found, "an executable is wanted, such as cargo builds for a `[[bin]]`"))
    }

    fn machine(&self, header: &Header) -> Option<Problem> {
        let found = header.e_machine(LittleEndian);
        if found == machine(self.wanted) {
            return None;
        }
        let message =
            format!("is for {}; the configuration's architecture is {}", machine_name(found), self.wanted.name());
        let help = "--config names the configuration; a target in cargo's own settings (build.target, CARGO_BUILD_TARGET) \
                    must be of its architecture";
        Some(problem(self.subject, message, help))
    }

    /// Programs start without section headers, but what they need could not be told.
    fn sections(&self, header: &Header, content: &[u8]) -> Option<Problem> {
        let is_empty = header.sections(LittleEndian, content).is_ok_and(|sections| sections.is_empty());
        let help = "`strip` leaves them in place; leave out what else makes it smaller";
        is_empty.then(|| problem(self.subject, "has no section headers, which say what it needs", help))
    }

    fn loader(&self, needs: &Needs) -> Option<Problem> {
        let found = needs.loader.as_deref()?;
        let loader = self::loader(self.wanted);
        // Another processor's is a sign of what `machine` says better.
        if [Architecture::X86, Architecture::Arm].map(self::loader).contains(&found) {
            return None;
        }
        let message = format!("is started by {found}; Amazon Linux 2023 has {loader}");
        let help = "build it with a toolchain for a usual distribution's glibc, or statically; Nix and musl have loaders of their own";
        Some(problem(self.subject, message, help))
    }

    fn libraries(&self, needs: &Needs) -> Option<Problem> {
        let is_missing = |library: &&str| !LIBRARIES.contains(library) && !library.starts_with("ld-linux-");
        let missing: Vec<&str> = needs.libraries.iter().map(String::as_str).filter(is_missing).collect();
        if missing.is_empty() {
            return None;
        }
        let message =
            format!("needs {}; Lambda's Amazon Linux 2023 has glibc's libraries and libgcc_s", missing.join(", "));
        let help = "link it statically, or leave out the feature that brings it in; a layer can't be counted on";
        Some(problem(self.subject, message, help))
    }

    fn glibc(&self, needs: &Needs) -> Option<Problem> {
        let too_new: Vec<&Need> =
            needs.versions.iter().filter(|need| need.number.is_none_or(|number| number > GLIBC)).collect();
        // The newest number says most; a name without a number is named where there is nothing else.
        let newest = too_new.iter().max_by_key(|need| need.number)?;
        let what =
            newest.number.map_or_else(|| format!("a newer glibc than {GLIBC}"), |number| format!("glibc {number}"));
        let message = format!("needs {what} ({} of {}); Amazon Linux 2023 has {GLIBC}", newest.name, newest.library);
        Some(problem(self.subject, message, older_glibc(self.wanted)))
    }
}

/// How to build for an older glibc than this machine's.
fn older_glibc(architecture: Architecture) -> String {
    format!(
        "either build it where glibc is {GLIBC} or older, in a container of Amazon Linux 2023 or Debian 11 for example,\n\
         or with zig as the linker: {}",
        cargo_lambda(architecture)
    )
}

/// The header of a 64-bit ELF file that is little-endian; everything else has another layout, and ends it here.
fn header<'data>(subject: &str, content: &'data [u8]) -> Result<&'data Header, Problems> {
    let found = match content {
        [0x7f, b'E', b'L', b'F', class, order, ..] => match (elf::FileClass(*class), elf::DataEncoding(*order)) {
            (elf::ELFCLASS64, elf::ELFDATA2LSB) => {
                let broken = |error| Problems::of(subject, format!("is a broken ELF file: {error}"));
                return Header::parse(content).map_err(broken);
            }
            (elf::ELFCLASS64, _) => "is a big-endian ELF file",
            _ => "is a 32-bit ELF file",
        },
        [0xcf, 0xfa, 0xed, 0xfe, ..] => "is a Mach-O file, an executable of macOS",
        [b'M', b'Z', ..] => "is a PE file, an executable of Windows",
        [b'#', b'!', ..] => "is a script",
        [] => "is empty",
        _ => "is no ELF file",
    };
    let wanted = "Lambda starts 64-bit ELF executables of Linux, for x86_64 or arm64";
    Err(Problems::new(vec![problem(subject, found, wanted)]))
}

const fn machine(architecture: Architecture) -> elf::Machine {
    match architecture {
        Architecture::X86 => elf::EM_X86_64,
        Architecture::Arm => elf::EM_AARCH64,
    }
}

fn machine_name(machine: elf::Machine) -> String {
    match machine {
        elf::EM_X86_64 => Architecture::X86.name().to_owned(),
        elf::EM_AARCH64 => Architecture::Arm.name().to_owned(),
        other => format!("another processor (ELF machine {})", other.0),
    }
}

/// The programs that Amazon Linux 2023 starts others with.
const fn loader(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86 => "/lib64/ld-linux-x86-64.so.2",
        Architecture::Arm => "/lib/ld-linux-aarch64.so.1",
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
