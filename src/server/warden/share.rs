//! The ceiling where none is said: a share of what the machine, or the control group, has.

use std::fs;

/// Bytes: three quarters of what there is. The rest is for the kernel's buffers of sockets and files, which a control
/// group pays for, too.
pub(super) fn of_this_process() -> u64 {
    share(|path| fs::read_to_string(path).ok())
}

fn share(read: impl Fn(&str) -> Option<String>) -> u64 {
    let machine = read("/proc/meminfo").and_then(|text| total(&text));
    let group = read("/proc/self/cgroup").and_then(|groups| limit(&groups, &read));
    let all = [machine, group].into_iter().flatten().min();
    all.map_or(UNKNOWN, |bytes| bytes / 4 * 3)
}

fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The lowest limit of the group and those that it is in; both versions, as a machine may have both.
fn limit(groups: &str, read: &impl Fn(&str) -> Option<String>) -> Option<u64> {
    let limits = groups.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        match controllers {
            "" => along(path, "/sys/fs/cgroup", "memory.max", read),
            _ if controllers.split(',').any(|it| it == "memory") => {
                along(path, "/sys/fs/cgroup/memory", "memory.limit_in_bytes", read)
            }
            _ => None,
        }
    });
    limits.min()
}

/// From the group up to the root. In a container the path may be one of the host: then only the root is there.
fn along(path: &str, root: &str, file: &str, read: &impl Fn(&str) -> Option<String>) -> Option<u64> {
    let mut path = path.trim_end_matches('/');
    let mut least = None::<u64>;
    loop {
        let limit = read(&format!("{root}{path}/{file}")).and_then(|text| text.trim().parse().ok());
        least = [least, limit].into_iter().flatten().min();
        match path.rfind('/') {
            Some(end) => path = &path[..end],
            None => return least,
        }
    }
}

/// Where the system says nothing.
const UNKNOWN: u64 = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn of(files: &[(&str, &str)]) -> u64 {
        let files: HashMap<_, _> = files.iter().copied().collect();
        share(|path| files.get(path).map(|text| (*text).to_owned()))
    }

    const MEMINFO: (&str, &str) = ("/proc/meminfo", "MemTotal:       8000 kB\nMemFree: 1 kB\n");

    #[test]
    fn the_machine_counts_where_no_group_has_less() {
        assert_eq!(of(&[MEMINFO]), 6_000 * 1024);
        assert_eq!(
            of(&[MEMINFO, ("/proc/self/cgroup", "0::/a.slice\n"), ("/sys/fs/cgroup/a.slice/memory.max", "max\n")]),
            6_000 * 1024
        );
        assert_eq!(of(&[]), UNKNOWN);
    }

    #[test]
    fn the_lowest_limit_on_the_way_up_counts() {
        let groups = ("/proc/self/cgroup", "0::/a.slice/b.service\n");
        let own = ("/sys/fs/cgroup/a.slice/b.service/memory.max", "4096000\n");
        let above = ("/sys/fs/cgroup/a.slice/memory.max", "1024000\n");
        assert_eq!(of(&[MEMINFO, groups, own]), 3_072_000);
        assert_eq!(of(&[MEMINFO, groups, own, above]), 768_000);
        // In a container.
        assert_eq!(of(&[MEMINFO, ("/proc/self/cgroup", "0::/\n"), ("/sys/fs/cgroup/memory.max", "4096\n")]), 3_072);
    }

    #[test]
    fn the_first_version_of_groups_is_read_too() {
        let groups = ("/proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/abc\n1:name=systemd:/x\n");
        let root = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        let own = ("/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "4096000\n");
        assert_eq!(of(&[MEMINFO, groups, root]), 6_000 * 1024);
        assert_eq!(of(&[MEMINFO, groups, root, own]), 3_072_000);
    }
}
