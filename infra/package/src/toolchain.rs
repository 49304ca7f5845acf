//! What this machine builds for: itself, or another processor where it has what that takes.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use settings::{Architecture, Problem};

use crate::problem;

/// A target that isn't this machine, and how to link for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// In rustc's words: `aarch64-unknown-linux-gnu`.
    pub(crate) triple: &'static str,
    /// A linker that was found, as a variable for cargo; `None` where its user has named one.
    pub(crate) linker: Option<(String, String)>,
}

impl Target {
    /// What `cargo build` has to be told; `None` on a machine of that architecture, where it builds for itself.
    ///
    /// # Errors
    ///
    /// What is missing, and how to install it. Nothing is installed here: it is not ours to change a toolchain.
    pub(crate) fn of(architecture: Architecture, workspace: &Path) -> Result<Option<Self>, Problem> {
        if is_native(architecture) {
            return Ok(None);
        }
        let triple = triple(architecture);
        let machine = Machine {
            sysroot: sysroot(),
            search: env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default(),
            linker_named: env::var_os(linker_variable(triple)).is_some() || configured(triple, workspace),
        };
        machine.cross(architecture).map(Some)
    }
}

/// Of this machine, what cross-compiling depends on.
struct Machine {
    sysroot: Option<PathBuf>,
    search: Vec<PathBuf>,
    linker_named: bool,
}

impl Machine {
    fn cross(&self, architecture: Architecture) -> Result<Target, Problem> {
        let triple = triple(architecture);
        let library = self.sysroot.as_ref().map(|sysroot| sysroot.join("lib/rustlib").join(triple));
        let has_library = library.is_some_and(|library| library.is_dir());
        let linker = linker(architecture);
        let has_linker = self.linker_named || self.search.iter().any(|folder| folder.join(linker).is_file());
        if has_library && has_linker {
            let linker = (!self.linker_named).then(|| (linker_variable(triple), linker.to_owned()));
            return Ok(Target { triple, linker });
        }
        let missing = match (has_library, has_linker) {
            (false, false) => "Rust's standard library and a linker",
            (false, true) => "Rust's standard library",
            _ => "a linker",
        };
        let verb = if has_library || has_linker { "is" } else { "are" };
        let name = architecture.name();
        let message = format!("{missing} for it {verb} missing here; architecture = \"{name}\" asks for it");
        Err(problem(triple, message, help(architecture)))
    }
}

/// All ways to a package for another processor; the last two need nothing of this machine.
fn help(architecture: Architecture) -> String {
    let (triple, linker) = (triple(architecture), linker(architecture));
    let package = format!("gcc-{}", linker.trim_end_matches("-gcc").replace('_', "-"));
    format!(
        "either `rustup target add {triple}`, and {linker},\n\
         \u{20}   which Debian has in {package}; {variable} names another\n\
         or {cargo_lambda}\n\
         or a machine of that architecture",
        variable = linker_variable(triple),
        cargo_lambda = cargo_lambda(architecture),
    )
}

/// How to build with cargo-lambda, whose linker is for every processor and any glibc.
pub(crate) fn cargo_lambda(architecture: Architecture) -> String {
    let option = architecture.name().replace('_', "-");
    format!(
        "`cargo lambda build --{option} --profile function --package newsloom-enrich --package newsloom-publish`,\n\
         \u{20}   then `newsloom package --from target/lambda`"
    )
}

fn is_native(architecture: Architecture) -> bool {
    cfg!(target_os = "linux") && env::consts::ARCH == processor(architecture)
}

const fn processor(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86 => "x86_64",
        Architecture::Arm => "aarch64",
    }
}

const fn triple(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86 => "x86_64-unknown-linux-gnu",
        Architecture::Arm => "aarch64-unknown-linux-gnu",
    }
}

/// What distributions call their compiler for another processor; the `cc` of build scripts finds it by itself.
const fn linker(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86 => "x86_64-linux-gnu-gcc",
        Architecture::Arm => "aarch64-linux-gnu-gcc",
    }
}

fn linker_variable(triple: &str) -> String {
    format!("CARGO_TARGET_{}_LINKER", triple.to_uppercase().replace('-', "_"))
}

/// Whether somebody wrote about this target into cargo's configuration: a variable would go before their linker.
fn configured(triple: &str, workspace: &Path) -> bool {
    let above = workspace.ancestors().map(|folder| folder.join(".cargo"));
    let files = above.chain(cargo_home()).map(|folder| folder.join("config.toml"));
    files.filter_map(|file| fs::read_to_string(file).ok()).any(|text| text.contains(triple))
}

/// Cargo's own folder, where it keeps the sources of crates.
pub(crate) fn cargo_home() -> Option<PathBuf> {
    env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")))
}

/// The cargo that runs this, or that of the PATH.
pub(crate) fn cargo() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}

/// The standard library's own sources, where they are installed, and what they are called where they aren't.
///
/// Their names get into executables, by what is generic; rustc calls them `/rustc/<commit>`, unless it finds them.
pub(crate) fn sources() -> Option<(PathBuf, String)> {
    let sources = sysroot()?.join("lib/rustlib/src/rust");
    if !sources.is_dir() {
        return None;
    }
    let version = rustc(&["--version", "--verbose"])?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: "))?;
    Some((sources, format!("/rustc/{commit}")))
}

/// Where rustc keeps the standard libraries of its targets.
fn sysroot() -> Option<PathBuf> {
    // Rustup's cargo says where the one is that it started, in its toolchain; to ask rustc takes longer.
    let beside = cargo().parent().and_then(Path::parent).map(Path::to_path_buf);
    let is_toolchain = |folder: &PathBuf| folder.join("lib/rustlib").is_dir();
    beside.filter(is_toolchain).or_else(|| Some(PathBuf::from(rustc(&["--print", "sysroot"])?.trim())))
}

fn rustc(arguments: &[&str]) -> Option<String> {
    let named = env::var_os("RUSTC").map(PathBuf::from);
    let beside = cargo().with_file_name("rustc");
    let rustc = named.or_else(|| beside.is_file().then_some(beside)).unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(arguments).output().ok()?;
    String::from_utf8(output.stdout).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine whose folder has these files.
    fn machine(folder: &Path, files: &[&str]) -> Machine {
        for file in files {
            let file = folder.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        Machine { sysroot: Some(folder.join("rust")), search: vec![folder.join("bin")], linker_named: false }
    }

    const LIBRARY: &str = "rust/lib/rustlib/aarch64-unknown-linux-gnu/lib/libstd.rlib";
    const LINKER: &str = "bin/aarch64-linux-gnu-gcc";

    #[test]
    fn machine_with_target_and_linker_links_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let target = machine(folder.path(), &[LIBRARY, LINKER]).cross(Architecture::Arm).unwrap();
        assert_eq!(target.triple, "aarch64-unknown-linux-gnu");
        let variable = "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER".to_owned();
        assert_eq!(target.linker, Some((variable, "aarch64-linux-gnu-gcc".to_owned())));
    }

    #[test]
    fn linker_that_somebody_named_stays() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine { linker_named: true, ..machine(folder.path(), &[LIBRARY]) };
        assert_eq!(machine.cross(Architecture::Arm).unwrap().linker, None);
    }

    #[test]
    fn what_is_missing_is_named_with_the_command_that_installs_it() {
        let situations: [(&[&str], &str); 3] = [
            (&[], "Rust's standard library and a linker for it are missing here; architecture = \"arm64\" asks for it"),
            (&[LINKER], "Rust's standard library for it is missing here; architecture = \"arm64\" asks for it"),
            (&[LIBRARY], "a linker for it is missing here; architecture = \"arm64\" asks for it"),
        ];
        for (files, message) in situations {
            let folder = tempfile::tempdir().unwrap();
            let problem = machine(folder.path(), files).cross(Architecture::Arm).unwrap_err();
            assert_eq!((problem.subject.as_str(), problem.message.as_str()), ("aarch64-unknown-linux-gnu", message));
            let help = problem.help.unwrap();
            assert!(help.contains("rustup target add aarch64-unknown-linux-gnu"), "{help}");
            assert!(help.contains("gcc-aarch64-linux-gnu"), "{help}");
        }
    }

    #[test]
    fn this_machine_needs_no_target_for_itself() {
        let own = [Architecture::X86, Architecture::Arm].into_iter().find(|own| processor(*own) == env::consts::ARCH);
        if let Some(own) = own.filter(|_| cfg!(target_os = "linux")) {
            assert_eq!(Target::of(own, Path::new(".")).unwrap(), None);
        }
    }
}
