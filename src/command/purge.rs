//! `weir purge`

use super::ask::{Answer, Where};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::process::ExitCode;

/// What is to be purged, as it was written: the running process reads it.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// URLs.
    pub urls: Vec<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Beginnings of URLs.
    pub prefixes: Vec<String>,
    /// Hosts.
    pub hosts: Vec<String>,
    /// Everything.
    pub all: bool,
    /// Stale from now on, and not gone.
    pub soft: bool,
    /// Only in this cache.
    pub cache: Option<String>,
}

/// `weir purge URL… [--tag TAG] [--prefix URL] [--host HOST] [--all] [--soft] [--cache NAME] [--json]`: what is named is not
/// used any more when this ends; says what that was. Succeeds if it is purged.
///
/// # Errors
/// `out` cannot be written to.
pub fn purge(process: &Where, wanted: &Wanted, json: bool, out: &mut dyn Write) -> io::Result<ExitCode> {
    let answer = match process.ask_with("/v1/purge", &wanted.content()) {
        Ok(answer) => answer,
        Err(error) => {
            writeln!(out, "{error}")?;
            return Ok(ExitCode::FAILURE);
        }
    };
    match answer.is_done() {
        _ if json => writeln!(out, "{:#}", answer.content)?,
        true => write_purged(&answer, out)?,
        false => {
            let state = match (answer.content["purged"].is_array(), answer.content["fleet"].is_object()) {
                (true, true) => "it is purged in this process only",
                (true, false) => "it is purged, but may come back after a crash",
                (false, _) => "nothing is purged",
            };
            writeln!(out, "error: {}\n{state}", answer.error())?;
        }
    }
    let is_everywhere = answer.content["fleet"]["applied"] != false;
    Ok(if answer.is_done() && is_everywhere { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Wanted {
    fn content(&self) -> Value {
        let mut content = json!({ "soft": self.soft });
        let lists = [("url", &self.urls), ("tag", &self.tags), ("prefix", &self.prefixes), ("host", &self.hosts)];
        for (key, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            content[key] = json!(list);
        }
        if self.all {
            content["all"] = true.into();
        }
        if let Some(cache) = &self.cache {
            content["cache"] = json!(cache);
        }
        content
    }
}

fn write_purged(answer: &Answer, out: &mut dyn Write) -> io::Result<()> {
    let content = &answer.content;
    let outcome = if content["soft"] == true { "stale from now on" } else { "purged" };
    for purged in content["purged"].as_array().into_iter().flatten() {
        for (kind, name) in purged.as_object().into_iter().flatten() {
            match (kind.as_str(), name.as_str().unwrap_or_default()) {
                ("all", _) => writeln!(out, "everything: {outcome}")?,
                ("url", name) => writeln!(out, "{name}: {outcome}")?,
                ("prefix", name) => writeln!(out, "{name}*: {outcome}")?,
                (kind, name) => writeln!(out, "{kind} {name}: {outcome}")?,
            }
        }
    }
    let caches: Vec<&str> = content["caches"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if let Some(objects) = content["objects"].as_u64() {
        let (noun, verb) = if objects == 1 { ("response", "was") } else { ("responses", "were") };
        writeln!(out, "{objects} stored {noun} of these URLs {verb} there")?;
    }
    let noun = if caches.len() == 1 { "cache" } else { "caches" };
    writeln!(out, "{noun} {}, generation {}", caches.join(", "), content["generation"])?;
    let fleet = &content["fleet"];
    match (fleet["members"].as_u64(), fleet["why"].as_str()) {
        (Some(members), _) => writeln!(out, "known to all of the fleet: {members} members"),
        (None, Some(why)) => writeln!(out, "error: the others of the fleet do not know yet: {why}"),
        (None, None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_is_asked_for_in_one_request() {
        let wanted = Wanted { urls: vec!["a/b".into()], hosts: vec!["a".into()], soft: true, ..Wanted::default() };
        assert_eq!(wanted.content(), json!({ "soft": true, "url": ["a/b"], "host": ["a"] }));
        let wanted = Wanted { all: true, cache: Some("pages".into()), ..Wanted::default() };
        assert_eq!(wanted.content(), json!({ "soft": false, "all": true, "cache": "pages" }));
    }
}
