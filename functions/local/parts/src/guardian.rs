//! What ends the processes started here when this one can't: a shell script that reads from it, and so sees its end.

use std::{
    io::{self, Write},
    os::unix::process::CommandExt,
    process::{ChildStdin, Command, Stdio},
    sync::Mutex,
};

use crate::lock;

/// Keeps a list of process groups: a line `+ 7` adds one, `- 7` takes it off. At the end of the input, which is the end
/// of the process that writes it, however that ended, those on the list are killed.
const SCRIPT: &str = r#"
groups=
while read -r sign group; do
    if [ "$sign" = + ]; then
        groups="$groups $group"
    else
        left=
        for one in $groups; do [ "$one" = "$group" ] || left="$left $one"; done
        groups=$left
    fi
done
for group in $groups; do kill -9 "-$group"; done
"#;

/// The script's input; one script for all that this process starts. Never dropped: the end of this process closes it.
static INPUT: Mutex<Option<ChildStdin>> = Mutex::new(None);

/// A process group that doesn't outlive this process, even if this one is killed. Dropping this takes it off the list.
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// use std::{os::unix::process::CommandExt, process::Command};
///
/// let child = Command::new("sleep").arg("1000").process_group(0).spawn()?;
/// let guarded = local::guardian::Guarded::group(child.id())?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Guarded(u32);

impl Guarded {
    /// Puts the group on the list; the script is started by the first.
    ///
    /// # Errors
    ///
    /// When the script can't be started.
    pub fn group(group: u32) -> io::Result<Self> {
        let line = format!("+ {group}\n");
        let mut input = lock(&INPUT);
        // One short line is one write, which a pipe takes whole.
        let taken = input.as_mut().is_some_and(|input| input.write_all(line.as_bytes()).is_ok());
        if !taken {
            input.insert(start()?).write_all(line.as_bytes())?;
        }
        Ok(Self(group))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let mut input = lock(&INPUT);
        if let Some(input) = input.as_mut() {
            let _ = input.write_all(format!("- {}\n", self.0).as_bytes());
        }
    }
}

fn start() -> io::Result<ChildStdin> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", SCRIPT, "newsloom-guardian"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C ends us; this has to go on for a moment.
    command.process_group(0);
    command.spawn()?.stdin.take().ok_or_else(|| io::Error::other("the guardian has no standard input"))
}
