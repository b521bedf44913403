use crate::config::AdminListen;
use socket2::{Domain, SockAddr, Socket, Type};
use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// A bound admin listener.
#[derive(Debug)]
pub enum AdminListener {
    /// An address.
    Tcp(TcpListener),
    /// A Unix-domain socket; its file goes away with it.
    Unix(UnixListener, SocketFile),
}

/// The file of a Unix-domain socket, removed on drop if it is still ours.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and inode: a successor may have put its own file there.
    identity: (u64, u64),
    is_ours: bool,
}

impl SocketFile {
    fn at(path: PathBuf) -> io::Result<SocketFile> {
        Ok(SocketFile { identity: identity(&path)?, path, is_ours: true })
    }

    /// Whether it goes away with this value, or somebody else removes it.
    pub(super) fn set_ours(&mut self, is_ours: bool) {
        self.is_ours = is_ours;
    }
}

/// Binds the admin listener.
///
/// A socket file that nobody listens on is replaced; the new one may be used by this user only.
///
/// # Errors
/// The address cannot be bound; `AddrInUse`: a process listens on the socket; `AlreadyExists`: what is there is no
/// socket, and is left alone.
pub fn bind(listen: &AdminListen) -> io::Result<AdminListener> {
    let listener = match listen {
        AdminListen::Tcp(address) => AdminListener::Tcp(TcpListener::bind(address)?),
        AdminListen::Unix(path) => bind_unix(path)?,
    };
    listener.nonblocking()
}

/// Makes a listener of a socket that another process bound there. Its file stays that process's until
/// [`Admin::begin`](super::Admin::begin).
///
/// # Errors
/// The file is gone, and cannot be bound anew; or the socket has no descriptor to be had.
pub fn adopt(listen: &AdminListen, socket: OwnedFd) -> io::Result<AdminListener> {
    let listener = match listen {
        AdminListen::Tcp(_) => AdminListener::Tcp(socket.into()),
        AdminListen::Unix(path) => match SocketFile::at(path.clone()) {
            Ok(mut file) => {
                file.set_ours(false);
                AdminListener::Unix(socket.into(), file)
            }
            Err(_) => bind_unix(path)?,
        },
    };
    listener.nonblocking()
}

/// Removes the file of a socket that another process bound and handed over for good.
pub fn retire(path: &Path) {
    drop(SocketFile::at(path.to_owned()));
}

impl AdminListener {
    fn nonblocking(self) -> io::Result<AdminListener> {
        match &self {
            AdminListener::Tcp(tcp) => tcp.set_nonblocking(true)?,
            AdminListener::Unix(unix, _) => unix.set_nonblocking(true)?,
        }
        Ok(self)
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        match self {
            AdminListener::Tcp(tcp) => tcp.as_fd(),
            AdminListener::Unix(unix, _) => unix.as_fd(),
        }
    }

    /// Where it listens, for messages.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            AdminListener::Tcp(tcp) => tcp.local_addr().map_or_else(|_| "?".into(), |address| address.to_string()),
            AdminListener::Unix(_, file) => format!("unix:{}", file.path.display()),
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.is_ours && identity(&self.path).is_ok_and(|there| there == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Binds beside the path and renames: the path never names a socket that others may use, or none at all.
fn bind_unix(path: &Path) -> io::Result<AdminListener> {
    refuse_what_is_used(path)?;
    let mut beside = OsString::from(path);
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let _ = fs::remove_file(&beside);
    let listener = UnixListener::bind(&beside)?;
    // From here on the file is removed again if anything fails.
    let mut file = SocketFile::at(beside)?;
    fs::set_permissions(&file.path, fs::Permissions::from_mode(SOCKET_MODE))?;
    fs::rename(&file.path, path)?;
    file.path = path.to_owned();
    Ok(AdminListener::Unix(listener, file))
}

fn refuse_what_is_used(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(()),
        Err(why) => return Err(why),
        Ok(there) if !there.file_type().is_socket() => {
            return Err(io::Error::new(ErrorKind::AlreadyExists, "there is a file, and it is no socket"));
        }
        Ok(_) => {}
    }
    // Non-blocking: a process that hangs with a full backlog lives.
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(why) if why.kind() == ErrorKind::ConnectionRefused => Ok(()),
        Err(why) if why.kind() == ErrorKind::PermissionDenied => Err(why),
        _ => Err(io::Error::new(ErrorKind::AddrInUse, "another process listens on it")),
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|there| (there.dev(), there.ino()))
}

const SOCKET_MODE: u32 = 0o600;

#[cfg(test)]
mod tests {
    use super::*;

    fn unix(path: &Path) -> io::Result<AdminListener> {
        bind(&AdminListen::Unix(path.to_owned()))
    }

    #[test]
    fn a_socket_is_for_this_user_only_and_goes_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.sock");
        let listener = unix(&path).unwrap();
        assert_eq!(fs::symlink_metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        drop(listener);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_socket_that_lives_is_refused_and_a_stale_one_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.sock");
        let living = UnixListener::bind(&path).unwrap();
        assert_eq!(unix(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
        // The standard library leaves the file behind.
        drop(living);
        let listener = unix(&path).unwrap();
        std::os::unix::net::UnixStream::connect(&path).unwrap();
        drop(listener);
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.sock");
        fs::write(&path, "precious").unwrap();
        assert_eq!(unix(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn the_socket_of_a_successor_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.sock");
        let old = unix(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let new = UnixListener::bind(&path).unwrap();
        drop(old);
        assert!(path.exists());
        drop(new);
    }
}
