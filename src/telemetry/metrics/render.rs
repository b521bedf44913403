//! The page, family by family in the order of the table.

use super::cells::{BackendCells, CLASSES, Count, Series};
use super::exposition::{Exposition, Page};
use super::families::{self as f, Family};
use super::labels::{
    AccessVerdict, AttemptFailure, CacheOutcome, DiskRead, DiskWrite, Encoded, LimitOutcome, Mirrored, ProtocolError,
    RefusalReason,
};
use super::rooms::rooms;
use super::{
    AccessLook, CacheLook, DemandLook, DiskLook, FleetLook, LeasesLook, LimitLook, MemoryLook, Metrics, PRESSURES,
    PoolLook, process,
};
use crate::config::Priority;
use crate::http::Unstorable;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Appends the whole page to `out`.
pub(super) fn page(metrics: &Metrics, exposition: Exposition, out: &mut String) {
    let mut page = Page { exposition, out };
    routes(metrics, &mut page);
    clients(metrics, &mut page);
    pools(metrics, &mut page);
    let look = metrics.look();
    caches(metrics, &look.caches, &mut page);
    disks(&look.disks, &mut page);
    accesses(metrics, &look.accesses, &mut page);
    limits(metrics, &look.limits, &mut page);
    rooms(&look.rooms, &mut page);
    backends(metrics, &mut page);
    looks(&look.pools, &mut page);
    fleet(look.fleet.as_ref(), &mut page);
    listeners(metrics, &mut page);
    h2(metrics, &mut page);
    whole_process(metrics, look.memory.as_ref(), &mut page);
    page.end();
}

type Named<C> = [(String, Arc<Series<C>>)];

fn routes(metrics: &Metrics, page: &mut Page<'_>) {
    let routes = metrics.routes.list();
    by_class(page, &f::EXCHANGES, &routes, |cells, class| &cells.classes[class]);
    page.family(&f::DURATION);
    for (name, series) in &routes {
        page.histogram(&f::DURATION, &[name], series.shards().map(|cells| &cells.duration));
    }
    by_name(page, &f::REQUEST_BYTES, &routes, |cells| &cells.request_bytes);
    by_name(page, &f::RESPONSE_BYTES, &routes, |cells| &cells.response_bytes);
}

fn clients(metrics: &Metrics, page: &mut Page<'_>) {
    let workers = &metrics.workers;
    page.family(&f::IN_FLIGHT);
    page.sample(&f::IN_FLIGHT, &[], gauge(workers.sum(|cells| &cells.in_flight)));
    page.family(&f::REFUSALS);
    for &reason in RefusalReason::ALL {
        page.sample(&f::REFUSALS, &[reason.label()], workers.sum(|cells| &cells.refusals[reason as usize]));
    }
    single(page, &f::CLIENT_ABORTS, workers.sum(|cells| &cells.client_aborts));
    page.family(&f::PROTOCOL_ERRORS);
    for &kind in ProtocolError::ALL {
        page.sample(&f::PROTOCOL_ERRORS, &[kind.label()], workers.sum(|cells| &cells.protocol_errors[kind as usize]));
    }
    page.family(&f::MIRRORED);
    for &result in Mirrored::ALL {
        page.sample(&f::MIRRORED, &[result.label()], workers.sum(|cells| &cells.mirrored[result as usize]));
    }
}

fn pools(metrics: &Metrics, page: &mut Page<'_>) {
    let pools = metrics.pools.list();
    by_class(page, &f::POOL_EXCHANGES, &pools, |cells, class| &cells.classes[class]);
    page.family(&f::FIRST_BYTE);
    for (name, series) in &pools {
        page.histogram(&f::FIRST_BYTE, &[name], series.shards().map(|cells| &cells.first_byte));
    }
    by_name(page, &f::RETRIES, &pools, |cells| &cells.retries);
    by_name(page, &f::ARRIVED, &pools, |cells| &cells.arrived);
    page.family(&f::SHED);
    for (name, series) in &pools {
        for priority in Priority::ALL {
            let n = series.sum(|cells| &cells.shed[priority as usize]);
            page.sample(&f::SHED, &[name, priority.label()], n);
        }
    }
    page.family(&f::OBJECTIVE);
    for (name, series) in &pools {
        let [ok, failed] = f::RESULTS;
        page.sample(&f::OBJECTIVE, &[name, ok], series.sum(|cells| &cells.on_time));
        page.sample(&f::OBJECTIVE, &[name, failed], series.sum(|cells| &cells.late));
    }
}

fn caches(metrics: &Metrics, looks: &[CacheLook], page: &mut Page<'_>) {
    let caches = metrics.caches.list();
    page.family(&f::CACHE_REQUESTS);
    for (name, series) in &caches {
        for &outcome in CacheOutcome::ALL {
            let n = series.sum(|cells| &cells.requests[outcome as usize]);
            page.sample(&f::CACHE_REQUESTS, &[name, outcome.label()], n);
        }
    }
    by_name(page, &f::CACHE_COLLAPSED, &caches, |cells| &cells.collapsed);
    by_name(page, &f::CACHE_FETCHES, &caches, |cells| &cells.fetches);
    by_name(page, &f::CACHE_STORED, &caches, |cells| &cells.stored);
    page.family(&f::CACHE_UNSTORED);
    for (name, series) in &caches {
        for &why in Unstorable::ALL {
            let n = series.sum(|cells| &cells.unstored[why as usize]);
            page.sample(&f::CACHE_UNSTORED, &[name, why.as_str()], n);
        }
    }
    by_name(page, &f::CACHE_SERVED_BYTES, &caches, |cells| &cells.bytes);
    by_name(page, &f::CACHE_EVICTIONS, &caches, |cells| &cells.evicted);
    by_name(page, &f::CACHE_VARIANTS_DROPPED, &caches, |cells| &cells.dropped_variants);
    page.family(&f::CACHE_ENCODINGS);
    for (name, series) in &caches {
        for &result in Encoded::ALL {
            let n = series.sum(|cells| &cells.encodings[result as usize]);
            page.sample(&f::CACHE_ENCODINGS, &[name, result.label()], n);
        }
    }
    by_name(page, &f::CACHE_ENCODED_HITS, &caches, |cells| &cells.encoded_hits);
    page.family(&f::CACHE_BYTES);
    for look in looks {
        page.sample(&f::CACHE_BYTES, &[&look.cache, look.tier], look.bytes);
    }
    page.family(&f::CACHE_OBJECTS);
    for look in looks {
        page.sample(&f::CACHE_OBJECTS, &[&look.cache, look.tier], look.objects);
    }
}

fn disks(looks: &[DiskLook], page: &mut Page<'_>) {
    page.family(&f::DISK_READS);
    for look in looks {
        let samples = DiskRead::ALL.iter().zip(look.reads);
        samples.for_each(|(result, n)| page.sample(&f::DISK_READS, &[&look.cache, result.label()], n));
    }
    page.family(&f::DISK_WRITES);
    for look in looks {
        let samples = DiskWrite::ALL.iter().zip(look.writes);
        samples.for_each(|(result, n)| page.sample(&f::DISK_WRITES, &[&look.cache, result.label()], n));
    }
    page.family(&f::DISK_WRITTEN_BYTES);
    looks.iter().for_each(|look| page.sample(&f::DISK_WRITTEN_BYTES, &[&look.cache], look.written_bytes));
    page.family(&f::DISK_RESTS);
    looks.iter().for_each(|look| page.sample(&f::DISK_RESTS, &[&look.cache], u8::from(look.rests)));
}

fn accesses(metrics: &Metrics, looks: &[AccessLook], page: &mut Page<'_>) {
    let accesses = metrics.accesses.list();
    page.family(&f::ACCESS);
    for (name, series) in &accesses {
        for &verdict in AccessVerdict::ALL {
            let n = series.sum(|cells| &cells.verdicts[verdict as usize]);
            page.sample(&f::ACCESS, &[name, verdict.label()], n);
        }
    }
    page.family(&f::ACCESS_FETCHES);
    for (name, series) in accesses.iter().filter(|(name, _)| looks.iter().any(|look| look.access == *name)) {
        let [ok, failed] = f::RESULTS;
        page.sample(&f::ACCESS_FETCHES, &[name, ok], series.sum(|cells| &cells.fetches_ok));
        page.sample(&f::ACCESS_FETCHES, &[name, failed], series.sum(|cells| &cells.fetches_failed));
    }
    page.family(&f::ACCESS_KEYS);
    for look in looks {
        page.sample(&f::ACCESS_KEYS, &[&look.access], look.keys);
    }
    page.family(&f::ACCESS_KEYS_AGE);
    for (look, age) in looks.iter().filter_map(|look| Some((look, look.age?))) {
        page.sample(&f::ACCESS_KEYS_AGE, &[&look.access], age.as_secs_f64());
    }
}

fn limits(metrics: &Metrics, looks: &[LimitLook], page: &mut Page<'_>) {
    let limits = metrics.limits.list();
    page.family(&f::LIMIT_REQUESTS);
    for (name, series) in &limits {
        for &outcome in LimitOutcome::ALL {
            let n = series.sum(|cells| &cells.requests[outcome as usize]);
            page.sample(&f::LIMIT_REQUESTS, &[name, outcome.label()], n);
        }
    }
    by_name(page, &f::LIMIT_OVERFLOW, &limits, |cells| &cells.overflow);
    by_name(page, &f::LIMIT_WAITS, &limits, |cells| &cells.waits);
    page.family(&f::LIMIT_KEYS);
    for look in looks {
        page.sample(&f::LIMIT_KEYS, &[&look.limit], look.keys);
    }
    page.family(&f::LIMIT_KEYS_MAX);
    for look in looks {
        page.sample(&f::LIMIT_KEYS_MAX, &[&look.limit], look.capacity);
    }
}

fn backends(metrics: &Metrics, page: &mut Page<'_>) {
    let backends = metrics.backends.list();
    let mut counter = |family: &Family, read: fn(&BackendCells) -> &Count| {
        page.family(family);
        for ((pool, address), series) in &backends {
            page.sample(family, &[pool, address], series.sum(read));
        }
    };
    counter(&f::ATTEMPTS, |cells| &cells.attempts);
    counter(&f::CONNECTS, |cells| &cells.connects);
    counter(&f::CONNECT_FAILURES, |cells| &cells.connect_failures);
    counter(&f::REUSES, |cells| &cells.reuses);
    page.family(&f::ATTEMPT_FAILURES);
    for ((pool, address), series) in &backends {
        for &kind in AttemptFailure::ALL {
            let n = series.sum(|cells| &cells.failures[kind as usize]);
            page.sample(&f::ATTEMPT_FAILURES, &[pool, address, kind.label()], n);
        }
    }
    page.family(&f::EJECTIONS);
    for ((pool, address), series) in &backends {
        page.sample(&f::EJECTIONS, &[pool, address], series.sum(|cells| &cells.ejections));
    }
    page.family(&f::PROBES);
    for ((pool, address), series) in &backends {
        let [ok, failed] = f::RESULTS;
        page.sample(&f::PROBES, &[pool, address, ok], series.sum(|cells| &cells.probes_passed));
        page.sample(&f::PROBES, &[pool, address, failed], series.sum(|cells| &cells.probes_failed));
    }
}

/// What is so now.
fn leases(pools: &[PoolLook], page: &mut Page<'_>) {
    let leases = || pools.iter().filter_map(|pool| Some((&pool.pool, pool.leases?)));
    page.family(&f::LEASES);
    for (pool, look) in leases() {
        for (state, n) in LeasesLook::STATES.iter().zip(look.by_state) {
            page.sample(&f::LEASES, &[pool, state], n);
        }
    }
    let mut count = |family: &Family, of: fn(&LeasesLook) -> u64| {
        page.family(family);
        leases().for_each(|(pool, look)| page.sample(family, &[pool], of(&look)));
    };
    count(&f::LEASE_RENEWALS, |it| it.renewals);
    count(&f::LEASE_EXPIRIES, |it| it.expiries);
    count(&f::LEASES_KEPT, |it| it.kept);
}

fn looks(pools: &[PoolLook], page: &mut Page<'_>) {
    page.family(&f::POOL_QUEUE);
    for pool in pools {
        page.sample(&f::POOL_QUEUE, &[&pool.pool], pool.queue);
    }
    leases(pools, page);
    demand(pools, page);
    page.family(&f::BREAKER_OPEN);
    for pool in pools {
        page.sample(&f::BREAKER_OPEN, &[&pool.pool], u8::from(pool.breaker_open));
    }
    let backends = || pools.iter().flat_map(|pool| pool.backends.iter().map(move |it| (&pool.pool, &it.backend, it)));
    page.family(&f::BACKEND_UP);
    for (pool, backend, look) in backends() {
        page.sample(&f::BACKEND_UP, &[pool, backend], u8::from(look.available));
    }
    page.family(&f::BACKEND_STATE);
    for (pool, backend, look) in backends() {
        page.sample(&f::BACKEND_STATE, &[pool, backend, look.state], 1);
    }
    page.family(&f::BACKEND_IN_FLIGHT);
    for (pool, backend, look) in backends() {
        page.sample(&f::BACKEND_IN_FLIGHT, &[pool, backend], look.in_flight);
    }
    page.family(&f::BACKEND_LATENCY);
    for (pool, backend, look) in backends() {
        page.sample(&f::BACKEND_LATENCY, &[pool, backend], look.latency_nanos as f64 / 1e9);
    }
    page.family(&f::BACKEND_LIMIT);
    for (pool, backend, look) in backends() {
        if let Some(limit) = look.limit {
            page.sample(&f::BACKEND_LIMIT, &[pool, backend], limit);
        }
    }
}

fn fleet(look: Option<&FleetLook>, page: &mut Page<'_>) {
    page.family(&f::FLEET_MEMBERS);
    if let Some(look) = look {
        page.sample(&f::FLEET_MEMBERS, &[], look.members);
    }
    page.family(&f::FLEET_UP);
    if let Some(look) = look {
        page.sample(&f::FLEET_UP, &[], u8::from(look.is_up));
    }
    page.family(&f::FLEET_LIMITS);
    if let Some(look) = look {
        page.sample(&f::FLEET_LIMITS, &[], u8::from(look.shares_limits));
    }
}

fn listeners(metrics: &Metrics, page: &mut Page<'_>) {
    let listeners = metrics.listeners.list();
    page.family(&f::CONNECTIONS_OPEN);
    for (address, series) in &listeners {
        page.sample(&f::CONNECTIONS_OPEN, &[address], gauge(series.sum(|cells| &cells.open)));
    }
    by_name(page, &f::CONNECTIONS_ACCEPTED, &listeners, |cells| &cells.accepted);
    by_name(page, &f::CONNECTIONS_REFUSED, &listeners, |cells| &cells.refused);
    page.family(&f::TLS_HANDSHAKES);
    for (address, series) in &listeners {
        let [ok, failed] = f::RESULTS;
        page.sample(&f::TLS_HANDSHAKES, &[address, ok], series.sum(|cells| &cells.tls_ok));
        page.sample(&f::TLS_HANDSHAKES, &[address, failed], series.sum(|cells| &cells.tls_failed));
    }
}

fn demand(pools: &[PoolLook], page: &mut Page<'_>) {
    let mut gauge = |family: &Family, read: fn(&DemandLook) -> Option<f64>| {
        page.family(family);
        let known = pools.iter().filter_map(|pool| Some((&pool.pool, read(&pool.demand)?)));
        known.for_each(|(pool, value)| page.sample(family, &[pool], value));
    };
    gauge(&f::POOL_IN_FLIGHT, |demand| Some(demand.in_flight.into()));
    gauge(&f::POOL_BEARS, |demand| demand.bears);
    gauge(&f::POOL_CAPACITY, |demand| demand.capacity);
    gauge(&f::POOL_AVAILABLE, |demand| Some(demand.available.into()));
    gauge(&f::POOL_WANTED, |demand| demand.wanted.map(f64::from));
    gauge(&f::POOL_OBJECTIVE, |demand| demand.objective.map(|objective| objective.as_secs_f64()));
}

fn h2(metrics: &Metrics, page: &mut Page<'_>) {
    single(page, &f::H2_STREAMS, metrics.workers.sum(|cells| &cells.h2_streams));
    single(page, &f::H2_RESETS, metrics.workers.sum(|cells| &cells.h2_resets));
    single(page, &f::H2_GOAWAYS, metrics.workers.sum(|cells| &cells.h2_goaways));
}

fn memory(look: Option<&MemoryLook>, page: &mut Page<'_>) {
    let mut gauge = |family: &Family, read: fn(&MemoryLook) -> u64| {
        page.family(family);
        look.iter().for_each(|look| page.sample(family, &[], read(look)));
    };
    gauge(&f::MEMORY_CEILING, |look| look.ceiling);
    gauge(&f::MEMORY_HELD, |look| look.held);
    gauge(&f::MEMORY_CACHES, |look| look.caches);
    page.family(&f::MEMORY_PRESSURE);
    for (look, level) in look.iter().flat_map(|look| PRESSURES.map(|level| (look, level))) {
        page.sample(&f::MEMORY_PRESSURE, &[level], u8::from(look.pressure == level));
    }
}

fn whole_process(metrics: &Metrics, look: Option<&MemoryLook>, page: &mut Page<'_>) {
    let [ok, failed] = f::RESULTS;
    page.family(&f::RELOADS);
    page.sample(&f::RELOADS, &[ok], metrics.rare.reloads_ok.load(Relaxed));
    page.sample(&f::RELOADS, &[failed], metrics.rare.reloads_failed.load(Relaxed));
    page.family(&f::UPGRADES);
    page.sample(&f::UPGRADES, &[ok], metrics.rare.upgrades_ok.load(Relaxed));
    page.sample(&f::UPGRADES, &[failed], metrics.rare.upgrades_failed.load(Relaxed));
    single(page, &f::ACCESS_LOG_DROPPED, metrics.access_log_lines_dropped());
    memory(look, page);
    page.family(&f::BUILD_INFO);
    page.sample(&f::BUILD_INFO, &[env!("CARGO_PKG_VERSION")], 1);
    page.family(&f::START_TIME);
    page.sample(&f::START_TIME, &[], metrics.started_seconds());
    page.family(&f::RESIDENT);
    if let Some(bytes) = process::resident_bytes() {
        page.sample(&f::RESIDENT, &[], bytes);
    }
}

fn single(page: &mut Page<'_>, family: &Family, value: u64) {
    page.family(family);
    page.sample(family, &[], value);
}

fn by_name<C>(page: &mut Page<'_>, family: &Family, list: &Named<C>, read: fn(&C) -> &Count) {
    page.family(family);
    for (name, series) in list {
        page.sample(family, &[name], series.sum(read));
    }
}

fn by_class<C>(page: &mut Page<'_>, family: &Family, list: &Named<C>, read: fn(&C, usize) -> &Count) {
    page.family(family);
    for (name, series) in list {
        for (class, label) in CLASSES.iter().enumerate() {
            page.sample(family, &[name, label], series.sum(|cells| read(cells, class)));
        }
    }
}

/// Each worker's part is read at another moment, so that the sum may be below zero for one scrape.
fn gauge(sum: u64) -> i64 {
    sum.cast_signed().max(0)
}
