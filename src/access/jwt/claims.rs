use super::Fault;
use crate::config::{Claim, Jwt};
use crate::http::is_value;
use serde_json::{Map, Value};

/// The claims of a token whose signature is right.
pub(super) struct Claims(pub(super) Map<String, Value>);

impl Claims {
    /// The second from which the token is of no use any more; `now` in unix seconds.
    pub(super) fn check(&self, jwt: &Jwt, now: u64) -> Result<u64, Fault> {
        let leeway = jwt.leeway.as_secs();
        if self.0.get("iss").and_then(Value::as_str) != Some(&jwt.issuer) {
            return Err(Fault::Issuer);
        }
        if !jwt.audience.is_empty() && !self.is_for(&jwt.audience) {
            return Err(Fault::Audience);
        }
        // RFC 7519 §4.1.4: not on or after.
        let until = self.time("exp")?.ok_or(Fault::Expired)?.saturating_add(leeway);
        if now >= until {
            return Err(Fault::Expired);
        }
        match self.time("nbf")? {
            Some(from) if now.saturating_add(leeway) < from => Err(Fault::Early),
            _ => Ok(until),
        }
    }

    /// RFC 7519 §4.1.3: one text, or several.
    fn is_for(&self, wanted: &[String]) -> bool {
        match self.0.get("aud") {
            Some(Value::String(one)) => wanted.contains(one),
            Some(Value::Array(all)) => {
                all.iter().all(Value::is_string) && all.iter().any(|one| wanted.iter().any(|wanted| one == wanted))
            }
            _ => false,
        }
    }

    /// A NumericDate, which may have a fraction; one before 1970 is 0.
    fn time(&self, name: &str) -> Result<Option<u64>, Fault> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Number(number)) => match (number.as_u64(), number.as_f64()) {
                (Some(seconds), _) => Ok(Some(seconds)),
                // A cast of a float ends at the ends of the integer.
                (None, Some(seconds)) => Ok(Some(seconds as u64)),
                (None, None) => Err(Fault::Malformed),
            },
            Some(_) => Err(Fault::Malformed),
        }
    }

    /// Who it is.
    pub(super) fn subject(&self) -> Option<&str> {
        self.0
            .get("sub")
            .and_then(Value::as_str)
            .filter(|subject| !subject.is_empty() && subject.len() <= SUBJECT_BYTES_MAX)
    }

    /// A claim as the value of a field; none if it is not there. What cannot be told without being taken for something
    /// else is a fault: a backend that is told less than all might allow more.
    pub(super) fn text(&self, claim: &Claim) -> Result<Option<String>, Fault> {
        let value = match claim {
            Claim::Name(name) => self.0.get(name),
            Claim::Pointer(pointer) => {
                let (first, rest) = pointer[1..].split_once('/').unwrap_or((&pointer[1..], ""));
                let inner = self.0.get(&first.replace("~1", "/").replace("~0", "~"));
                if rest.is_empty() { inner } else { inner.and_then(|inner| inner.pointer(&format!("/{rest}"))) }
            }
        };
        let text = match value {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Array(list)) => {
                let parts: Result<Vec<_>, _> = list.iter().map(|part| plain(part, true)).collect();
                parts?.join(", ")
            }
            Some(one) => plain(one, false)?,
        };
        if is_value(text.as_bytes()) { Ok(Some(text)) } else { Err(Fault::Claim) }
    }
}

/// `is_part`: of a list, where a comma would make two of one.
fn plain(value: &Value, is_part: bool) -> Result<String, Fault> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return Err(Fault::Claim),
    };
    let splits = is_part && (text.is_empty() || text.contains(',') || text.trim() != text);
    if splits { Err(Fault::Claim) } else { Ok(text) }
}

/// Bytes of a name that is worth to be known by.
const SUBJECT_BYTES_MAX: usize = 255;
