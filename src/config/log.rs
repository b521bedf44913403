use std::path::PathBuf;

/// `[log]`
#[derive(Clone, Debug)]
pub struct Log {
    /// Events less important than this are not written; default info.
    pub level: Level,
    /// One line an exchange.
    pub access: AccessLog,
}

/// How important an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something may fail soon, or is not as meant.
    Warn,
    /// Something happened that an operator wants to know.
    Info,
    /// For those who look for a fault.
    Debug,
    /// Everything.
    Trace,
}

/// `[log] access`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLog {
    /// Default JSON.
    pub format: AccessFormat,
    /// Default standard output.
    pub to: Destination,
}

/// How a line of the access log looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessFormat {
    /// One JSON object a line.
    Json,
    /// The combined format that Apache and nginx write.
    Combined,
    /// Text with `{name}` placeholders, checked against [`AccessFormat::PLACEHOLDERS`].
    Template(String),
}

impl AccessFormat {
    /// The names that a template may use, besides `{request.FIELD}` and `{response.FIELD}`.
    pub const PLACEHOLDERS: &'static [&'static str] = &[
        "time",
        "client",
        "listener",
        "scheme",
        "host",
        "method",
        "target",
        "path",
        "query",
        "version",
        "status",
        "request_bytes",
        "response_bytes",
        "duration_ms",
        "first_byte_ms",
        "route",
        "pool",
        "backend",
        "attempts",
        "cache",
        "limit",
        "limit_observed",
        "request_id",
        "tls_version",
        "tls_cipher",
        "client_subject",
        "user",
        "end",
    ];
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// Nowhere.
    Off,
    /// A file, opened for appending, reopened on reload.
    File(PathBuf),
}
