use super::NameError;
use super::wire_name::WireName;
use std::io::{ErrorKind, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the system says about names, read afresh for each question: `resolv.conf(5)` and `hosts(5)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct System {
    /// Asked in this order.
    pub(super) servers: Vec<SocketAddr>,
    /// Domains that short names are looked for in.
    pub(super) search: Vec<WireName>,
    /// A name with so many dots is looked for as it stands first.
    pub(super) ndots: usize,
    /// How long one server may take.
    pub(super) patience: Duration,
    /// How often all servers are asked.
    pub(super) attempts: usize,
    /// Whether datagrams are not used.
    pub(super) tcp: bool,
    /// The text of the file of hosts.
    pub(super) hosts: String,
}

/// Where the system says it.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) resolv: PathBuf,
    pub(super) hosts: PathBuf,
}

impl Default for Files {
    fn default() -> Self {
        Files { resolv: "/etc/resolv.conf".into(), hosts: "/etc/hosts".into() }
    }
}

/// Of a file; what comes after is not read.
const FILE_MAX_BYTES: u64 = 4 * 1024 * 1024;

/// As the C library has it (MAXNS).
const SERVERS_MAX: usize = 3;

/// Domains of `search`.
const SEARCH_MAX: usize = 32;

/// For how long one server is waited for, where `options timeout:` says nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// The highest `options ndots:` (`resolv.conf(5)`, as the next two).
const NDOTS_MAX: usize = 15;

/// The highest `options attempts:`.
const ATTEMPTS_MAX: usize = 5;

/// The highest `options timeout:`.
const PATIENCE_MAX_SECS: u64 = 30;

const PORT: u16 = 53;

impl System {
    /// A file that is not there says nothing.
    ///
    /// # Errors
    /// A file cannot be read for another reason.
    pub(super) fn read(files: &Files) -> Result<System, NameError> {
        let mut system = System::parse(&text(&files.resolv)?);
        system.hosts = text(&files.hosts)?;
        Ok(system)
    }

    /// `resolv.conf(5)`: what is not understood is passed over, as the C library does.
    pub(super) fn parse(text: &str) -> System {
        let mut system = System {
            servers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
            patience: PATIENCE,
            attempts: 2,
            tcp: false,
            hosts: String::new(),
        };
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => system.servers.extend(words.next().and_then(server)),
                Some("search") => system.search = words.filter_map(WireName::parse).take(SEARCH_MAX).collect(),
                Some("domain") => system.search = words.take(1).filter_map(WireName::parse).collect(),
                Some("options") => words.for_each(|option| system.set(option)),
                _ => {}
            }
        }
        system.servers.truncate(SERVERS_MAX);
        if system.servers.is_empty() {
            system.servers.push((Ipv4Addr::LOCALHOST, PORT).into());
        }
        system
    }

    fn set(&mut self, option: &str) {
        match option.split_once(':') {
            None => self.tcp |= option == "use-vc",
            Some(("ndots", value)) => self.ndots = value.parse().unwrap_or(self.ndots).min(NDOTS_MAX),
            Some(("attempts", value)) => self.attempts = value.parse().unwrap_or(self.attempts).clamp(1, ATTEMPTS_MAX),
            Some(("timeout", value)) => {
                let seconds: u64 = value.parse().unwrap_or(self.patience.as_secs());
                self.patience = Duration::from_secs(seconds.clamp(1, PATIENCE_MAX_SECS));
            }
            Some(_) => {}
        }
    }

    /// What `hosts(5)` says, in its order; `localhost` is the loopback whatever the file lacks (RFC 6761 §6.3).
    pub(super) fn hosts(&self, name: &str) -> Vec<IpAddr> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let found: Vec<IpAddr> = self.hosts.lines().filter_map(|line| host(line, name)).collect();
        let local = |name: &str| name.eq_ignore_ascii_case("localhost");
        if found.is_empty() && (local(name) || name.rsplit_once('.').is_some_and(|(_, last)| local(last))) {
            return vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        }
        found
    }
}

fn text(path: &Path) -> Result<String, NameError> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(FILE_MAX_BYTES).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(NameError::System(format!("{} cannot be read: {error}", path.display()))),
    }
}

/// An address; one of a link's own may name the link by its number.
fn server(word: &str) -> Option<SocketAddr> {
    if let Some((address, scope)) = word.split_once('%') {
        return Some(SocketAddrV6::new(address.parse().ok()?, PORT, 0, scope.parse().ok()?).into());
    }
    Some((word.parse::<IpAddr>().ok()?, PORT).into())
}

fn host(line: &str, name: &str) -> Option<IpAddr> {
    let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
    let address = words.next()?;
    words.any(|word| word.eq_ignore_ascii_case(name)).then(|| address.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(names: &[&str]) -> Vec<WireName> {
        names.iter().map(|name| WireName::parse(name).unwrap()).collect()
    }

    #[test]
    fn the_systems_file_is_read_as_the_manual_says() {
        let system = System::parse(
            "# a comment\n; another\nnameserver 10.0.0.1\nnameserver fd00::1 # primary\nnameserver fe80::1%2\nnameserver 10.0.0.9\n\
             domain lost.test\nsearch a.test b.test.\noptions ndots:5 timeout:3 attempts:4 use-vc rotate edns0\n",
        );
        assert_eq!(system.servers, ["10.0.0.1:53", "[fd00::1]:53", "[fe80::1%2]:53"].map(|a| a.parse().unwrap()));
        assert_eq!(system.search, names(&["a.test", "b.test"]));
        assert_eq!((system.ndots, system.attempts, system.patience), (5, 4, Duration::from_secs(3)));
        assert!(system.tcp);
    }

    #[test]
    fn an_empty_file_means_the_server_on_this_machine() {
        let system = System::parse("");
        assert_eq!(system.servers, ["127.0.0.1:53".parse().unwrap()]);
        assert_eq!((system.search.len(), system.ndots, system.attempts, system.tcp), (0, 1, 2, false));
        let absent = Files { resolv: "/nowhere/resolv.conf".into(), hosts: "/nowhere/hosts".into() };
        assert_eq!(System::read(&absent), Ok(system));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_said_with_its_name() {
        let folder = Files { resolv: "/".into(), hosts: "/nowhere".into() };
        assert!(System::read(&folder).unwrap_err().to_string().starts_with("/ cannot be read: "));
    }

    #[test]
    fn values_out_of_range_are_held_within_it() {
        let system = System::parse("options ndots:99 timeout:0 attempts:0\noptions timeout:x attempts:\n");
        assert_eq!((system.ndots, system.attempts, system.patience), (15, 1, Duration::from_secs(1)));
    }

    #[test]
    fn a_host_has_all_the_addresses_that_the_file_gives_it() {
        let mut system = System::parse("");
        "127.0.0.1 localhost\n10.0.0.1\tapp App.Test # web\nfd00::1 app\n# 10.0.0.2 app\nnonsense app\n10.0.0.3 application"
            .clone_into(&mut system.hosts);
        assert_eq!(system.hosts("APP"), ["10.0.0.1", "fd00::1"].map(|a| a.parse::<IpAddr>().unwrap()));
        assert_eq!(system.hosts("app.test."), ["10.0.0.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(system.hosts("localhost"), ["127.0.0.1".parse::<IpAddr>().unwrap()]);
        assert!(system.hosts("web").is_empty());
    }

    #[test]
    fn localhost_needs_no_file() {
        let system = System::parse("");
        let loopback = ["127.0.0.1", "::1"].map(|a| a.parse::<IpAddr>().unwrap());
        for name in ["localhost", "LocalHost.", "app.localhost"] {
            assert_eq!(system.hosts(name), loopback, "{name}");
        }
        assert!(system.hosts("localhost.test").is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_read_within_bounds(text in "(nameserver|search|options|ndots:|timeout:|[0-9.:% a\n]){0,40}") {
            let system = System::parse(&text);
            prop_assert!((1..=SERVERS_MAX).contains(&system.servers.len()));
            prop_assert!((1..=ATTEMPTS_MAX).contains(&system.attempts));
            prop_assert!(system.patience >= Duration::from_secs(1) && system.search.len() <= SEARCH_MAX);
            let _ = host(&text, "a");
        }
    }
}
