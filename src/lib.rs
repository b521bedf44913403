//! Weir: an edge proxy and shared HTTP cache in one binary.
//!
//! The house, floor by floor; a room uses only rooms on floors below it (`tests/floors.rs` checks).
//!
//! | floor | room | what it holds |
//! |---|---|---|
//! | 0 | [`http`] | pure HTTP semantics: heads, fields, methods, authorities. No I/O, no clock |
//! | 1 | [`config`] | text to checked values, or errors that point at file, line and key |
//! | 2 | [`route`] | which route a request meets, and what the route does to it |
//! | 2 | [`cache`] | what is kept of responses, and how it is found, purged and let go |
//! | 2 | [`pool`] | which backend of a pool an attempt goes to |
//! | 2 | [`access`] | who may use a route: networks, passwords, tokens, the word of another backend |
//! | 2 | [`limit`] | how much of something one key may have |
//! | 2 | [`registry`] | backends that register themselves, and how long they are believed |
//! | 2 | [`waiting`] | who waits while a pool is full, and who is let in |
//! | 3 | [`live`] | what runs now: the immutable snapshot built from one configuration |
//! | 4 | [`wire`] | codecs: bytes to heads and bodies, and back |
//! | 4 | [`upstream`] | connections to backends and their reuse |
//! | 4 | [`exchange`] | the engine: one request with its response |
//! | 4 | [`fleet`] | this process as one of several that share their state through Redis |
//! | 5 | [`server`] | listeners, workers, TLS, signals, reload, upgrade |
//! | 5 | [`admin`] | the admin listener: metrics, health, what an operator may ask |
//! | 5 | [`command`] | one file a command-line verb |
//! | side | [`telemetry`] | metrics and logs, handed down as handles |
//! | side | [`clock`] | a worker's coarse timer |

pub mod access;
pub mod admin;
pub mod cache;
pub mod clock;
pub mod command;
pub mod config;
pub mod exchange;
pub mod fleet;
pub mod http;
pub mod limit;
pub mod live;
pub mod pool;
pub mod registry;
pub mod route;
pub mod server;
pub mod telemetry;
pub mod upstream;
pub mod waiting;
pub mod wire;
