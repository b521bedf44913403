use super::RunError;
use super::listener::{bind, is_taken};
use super::systemd::Passed;
use super::upgrade::Slot;
use crate::config::{AdminListen, Config};
use socket2::SockRef;
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// Listening sockets that this process did not bind.
#[derive(Debug, Default)]
pub(super) struct Inherited {
    /// From systemd, perhaps by way of another process. They are kept, also while no listener wants them: systemd holds
    /// them too, so that nobody could bind their address again.
    given: HashMap<SocketAddr, Vec<TcpListener>>,
    given_unix: HashMap<PathBuf, UnixListener>,
    /// From the process before, in the order of its workers.
    handed: HashMap<SocketAddr, Vec<TcpListener>>,
    handed_admin: Option<(String, OwnedFd)>,
    /// The lock of the state directory on that path, or the memory that stands for it.
    handed_state: Option<(Option<PathBuf>, OwnedFd)>,
    /// What nobody can use.
    strange: Vec<String>,
}

/// By address, the sockets of each worker.
pub(super) type Shares = HashMap<SocketAddr, Vec<Vec<TcpListener>>>;

impl Inherited {
    pub(super) fn from_systemd(passed: Vec<Passed>) -> Inherited {
        let mut inherited = Inherited::default();
        for socket in passed {
            match socket {
                Passed::Tcp(address, socket) => inherited.given.entry(address).or_default().push(socket),
                Passed::Unix(path, socket) => drop(inherited.given_unix.insert(path, socket)),
                Passed::Other(name) => inherited.strange.push(name),
            }
        }
        inherited
    }

    pub(super) fn from_predecessor(sockets: Vec<(Slot, OwnedFd)>) -> Inherited {
        let mut inherited = Inherited::default();
        for (slot, socket) in sockets {
            match slot {
                Slot::Listener(address) => inherited.handed.entry(address).or_default().push(socket.into()),
                Slot::Given(address) => inherited.given.entry(address).or_default().push(socket.into()),
                Slot::GivenUnix(path) => drop(inherited.given_unix.insert(path, socket.into())),
                Slot::Admin(name) => inherited.handed_admin = Some((name, socket)),
                Slot::State(path) => inherited.handed_state = Some((Some(path), socket)),
                Slot::Memory => inherited.handed_state = Some((None, socket)),
                Slot::Unknown => {}
            }
        }
        inherited
    }

    /// Sockets for each of these addresses: the inherited ones, or new ones, one a worker. `own` are served already.
    ///
    /// # Errors
    /// An address cannot be bound, or there are no more descriptors.
    pub(super) fn shares(
        &mut self,
        addresses: impl IntoIterator<Item = SocketAddr>,
        workers: NonZeroUsize,
        own: &[SocketAddr],
    ) -> Result<Shares, RunError> {
        let mut shares = Shares::new();
        for address in addresses {
            let sockets = self.sockets(address, workers, own).map_err(|error| RunError::Bind(address, error))?;
            shares.insert(address, deal(sockets, workers));
        }
        Ok(shares)
    }

    fn sockets(
        &mut self,
        address: SocketAddr,
        workers: NonZeroUsize,
        own: &[SocketAddr],
    ) -> io::Result<Vec<TcpListener>> {
        if let Some(given) = self.given.get(&address) {
            // Workers share them: sockets of our own beside them would keep connections when the process is stopped.
            return (0..given.len().max(workers.get())).map(|i| given[i % given.len()].try_clone()).collect();
        }
        if let Some(mut handed) = self.handed.remove(&address) {
            let is_shared = SockRef::from(&handed[0]).reuse_port()?;
            for i in handed.len()..workers.get() {
                // Who may not bind here any more shares what there is.
                let more = if is_shared { bind(address).ok() } else { None };
                handed.push(more.map_or_else(|| handed[i % handed.len()].try_clone(), Ok)?);
            }
            return Ok(handed);
        }
        // Our own socket on another address of that port is no reason to refuse this one.
        if !own.iter().chain(self.handed.keys()).any(|other| overlap(*other, address)) {
            is_taken(address)?;
        }
        (0..workers.get()).map(|_| bind(address)).collect()
    }

    /// The admin listener's socket, if it is an inherited one, and whether its file is somebody else's.
    ///
    /// # Errors
    /// There are no more descriptors.
    pub(super) fn admin(&mut self, listen: &AdminListen) -> io::Result<Option<(OwnedFd, bool)>> {
        if let Some(given) = self.given_admin(listen) {
            return Ok(Some((given.try_clone_to_owned()?, true)));
        }
        let handed = self.handed_admin.take_if(|(name, _)| *name == listen.to_string());
        Ok(handed.map(|(_, socket)| (socket, false)))
    }

    /// The admin listener's socket, if systemd gave it.
    pub(super) fn given_admin(&self, listen: &AdminListen) -> Option<BorrowedFd<'_>> {
        match listen {
            AdminListen::Tcp(address) => self.given.get(address)?.first().map(AsFd::as_fd),
            AdminListen::Unix(path) => self.given_unix.get(path).map(AsFd::as_fd),
        }
    }

    /// The lock of the state directory, or the memory that stands for it, if the process before had it.
    pub(super) fn state(&mut self, path: Option<&Path>) -> Option<OwnedFd> {
        self.handed_state.take_if(|(theirs, _)| theirs.as_deref() == path).map(|(_, descriptor)| descriptor)
    }

    /// Takes note that this process serves, and lets go of what it does not want.
    pub(super) fn settle(&mut self) {
        self.handed.clear();
        self.handed_state = None;
        if let Some(Ok(AdminListen::Unix(path))) = self.handed_admin.take().map(|(name, _)| name.parse()) {
            crate::admin::retire(&path);
        }
    }

    /// What is to be handed over beside the sockets of workers, each once more.
    ///
    /// # Errors
    /// There are no more descriptors.
    pub(super) fn slots(&self) -> io::Result<Vec<(Slot, OwnedFd)>> {
        let mut slots = Vec::new();
        for (address, sockets) in &self.given {
            for socket in sockets {
                slots.push((Slot::Given(*address), socket.try_clone()?.into()));
            }
        }
        for (path, socket) in &self.given_unix {
            slots.push((Slot::GivenUnix(path.clone()), socket.try_clone()?.into()));
        }
        Ok(slots)
    }

    /// Whether workers share the sockets of that address, which [`slots`](Self::slots) gives.
    pub(super) fn is_given(&self, address: SocketAddr) -> bool {
        self.given.contains_key(&address)
    }

    /// What was given and is of no use.
    pub(super) fn unwanted(&self, config: &Config) -> Vec<String> {
        let wants = |address: &SocketAddr| {
            config.listeners.iter().any(|listener| listener.address == *address)
                || config.admin == Some(AdminListen::Tcp(*address))
        };
        let tcp = self.given.keys().filter(|address| !wants(address));
        let unix = self.given_unix.keys().filter(|path| config.admin != Some(AdminListen::Unix((*path).clone())));
        let names = tcp.map(ToString::to_string).chain(unix.map(|path| path.display().to_string()));
        let nobody = names.map(|name| format!("a socket on {name} was passed, but no listener has that address"));
        let strange = self.strange.iter().map(|name| format!("the passed socket {name} is none that listens on TCP"));
        nobody.chain(strange).collect()
    }
}

/// Each worker at least one, and each socket to a worker.
fn deal(sockets: Vec<TcpListener>, workers: NonZeroUsize) -> Vec<Vec<TcpListener>> {
    let mut shares: Vec<Vec<TcpListener>> = (0..workers.get()).map(|_| Vec::new()).collect();
    for (i, socket) in sockets.into_iter().enumerate() {
        shares[i % workers].push(socket);
    }
    shares
}

/// Whether connections to one of them could come to the other.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let is_whole = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && one.is_ipv4() == other.is_ipv4() && (is_whole || one.ip() == other.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();
    const THREE: NonZeroUsize = NonZeroUsize::new(3).unwrap();

    fn handed(sockets: Vec<TcpListener>) -> (SocketAddr, Inherited) {
        let address = sockets[0].local_addr().unwrap();
        let slots = sockets.into_iter().map(|socket| (Slot::Listener(address), socket.into())).collect();
        (address, Inherited::from_predecessor(slots))
    }

    /// So many sockets of one address, as a process before would have bound them.
    fn bound(count: usize) -> Vec<TcpListener> {
        let first = bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = first.local_addr().unwrap();
        std::iter::once(first).chain((1..count).map(|_| bind(address).unwrap())).collect()
    }

    fn counts(inherited: &mut Inherited, address: SocketAddr, workers: NonZeroUsize) -> Vec<usize> {
        let shares = inherited.shares([address], workers, &[]).unwrap();
        for socket in shares[&address].iter().flatten() {
            assert_eq!(socket.local_addr().unwrap(), address);
        }
        shares[&address].iter().map(Vec::len).collect()
    }

    #[test]
    fn every_socket_that_was_handed_over_is_served_by_some_worker() {
        let (address, mut inherited) = handed(bound(5));
        assert_eq!(counts(&mut inherited, address, TWO), [3, 2]);
    }

    #[test]
    fn more_workers_than_sockets_bind_more_on_our_own_address() {
        let (address, mut inherited) = handed(bound(1));
        assert_eq!(counts(&mut inherited, address, THREE), [1, 1, 1]);
    }

    #[test]
    fn a_socket_that_cannot_be_bound_beside_is_shared() {
        let (address, mut inherited) = handed(vec![TcpListener::bind("127.0.0.1:0").unwrap()]);
        assert_eq!(counts(&mut inherited, address, THREE), [1, 1, 1]);
    }

    #[test]
    fn sockets_of_systemd_are_shared_kept_and_handed_on() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let mut inherited = Inherited::from_systemd(vec![Passed::Tcp(address, socket), Passed::Other("dns".into())]);
        for _ in 0..2 {
            assert_eq!(counts(&mut inherited, address, TWO), [1, 1]);
            inherited.settle();
        }
        let slots = inherited.slots().unwrap();
        assert!(matches!(slots.as_slice(), [(Slot::Given(at), _)] if *at == address));
        let mut next = Inherited::from_predecessor(slots);
        assert_eq!(counts(&mut next, address, TWO), [1, 1]);
        assert!(next.is_given(address));
        assert!(next.admin(&AdminListen::Tcp(address)).unwrap().is_some_and(|(_, is_foreign)| is_foreign));
    }

    #[test]
    fn an_address_that_others_serve_is_refused_and_one_of_ours_is_not() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = other.local_addr().unwrap();
        let mut inherited = Inherited::default();
        assert!(matches!(inherited.shares([taken], TWO, &[]), Err(RunError::Bind(at, _)) if at == taken));
        let ours = bound(2);
        let own = ours[0].local_addr().unwrap();
        let whole = SocketAddr::from(([0, 0, 0, 0], own.port()));
        assert!(inherited.shares([whole], TWO, &[]).is_err());
        assert!(inherited.shares([whole], TWO, &[own]).is_ok());
    }

    #[test]
    fn addresses_overlap_if_one_holds_the_other() {
        let overlap = |one: &str, other: &str| overlap(one.parse().unwrap(), other.parse().unwrap());
        assert!(overlap("0.0.0.0:80", "127.0.0.1:80") && overlap("[::1]:80", "[::]:80"));
        assert!(!overlap("0.0.0.0:80", "127.0.0.1:81") && !overlap("0.0.0.0:80", "[::1]:80"));
        assert!(!overlap("127.0.0.2:80", "127.0.0.1:80"));
    }
}
