use super::Dialer;
use crate::config::{BackendAddress, Pool, PoolId, PoolProtocol, PoolTls, ProxyProtocolOut};
use crate::live::{Endpoint, Member};
use crate::wire::tls::{ClientTls, TlsError};
use std::sync::Arc;

/// How the backends of all pools of a configuration are reached.
#[derive(Clone, Debug, Default)]
pub struct Dialers(Vec<PoolDialer>);

/// How the backends of one pool are reached.
#[derive(Clone, Debug)]
pub struct PoolDialer {
    pub(super) protocol: PoolProtocol,
    pub(super) proxy_protocol: Option<ProxyProtocolOut>,
    pub(super) tls: Option<(PoolTls, Arc<rustls::ClientConfig>)>,
}

impl Dialers {
    /// Reads the files that pools' TLS needs.
    ///
    /// # Errors
    /// The first that is not what it has to be, with the name of its pool.
    pub fn build(pools: &[Pool]) -> Result<Dialers, (String, TlsError)> {
        let dialer = |pool: &Pool| PoolDialer::build(pool).map_err(|error| (pool.name.clone(), error));
        pools.iter().map(dialer).collect::<Result<_, _>>().map(Dialers)
    }

    /// Those of one pool.
    #[must_use]
    pub fn pool(&self, pool: PoolId) -> &PoolDialer {
        &self.0[pool.0]
    }
}

impl PoolDialer {
    fn build(pool: &Pool) -> Result<PoolDialer, TlsError> {
        let tls = match &pool.tls {
            None => None,
            Some(tls) => {
                for backend in pool.backends.iter().filter(|it| !matches!(it.address, BackendAddress::Srv(_))) {
                    let (host, endpoint) = (backend.address.name(), Endpoint::of(&backend.address));
                    ClientTls::server_name(tls, host, endpoint.as_ref())?;
                }
                Some((tls.clone(), ClientTls::build(tls, pool.protocol)?))
            }
        };
        Ok(PoolDialer { protocol: pool.protocol, proxy_protocol: pool.proxy_protocol, tls })
    }

    /// How one member is reached.
    #[must_use]
    pub fn dialer(&self, member: &Member) -> Dialer {
        Dialer::new(self, &member.endpoint, member.host.as_deref())
    }
}
