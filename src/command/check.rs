//! `weir check`

use crate::config::{self, Action, Config, Route};
use crate::route::{Rank, order};
use crate::server;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// `weir check [-c FILE] [--routes] [--json]`: says all that is wrong with a configuration, or the order in which its
/// routes match. Succeeds if nothing is wrong; warnings are no errors.
///
/// # Errors
/// `out` cannot be written to.
pub fn check(path: &Path, routes: bool, json: bool, out: &mut dyn Write) -> io::Result<ExitCode> {
    let mut config = match config::load(path) {
        Ok(config) => config,
        Err(errors) if json => {
            let report = serde_json::json!({ "ok": false, "errors": errors.to_json(), "more": errors.more });
            writeln!(out, "{report:#}")?;
            return Ok(ExitCode::FAILURE);
        }
        Err(errors) => {
            writeln!(out, "{errors}")?;
            return Ok(ExitCode::FAILURE);
        }
    };
    if let Err(error) = server::verify(&mut config) {
        match json {
            true => {
                let errors = serde_json::json!([{ "message": error.to_string() }]);
                writeln!(out, "{:#}", serde_json::json!({ "ok": false, "errors": errors, "more": 0 }))?;
            }
            false => writeln!(out, "{error}")?,
        }
        return Ok(ExitCode::FAILURE);
    }
    match (routes, json) {
        (_, true) => writeln!(out, "{:#}", summary(&config, routes))?,
        (true, false) => write_routes(&config, out)?,
        (false, false) => write_summary(path, &config, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn write_summary(path: &Path, config: &Config, out: &mut dyn Write) -> io::Result<()> {
    for warning in &config.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    let (listeners, pools, routes) = (config.listeners.len(), config.pools.len(), config.routes.len());
    writeln!(out, "{}: ok: listeners {listeners}, pools {pools}, routes {routes}", path.display())
}

/// One line a host × path, the first that is tried in front.
fn write_routes(config: &Config, out: &mut dyn Write) -> io::Result<()> {
    let ranks = order(&config.routes);
    let rows: Vec<[String; 4]> = ranks.iter().map(|rank| row(config, rank)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).min(COLUMN_MAX);
    let (first, second, third) = (width(0), width(1), width(2));
    for (number, [host_path, conditions, action, place]) in rows.iter().enumerate() {
        let line = format!("{host_path:first$}  {conditions:second$}  {action:third$}  {place}");
        writeln!(out, "{:>4}  {line}", number + 1)?;
    }
    Ok(())
}

fn row(config: &Config, rank: &Rank<'_>) -> [String; 4] {
    let route = &config.routes[rank.route];
    let place = format!("{}:{}", route.place.file.display(), route.place.line);
    [host_path(rank), conditions(route), action(config, route), place]
}

fn host_path(rank: &Rank<'_>) -> String {
    let host = rank.host.map_or_else(|| "*".to_owned(), ToString::to_string);
    let path = rank.path.map_or_else(String::new, |path| format!(" {path}"));
    format!("{host}{path}")
}

fn conditions(route: &Route) -> String {
    let mut all = Vec::new();
    if !route.methods.is_empty() {
        all.push(route.methods.iter().map(ToString::to_string).collect::<Vec<_>>().join("|"));
    }
    all.extend(route.fields.iter().map(|(name, value)| format!("{name}: {value}")));
    all.extend(route.query.iter().map(|(name, value)| format!("?{name}={value}")));
    if !route.clients.is_empty() {
        let clients: Vec<_> = route.clients.iter().map(ToString::to_string).collect();
        all.push(format!("from {}", clients.join("|")));
    }
    all.join(", ")
}

fn action(config: &Config, route: &Route) -> String {
    let name = |pool: &config::PoolId| config.pools[pool.0].name.as_str();
    let action = match &route.action {
        Action::Pool(pool) => format!("pool {}", name(pool)),
        Action::Split(shares) => {
            let shares: Vec<_> = shares.iter().map(|(pool, weight)| format!("{} {weight}", name(pool))).collect();
            format!("split {}", shares.join(", "))
        }
        Action::ReadWrite { read, write, .. } => format!("read {}, write {}", name(read), name(write)),
        Action::Redirect { to, status } => format!("redirect {status} {to}"),
        Action::Respond { status, .. } => format!("respond {status}"),
    };
    let action = if route.maintenance { format!("maintenance ({action})") } else { action };
    let action = match route.access {
        Some(id) => format!("{action}, access {}", config.accesses[id.0].name),
        None => action,
    };
    let action = match room(config, route) {
        Some(room) => format!("{action}, waiting room {room}"),
        None => action,
    };
    match limits(config, route).join(", ") {
        limits if limits.is_empty() => action,
        limits => format!("{action}, limits {limits}"),
    }
}

fn room<'a>(config: &'a Config, route: &Route) -> Option<&'a str> {
    route.waiting_room.map(|id| config.waiting_rooms[id.0].name.as_str())
}

fn limits<'a>(config: &'a Config, route: &Route) -> Vec<&'a str> {
    route.limits.iter().map(|id| config.limits[id.0].name.as_str()).collect()
}

fn summary(config: &Config, routes: bool) -> serde_json::Value {
    let mut summary = serde_json::json!({
        "ok": true,
        "warnings": config.warnings,
        "listeners": config.listeners.len(),
        "pools": config.pools.len(),
        "routes": config.routes.len(),
    });
    if routes {
        summary["order"] = order(&config.routes).iter().map(|rank| route_json(config, rank)).collect();
    }
    summary
}

fn route_json(config: &Config, rank: &Rank<'_>) -> serde_json::Value {
    let route = &config.routes[rank.route];
    serde_json::json!({
        "name": route.name,
        "host": rank.host.map(ToString::to_string),
        "path": rank.path.map(ToString::to_string),
        "conditions": conditions(route),
        "action": action(config, route),
        "access": route.access.map(|id| config.accesses[id.0].name.as_str()),
        "limits": limits(config, route),
        "waiting_room": room(config, route),
        "file": route.place.file.display().to_string(),
        "line": route.place.line,
    })
}

/// Wider columns do not push the others away.
const COLUMN_MAX: usize = 48;
