use crate::config::file::report::Wrong;
use crate::config::file::table::Table;
use crate::config::{AdminListen, Server};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;

pub(super) fn server(table: &Table<'_>) -> Server {
    let written = table.get("workers").and_then(|node| node.integer()).and_then(|n| usize::try_from(n).ok());
    let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    Server {
        workers: written.and_then(NonZeroUsize::new).unwrap_or_else(cores),
        drain: table.duration("drain"),
        upgrade_timeout: table.duration("upgrade_timeout"),
        memory: table.size_if_any("memory"),
        state: table.get("state").and_then(|node| node.file_path()),
    }
}

pub(super) fn admin(table: &Table<'_>) -> Option<AdminListen> {
    let node = table.get("listen")?;
    let dir = &node.report.sources[node.at.source].dir;
    node.parse(|text| match text.strip_prefix("unix:") {
        Some(path) => unix(dir, path).map(AdminListen::Unix),
        None => socket(text).map(AdminListen::Tcp),
    })
}

/// The path of a Unix-domain socket.
pub(super) fn unix(dir: &Path, path: &str) -> Result<std::path::PathBuf, Wrong> {
    let joined = dir.join(path);
    let bytes = joined.as_os_str().len();
    match path {
        "" => Err(Wrong::new("a path must follow `unix:`")),
        path if path.contains('\0') => Err(Wrong::new("a path cannot hold a NUL")),
        _ if bytes > UNIX_PATH_BYTES_MAX => {
            let help = format!("the system takes at most {UNIX_PATH_BYTES_MAX} bytes, this is {bytes}");
            Err(Wrong::new("the path is too long for a Unix-domain socket").help(help))
        }
        _ => Ok(joined),
    }
}

/// An IP address with a port.
pub(super) fn socket(text: &str) -> Result<SocketAddr, Wrong> {
    text.parse().map_err(|_| {
        let wrong = Wrong::new("this is not an IP address with a port");
        match text.rsplit_once(':') {
            Some(("" | "*", port)) if port.parse::<u16>().is_ok() => {
                wrong.label(format!("did you mean `0.0.0.0:{port}`?"))
            }
            Some(("localhost", port)) => wrong.label(format!("did you mean `127.0.0.1:{port}`?")),
            _ => match text.parse::<std::net::IpAddr>() {
                Ok(std::net::IpAddr::V6(ip)) => wrong.label(format!("did you mean `[{ip}]:8080`?")),
                Ok(ip) => wrong.label(format!("did you mean `{ip}:8080`?")),
                Err(_) => wrong,
            },
        }
        .help("wanted: an address such as \"127.0.0.1:8080\", \"0.0.0.0:8080\" or \"[::]:8080\"")
    })
}

/// `sun_path` of sockaddr_un is 108 bytes with its NUL.
const UNIX_PATH_BYTES_MAX: usize = 107;
