use super::NameError;
use super::message::{ALIASES_MAX, Data, Kind, Query, Reply, TTL_LIMIT};
use super::system::System;
use super::transport::{over_tcp, over_udp};
use super::wire_name::WireName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Asks the system's servers, one after the other.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) system: Arc<System>,
    /// One permit a query in flight, over all questions.
    pub(super) slots: Arc<Semaphore>,
}

/// Records of one kind, and how long they may be believed.
#[derive(Debug)]
pub(super) struct Records {
    pub(super) data: Vec<Data>,
    pub(super) ttl: Duration,
}

impl Client {
    /// The records of a full name, or of what it is an alias of. The TTL is the lowest on the way.
    pub(super) async fn records(&self, name: &WireName, kind: Kind) -> Result<Records, NameError> {
        let mut name = name.clone();
        let mut lowest = TTL_LIMIT;
        for _ in 0..ALIASES_MAX {
            match self.reply(&name, kind).await? {
                Reply::Records(data, ttl) => return Ok(Records { data, ttl: lowest.min(ttl) }),
                Reply::Alias(to, ttl) => (name, lowest) = (to, lowest.min(ttl)),
                _ => return Err(NameError::NotFound),
            }
        }
        Err(NameError::NotFound)
    }

    /// The first server's reply that says anything; what the last one's trouble was if none does.
    async fn reply(&self, name: &WireName, kind: Kind) -> Result<Reply, NameError> {
        let mut last = NameError::Timeout;
        for _ in 0..self.system.attempts {
            for &server in &self.system.servers {
                let permit = self.slots.acquire().await;
                let reply = self.from(server, name, kind).await;
                drop(permit);
                last = match reply {
                    Ok(Reply::Refused) => NameError::Refused(server),
                    Ok(Reply::Failed(what)) => NameError::Server(server, what),
                    Ok(Reply::NotUnderstood) => {
                        NameError::Server(server, "it does not understand the question".to_owned())
                    }
                    Ok(reply) => return Ok(reply),
                    Err(error) => error,
                };
            }
        }
        Err(last)
    }

    /// RFC 6891 §7: a server that does not understand is asked again without the extension.
    async fn from(&self, server: SocketAddr, name: &WireName, kind: Kind) -> Result<Reply, NameError> {
        let query = Query { id: random_id()?, name, kind, edns: true };
        match self.send(server, &query).await? {
            Reply::NotUnderstood => self.send(server, &Query { id: random_id()?, edns: false, ..query }).await,
            reply => Ok(reply),
        }
    }

    async fn send(&self, server: SocketAddr, query: &Query<'_>) -> Result<Reply, NameError> {
        let patience = self.system.patience;
        if !self.system.tcp {
            let reply = over_udp(server, query, patience).await?;
            if reply != Reply::Truncated {
                return Ok(reply);
            }
        }
        over_tcp(server, query, patience).await
    }
}

fn random_id() -> Result<u16, NameError> {
    let random = getrandom::u32().map_err(|error| NameError::System(format!("no random numbers: {error}")))?;
    Ok((random >> 16) as u16)
}
