use super::client::Client;
use super::system::{Files, System};
use super::{Answer, Found, NameError, host, srv};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// The addresses of a host, IPv4 and IPv6.
    Host {
        /// Its name; with a final dot, no search domain is tried.
        name: String,
        /// Of each address.
        port: u16,
    },
    /// The backends of a service, such as `_http._tcp.shop.example` (RFC 2782).
    Srv(String),
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Question::Host { name, port } => write!(f, "{name}:{port}"),
            Question::Srv(name) => write!(f, "srv:{name}"),
        }
    }
}

/// Asks the name servers, after the system's file of hosts. It keeps nothing between two questions.
#[derive(Debug)]
pub struct Resolver {
    servers: Vec<SocketAddr>,
    files: Files,
    slots: Arc<Semaphore>,
}

/// For how long one question is asked at most, all servers, domains, aliases and targets together.
pub const ASK_TIMEOUT: Duration = Duration::from_secs(15);

/// Queries in flight at once, over all questions: each has a socket.
const QUERIES_MAX: usize = 64;

impl Resolver {
    /// Asks `servers`, or those of `/etc/resolv.conf` if there are none. All else that the system says is followed either
    /// way, and read again for each question.
    ///
    /// # Errors
    /// `/etc/resolv.conf` or `/etc/hosts` is there, but cannot be read.
    pub fn new(servers: &[SocketAddr]) -> Result<Resolver, NameError> {
        Resolver::with_files(servers, Files::default())
    }

    pub(super) fn with_files(servers: &[SocketAddr], files: Files) -> Result<Resolver, NameError> {
        System::read(&files)?;
        Ok(Resolver { servers: servers.to_vec(), files, slots: Arc::new(Semaphore::new(QUERIES_MAX)) })
    }

    /// What the name stands for now; never an empty answer. Takes [`ASK_TIMEOUT`] at most, and ends when it is dropped.
    /// It reads two small files, so that it should not run on a thread that serves.
    ///
    /// # Errors
    /// There are no addresses, or nobody says whether there are.
    pub async fn ask(&self, question: &Question) -> Result<Answer, NameError> {
        timeout(ASK_TIMEOUT, self.look_up(question)).await.unwrap_or(Err(NameError::Timeout))
    }

    async fn look_up(&self, question: &Question) -> Result<Answer, NameError> {
        let mut system = System::read(&self.files)?;
        if !self.servers.is_empty() {
            system.servers.clone_from(&self.servers);
        }
        let client = Client { system: Arc::new(system), slots: self.slots.clone() };
        let answer = match question {
            Question::Srv(name) => srv::look_up(&client, name).await?,
            Question::Host { name, port } => {
                let host = host::look_up(&client, name).await?;
                let found = |&address| Found { address: SocketAddr::new(address, *port), weight: 1, target: None };
                Answer::new(host.addresses.iter().map(found).collect(), host.ttl)
            }
        };
        if answer.found.is_empty() { Err(NameError::NotFound) } else { Ok(answer) }
    }
}
