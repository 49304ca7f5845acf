//! What is refused as a function's executable, on small ELF files that the C compiler makes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use package::binary::{self, Binary};
use proptest::prelude::*;
use settings::{Architecture, Problem};
use tempfile::TempDir;

const SHOWN_AS: &str = "target/function/enrich";

/// A folder to compile in.
struct Workshop(TempDir);

impl Workshop {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn compile(&self, source: &str, arguments: &[&str], name: &str) -> Vec<u8> {
        let file = self.path(&format!("{name}.c"));
        fs::write(&file, source).unwrap();
        let mut compiler = Command::new("cc");
        compiler.current_dir(self.0.path()).arg(&file).args(["-o", name]).args(arguments);
        let output = compiler.output().expect("cc starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read(self.path(name)).unwrap()
    }

    /// An executable that needs a symbol of that version from a library; the library is one that the test makes.
    fn needing(&self, library: &str, version: &str) -> Vec<u8> {
        fs::write(self.path("versions"), format!("{version} {{ global: wanted; }};")).unwrap();
        let soname = format!("-Wl,-soname,{library}");
        let made = ["-shared", "-fPIC", "-nostdlib", "-Wl,--version-script=versions", &soname];
        self.compile("void wanted(void) {}", &made, library);
        let source = "void wanted(void); void _start(void) { wanted(); for (;;); }";
        self.compile(source, &["-nostdlib", &format!("./{library}")], "enrich")
    }
}

/// The architecture of this machine, which `cc` compiles for.
fn own() -> Architecture {
    if cfg!(target_arch = "aarch64") { Architecture::Arm } else { Architecture::X86 }
}

fn other() -> Architecture {
    if own() == Architecture::X86 { Architecture::Arm } else { Architecture::X86 }
}

fn check(content: &[u8]) -> Result<Binary, Vec<Problem>> {
    let checked = binary::check(Path::new(SHOWN_AS), content, own());
    checked.map_err(|problems| problems.iter().cloned().collect())
}

/// The only thing that is wrong, and what to do about it.
fn problem(content: &[u8]) -> (String, String) {
    let problems = check(content).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].subject, SHOWN_AS);
    (problems[0].message.clone(), problems[0].help.clone().unwrap_or_default())
}

#[test]
fn usual_executable_is_fine() {
    let binary = check(&Workshop::new().compile("int main(void) { return 0; }", &[], "enrich")).unwrap();
    assert_eq!(binary.architecture, own());
    assert_eq!(binary.libraries, ["libc.so.6"]);
    assert!(binary.glibc.unwrap() <= binary::GLIBC);
}

#[test]
fn static_executable_needs_no_glibc() {
    let source = "void _start(void) { for (;;); }";
    for option in ["-static", "-static-pie"] {
        let binary = check(&Workshop::new().compile(source, &["-nostdlib", option], "enrich")).unwrap();
        assert_eq!((binary.glibc, binary.libraries.len()), (None, 0), "{option}");
    }
}

#[test]
fn glibc_of_amazon_linux_is_the_newest_that_may_be_needed() {
    for (version, number) in [("GLIBC_2.2.5", "2.2.5"), ("GLIBC_2.17", "2.17"), ("GLIBC_2.34", "2.34")] {
        let binary = check(&Workshop::new().needing("libc.so.6", version)).unwrap();
        assert_eq!(binary.glibc.unwrap().to_string(), number);
    }
}

#[test]
fn newer_glibc_is_refused_with_ways_to_an_older_one() {
    for (version, library, message) in [
        ("GLIBC_2.35", "libm.so.6", "needs glibc 2.35 (GLIBC_2.35 of libm.so.6); Amazon Linux 2023 has 2.34"),
        ("GLIBC_2.38", "libc.so.6", "needs glibc 2.38 (GLIBC_2.38 of libc.so.6); Amazon Linux 2023 has 2.34"),
        ("GLIBC_3.0", "libc.so.6", "needs glibc 3.0 (GLIBC_3.0 of libc.so.6); Amazon Linux 2023 has 2.34"),
        (
            "GLIBC_ABI_DT_RELR",
            "libc.so.6",
            "needs a newer glibc than 2.34 (GLIBC_ABI_DT_RELR of libc.so.6); Amazon Linux 2023 has 2.34",
        ),
    ] {
        let (found, help) = problem(&Workshop::new().needing(library, version));
        assert_eq!(found, message);
        assert!(help.contains("container of Amazon Linux 2023") && help.contains("zig"), "{help}");
    }
}

#[test]
fn versions_of_other_libraries_are_not_glibcs() {
    assert_eq!(check(&Workshop::new().needing("libgcc_s.so.1", "GCC_99.0")).unwrap().glibc, None);
}

#[test]
fn library_that_amazon_linux_lacks_is_refused() {
    let (found, help) = problem(&Workshop::new().needing("libssl.so.3", "OPENSSL_3.0.0"));
    assert_eq!(found, "needs libssl.so.3; Lambda's Amazon Linux 2023 has glibc's libraries and libgcc_s");
    assert!(help.contains("statically"), "{help}");
}

#[test]
fn loader_that_amazon_linux_lacks_is_refused() {
    let musl = "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1";
    let (found, _) = problem(&Workshop::new().compile("int main(void) { return 0; }", &[musl], "enrich"));
    assert!(found.starts_with("is started by /lib/ld-musl-x86_64.so.1; Amazon Linux 2023 has /lib"), "{found}");
}

#[test]
fn other_machine_is_refused() {
    let content = Workshop::new().compile("int main(void) { return 0; }", &[], "enrich");
    let problems = binary::check(Path::new(SHOWN_AS), &content, other()).unwrap_err();
    let message = format!("is for {}; the configuration's architecture is {}", own().name(), other().name());
    assert_eq!(problems.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>(), [message]);
}

/// Places in an ELF header: class, order of bytes, type, machine.
const CLASS: usize = 4;
const ORDER: usize = 5;
const MACHINE: usize = 18;

#[test]
fn what_lambda_cannot_start_is_refused() {
    let usual = Workshop::new().compile("int main(void) { return 0; }", &[], "enrich");
    let with = |place: usize, byte: u8| {
        let mut content = usual.clone();
        content[place] = byte;
        content
    };
    let object = Workshop::new().compile("int main(void) { return 0; }", &["-c"], "enrich");
    let library = Workshop::new().compile("void f(void) {}", &["-shared", "-fPIC", "-nostdlib"], "enrich");
    for (content, message) in [
        (with(CLASS, 1), "is a 32-bit ELF file"),
        (with(ORDER, 2), "is a big-endian ELF file"),
        (b"".to_vec(), "is empty"),
        (b"#!/bin/sh\nexit 0\n".to_vec(), "is a script"),
        (b"MZ\x90\0\x03".to_vec(), "is a PE file, an executable of Windows"),
        (vec![0xcf, 0xfa, 0xed, 0xfe, 7, 0, 0, 1], "is a Mach-O file, an executable of macOS"),
        (b"PK\x03\x04".to_vec(), "is no ELF file"),
        (object, "is an object file or a library, nothing that starts"),
        (library, "is an object file or a library, nothing that starts"),
    ] {
        assert_eq!(problem(&content).0, message);
    }
    let found = problem(&with(MACHINE, 243)).0;
    assert!(found.starts_with("is for another processor (ELF machine 243)"), "{found}");
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let content = Workshop::new().needing("libssl.so.3", "GLIBC_2.40");
    let problems = binary::check(Path::new(SHOWN_AS), &content, other()).unwrap_err();
    assert_eq!(problems.len(), 3, "{problems}");
}

#[test]
fn without_section_headers_nothing_can_be_told() {
    let mut content = Workshop::new().compile("int main(void) { return 0; }", &[], "enrich");
    // e_shoff, and e_shentsize to e_shstrndx.
    content[40..48].fill(0);
    content[58..64].fill(0);
    let (found, _) = problem(&content);
    assert_eq!(found, "has no section headers, which say what it needs");
}

proptest! {
    #[test]
    fn broken_files_are_refused_or_pass_but_never_panic(
        cut in 0_usize..20_000,
        changes in proptest::collection::vec((0_usize..20_000, any::<u8>()), 0..20),
    ) {
        static USUAL: std::sync::LazyLock<Vec<u8>> =
            std::sync::LazyLock::new(|| Workshop::new().compile("int main(void) { return 0; }", &[], "enrich"));
        let mut content = USUAL.clone();
        content.truncate(cut.max(64));
        for (place, byte) in changes {
            // The first bytes say which of the layouts it is, and everything else ends there.
            if let Some(changed) = content.get_mut(place.max(6)) {
                *changed = byte;
            }
        }
        let _ = binary::check(Path::new(SHOWN_AS), &content, own());
    }
}
