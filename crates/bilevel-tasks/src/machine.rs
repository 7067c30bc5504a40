//! The memory of this machine.

use std::fs;

/// The bytes that a process can still take without others being moved to disk, within the limit of its control group;
/// None if the system does not say.
#[must_use]
pub fn available_memory() -> Option<usize> {
    let machine = kibibytes("/proc/meminfo", "MemAvailable:");
    let group = control_group();
    match (machine, group) {
        (Some(machine), Some(group)) => Some(machine.min(group)),
        (one, other) => one.or(other),
    }
}

/// The memory of this process, in bytes; None if the system does not say.
#[must_use]
pub fn resident_memory() -> Option<usize> {
    kibibytes("/proc/self/status", "VmRSS:")
}

/// The largest memory of this process so far, in bytes; None if the system does not say.
#[must_use]
pub fn peak_memory() -> Option<usize> {
    kibibytes("/proc/self/status", "VmHWM:")
}

fn kibibytes(file: &str, field: &str) -> Option<usize> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    let kibibytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// What the control group leaves (version 2, then version 1).
fn control_group() -> Option<usize> {
    let number =
        |path: &str| -> Option<usize> { fs::read_to_string(path).ok()?.trim().parse().ok() };
    let folder = "/sys/fs/cgroup";
    [
        ("memory.max", "memory.current"),
        (
            "memory/memory.limit_in_bytes",
            "memory/memory.usage_in_bytes",
        ),
    ]
    .into_iter()
    .find_map(|(limit, used)| {
        let limit = number(&format!("{folder}/{limit}"))?;
        Some(limit.saturating_sub(number(&format!("{folder}/{used}"))?))
    })
}
