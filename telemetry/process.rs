//! The figures of this process. On Linux they come from `/proc/self`; other systems have the limit on file handles and the
//! processor time only.

use std::time::Instant;

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::list::metric::{
    ProcessCpu, ProcessFiles, ProcessFilesLimit, ProcessMemory, ProcessUptime,
};

/// Brings the figures up to date. `started` is the start of the process.
pub fn measure(started: Instant) {
    if let Some(bytes) = memory() {
        ProcessMemory {}.set(bytes as f64);
    }
    if let Some(files) = files() {
        ProcessFiles {}.set(files as f64);
    }
    if let Some(limit) = getrlimit(Resource::Nofile).current {
        ProcessFilesLimit {}.set(limit as f64);
    }
    ProcessUptime {}.set(started.elapsed().as_secs_f64());
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    ProcessCpu {}.reach(cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9);
}

/// Bytes in RAM.
fn memory() -> Option<u64> {
    resident(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn resident(status: &str) -> Option<u64> {
    let rest = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Open file handles.
fn files() -> Option<usize> {
    let open = std::fs::read_dir("/proc/self/fd").ok()?.count();
    // One of them reads the folder.
    open.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_in_ram_is_read_from_the_status() {
        let status = "Name:\tx\nVmHWM:\t   20 kB\nVmRSS:\t   12 kB\nThreads:\t3\n";
        assert_eq!(resident(status), Some(12 * 1024));
        assert_eq!(resident("Name:\tx\n"), None);
        assert_eq!(resident("VmRSS:\tmany\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_open_file_is_counted() {
        let file = std::fs::File::open("/proc/self/status").expect("open");
        assert!(files().expect("counted") >= 1);
        assert!(memory().expect("read") > 100_000);
        drop(file);
    }
}
