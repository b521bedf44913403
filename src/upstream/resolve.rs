use std::io;
use std::net::SocketAddr;

/// Addresses of a name that are tried.
const ADDRESSES_MAX: usize = 8;

/// Asks the system's resolver, on a thread of its own: it blocks.
pub(super) async fn lookup(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let addresses = tokio::net::lookup_host((name, port)).await?;
    Ok(addresses.take(ADDRESSES_MAX).collect())
}
