/// The reason phrase of a status code (the IANA registry); empty if unknown.
#[must_use]
pub fn reason(status: u16) -> &'static str {
    ::http::StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason()).unwrap_or("")
}
