//! Who used the processors: this process by its threads, which are the feed, AWS and the pollers, and the processes that
//! it started.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
    time::Duration,
};

use bench::usage::processor_time;

/// How much time everybody has had so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshot(HashMap<(u32, String), Duration>);

impl Snapshot {
    /// As it is now.
    pub(super) fn take() -> Self {
        let own = threads(Path::new("/proc/self/task"));
        let others = descendants(std::process::id()).into_iter().filter_map(|(pid, name)| {
            let time = processor_time(pid).ok()?;
            Some(((pid, part(&name)), time))
        });
        Self(own.into_iter().chain(others).collect())
    }

    /// What was used since, by part. Who has ended meanwhile is left out.
    pub(super) fn since(&self, before: &Self) -> BTreeMap<String, Duration> {
        let mut used = BTreeMap::<String, Duration>::new();
        for (who, time) in &self.0 {
            let earlier = before.0.get(who).copied().unwrap_or_default();
            *used.entry(who.1.clone()).or_default() += time.saturating_sub(earlier);
        }
        used.retain(|_, time| !time.is_zero());
        used
    }
}

/// What a thread or a process is called, and which part it is. Threads' names are of 15 letters at most.
const PARTS: [(&str, &str); 9] = [
    ("newsfeed-sim", "the feed's simulator"),
    ("aws", "AWS's emulators"),
    ("kinesis", "AWS's emulators"),
    ("event-source", "pollers"),
    ("lambda", "Lambda's emulator"),
    ("runtime-api", "Lambda's emulator"),
    ("beam.smp", "RabbitMQ"),
    ("newsloom-local", "subscriber and this measurement"),
    ("lapin", "subscriber and this measurement"),
];

fn part(name: &str) -> String {
    let known = PARTS.iter().find(|(known, _)| name.starts_with(known));
    known.map_or(name, |(_, part)| part).to_owned()
}

/// Threads of a process. The kernel counts nanoseconds; where it counts none, there are none.
fn threads(tasks: &Path) -> Vec<((u32, String), Duration)> {
    let entries = fs::read_dir(tasks).into_iter().flatten().flatten();
    let thread = |entry: fs::DirEntry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let name = fs::read_to_string(entry.path().join("comm")).ok()?;
        let counted = fs::read_to_string(entry.path().join("schedstat")).ok()?;
        let time = counted.split(' ').next()?.parse().ok()?;
        Some(((id, part(name.trim())), Duration::from_nanos(time)))
    };
    entries.filter_map(thread).collect()
}

/// All that a process started, and what those started; shells among them.
fn descendants(of: u32) -> Vec<(u32, String)> {
    let mut children: HashMap<u32, Vec<(u32, String)>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        if let Some((pid, name, parent)) = of_stat(&stat) {
            children.entry(parent).or_default().push((pid, name.to_owned()));
        }
    }
    let mut found = Vec::new();
    let mut waiting = vec![of];
    while let Some(parent) = waiting.pop() {
        for (pid, name) in children.remove(&parent).unwrap_or_default() {
            waiting.push(pid);
            found.push((pid, name));
        }
    }
    found
}

/// Id, name and parent from a process's line (proc_pid_stat(5)). The name may have anything in it, brackets too.
fn of_stat(line: &str) -> Option<(u32, &str, u32)> {
    let (pid, rest) = line.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let parent = rest.split(' ').nth(1)?;
    Some((pid.parse().ok()?, name, parent.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_is_read_whatever_its_name() {
        assert_eq!(of_stat("12 (beam.smp) S 7 12 12 0 -1"), Some((12, "beam.smp", 7)));
        assert_eq!(of_stat("12 (a) b (c) R 7 12"), Some((12, "a) b (c", 7)));
        assert_eq!(of_stat(""), None);
    }

    #[test]
    fn what_was_used_is_the_difference_and_newcomers_count_from_nothing() {
        let snapshot = |times: &[(u32, &str, u64)]| {
            let time = |(id, name, ms): &(u32, &str, u64)| ((*id, part(name)), Duration::from_millis(*ms));
            Snapshot(times.iter().map(time).collect())
        };
        let before = snapshot(&[(1, "enrich", 10), (2, "aws", 5), (3, "kinesis", 5)]);
        let after = snapshot(&[(1, "enrich", 10), (2, "aws", 7), (3, "kinesis", 6), (4, "publish", 2)]);
        let used = [("AWS's emulators".to_owned(), 3), ("publish".to_owned(), 2)];
        assert_eq!(after.since(&before), used.map(|(part, ms)| (part, Duration::from_millis(ms))).into());
    }

    #[test]
    fn own_threads_are_found() {
        assert!(!threads(Path::new("/proc/self/task")).is_empty());
    }
}
