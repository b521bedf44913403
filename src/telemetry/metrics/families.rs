//! The table of all families: the page and its reference are both made from it.

use super::cells::{BOUNDS, CLASSES};
use super::labels::{
    AccessVerdict, AttemptFailure, CacheOutcome, DiskRead, DiskWrite, Encoded, LimitOutcome, Mirrored, ProtocolError,
    RefusalReason, TicketFault,
};
use super::{BACKENDS_MAX, CACHES_MAX, LIMITS_MAX, LISTENERS_MAX, POOLS_MAX, PRESSURES, ROUTES_MAX};
use crate::config::Priority;
use crate::http::Unstorable;

/// A family of series.
pub(super) struct Family {
    /// A counter's is without `_total`.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) unit: Option<&'static str>,
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// Declares the families and the list of them.
macro_rules! families {
    ($($id:ident $kind:ident $name:literal $unit:expr, [$($label:literal),*] $help:literal;)*) => {
        $(pub(super) const $id: Family = Family {
            name: $name, kind: Kind::$kind, unit: $unit, labels: &[$($label),*], help: $help,
        };)*

        /// In the order of the page.
        pub(super) const ALL: &[Family] = &[$($id,)*];
    };
}

families! {
    EXCHANGES Counter "weir_exchanges" None, ["route", "status"]
        "Exchanges ended, by route and class of status.";
    DURATION Histogram "weir_exchange_duration_seconds" Some("seconds"), ["route"]
        "From the first byte of the request to the last of the response.";
    REQUEST_BYTES Counter "weir_request_bytes" Some("bytes"), ["route"]
        "Request content received.";
    RESPONSE_BYTES Counter "weir_response_bytes" Some("bytes"), ["route"]
        "Response content sent.";
    IN_FLIGHT Gauge "weir_exchanges_in_flight" None, []
        "Exchanges begun and not ended.";
    REFUSALS Counter "weir_refusals" None, ["reason"]
        "Exchanges that Weir itself answered with an error.";
    CLIENT_ABORTS Counter "weir_client_aborts" None, []
        "Exchanges that the client left before their end.";
    PROTOCOL_ERRORS Counter "weir_protocol_errors" None, ["kind"]
        "What clients sent that cannot be accepted as their protocol.";
    MIRRORED Counter "weir_mirrored" None, ["result"]
        "Requests that were to be copied to a mirror's pool.";
    POOL_EXCHANGES Counter "weir_pool_exchanges" None, ["pool", "status"]
        "Exchanges ended that used a pool, by class of status.";
    FIRST_BYTE Histogram "weir_first_byte_seconds" Some("seconds"), ["pool"]
        "From the end of the request's head to the first byte of the backend's response.";
    RETRIES Counter "weir_retries" None, ["pool"]
        "Attempts after the first of their exchange.";
    ARRIVED Counter "weir_pool_arrivals" None, ["pool"]
        "Exchanges that wanted a backend, those that were refused for want of one among them.";
    SHED Counter "weir_pool_shed" None, ["pool", "priority"]
        "Exchanges refused as no backend had room for them, by priority.";
    OBJECTIVE Counter "weir_pool_objective" None, ["pool", "result"]
        "Exchanges that met the pool's objective, or failed it; those of pools without one are not counted.";
    CACHE_REQUESTS Counter "weir_cache_requests" None, ["cache", "outcome"]
        "Requests on routes with a cache, by what it made of them.";
    CACHE_COLLAPSED Counter "weir_cache_collapsed" None, ["cache"]
        "Requests that waited for the fetch of another; those whom its response is not for ask themselves then.";
    CACHE_FETCHES Counter "weir_cache_fetches" None, ["cache"]
        "Fetches that a cache began, validations and those in the background among them.";
    CACHE_STORED Counter "weir_cache_stored" None, ["cache"]
        "Responses stored, freshened ones among them.";
    CACHE_UNSTORED Counter "weir_cache_unstored" None, ["cache", "why"]
        "Responses to fetches that were not storable.";
    CACHE_SERVED_BYTES Counter "weir_cache_served_bytes" Some("bytes"), ["cache"]
        "Content sent of stored responses.";
    CACHE_EVICTIONS Counter "weir_cache_evictions" None, ["cache"]
        "Stored responses let go of for want of room.";
    CACHE_VARIANTS_DROPPED Counter "weir_cache_variants_dropped" None, ["cache"]
        "Variants let go of as their URL had too many.";
    CACHE_ENCODINGS Counter "weir_cache_encodings" None, ["cache", "result"]
        "Stored responses that were encoded, to be kept in that form.";
    CACHE_ENCODED_HITS Counter "weir_cache_encoded_hits" None, ["cache"]
        "Stored responses sent in an encoded form that was kept.";
    CACHE_BYTES Gauge "weir_cache_bytes" Some("bytes"), ["cache", "tier"]
        "What is stored, as it is held.";
    CACHE_OBJECTS Gauge "weir_cache_objects" None, ["cache", "tier"]
        "Responses stored, and encoded forms of them.";
    DISK_READS Counter "weir_cache_disk_reads" None, ["cache", "result"]
        "Reads from a cache's disk, since it was opened.";
    DISK_WRITES Counter "weir_cache_disk_writes" None, ["cache", "result"]
        "Responses that were to be written to a cache's disk, since it was opened.";
    DISK_WRITTEN_BYTES Counter "weir_cache_disk_written_bytes" Some("bytes"), ["cache"]
        "Written to a cache's disk, since it was opened.";
    DISK_RESTS Gauge "weir_cache_disk_rests" None, ["cache"]
        "1 while nothing is written to a cache's disk, after it failed several times in a row.";
    ACCESS Counter "weir_access" None, ["access", "verdict"]
        "Requests on routes with an access, by what it made of them.";
    ACCESS_FETCHES Counter "weir_access_key_fetches" None, ["access", "result"]
        "Times that keys of tokens were fetched.";
    ACCESS_KEYS Gauge "weir_access_keys" None, ["access"]
        "Keys of tokens that are known.";
    ACCESS_KEYS_AGE Gauge "weir_access_keys_age_seconds" Some("seconds"), ["access"]
        "Since keys of tokens were fetched last.";
    LIMIT_REQUESTS Counter "weir_limit_requests" None, ["limit", "outcome"]
        "Requests on routes with a limit, by what it made of them; one that another refuses at the same time is not counted.";
    LIMIT_OVERFLOW Counter "weir_limit_overflow" None, ["limit"]
        "Requests of new keys that were judged together, as the table of keys was full where they belong.";
    LIMIT_WAITS Counter "weir_limit_waits" None, ["limit"]
        "Pieces of content that waited for bandwidth, or would have.";
    LIMIT_KEYS Gauge "weir_limit_keys" None, ["limit"]
        "Keys that have used something of what they may.";
    LIMIT_KEYS_MAX Gauge "weir_limit_keys_max" None, ["limit"]
        "Keys for which there is room.";
    ROOM_WAITING Gauge "weir_waiting_room_waiting" None, ["room"]
        "Visitors who wait.";
    ROOM_CALLED Gauge "weir_waiting_room_called" None, ["room"]
        "Visitors whose turn it is, and who did not come in yet.";
    ROOM_INSIDE Gauge "weir_waiting_room_inside" None, ["room"]
        "Visitors inside.";
    ROOM_SHARED Gauge "weir_waiting_room_shared" None, ["room"]
        "1: the room acts as one with the other members of the fleet; 0: each keeps to its part. Only in a fleet.";
    ROOM_WAIT Gauge "weir_waiting_room_wait_seconds" Some("seconds"), ["room"]
        "How long one who comes now will wait, as far as that is known.";
    ROOM_ENTERED Counter "weir_waiting_room_entered" None, ["room"]
        "Visitors who came in.";
    ROOM_QUEUED Counter "weir_waiting_room_queued" None, ["room"]
        "Visitors who got a place in the line.";
    ROOM_LEFT Counter "weir_waiting_room_left" None, ["room"]
        "Visitors who left the line, or did not come when it was their turn.";
    ROOM_TURNED_AWAY Counter "weir_waiting_room_turned_away" None, ["room"]
        "Visitors who got no place, as too many wait.";
    ROOM_REFUSED Counter "weir_waiting_room_tickets_refused" None, ["room", "why"]
        "Tickets that were none.";
    ATTEMPTS Counter "weir_attempts" None, ["pool", "backend"]
        "Attempts begun.";
    CONNECTS Counter "weir_connects" None, ["pool", "backend"]
        "Connections made to backends.";
    CONNECT_FAILURES Counter "weir_connect_failures" None, ["pool", "backend"]
        "Connections to backends that could not be made.";
    REUSES Counter "weir_connection_reuses" None, ["pool", "backend"]
        "Attempts on a connection that stood.";
    ATTEMPT_FAILURES Counter "weir_attempt_failures" None, ["pool", "backend", "kind"]
        "Attempts that failed on a connection that stood.";
    EJECTIONS Counter "weir_ejections" None, ["pool", "backend"]
        "Times that a backend was ejected for what exchanges saw of it.";
    PROBES Counter "weir_probes" None, ["pool", "backend", "result"]
        "Health checks ended.";
    POOL_QUEUE Gauge "weir_pool_queue" None, ["pool"]
        "Exchanges that wait for a backend to have room.";
    LEASES Gauge "weir_leases" None, ["pool", "state"]
        "Backends that are registered now, by how their registration stands: `serving`, `kept` or `draining`.";
    LEASE_RENEWALS Counter "weir_lease_renewals" None, ["pool"]
        "Registrations renewed.";
    LEASE_EXPIRIES Counter "weir_lease_expiries" None, ["pool"]
        "Registrations that ran out, and whose backends had to go.";
    LEASES_KEPT Counter "weir_leases_kept" None, ["pool"]
        "Registrations that ran out and were kept, as more than half of their pool was silent.";
    POOL_IN_FLIGHT Gauge "weir_pool_exchanges_in_flight" None, ["pool"]
        "Exchanges that backends of the pool have now, as far as they count for what a backend bears.";
    POOL_BEARS Gauge "weir_pool_concurrency_per_backend" None, ["pool"]
        "How many exchanges a backend bears at once, in the mean; missing where nobody knows.";
    POOL_CAPACITY Gauge "weir_pool_exchanges_per_second_per_backend" None, ["pool"]
        "How many exchanges a backend does in a second; missing where nobody knows.";
    POOL_AVAILABLE Gauge "weir_pool_backends_available" None, ["pool"]
        "Backends that may be used.";
    POOL_WANTED Gauge "weir_pool_backends_wanted" None, ["pool"]
        "Backends that the pool needs for what comes, by its objective if it has one; missing where nobody knows what a backend bears.";
    POOL_OBJECTIVE Gauge "weir_pool_objective_seconds" Some("seconds"), ["pool"]
        "Within that 99 of 100 exchanges are to be answered, where the pool has an objective.";
    BREAKER_OPEN Gauge "weir_pool_breaker_open" None, ["pool"]
        "1 while the pool's breaker refuses exchanges, or tries a few.";
    BACKEND_UP Gauge "weir_backend_up" None, ["pool", "backend"]
        "1 if the backend may be used.";
    BACKEND_STATE Gauge "weir_backend_state" None, ["pool", "backend", "state"]
        "Always 1; the label says why the backend gets traffic, or none.";
    BACKEND_IN_FLIGHT Gauge "weir_backend_exchanges_in_flight" None, ["pool", "backend"]
        "Exchanges that the backend has now.";
    BACKEND_LATENCY Gauge "weir_backend_latency_seconds" Some("seconds"), ["pool", "backend"]
        "The learnt time to the first byte, where the pool's policy or its concurrency wants it; 0 if nothing is known.";
    BACKEND_LIMIT Gauge "weir_backend_concurrency_limit" None, ["pool", "backend"]
        "How many exchanges at once the backend was found to bear, where that is found out.";
    FLEET_MEMBERS Gauge "weir_fleet_members" None, []
        "Members of the fleet as counted last, this one among them; missing without a fleet.";
    FLEET_UP Gauge "weir_fleet_up" None, []
        "1 while Redis, through which a fleet shares its state, can be reached; missing without a fleet.";
    FLEET_LIMITS Gauge "weir_fleet_limits_shared" None, []
        "1 while members hear in time what the others let in within limits, 0 while each has its part; missing without a fleet.";
    CONNECTIONS_OPEN Gauge "weir_connections_open" None, ["listener"]
        "Connections from clients now.";
    CONNECTIONS_ACCEPTED Counter "weir_connections_accepted" None, ["listener"]
        "Connections accepted from clients.";
    CONNECTIONS_REFUSED Counter "weir_connections_refused" None, ["listener"]
        "Connections closed at accept because there were too many.";
    TLS_HANDSHAKES Counter "weir_tls_handshakes" None, ["listener", "result"]
        "TLS handshakes with clients.";
    H2_STREAMS Counter "weir_h2_streams" None, []
        "HTTP/2 streams opened by clients.";
    H2_RESETS Counter "weir_h2_resets" None, []
        "HTTP/2 streams with clients reset by either side.";
    H2_GOAWAYS Counter "weir_h2_goaways" None, []
        "HTTP/2 connections with clients ended for an error.";
    RELOADS Counter "weir_reloads" None, ["result"]
        "Reloads of the configuration.";
    UPGRADES Counter "weir_upgrades" None, ["result"]
        "Upgrades: failed ones of this process, and the one by which it came to serve.";
    ACCESS_LOG_DROPPED Counter "weir_access_log_lines_dropped" None, []
        "Lines of the access log lost: the queue was full, or the write failed.";
    MEMORY_CEILING Gauge "weir_memory_ceiling_bytes" Some("bytes"), []
        "What the process may hold in memory.";
    MEMORY_HELD Gauge "weir_memory_held_bytes" Some("bytes"), []
        "What it holds, without the pages of its program.";
    MEMORY_CACHES Gauge "weir_memory_caches_limit_bytes" Some("bytes"), []
        "What caches may hold of that now.";
    MEMORY_PRESSURE Gauge "weir_memory_pressure" None, ["level"]
        "1 for the level that memory is at.";
    BUILD_INFO Gauge "weir_build_info" None, ["version"]
        "Always 1; the label says what runs.";
    START_TIME Gauge "process_start_time_seconds" Some("seconds"), []
        "When the process started, since the Unix epoch.";
    RESIDENT Gauge "process_resident_memory_bytes" Some("bytes"), []
        "Memory that the process has in use.";
}

/// The two values of `result`.
pub(super) const RESULTS: [&str; 2] = ["ok", "failed"];

/// `docs/metrics.md`, whole.
#[must_use]
pub fn reference() -> String {
    let mut out = String::from(INTRODUCTION);
    let bounds = format!(
        "{ROUTES_MAX} routes, {POOLS_MAX} pools, {CACHES_MAX} caches, {LIMITS_MAX} limits, {BACKENDS_MAX} backends, {LISTENERS_MAX} listeners"
    );
    out.push_str(&format!("The number of names is bounded ({bounds}): {PAST_BOUND}\n\n"));
    out.push_str("| name | type | labels | meaning |\n|---|---|---|---|\n");
    for family in ALL {
        let suffix = if family.kind == Kind::Counter { "_total" } else { "" };
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let kind = family.kind.name();
        out.push_str(&format!("| `{}{suffix}` | {kind} | {} | {} |\n", family.name, labels.join(", "), family.help));
    }
    out.push_str(&format!("\n## Values of labels\n\n`status`: `{}`.\n\n", CLASSES.join("`, `")));
    out.push_str(&format!("`result`: `{}`.\n", RESULTS.join("`, `")));
    out.push_str(&format!("\n`priority`: `{}`.\n", Priority::ALL.map(Priority::label).join("`, `")));
    out.push_str(&format!("\n`level`: `{}`.\n", PRESSURES.join("`, `")));
    values(&mut out, "result` of `weir_mirrored_total", copies());
    let reads = DiskRead::ALL.iter().map(|read| (read.label(), read.about()));
    values(&mut out, "result` of `weir_cache_disk_reads_total", reads);
    let writes = DiskWrite::ALL.iter().map(|write| (write.label(), write.about()));
    values(&mut out, "result` of `weir_cache_disk_writes_total", writes);
    values(&mut out, "result` of `weir_cache_encodings_total", encodings());
    values(&mut out, "reason", RefusalReason::ALL.iter().map(|reason| (reason.label(), reason.about())));
    values(&mut out, "verdict", AccessVerdict::ALL.iter().map(|verdict| (verdict.label(), verdict.about())));
    values(&mut out, "outcome", CacheOutcome::ALL.iter().map(|outcome| (outcome.label(), outcome.about())));
    let outcomes = LimitOutcome::ALL.iter().map(|outcome| (outcome.label(), outcome.about()));
    values(&mut out, "outcome` of `weir_limit_requests_total", outcomes);
    let faults = TicketFault::ALL.iter().map(|fault| (fault.label(), fault.about()));
    values(&mut out, "why` of `weir_waiting_room_tickets_refused_total", faults);
    values(&mut out, "why", Unstorable::ALL.iter().map(|why| (why.as_str(), why.about())));
    values(&mut out, "kind` of `weir_protocol_errors_total", kinds());
    values(&mut out, "kind` of `weir_attempt_failures_total", failures());
    let bounds: Vec<&str> = BOUNDS.iter().map(|bound| bound.label).collect();
    out.push_str(&format!("\n## Buckets of histograms\n\nIn seconds: {}.\n", bounds.join(", ")));
    out
}

fn kinds() -> impl Iterator<Item = (&'static str, &'static str)> {
    ProtocolError::ALL.iter().map(|kind| (kind.label(), kind.about()))
}

fn copies() -> impl Iterator<Item = (&'static str, &'static str)> {
    Mirrored::ALL.iter().map(|result| (result.label(), result.about()))
}

fn encodings() -> impl Iterator<Item = (&'static str, &'static str)> {
    Encoded::ALL.iter().map(|result| (result.label(), result.about()))
}

fn failures() -> impl Iterator<Item = (&'static str, &'static str)> {
    AttemptFailure::ALL.iter().map(|kind| (kind.label(), kind.about()))
}

fn values(out: &mut String, of: &str, values: impl Iterator<Item = (&'static str, &'static str)>) {
    out.push_str(&format!("\n`{of}`:\n\n"));
    for (label, about) in values {
        out.push_str(&format!("- `{label}`: {}\n", about.trim()));
    }
}

const INTRODUCTION: &str = "\
# Metrics

<!-- Generated from src/telemetry/metrics/families.rs: `WEIR_BLESS=1 cargo test --lib telemetry::metrics` -->

The admin listener serves these at `/metrics`, in the Prometheus text format 0.0.4, or as OpenMetrics 1.0 to a client
that asks for it. Durations are in seconds, sizes in bytes.

The labels `route`, `pool`, `cache`, `limit`, `room`, `backend` and `listener` hold only names from the configuration. A reload keeps the counters
of a name that stays. The route `-` stands for exchanges that met none.

";
const PAST_BOUND: &str = "\
past the bound,
names that left the configuration are forgotten first, and then new ones are counted together as `other`.";
