//! Where RabbitMQ is on this machine.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Names the `rabbitmq-server` script to use.
const VARIABLE: &str = "NEWSLOOM_RABBITMQ";

/// The programs needed.
#[derive(Debug, Clone)]
pub(super) struct Install {
    pub(super) server: PathBuf,
    pub(super) epmd: PathBuf,
}

impl Install {
    /// Finds it, or says what was looked for in vain.
    pub(super) fn find() -> Result<Self, String> {
        let server = match env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
            Some(named) => named_server(named.into())?,
            None => find_server().ok_or_else(|| "found no rabbitmq-server".to_owned())?,
        };
        let folders = path().into_iter().chain(ERLANG.map(PathBuf::from));
        let epmd = folders.map(|folder| folder.join("epmd")).find(|epmd| epmd.is_file());
        Ok(Self { server, epmd: epmd.ok_or_else(|| "found no epmd, Erlang's port mapper".to_owned())? })
    }
}

fn named_server(named: PathBuf) -> Result<PathBuf, String> {
    if named.is_file() { Ok(named) } else { Err(format!("{VARIABLE} is {}, which is no file", named.display())) }
}

/// Where `epmd` is when it isn't on the `PATH`.
const ERLANG: [&str; 5] = [
    "/usr/lib/erlang/bin",
    "/usr/lib64/erlang/bin",
    "/usr/local/lib/erlang/bin",
    "/opt/homebrew/bin",
    "/usr/local/bin",
];

/// Before the `PATH`: on Debian and Fedora `/usr/sbin/rabbitmq-server` changes to the user `rabbitmq` and forgets the
/// environment.
fn find_server() -> Option<PathBuf> {
    let usual = [
        "/usr/lib/rabbitmq/bin",
        "/opt/homebrew/opt/rabbitmq/sbin",
        "/opt/homebrew/sbin",
        "/usr/local/opt/rabbitmq/sbin",
        "/usr/local/sbin",
    ];
    let folders = usual.map(PathBuf::from).into_iter().chain(versioned(Path::new("/usr/lib/rabbitmq/lib")));
    let changes_user = |folder: &PathBuf| folder == Path::new("/usr/sbin") || folder == Path::new("/sbin");
    let on_path = path().into_iter().filter(|folder| !changes_user(folder));
    folders.chain(on_path).map(|folder| folder.join("rabbitmq-server")).find(|server| server.is_file())
}

pub(super) fn path() -> Vec<PathBuf> {
    env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}

/// `rabbitmq_server-3.13.7/sbin` and the like, the last name first.
fn versioned(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<_> = entries.map(|entry| entry.path().join("sbin")).collect();
    folders.sort();
    folders.reverse();
    folders
}
