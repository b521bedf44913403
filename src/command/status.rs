//! `weir status`

use super::ask::Where;
use serde_json::Value;
use std::io::{self, Write};
use std::process::ExitCode;

/// `weir status [-c FILE] [--admin ADDRESS] [--json]`: what is up in the running process, pool by pool. Fails if a pool has
/// no backend that may be used, so that scripts can ask.
///
/// # Errors
/// `out` cannot be written to.
pub fn status(process: &Where, json: bool, out: &mut dyn Write) -> io::Result<ExitCode> {
    let status = match process.read("/v1/status") {
        Ok(status) => status,
        Err(error) => {
            writeln!(out, "{error}")?;
            return Ok(ExitCode::FAILURE);
        }
    };
    if json {
        writeln!(out, "{status:#}")?;
    } else {
        write_status(&status, out)?;
    }
    let is_up = |pool: &Value| list(pool, "backends").iter().any(|backend| backend["available"] == true);
    Ok(if list(&status, "pools").iter().all(is_up) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(super) fn write_status(status: &Value, out: &mut dyn Write) -> io::Result<()> {
    let ready = if status["ready"] == true { "ready" } else { "not ready" };
    let (reloads, up) = (&status["reloads"], span(status["uptime_seconds"].as_u64().unwrap_or(0)));
    let (version, pid) = (text(&status["version"]), &status["pid"]);
    writeln!(
        out,
        "weir {version}, process {pid}, {ready}, up {up}; reloads {}, refused {}",
        reloads["ok"], reloads["failed"]
    )?;
    for warning in list(status, "warnings") {
        writeln!(out, "warning: {}", text(warning))?;
    }
    if let Some(members) = status["fleet"]["members"].as_u64() {
        match status["fleet"]["why"].as_str() {
            None if status["fleet"]["limits"] == "divided" => {
                writeln!(out, "fleet: {members} members; Redis is slow, each has its part of limits")?;
            }
            None => writeln!(out, "fleet: {members} members")?,
            Some(why) if status["fleet"]["redis"] == "up" => writeln!(out, "fleet: {members} members; {why}")?,
            Some(why) => writeln!(out, "fleet: {members} members when Redis was last reached; now alone: {why}")?,
        }
    }
    for access in list(status, "access") {
        write_access(access, out)?;
    }
    for pool in list(status, "pools") {
        let backends = list(pool, "backends");
        let available = backends.iter().filter(|backend| backend["available"] == true).count();
        write!(out, "\n{}: {available} of {} backends may be used", text(&pool["pool"]), backends.len())?;
        if pool["queue"] != 0 {
            write!(out, ", {} exchanges wait", pool["queue"])?;
        }
        write_leases(&pool["leases"], out)?;
        if pool["breaker_open"] == true {
            write!(out, ", its breaker is open")?;
        }
        writeln!(out)?;
        let width = backends.iter().map(|backend| text(&backend["backend"]).len()).max().unwrap_or(0);
        for backend in backends {
            let (name, state) = (text(&backend["backend"]), text(&backend["state"]));
            write!(out, "  {name:width$}  {state:9}  {} in flight", backend["in_flight"])?;
            if let Some(limit) = backend["limit"].as_u64() {
                write!(out, ", bears {limit}")?;
            }
            if let Some(latency) = backend["latency_ms"].as_f64().filter(|latency| *latency > 0.0) {
                write!(out, ", {latency:.1} ms")?;
            }
            match backend["why"].as_str() {
                Some(why) => writeln!(out, "  last probe: {why}")?,
                None => writeln!(out)?,
            }
        }
        for name in list(pool, "unresolved") {
            writeln!(out, "  {}  cannot be resolved: {}", text(&name["name"]), text(&name["why"]))?;
        }
    }
    limits(status, out)?;
    rooms(status, out)
}

fn rooms(status: &Value, out: &mut dyn Write) -> io::Result<()> {
    let rooms = list(status, "waiting_rooms");
    if !rooms.is_empty() {
        writeln!(out, "\nwaiting rooms:")?;
    }
    let width = rooms.iter().map(|room| text(&room["room"]).len()).max().unwrap_or(0);
    for room in rooms {
        write!(out, "  {:width$}  {} wait, {} inside", text(&room["room"]), room["waiting"], room["inside"])?;
        if let Some(active) = room["active"].as_u64() {
            write!(out, " of {active}")?;
        }
        if let Some(wait) = room["wait_seconds"].as_f64().filter(|wait| *wait > 0.0) {
            write!(out, ", who comes now waits {}", span(wait as u64))?;
        }
        write!(out, "; {} came in, {} left", room["entered"], room["left"])?;
        let is_apart = room["shared"] == false;
        writeln!(out, "{}", if is_apart { "; the fleet cannot be reached: it keeps to its part" } else { "" })?;
    }
    Ok(())
}

fn limits(status: &Value, out: &mut dyn Write) -> io::Result<()> {
    let limits = list(status, "limits");
    if !limits.is_empty() {
        writeln!(out, "\nlimits:")?;
    }
    let width = limits.iter().map(|limit| text(&limit["limit"]).len()).max().unwrap_or(0);
    for limit in limits {
        let (name, bound, requests) = (text(&limit["limit"]), text(&limit["bound"]), &limit["requests"]);
        write!(out, "  {name:width$}  {bound}: {} passed, ", requests["passed"])?;
        match limit["observe"] == true {
            true => write!(out, "{} would have been refused", requests["observed"])?,
            false => write!(out, "{} refused", requests["refused"])?,
        }
        writeln!(out, "; {} of {} keys", limit["keys"], limit["keys_max"])?;
    }
    Ok(())
}

/// ", 3 registered, 2 of them kept though they ran out"
fn write_leases(leases: &Value, out: &mut dyn Write) -> io::Result<()> {
    let count = |state: &str| leases[state].as_u64().unwrap_or(0);
    let all = count("serving") + count("kept") + count("draining");
    match leases.as_object() {
        None => return Ok(()),
        Some(_) if all == 0 => write!(out, ", nobody is registered")?,
        Some(_) => write!(out, ", {all} registered")?,
    }
    if count("draining") > 0 {
        write!(out, ", {} of them leaving", count("draining"))?;
    }
    match count("kept") {
        0 => Ok(()),
        kept => write!(out, ", {kept} of them kept though they ran out, as most are silent"),
    }
}

/// Says of keys only what is not as it should be.
fn write_access(access: &Value, out: &mut dyn Write) -> io::Result<()> {
    let (name, Some(why)) = (text(&access["access"]), access["why"].as_str()) else { return Ok(()) };
    match access["keys_age_seconds"].as_u64() {
        Some(age) => writeln!(out, "access {name}: keys are {} old: {why}", span(age)),
        None => writeln!(out, "access {name}: nobody is let in, there are no keys: {why}"),
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

/// `3d 4h`, `5m 6s`
fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}
