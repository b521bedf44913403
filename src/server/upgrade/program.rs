use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::{env, fs};

/// How this process was started, so that it can be started again after the file was replaced.
#[derive(Clone, Debug)]
pub(in crate::server) struct Program {
    /// Of the binary, with all symbolic links that led to it: another one may lie behind them by then.
    pub(super) path: PathBuf,
    /// What the process was called.
    pub(super) name: OsString,
    pub(super) arguments: Vec<OsString>,
}

impl Program {
    /// To be called at the start: later on, the system may know the path only as that of a deleted file.
    pub(in crate::server) fn of_this_process() -> Program {
        let mut arguments = env::args_os();
        let name = arguments.next().unwrap_or_else(|| "weir".into());
        let running = env::current_exe().unwrap_or_else(|_| PathBuf::from(&name));
        let directory = env::current_dir().unwrap_or_default();
        let path = find(&name, &running, env::var_os("PATH").as_deref(), &directory);
        Program { path, name, arguments: arguments.collect() }
    }
}

/// Where `name` led to when it led to `running`; what a process calls itself may be anything.
fn find(name: &OsStr, running: &Path, search: Option<&OsStr>, directory: &Path) -> PathBuf {
    let is_path = Path::new(name).components().count() > 1 || Path::new(name).is_absolute();
    let candidates: Vec<PathBuf> = match (is_path, search) {
        (true, _) => vec![directory.join(name)],
        (false, Some(search)) => env::split_paths(search).map(|folder| directory.join(folder).join(name)).collect(),
        (false, None) => Vec::new(),
    };
    let leads_there = |path: &PathBuf| fs::canonicalize(path).is_ok_and(|real| real == running);
    candidates.into_iter().find(leads_there).unwrap_or_else(|| running.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_link_is_kept_so_that_it_may_be_led_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        let real = root.join("weir-1");
        fs::write(&real, "").unwrap();
        fs::create_dir(root.join("bin")).unwrap();
        symlink(&real, root.join("bin/weir")).unwrap();
        fs::write(root.join("other"), "").unwrap();
        let search = OsString::from("/nowhere:bin");
        let found = |name: &str| find(name.as_ref(), &real, Some(&search), &root);
        assert_eq!(found("bin/weir"), root.join("bin/weir"));
        assert_eq!(found("./weir-1"), root.join("./weir-1"));
        assert_eq!(found("weir"), root.join("bin/weir"));
        for false_name in ["other", "./other", "-weir", ""] {
            assert_eq!(found(false_name), real, "{false_name}");
        }
        assert_eq!(find("weir".as_ref(), &real, None, &root), real);
    }
}
