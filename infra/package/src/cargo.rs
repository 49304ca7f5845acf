//! Builds executables with cargo, the same bytes on every checkout.
//!
//! What would differ from machine to machine is taken out: paths become `/newsloom` and `/cargo`, and what a person
//! sets for builds of their own (a linker's speed, `target-cpu=native`) in cargo's configuration doesn't count, as
//! flags in the environment go before it. What is left is the toolchain: another rustc, C compiler or linker makes
//! other bytes. C sources need nothing here: AWS-LC, the only ones, leaves their paths out by itself.

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{self, BufRead, BufReader, IsTerminal, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use serde::Deserialize;
use settings::{Architecture, Problem, Problems};

use crate::{
    Program, problem,
    toolchain::{self, Target},
};

/// The profile of the workspace's Cargo.toml: small, linked as one, without symbols.
const PROFILE: &str = "function";

/// Builds programs, one cargo each, one after the other.
///
/// In one build for both, crates get the features that either asks for, so what is in a package would depend on
/// whether the other was asked for as well. That costs the crates that differ twice when everything is compiled, and
/// a quarter of a second for each program where nothing is. At once they would wait for each other's lock.
pub(crate) fn build(programs: &[Program], architecture: Architecture) -> Result<Vec<PathBuf>, Problems> {
    let single = |problem| Problems::new(vec![problem]);
    let workspace = workspace().map_err(single)?;
    let target = Target::of(architecture, &workspace).map_err(single)?;
    let flags = flags(&workspace);
    let build = Build { workspace: &workspace, target: target.as_ref(), flags: &flags };
    programs.iter().map(|program| build.run(*program).map_err(single)).collect()
}

struct Build<'a> {
    workspace: &'a Path,
    target: Option<&'a Target>,
    flags: &'a OsString,
}

impl Build<'_> {
    fn run(&self, program: Program) -> Result<PathBuf, Problem> {
        let package = format!("newsloom-{}", program.name());
        let mut command = self.command(&package);
        let mut cargo = command.spawn().map_err(|error| unstarted(&error))?;
        let errors = cargo.stderr.take().map(|words| thread::spawn(move || pass_on(words, io::stderr())));
        let executable = cargo.stdout.take().and_then(|messages| executable(messages, program));
        let succeeded = cargo.wait().is_ok_and(|status| status.success());
        errors.map(thread::JoinHandle::join);
        let unbuilt = || problem(&*package, "cargo did not build it", "what cargo said is above");
        executable.filter(|_| succeeded).ok_or_else(unbuilt)
    }

    fn command(&self, package: &str) -> Command {
        let mut command = Command::new(toolchain::cargo());
        command.current_dir(self.workspace).args(["build", "--locked", "--profile", PROFILE, "--package", package]);
        command.arg("--message-format=json-render-diagnostics").stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, _) in env::vars_os().filter(|(name, _)| is_of_the_outer_cargo(name)) {
            command.env_remove(name);
        }
        if let Some(target) = self.target {
            command.args(["--target", target.triple]).envs(target.linker.clone());
        }
        command.env("CARGO_ENCODED_RUSTFLAGS", self.flags);
        // Who develops with CARGO_INCREMENTAL=1 gets the same bytes too: incremental builds cut code into other units.
        command.env("CARGO_INCREMENTAL", "0");
        // AWS-LC gathers entropy from the jitter of the processor's clock before its first random number, which took
        // 35 to 50 ms of a cold start that speaks TLS. Without, it seeds from the kernel's getrandom(2) alone: one
        // source less, should the kernel's be weak. Builds for this machine keep both.
        command.env("AWS_LC_SYS_NO_JITTER_ENTROPY", "1");
        if io::stderr().is_terminal() {
            watched(&mut command);
        }
        command
    }
}

/// Makes cargo speak as to a terminal: it writes to a pipe, but somebody watches.
fn watched(command: &mut Command) {
    let width = env::var("COLUMNS").ok().filter(|columns| columns.parse::<u16>().is_ok());
    command.env("CARGO_TERM_PROGRESS_WHEN", "always");
    command.env("CARGO_TERM_PROGRESS_WIDTH", width.unwrap_or_else(|| "80".into()));
    if env::var_os("CARGO_TERM_COLOR").is_none() && env::var_os("NO_COLOR").is_none() {
        command.env("CARGO_TERM_COLOR", "always");
    }
}

fn unstarted(error: &io::Error) -> Problem {
    let cargo = toolchain::cargo().display().to_string();
    let help = "it comes with Rust, https://rustup.rs; the variable CARGO names one that isn't on the PATH";
    problem(cargo, format!("can't be run: {error}"), help)
}

/// The checkout that this runs in.
fn workspace() -> Result<PathBuf, Problem> {
    let current = env::current_dir().unwrap_or_default();
    let is_ours = |folder: &&Path| folder.join("functions/enrich/Cargo.toml").is_file();
    let found = current.ancestors().find(is_ours).map(Path::to_path_buf);
    let help = "run it in a checkout of Newsloom; --from packages executables that were built elsewhere";
    found.ok_or_else(|| problem(current.display().to_string(), "the functions' sources aren't here, nor above", help))
}

/// Flags that put fixed names in the place of this machine's folders, separated as `CARGO_ENCODED_RUSTFLAGS` wants it.
fn flags(workspace: &Path) -> OsString {
    let mut flags = OsString::new();
    for (folder, name) in renamed(workspace) {
        if !flags.is_empty() {
            flags.push("\x1f");
        }
        flags.push("--remap-path-prefix=");
        flags.push(folder);
        flags.push("=");
        flags.push(name);
    }
    flags
}

/// Folders whose names get into an executable, by panics that say where they are. Of several that match, rustc takes
/// the last; what is kept inside of a checkout comes after it.
fn renamed(workspace: &Path) -> Vec<(PathBuf, String)> {
    let mut renamed = vec![(workspace.to_path_buf(), "/newsloom".to_owned())];
    if let Some(target) = env::var_os("CARGO_TARGET_DIR") {
        renamed.push((workspace.join(target), "/newsloom/target".to_owned()));
    }
    renamed.extend(toolchain::sources());
    if let Some(home) = toolchain::cargo_home() {
        // Below it is a folder for each registry, and a mirror's has another name than that of crates.io.
        let registries = home.join("registry/src");
        let found = registries.read_dir().into_iter().flatten().flatten();
        let mut registries: Vec<PathBuf> = found.map(|registry| registry.path()).collect();
        registries.sort();
        renamed.push((home, "/cargo".to_owned()));
        renamed.extend(registries.into_iter().map(|registry| (registry, "/cargo/registry".to_owned())));
    }
    renamed
}

/// Whether a variable tells about the crate that `cargo run` started, which is the `newsloom` command: build scripts
/// that look at one would run again, depending on how the command was started.
fn is_of_the_outer_cargo(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let prefixes = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
    name == "CARGO_PRIMARY_PACKAGE" || prefixes.iter().any(|prefix| name.starts_with(prefix))
}

/// A line of what cargo says to programs.
#[derive(Deserialize)]
struct Message {
    target: Option<Named>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

/// Where cargo says that it put the executable. It may be elsewhere than in `target/`, as its user has set it.
fn executable(messages: impl Read, program: Program) -> Option<PathBuf> {
    let mut found = None;
    for line in BufReader::new(messages).lines().map_while(Result::ok) {
        let Ok(message) = serde_json::from_str::<Message>(&line) else { continue };
        if message.target.is_some_and(|target| target.name == program.name()) {
            found = message.executable.or(found);
        }
    }
    found
}

/// Passes on what cargo says to people, but not where it only says that everything was built before.
fn pass_on(mut words: impl Read, mut people: impl Write) {
    let mut held = Vec::new();
    let mut says_more = false;
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = words.read(&mut buffer) {
        held.extend_from_slice(&buffer[..count]);
        says_more = says_more || !is_finished(&held);
        if says_more {
            let _ = people.write_all(&held).and_then(|()| people.flush());
            held.clear();
        }
    }
}

/// Whether this is the beginning of `Finished …`, or all of that line, in colours or without.
fn is_finished(words: &[u8]) -> bool {
    let text = String::from_utf8_lossy(words);
    let without_colours: String = text
        .split('\u{1b}')
        .enumerate()
        .map(|(index, part)| if index == 0 { part } else { after_colour(part) })
        .collect();
    let line = without_colours.trim_start();
    let one_line = line.trim_end().lines().count() <= 1;
    one_line && (line.starts_with("Finished") || "Finished".starts_with(line))
}

/// What stands behind a colour, `[32m`.
fn after_colour(text: &str) -> &str {
    text.split_once(|letter: char| letter.is_ascii_alphabetic()).map_or("", |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed_on(words: &str) -> String {
        let mut people = Vec::new();
        pass_on(words.as_bytes(), &mut people);
        String::from_utf8(people).unwrap()
    }

    #[test]
    fn cargo_is_quiet_where_nothing_is_to_do() {
        assert_eq!(passed_on("    Finished `function` profile [optimized] target(s) in 0.17s\n"), "");
        assert_eq!(passed_on("\u{1b}[1m\u{1b}[92m    Finished\u{1b}[0m `function` profile [optimized]\n"), "");
    }

    #[test]
    fn everything_else_that_cargo_says_is_passed_on() {
        let words = "   Compiling newsloom-enrich v0.1.0\n    Finished `function` profile [optimized]\n";
        assert_eq!(passed_on(words), words);
        let words = "    Finished `function` profile [optimized]\nwarning: something else\n";
        assert_eq!(passed_on(words), words);
        let words = "\u{1b}[1m\u{1b}[92m   Compiling\u{1b}[0m newsloom-enrich\n";
        assert_eq!(passed_on(words), words);
    }

    #[test]
    fn executable_is_where_cargo_says() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"enrich"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"other"},"executable":"/elsewhere/other"}
{"reason":"compiler-artifact","target":{"name":"enrich"},"executable":"/elsewhere/enrich"}
{"reason":"build-finished","success":true}
"#;
        assert_eq!(executable(messages.as_bytes(), Program::Enrich), Some("/elsewhere/enrich".into()));
        assert_eq!(executable(messages.as_bytes(), Program::Publish), None);
    }

    #[test]
    fn checkout_is_renamed_before_everything_that_may_be_in_it() {
        let flags = flags(Path::new("/somebody/newsloom")).into_string().unwrap();
        assert!(flags.starts_with("--remap-path-prefix=/somebody/newsloom=/newsloom\x1f--remap"), "{flags:?}");
        assert!(flags.contains("=/cargo"), "{flags:?}");
    }

    #[test]
    fn only_what_tells_about_the_outer_crate_is_taken_from_the_environment() {
        assert!(is_of_the_outer_cargo("CARGO_PKG_NAME".as_ref()));
        assert!(is_of_the_outer_cargo("CARGO_MANIFEST_DIR".as_ref()));
        for kept in ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_NET_OFFLINE", "RUSTUP_TOOLCHAIN", "PATH"] {
            assert!(!is_of_the_outer_cargo(kept.as_ref()), "{kept}");
        }
    }
}
