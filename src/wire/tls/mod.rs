//! TLS in both directions: certificates from files, what is offered, session tickets, client certificates.
//!
//! Everything here happens at start and at reload; a handshake only reads what was built. Operators: `docs/tls.md`.

mod client;
mod error;
mod identity;
mod pem;
mod provider;
mod server;
mod sni;
mod subject;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tickets;
mod validity;

pub use client::ClientTls;
pub use error::{FileFault, TlsError};
pub use provider::install_provider;
pub use server::ServerTls;
pub use subject::client_subject;
pub use tickets::Tickets;
