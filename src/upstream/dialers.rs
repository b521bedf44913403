use super::Dialer;
use crate::config::Pool;
use crate::wire::tls::{ClientTls, TlsError};

/// How all backends of a configuration are reached, by pool and backend.
#[derive(Clone, Debug, Default)]
pub struct Dialers(Vec<Vec<Dialer>>);

impl Dialers {
    /// Reads the files that pools' TLS needs.
    ///
    /// # Errors
    /// The first that is not what it has to be, with the name of its pool.
    pub fn build(pools: &[Pool]) -> Result<Dialers, (String, TlsError)> {
        pools
            .iter()
            .map(|pool| {
                let tls = pool.tls.as_ref().map(|tls| ClientTls::build(tls, pool.protocol)).transpose();
                let tls = tls.map_err(|error| (pool.name.clone(), error))?;
                let dialer = |backend| Dialer::build(pool, backend, tls.as_ref());
                pool.backends.iter().map(dialer).collect::<Result<_, _>>().map_err(|error| (pool.name.clone(), error))
            })
            .collect::<Result<_, _>>()
            .map(Dialers)
    }

    /// In the order of the configuration.
    pub fn pools(&self) -> impl Iterator<Item = &[Dialer]> {
        self.0.iter().map(Vec::as_slice)
    }
}
