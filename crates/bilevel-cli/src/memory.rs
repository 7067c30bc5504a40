//! The memory of this process.

/// The peak memory of this process so far, in megabytes (10⁶ bytes); None if the system does not
/// report it.
pub(crate) fn peak_mb() -> Option<f64> {
    status_mb("VmHWM:")
}

/// The current memory of this process, likewise.
pub(crate) fn resident_mb() -> Option<f64> {
    status_mb("VmRSS:")
}

fn status_mb(field: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}
