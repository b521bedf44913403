//! `/v1/status`: what is up, and how well.

use super::AdminState;
use crate::telemetry::metrics::{
    AccessLook, BackendLook, LeasesLook, LimitLook, LimitOutcome, MemoryLook, PoolLook, RoomLook, TicketFault,
};
use serde_json::{Value, json};

/// The whole answer.
pub(super) fn status(state: &AdminState) -> Value {
    let (reloads, look) = (state.metrics.reloads(), state.metrics.look());
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "ready": state.is_ready(),
        "uptime_seconds": state.metrics.uptime().as_secs(),
        "reloads": { "ok": reloads.0, "failed": reloads.1 },
        "memory": look.memory.as_ref().map(memory),
        "warnings": look.warnings,
        "pools": look.pools.iter().map(pool).collect::<Vec<_>>(),
        "waiting_rooms": look.rooms.iter().map(room).collect::<Vec<_>>(),
        "limits": look.limits.iter().map(limit).collect::<Vec<_>>(),
        "access": look.accesses.iter().map(access).collect::<Vec<_>>(),
        "fleet": look.fleet.as_ref().map(|fleet| json!({
            "members": fleet.members,
            "redis": if fleet.is_up { "up" } else { "down" },
            "why": fleet.why,
            "limits": if fleet.shares_limits { "shared" } else { "divided" },
        })),
    })
}

fn access(access: &AccessLook) -> Value {
    json!({
        "access": access.access,
        "keys": access.keys,
        "keys_age_seconds": access.age.map(|age| age.as_secs()),
        "why": access.why,
    })
}

fn memory(memory: &MemoryLook) -> Value {
    json!({
        "ceiling_bytes": memory.ceiling,
        "held_bytes": memory.held,
        "caches_limit_bytes": memory.caches,
        "pressure": memory.pressure,
    })
}

fn pool(pool: &PoolLook) -> Value {
    let unresolved = |(name, why): &(String, String)| json!({ "name": name, "why": why });
    json!({
        "pool": pool.pool,
        "queue": pool.queue,
        "breaker_open": pool.breaker_open,
        "backends": pool.backends.iter().map(backend).collect::<Vec<_>>(),
        "unresolved": pool.unresolved.iter().map(unresolved).collect::<Vec<_>>(),
        "leases": pool.leases.map(|leases| leases_of(&leases)),
    })
}

fn limit(limit: &LimitLook) -> Value {
    let requests = LimitOutcome::ALL.iter().map(|outcome| (outcome.label(), limit.requests[*outcome as usize]));
    json!({
        "limit": limit.limit,
        "bound": limit.bound,
        "observe": limit.observe,
        "keys": limit.keys,
        "keys_max": limit.capacity,
        "requests": requests.collect::<std::collections::BTreeMap<_, _>>(),
    })
}

fn leases_of(leases: &LeasesLook) -> Value {
    let by_state = LeasesLook::STATES.iter().zip(leases.by_state);
    by_state.map(|(state, n)| ((*state).to_owned(), Value::from(n))).collect()
}

fn room(room: &RoomLook) -> Value {
    let refused = TicketFault::ALL.iter().map(|fault| (fault.label(), room.refused[*fault as usize]));
    json!({
        "room": room.room,
        "waiting": room.waiting,
        "called": room.called,
        "inside": room.inside,
        "shared": room.shared,
        "active": room.active,
        "wait_seconds": room.wait_seconds,
        "entered": room.entered,
        "queued": room.queued,
        "left": room.left,
        "turned_away": room.turned_away,
        "tickets_refused": refused.collect::<std::collections::BTreeMap<_, _>>(),
    })
}

fn backend(backend: &BackendLook) -> Value {
    json!({
        "backend": backend.backend,
        "state": backend.state,
        "available": backend.available,
        "in_flight": backend.in_flight,
        "limit": backend.limit,
        "latency_ms": backend.latency_nanos as f64 / 1e6,
        "why": backend.why,
    })
}
