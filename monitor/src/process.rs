//! What the process takes of its machine, under the names that all Prometheus clients use. On Linux alone.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Levels of the process.
#[derive(Default)]
pub(crate) struct Process {
    cpu_seconds: Counter<f64, AtomicU64>,
    resident_bytes: Gauge,
    virtual_bytes: Gauge,
    open_files: Gauge,
    threads: Gauge,
    start_seconds: Gauge<f64, AtomicU64>,
}

impl Process {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let own = registry.sub_registry_with_prefix("process");
        own.register("cpu_seconds", "Processor time of the process, user and system", self.cpu_seconds.clone());
        own.register("resident_memory_bytes", "Resident memory", self.resident_bytes.clone());
        own.register("virtual_memory_bytes", "Virtual memory", self.virtual_bytes.clone());
        own.register("open_fds", "Open file descriptors", self.open_files.clone());
        own.register("threads", "Threads", self.threads.clone());
        own.register("start_time_seconds", "When the process began, in seconds since 1970", self.start_seconds.clone());
    }

    /// Sets the levels as they are now. What cannot be read stays as it was.
    #[cfg(target_os = "linux")]
    pub(crate) fn look(&self) {
        let Ok(process) = procfs::process::Process::myself() else { return };
        let level = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        if let Ok(stat) = process.stat() {
            let ticks = procfs::ticks_per_second().max(1) as f64;
            let used = (stat.utime + stat.stime) as f64 / ticks;
            self.cpu_seconds.inc_by((used - self.cpu_seconds.get()).max(0.0));
            self.resident_bytes.set(level(stat.rss.saturating_mul(procfs::page_size())));
            self.virtual_bytes.set(level(stat.vsize));
            self.threads.set(stat.num_threads);
            if let Ok(booted) = procfs::boot_time_secs() {
                self.start_seconds.set(booted as f64 + stat.starttime as f64 / ticks);
            }
        }
        if let Ok(open) = process.fd_count() {
            self.open_files.set(level(open as u64));
        }
    }

    /// Nothing is known here.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn look(&self) {}
}
