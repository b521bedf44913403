use listenfd::ListenFd;
use socket2::SockRef;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

/// A socket that the service manager bound.
#[derive(Debug)]
pub(in crate::server) enum Passed {
    /// On an address.
    Tcp(SocketAddr, TcpListener),
    /// On a path.
    Unix(PathBuf, UnixListener),
    /// What nobody here can use; its name.
    Other(String),
}

/// All that were passed to this process. To be called before it opens anything itself.
pub(in crate::server) fn passed() -> Vec<Passed> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut sockets = ListenFd::from_env();
    (0..sockets.len()).map(|index| one(&mut sockets, index, names.next().unwrap_or_default())).collect()
}

fn one(sockets: &mut ListenFd, index: usize, name: &str) -> Passed {
    if let Ok(Some(socket)) = sockets.take_tcp_listener(index) {
        let usable = socket.set_nonblocking(true).and_then(|()| SockRef::from(&socket).is_listener());
        if let (Ok(address), Ok(true)) = (socket.local_addr(), usable) {
            return Passed::Tcp(address, socket);
        }
    } else if let Ok(Some(socket)) = sockets.take_unix_listener(index) {
        let path = socket.local_addr().ok().and_then(|address| address.as_pathname().map(PathBuf::from));
        let usable = socket.set_nonblocking(true).and_then(|()| SockRef::from(&socket).is_listener());
        if let (Some(path), Ok(true)) = (path, usable) {
            return Passed::Unix(path, socket);
        }
    }
    Passed::Other(if name.is_empty() { format!("number {}", index + 1) } else { name.to_owned() })
}
