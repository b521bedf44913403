use std::path::PathBuf;

/// The directory that `StateDirectory=` of the unit asks for (systemd.exec(5), `$STATE_DIRECTORY`); of several the first.
pub(in crate::server) fn state_directory() -> Option<PathBuf> {
    let paths = std::env::var_os("STATE_DIRECTORY")?;
    let first = std::env::split_paths(&paths).next()?;
    first.is_absolute().then_some(first)
}
