//! How much memory the process holds, by the kernel's word.

/// Bytes that belong to the process alone, in memory or swapped out; not the pages of its program, which are the file's.
/// `None` where the kernel does not say.
pub(super) fn held() -> Option<u64> {
    held_in(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// Whether memory may come in huge pages, as far as this process is concerned. It inherits that from the one that started it.
pub(super) fn has_huge_pages() -> bool {
    !rustix::thread::transparent_huge_pages_are_disabled().unwrap_or(false)
}

/// Has memory that is used from now on come in huge pages where the system gives them, or not; `false` where that cannot be said.
pub(super) fn allow_huge_pages(allowed: bool) -> bool {
    rustix::thread::disable_transparent_huge_pages(!allowed).is_ok()
}

fn held_in(status: &str) -> Option<u64> {
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        kibibytes.checked_mul(1024)
    };
    // Kernels without swap do not list it.
    Some(bytes("RssAnon:")? + bytes("VmSwap:").unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_memory_and_what_is_swapped_out_is_held() {
        let status = "VmRSS:\t  99 kB\nRssAnon:\t      12 kB\nRssFile:\t 87 kB\nVmSwap:\t       3 kB\n";
        assert_eq!(held_in(status), Some(15 * 1024));
        assert_eq!(held_in("RssAnon:\t 12 kB\n"), Some(12 * 1024));
        assert_eq!(held_in("VmRSS:\t 12 kB\n"), None);
        assert!(held().is_none_or(|bytes| bytes > 4096));
    }
}
