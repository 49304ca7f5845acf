//! What people and programs read: problems on standard error, a summary on standard output.

use package::Package;
use pipeline::{Assets, Problems, Written};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::path::Path;
use std::time::Duration;

const BOLD: &str = "\u{1b}[1m";
const RED: &str = "\u{1b}[1;31m";
const GREEN: &str = "\u{1b}[1;32m";
const YELLOW: &str = "\u{1b}[1;33m";
const DIM: &str = "\u{1b}[2m";
const PLAIN: &str = "\u{1b}[0m";

/// Puts colours around words, where somebody sees them.
#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn on(stream: &impl IsTerminal) -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self(stream.is_terminal() && !unwanted)
    }

    fn with(self, colour: &str, words: &str) -> String {
        if self.0 { format!("{colour}{words}{PLAIN}") } else { words.into() }
    }
}

/// Prints every problem and how many there are.
pub(crate) fn problems(problems: &Problems) {
    let mut stream = std::io::stderr().lock();
    let paint = Paint::on(&stream);
    let mut text = String::new();
    for problem in problems.iter() {
        if let Some(place) = &problem.place {
            let _ = write!(text, "{}: ", paint.with(BOLD, &place.to_string()));
        }
        if !problem.subject.is_empty() {
            let _ = write!(text, "{}: ", paint.with(RED, &problem.subject));
        }
        let _ = writeln!(text, "{}", problem.message);
        for line in problem.help.iter().flat_map(|help| help.lines()) {
            let _ = writeln!(text, "    {}", paint.with(DIM, line));
        }
    }
    let count = counted(problems.len(), "problem");
    let _ = writeln!(stream, "{text}{}", paint.with(BOLD, &count));
}

/// Prints problems for a program.
pub(crate) fn problems_json(problems: &Problems) {
    print_json(&json!({ "ok": false, "problems": problems }));
}

/// What `synth` did.
pub(crate) struct Done<'a> {
    pub(crate) out: &'a Path,
    pub(crate) written: &'a Written,
    pub(crate) resources: usize,
    pub(crate) assets: &'a Assets,
}

/// Prints what `synth` did.
pub(crate) fn written(done: &Done<'_>, time: Duration) {
    let Done { out, written, resources, assets } = *done;
    let mut stream = std::io::stdout().lock();
    let paint = Paint::on(&stream);
    let mut text = String::new();
    for name in &written.written {
        let path = out.join(name).display().to_string();
        let _ = writeln!(text, "{} {path}", paint.with(GREEN, "  wrote"));
    }
    for name in &written.removed {
        let path = out.join(name).display().to_string();
        let _ = writeln!(text, "{} {path}", paint.with(RED, "removed"));
    }
    let files = written.written.len() + written.unchanged.len();
    let unchanged = written.unchanged.len();
    let _ = writeln!(
        text,
        "{} in {} {}",
        paint.with(BOLD, &counted(resources, "resource")),
        counted(files, "file"),
        paint.with(DIM, &format!("({unchanged} unchanged, {})", milliseconds(time))),
    );
    let missing: Vec<String> = assets.missing().map(|asset| asset.path.display().to_string()).collect();
    if !missing.is_empty() {
        let _ = writeln!(
            text,
            "{} for {}: fine for a look and a plan, but don't apply it",
            paint.with(YELLOW, &counted(missing.len(), "placeholder")),
            missing.join(", "),
        );
    }
    let _ = stream.write_all(text.as_bytes());
}

/// Prints what `synth` did for a program.
pub(crate) fn written_json(done: &Done<'_>, time: Duration) {
    let Done { out, written, resources, assets } = *done;
    print_json(&json!({
        "ok": true,
        "out": out,
        "written": written.written,
        "unchanged": written.unchanged,
        "removed": written.removed,
        "resources": resources,
        "placeholders": assets.missing().map(|asset| &asset.path).collect::<Vec<_>>(),
        "milliseconds": time.as_secs_f64() * 1000.0,
    }));
}

/// Prints what `package` made, and what it found in each.
pub(crate) fn packages(packages: &[Package]) {
    let mut stream = std::io::stdout().lock();
    let paint = Paint::on(&stream);
    let mut text = String::new();
    for package in packages {
        let done = if package.written { paint.with(GREEN, "    wrote") } else { paint.with(DIM, "unchanged") };
        let _ =
            writeln!(text, "{done} {} {}", package.path.display(), paint.with(DIM, &format!("({})", facts(package))));
    }
    let _ = stream.write_all(text.as_bytes());
}

/// Its size, and what was checked: `2.4 MB, for x86_64 and glibc 2.34, which Lambda has`.
fn facts(package: &Package) -> String {
    let megabytes = f64::from(u32::try_from(package.bytes).unwrap_or(u32::MAX)) / 1e6;
    let architecture = package.binary.architecture.name();
    let needs = match package.binary.glibc {
        Some(version) => format!("and glibc {version}, which Lambda has"),
        None => "without glibc".into(),
    };
    format!("{megabytes:.1} MB, for {architecture} {needs}")
}

/// Prints what `package` made for a program.
pub(crate) fn packages_json(packages: &[Package], time: Duration) {
    let each = packages.iter().map(|package| {
        json!({
            "name": package.program.name(),
            "path": package.path,
            "bytes": package.bytes,
            "written": package.written,
            "architecture": package.binary.architecture,
            "glibc": package.binary.glibc.map(|version| version.to_string()),
            "libraries": package.binary.libraries,
        })
    });
    let packages: Vec<Value> = each.collect();
    print_json(&json!({ "ok": true, "packages": packages, "milliseconds": time.as_secs_f64() * 1000.0 }));
}

/// Prints that a configuration is right.
pub(crate) fn fine(config: &Path, resources: usize, time: Duration) {
    let mut stream = std::io::stdout().lock();
    let paint = Paint::on(&stream);
    let took = paint.with(DIM, &format!("({})", milliseconds(time)));
    let fine = paint.with(GREEN, "is fine");
    let resources = counted(resources, "resource");
    let _ = writeln!(stream, "{} {fine}, {resources} {took}", config.display());
}

/// Prints that a configuration is right for a program.
pub(crate) fn fine_json(resources: usize) {
    print_json(&json!({ "ok": true, "problems": [], "resources": resources }));
}

// A reader that went away, as `head` does, is no reason to complain.
fn print_json(value: &Value) {
    let _ = writeln!(std::io::stdout(), "{value:#}");
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
