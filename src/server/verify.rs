//! What `weir check` can know beyond the text: the files of certificates, and whether names stand for anything now.

use super::build::LoadError;
use crate::config::{BackendAddress, Config, Pool};
use crate::live::LiveAccess;
use crate::telemetry::Metrics;
use crate::upstream::Dialers;
use crate::upstream::names::{NameError, Question, Resolver};
use crate::wire::tls::{ServerTls, Tickets, install_provider};
use std::num::NonZeroUsize;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Reads what a start would read, and asks for the names of backends; binds nothing. What is not wrong, but likely not
/// meant, is added to the configuration's warnings.
///
/// # Errors
/// A certificate, key, authority or set of keys is not usable.
pub fn verify(config: &mut Config) -> Result<(), LoadError> {
    install_provider();
    let mut warnings = Vec::new();
    let tickets = Tickets::new();
    for listener in &config.listeners {
        if let Some(tls) = &listener.tls {
            let built = ServerTls::build(tls, listener.protocols, &tickets);
            warnings.extend(built.map_err(|error| LoadError::of_listener(listener, error))?.1);
        }
    }
    Dialers::build(&config.pools).map_err(LoadError::of_pool)?;
    LiveAccess::build_all(config, &Metrics::new(NonZeroUsize::MIN), &[]).map_err(LoadError::of_keys)?;
    warnings.extend(unresolved(&config.pools));
    config.warnings.extend(warnings);
    Ok(())
}

/// Names that stand for nothing now, in words.
fn unresolved(pools: &[Pool]) -> Vec<String> {
    let names: Vec<_> = pools.iter().flat_map(|pool| questions(pool).map(move |question| (pool, question))).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return Vec::new() };
    runtime.block_on(async {
        let mut asked = JoinSet::new();
        for (pool, question) in names {
            let (pool, servers) = (pool.name.clone(), pool.resolve.servers.clone());
            asked.spawn(async move {
                let asked = async { Resolver::new(&servers)?.ask(&question).await };
                let why = timeout(ASK_MAX, asked).await.unwrap_or(Err(NameError::Timeout)).err()?;
                Some(format!("[pool.{pool}]: {question} cannot be resolved now: {why}"))
            });
        }
        let mut warnings: Vec<_> = asked.join_all().await.into_iter().flatten().collect();
        warnings.sort();
        warnings
    })
}

fn questions(pool: &Pool) -> impl Iterator<Item = Question> {
    pool.backends.iter().filter_map(|backend| match &backend.address {
        BackendAddress::Name(name, port) => Some(Question::Host { name: name.clone(), port: *port }),
        BackendAddress::Srv(name) => Some(Question::Srv(name.clone())),
        BackendAddress::Ip(_) | BackendAddress::Unix(_) => None,
    })
}

/// For how long names are asked for, all together.
const ASK_MAX: Duration = Duration::from_secs(5);
