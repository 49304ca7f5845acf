//! What remains to be done when this process is gone: a shell script that reads from it, and so sees its end.

use std::{
    io::{self, Write},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, Stdio},
};

use super::{install::Install, node::Settings};

/// `epmd` runs as long as the script does. Each line read is the id of the node to end, or nothing; at the end of the
/// input all is ended, and the folder removed.
const SCRIPT: &str = r#"
"$1" -address 127.0.0.1 -port "$2" </dev/null >/dev/null 2>&1 &
epmd=$!
node=
while read -r line; do node=$line; done
[ -n "$node" ] && kill -9 "$node"
kill -9 "$epmd"
# What the node was about to write may come in between.
for try in 1 2 3 4 5; do rm -rf "$3" && break; sleep 0.1; done
"#;

/// The script that runs.
#[derive(Debug)]
pub(super) struct Keeper {
    script: Child,
    input: Option<ChildStdin>,
}

impl Keeper {
    pub(super) fn start(install: &Install, settings: &Settings) -> io::Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "newsloom-keeper"]).arg(&install.epmd);
        command.arg(settings.ports.epmd.to_string()).arg(&settings.folder);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Ctrl-C ends us; this has to go on for a moment.
        command.process_group(0);
        let mut script = command.spawn()?;
        let input = script.stdin.take();
        Ok(Self { script, input })
    }

    /// Names the node to end, in place of the one before.
    pub(super) fn mind(&mut self, node: Option<u32>) {
        let line = node.map_or_else(String::new, |node| node.to_string());
        if let Some(input) = &mut self.input {
            let _ = writeln!(input, "{line}");
        }
    }

    /// Has everything ended, and waits for it.
    pub(super) fn dismiss(&mut self) {
        drop(self.input.take());
        let _ = self.script.wait();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.dismiss();
    }
}
