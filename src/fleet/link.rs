use super::FleetError;
use crate::config::{Cluster, Password, Redis, Url};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, Pipeline};
use redis::{RedisFuture, RedisResult, TlsCertificates, TlsMode, Value};
use std::time::Duration;
use tokio::time::timeout;

/// A connection to Redis that stands. It does not mend itself: what fails once is given up, and made anew.
pub(super) enum Link {
    One(MultiplexedConnection),
    Sharded(ClusterConnection),
}

impl Link {
    pub(super) async fn connect(cluster: &Cluster) -> Result<Link, FleetError> {
        match timeout(CONNECT_MAX, connect(cluster)).await {
            Ok(link) => Ok(link?),
            Err(_) => Err(FleetError::Silent(CONNECT_MAX)),
        }
    }
}

async fn connect(cluster: &Cluster) -> RedisResult<Link> {
    let certificates = TlsCertificates { client_tls: None, root_cert: cluster.ca.clone() };
    let has_ca = cluster.ca.is_some();
    let password = cluster.password.as_ref();
    let settings =
        AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_MAX)).set_response_timeout(Some(ANSWER_MAX));
    match &cluster.redis {
        Redis::Server(url) => {
            let info = info(url, password)?;
            let client = if has_ca { Client::build_with_tls(info, certificates)? } else { Client::open(info)? };
            Ok(Link::One(client.get_multiplexed_async_connection_with_config(&settings).await?))
        }
        Redis::Sentinel { urls, master } => {
            let mut client = sentinels(urls, master, password, has_ca.then_some(certificates))?;
            Ok(Link::One(client.get_async_connection_with_config(&settings).await?))
        }
        Redis::Sharded(urls) => {
            let nodes: Vec<_> = urls.iter().map(|url| info(url, password)).collect::<RedisResult<_>>()?;
            let mut builder =
                ClusterClientBuilder::new(nodes).connection_timeout(CONNECT_MAX).response_timeout(ANSWER_MAX);
            if has_ca {
                builder = builder.certs(certificates);
            }
            Ok(Link::Sharded(builder.build()?.get_async_connection().await?))
        }
    }
}

fn info(url: &Url, password: Option<&Password>) -> RedisResult<ConnectionInfo> {
    let info = url.0.as_str().into_connection_info()?;
    Ok(match password {
        None => info,
        Some(password) => {
            let settings = info.redis_settings().clone().set_password(&password.0);
            info.set_redis_settings(settings)
        }
    })
}

/// Who stands in the URLs enters the sentinels; the password is the master's, and all else is the same for both.
fn sentinels(
    urls: &[Url],
    master: &str,
    password: Option<&Password>,
    certificates: Option<TlsCertificates>,
) -> RedisResult<SentinelClient> {
    let infos: Vec<_> = urls.iter().map(|url| info(url, None)).collect::<RedisResult<_>>()?;
    let addresses = infos.iter().map(|info| info.addr().clone());
    let mut builder = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?;
    if let Some(first) = infos.first() {
        let settings = first.redis_settings();
        builder = builder.set_client_to_redis_db(settings.db());
        if let Some(username) = settings.username() {
            builder = builder.set_client_to_sentinel_username(username);
        }
        if let Some(password) = settings.password() {
            builder = builder.set_client_to_sentinel_password(password);
        }
        if matches!(first.addr(), ConnectionAddr::TcpTls { .. }) {
            builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
            builder = builder.set_client_to_sentinel_tls_mode(TlsMode::Secure);
        }
    }
    if let Some(password) = password {
        builder = builder.set_client_to_redis_password(&password.0);
    }
    if let Some(certificates) = certificates {
        builder = builder.set_client_to_redis_certificates(certificates.clone());
        builder = builder.set_client_to_sentinel_certificates(certificates);
    }
    builder.build()
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Link::One(link) => link.req_packed_command(cmd),
            Link::Sharded(link) => link.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Link::One(link) => link.req_packed_commands(cmd, offset, count),
            Link::Sharded(link) => link.req_packed_commands(cmd, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Link::One(link) => link.get_db(),
            Link::Sharded(link) => link.get_db(),
        }
    }
}

/// How long a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(1);
