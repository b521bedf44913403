//! Instances as Nacos shows them.

use super::super::leases::RENEWALS;
use super::read::Service;
use crate::live::LeaseLook;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(super) fn instance(service: &Service, look: &LeaseLook) -> Value {
    let (lease, cluster) = (&look.lease, look.lease.zone.as_deref().unwrap_or(CLUSTER));
    let (ip, port) = (lease.address.ip().to_string(), lease.address.port());
    let name = format!("{}@@{}", service.group, service.pool);
    json!({
        "instanceId": format!("{ip}#{port}#{cluster}#{name}"),
        "service": name,
        "serviceName": name,
        "ip": ip,
        "port": port,
        "clusterName": cluster,
        "weight": f64::from(lease.weight),
        "healthy": is_healthy(look),
        "valid": is_healthy(look),
        "enabled": lease.weight > 0 && !lease.is_draining(),
        "marked": false,
        "ephemeral": true,
        "metadata": {},
        "instanceHeartBeatInterval": millis(lease.ttl / RENEWALS),
        "instanceHeartBeatTimeOut": millis(lease.ttl),
        "ipDeleteTimeout": millis(lease.ttl),
    })
}

/// `clusters`: only those, named with commas between; all if it is empty.
pub(super) fn list(service: &Service, leases: &[LeaseLook], clusters: &str, healthy_only: bool) -> Value {
    let is_wanted = |look: &&LeaseLook| {
        let cluster = look.lease.zone.as_deref().unwrap_or(CLUSTER);
        let is_named = clusters.is_empty() || clusters.split(',').any(|wanted| wanted.trim() == cluster);
        is_named && !look.lease.is_draining() && (!healthy_only || is_healthy(look))
    };
    let hosts: Vec<Value> = leases.iter().filter(is_wanted).map(|look| instance(service, look)).collect();
    json!({
        "name": format!("{}@@{}", service.group, service.pool),
        "dom": service.pool,
        "groupName": service.group,
        "clusters": clusters,
        "cacheMillis": CACHE_MILLIS,
        "hosts": hosts,
        "lastRefTime": millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()),
        "checksum": "",
        "useSpecifiedURL": false,
        "allIPs": false,
        "reachProtectionThreshold": leases.iter().any(|look| look.lease.state.label() == "kept"),
        "valid": true,
        "env": "",
        "metadata": {},
    })
}

pub(super) fn beat_of_none() -> Value {
    json!({ "code": 20_404, "clientBeatInterval": BEAT_MILLIS, "lightBeatEnabled": false })
}

/// As if all were well.
pub(super) fn beat_of_one_that_leaves() -> Value {
    json!({ "code": 10_200, "clientBeatInterval": BEAT_MILLIS, "lightBeatEnabled": false })
}

pub(super) fn beat(ttl: Duration) -> Value {
    json!({ "code": 10_200, "clientBeatInterval": millis(ttl / RENEWALS), "lightBeatEnabled": false })
}

pub(super) fn login(secret: &str) -> Value {
    json!({ "accessToken": secret, "tokenTtl": TOKEN_SECONDS, "globalAdmin": false })
}

fn is_healthy(look: &LeaseLook) -> bool {
    look.health.as_ref().is_some_and(|health| health.available)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

const CLUSTER: &str = "DEFAULT";

/// How often clients beat that are not told otherwise.
const BEAT_MILLIS: u64 = 5_000;

/// How soon a client may ask again.
const CACHE_MILLIS: u64 = 3_000;

/// After that a client logs in again; what it has is good for longer.
const TOKEN_SECONDS: u64 = 18_000;
