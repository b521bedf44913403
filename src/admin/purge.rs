//! `/v1/purge`: what an operator wants out of the cache.

use super::AdminState;
use super::gate::Peer;
use super::job::{refused, said};
use crate::cache::purge::{Mode, What, parse};
pub use crate::live::Purge;
use crate::live::Told;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes};
use serde_json::{Map, Value, json};
use std::error::Error;
use std::pin::Pin;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purged {
    /// It holds, and survives a crash where the cache does.
    Done {
        /// The names of the caches.
        caches: Vec<String>,
        /// Of the purge, the highest of all.
        generation: u64,
        /// Stored responses that went, where that is known: those of URLs.
        objects: Option<u64>,
    },
    /// There is no cache of that name.
    NoSuchCache,
    /// There is none at all.
    NoCache,
    /// It holds, but is not written down, so that it may not outlive a crash; why.
    Failed(String),
}

/// Does it.
pub type Purger = Box<dyn Fn(&Purge) -> Purged + Send + Sync>;

/// Tells the other members of a fleet, if there is one.
pub type Teller = Box<dyn Fn(&Purge) -> Pin<Box<dyn Future<Output = Option<Told>> + Send>> + Send + Sync>;

/// Things that one request may purge.
pub const WHATS_MAX: usize = 1_024;

/// Bytes that such a request may have.
pub const PURGE_BYTES_MAX: usize = 1 << 20;

pub(super) const PATH: &str = "/v1/purge";

/// Purges, if whoever sent the request may.
pub(super) async fn purge<B>(request: Request<B>, state: &AdminState, peer: Peer) -> Response<Full<Bytes>>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    if let Some(refused) = refused(&request, state, peer) {
        return refused;
    }
    let content = match Limited::new(request.into_body(), PURGE_BYTES_MAX).collect().await {
        Ok(content) => content.to_bytes(),
        Err(why) => return not(StatusCode::PAYLOAD_TOO_LARGE, &format!("the content cannot be read: {why}")),
    };
    let purge = match read(&content) {
        Ok(purge) => purge,
        Err(why) => return not(StatusCode::BAD_REQUEST, &why),
    };
    let purged = state.purge(&purge);
    // Also what is not written down here is told to the others.
    let holds = matches!(purged, Purged::Done { .. } | Purged::Failed(_));
    let told = if holds { state.tell(&purge).await } else { None };
    outcome(&purge, purged, told)
}

fn outcome(purge: &Purge, purged: Purged, told: Option<Told>) -> Response<Full<Bytes>> {
    let (caches, generation, objects) = match purged {
        Purged::Done { caches, generation, objects } => (caches, generation, objects),
        Purged::NoSuchCache => {
            let name = purge.cache.as_deref().unwrap_or_default();
            return not(StatusCode::NOT_FOUND, &format!("there is no cache {name:?}"));
        }
        Purged::NoCache => return not(StatusCode::SERVICE_UNAVAILABLE, "there is no cache"),
        Purged::Failed(why) => {
            let content = json!({ "applied": false, "error": why, "purged": listed(purge) });
            return said(StatusCode::INTERNAL_SERVER_ERROR, &content);
        }
    };
    let mut content = json!({
        "applied": true,
        "purged": listed(purge),
        "soft": purge.mode == Mode::Soft,
        "caches": caches,
        "generation": generation,
    });
    if let Some(objects) = objects {
        content["objects"] = objects.into();
    }
    let (status, why) = match told {
        None => return said(StatusCode::OK, &content),
        Some(Told::Everywhere { members }) => {
            content["fleet"] = json!({ "applied": true, "members": members });
            return said(StatusCode::OK, &content);
        }
        Some(Told::Queued(why)) => (StatusCode::ACCEPTED, format!("sent once Redis can be reached: {why}")),
        Some(Told::Unanswered) => (StatusCode::ACCEPTED, "some members have not said that they have it".to_owned()),
        Some(Told::Refused) => (StatusCode::SERVICE_UNAVAILABLE, REFUSED.to_owned()),
    };
    if status == StatusCode::SERVICE_UNAVAILABLE {
        content["error"] = why.as_str().into();
    }
    content["fleet"] = json!({ "applied": false, "why": why });
    said(status, &content)
}

fn listed(purge: &Purge) -> Vec<Value> {
    let shown = |what: &What| match what {
        What::All => json!({ "all": true }),
        what => json!({ what.kind(): String::from_utf8_lossy(what.name()) }),
    };
    purge.what.iter().map(shown).collect()
}

fn not(status: StatusCode, why: &str) -> Response<Full<Bytes>> {
    said(status, &json!({ "applied": false, "error": why }))
}

/// Reads the content of a request; the error is for whoever sent it.
fn read(content: &[u8]) -> Result<Purge, String> {
    let object: Map<String, Value> =
        serde_json::from_slice(content).map_err(|why| format!("the content is no JSON object: {why}"))?;
    let mut purge = Purge { cache: None, what: Vec::new(), mode: Mode::Hard };
    for (key, value) in &object {
        take(&mut purge, key, value)?;
    }
    match purge.what.len() {
        0 => Err(format!("it says nothing to purge: {KEYS}")),
        1..=WHATS_MAX => Ok(purge),
        len => Err(format!("{len} things are too many for one request: at most {WHATS_MAX}, or a tag that they share")),
    }
}

fn take(purge: &mut Purge, key: &str, value: &Value) -> Result<(), String> {
    let one = |read: fn(&str) -> Result<What, parse::NotPurgeable>| move |text: &str| read(text).map(|what| vec![what]);
    let what = match (key, value) {
        ("cache", Value::String(name)) => {
            purge.cache = Some(name.clone());
            return Ok(());
        }
        ("cache", _) => return Err("cache: give its name as a string".into()),
        ("soft", Value::Bool(soft)) => {
            purge.mode = if *soft { Mode::Soft } else { Mode::Hard };
            return Ok(());
        }
        ("all", Value::Bool(true)) => vec![What::All],
        ("soft" | "all", _) => return Err(format!("{key}: give true")),
        ("url" | "urls", value) => read_each(key, value, parse::url)?,
        ("prefix" | "prefixes", value) => read_each(key, value, parse::prefix)?,
        ("host" | "hosts", value) => read_each(key, value, one(parse::host))?,
        ("tag" | "tags", value) => read_each(key, value, one(parse::tag))?,
        _ => return Err(format!("{key:?} is no key: {KEYS}")),
    };
    purge.what.extend(what);
    Ok(())
}

/// A string, or a list of them.
fn read_each(
    key: &str,
    value: &Value,
    read: impl Fn(&str) -> Result<Vec<What>, parse::NotPurgeable>,
) -> Result<Vec<What>, String> {
    let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let mut what = Vec::with_capacity(values.len());
    for value in values {
        let text = value.as_str().ok_or_else(|| format!("{key}: give a string, or a list of them"))?;
        what.extend(read(text).map_err(|why| format!("{key}: {why}"))?);
    }
    Ok(what)
}

const REFUSED: &str = "it is not told to the fleet, as too many purges wait for that: ask again";

const KEYS: &str = "url, prefix, host, tag (a string or a list each), or all: true; besides, cache and soft: true";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_purged_is_read() {
        let read = |text: &str| super::read(text.as_bytes()).unwrap();
        let url = |text: &str| What::Url(text.into());
        assert_eq!(
            read(r#"{"cache": "pages", "url": "HTTPS://A:443", "soft": true}"#),
            Purge { cache: Some("pages".into()), what: vec![url("https://a/")], mode: Mode::Soft }
        );
        assert_eq!(read(r#"{"urls": ["a/x"]}"#).what, [url("http://a/x"), url("https://a/x")]);
        let mixed = read(r#"{"tags": ["t", "u"], "host": "A", "prefix": "http://a/b", "soft": false}"#);
        let (host, prefix) = (What::Host(b"a".into()), What::Prefix(b"http://a/b".into()));
        assert_eq!(mixed.what.len(), 4);
        assert!(mixed.what.contains(&host) && mixed.what.contains(&prefix) && mixed.mode == Mode::Hard);
        assert_eq!(read(r#"{"all": true}"#).what, [What::All]);
    }

    #[test]
    fn what_is_not_understood_is_refused_in_words() {
        let many = format!("{{\"tags\": [{}\"t\"]}}", "\"t\",".repeat(WHATS_MAX));
        for (text, why) in [
            ("", "no JSON object"),
            ("[]", "no JSON object"),
            ("{}", "nothing to purge"),
            (r#"{"soft": true}"#, "nothing to purge"),
            (r#"{"tags": []}"#, "nothing to purge"),
            (r#"{"all": false}"#, "all: give true"),
            (r#"{"url": "a", "soft": "yes"}"#, "soft: give true"),
            (r#"{"tag": 7}"#, "tag: give a string"),
            (r#"{"cache": 7}"#, "cache: give its name"),
            (r#"{"path": "/a"}"#, "\"path\" is no key"),
            (r#"{"url": "ftp://a/"}"#, "url: \"ftp://a/\" has a scheme"),
            (&many, "too many"),
        ] {
            let error = super::read(text.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
