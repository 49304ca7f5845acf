//! Who is measured: our program, and one in Python, each a process of its own.

use anyhow::{Context, Result};
use bench::{python::Python, usage};
use serde::Serialize;
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Who {
    Newsloom,
    Python,
}

impl Who {
    pub(crate) const ALL: [Self; 2] = [Self::Newsloom, Self::Python];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Newsloom => "newsloom",
            Self::Python => "python",
        }
    }
}

/// What a process is made of.
pub(crate) struct Programs {
    pub(crate) ingester: PathBuf,
    /// Or why there is none.
    pub(crate) python: Result<Python>,
    pub(crate) folder: PathBuf,
}

impl Programs {
    /// Starts one that reads from that server and writes to that Kinesis.
    pub(crate) fn start(&self, who: Who, server: &str, kinesis: &str) -> Result<Subject> {
        let mut command = match who {
            Who::Newsloom => self.newsloom(server),
            Who::Python => self.python(server)?,
        };
        command.env("AWS_ENDPOINT_URL", kinesis).env("AWS_REGION", "eu-west-1").env("AWS_DEFAULT_REGION", "eu-west-1");
        command.env("AWS_ACCESS_KEY_ID", "local").env("AWS_SECRET_ACCESS_KEY", "local");
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        let log = self.folder.join(format!("{}.log", who.name()));
        let out = File::create(&log).with_context(|| format!("can't write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(out);
        let child = command.spawn().with_context(|| format!("can't start {}", who.name()))?;
        Ok(Subject { child })
    }

    fn newsloom(&self, server: &str) -> Command {
        let mut command = Command::new(&self.ingester);
        command.args(["--lseg-server", server, "--lseg-user", "bench", "--to", "kinesis:news", "--quiet", "--spool"]);
        command.arg(self.folder.join("spool"));
        command
    }

    fn python(&self, server: &str) -> Result<Command> {
        let python = self.python.as_ref().map_err(|error| anyhow::anyhow!("{error:#}"))?;
        let mut command = Command::new(python.interpreter());
        command.arg(Path::new("ingester/bench/python/ingest.py")).args([server, "news"]);
        Ok(command)
    }
}

/// A process that is measured. It is killed when it is dropped.
pub(crate) struct Subject {
    child: Child,
}

impl Subject {
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        usage::processor_time(self.child.id())
    }

    pub(crate) fn memory_mb(&self) -> Result<f64> {
        usage::memory_mb(self.child.id())
    }

    pub(crate) fn peak_mb(&self) -> Result<f64> {
        usage::peak_mb(self.child.id())
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
