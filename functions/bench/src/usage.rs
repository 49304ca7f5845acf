//! What a process took: processor time, and memory at its peak; and how busy the machine is.

use std::{fs, time::Duration};

use anyhow::{Context, Result};
use nix::{
    time::{clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};

/// The time that a process spent on processors, user and system, with its threads that have ended: to the
/// nanosecond, where `/proc/PID/stat` counts ticks of 10 ms.
///
/// # Errors
///
/// There is no such process.
pub fn processor_time(pid: u32) -> Result<Duration> {
    let pid = Pid::from_raw(i32::try_from(pid)?);
    let clock = clock_getcpuclockid(pid).context("the function's clock can't be had")?;
    Ok(clock_gettime(clock).context("the function's clock can't be read")?.into())
}

/// The most memory that a process had at once, MB (`VmHWM`).
///
/// # Errors
///
/// There is no such process.
pub fn peak_mb(pid: u32) -> Result<f64> {
    memory(pid, "VmHWM:")
}

/// The memory that a process has now, MB (`VmRSS`).
///
/// # Errors
///
/// There is no such process.
pub fn memory_mb(pid: u32) -> Result<f64> {
    memory(pid, "VmRSS:")
}

fn memory(pid: u32, name: &str) -> Result<f64> {
    let file = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&file).with_context(|| format!("can't read {file}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")).with_context(|| format!("no {name}"))?;
    Ok(kilobytes.trim().parse::<f64>()? / 1024.0)
}

/// How many processes wanted a processor in the last minute; 0 where the system doesn't say.
pub fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_process_has_taken_time_and_memory() {
        let own = std::process::id();
        assert!(processor_time(own).unwrap() > Duration::ZERO);
        assert!(peak_mb(own).unwrap() > 1.0);
    }
}
