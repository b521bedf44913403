//! Services as Consul shows them.

use crate::live::ServiceLook;
use crate::registry::Status;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// By name.
pub(super) fn services(looks: &[ServiceLook]) -> Value {
    looks.iter().map(|look| (look.service.id.clone(), service(look))).collect::<Map<_, _>>().into()
}

pub(super) fn service(look: &ServiceLook) -> Value {
    let it = &look.service;
    json!({
        "ID": it.id,
        "Service": it.pool,
        "Tags": it.shown["Tags"],
        "Meta": it.shown["Meta"],
        "Address": it.address.ip().to_string(),
        "Port": it.address.port(),
        "Weights": { "Passing": it.weights.0, "Warning": it.weights.1 },
        "EnableTagOverride": false,
        "Datacenter": DATACENTER,
    })
}

/// By name.
pub(super) fn checks(looks: &[ServiceLook]) -> Value {
    let of = |look: &ServiceLook| checks_of(look).into_iter().map(|check| (id(&check), check)).collect::<Vec<_>>();
    looks.iter().flat_map(of).collect::<Map<_, _>>().into()
}

pub(super) fn health(look: &ServiceLook) -> Value {
    json!({ "Node": node(), "Service": service(look), "Checks": checks_of(look) })
}

pub(super) fn catalog(look: &ServiceLook) -> Value {
    let it = &look.service;
    json!({
        "Node": NODE,
        "Address": it.address.ip().to_string(),
        "Datacenter": DATACENTER,
        "ServiceID": it.id,
        "ServiceName": it.pool,
        "ServiceTags": it.shown["Tags"],
        "ServiceMeta": it.shown["Meta"],
        "ServiceAddress": it.address.ip().to_string(),
        "ServicePort": it.address.port(),
        "ServiceWeights": { "Passing": it.weights.0, "Warning": it.weights.1 },
    })
}

/// With the tags of each.
pub(super) fn names(looks: &[ServiceLook]) -> Value {
    let mut names: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for look in looks {
        let tags = look.service.shown["Tags"].as_array().into_iter().flatten().filter_map(Value::as_str);
        names.entry(&look.service.pool).or_default().extend(tags);
    }
    json!(names)
}

pub(super) fn me() -> Value {
    let version = env!("CARGO_PKG_VERSION");
    json!({
        "Config": { "Datacenter": DATACENTER, "NodeName": NODE, "Server": true, "Version": version },
        "Member": { "Name": NODE, "Addr": "127.0.0.1", "Status": 1, "Tags": {} },
        "Meta": {},
    })
}

fn checks_of(look: &ServiceLook) -> Vec<Value> {
    let its_checks = look.service.checks.iter().zip(&look.checks);
    let mut shown: Vec<Value> = its_checks
        .map(|(check, status)| {
            // One that the pool's check stands for is as that finds it.
            let status = if check.ttl.is_none() { look.status() } else { *status };
            let kind = if check.ttl.is_some() { "ttl" } else { "http" };
            one(look, &check.id, &check.name, status, &check.note, kind)
        })
        .collect();
    if look.service.maintenance {
        let id = format!("_service_maintenance:{}", look.service.id);
        shown.push(one(look, &id, "Service Maintenance Mode", Status::Critical, "", "maintenance"));
    }
    shown
}

fn one(look: &ServiceLook, id: &str, name: &str, status: Status, note: &str, kind: &str) -> Value {
    json!({
        "Node": NODE,
        "CheckID": id,
        "Name": name,
        "Status": status.label(),
        "Notes": "",
        "Output": note,
        "ServiceID": look.service.id,
        "ServiceName": look.service.pool,
        "ServiceTags": look.service.shown["Tags"],
        "Type": kind,
    })
}

fn id(check: &Value) -> String {
    check["CheckID"].as_str().unwrap_or_default().to_owned()
}

fn node() -> Value {
    json!({ "ID": "", "Node": NODE, "Address": "127.0.0.1", "Datacenter": DATACENTER, "TaggedAddresses": {}, "Meta": {} })
}

const NODE: &str = "weir";
const DATACENTER: &str = "dc1";
