//! Two processes that serve the same caches, while the older one drains: each tells the other what is not to be used any
//! more, so that what an operator purges, or a client writes, is gone in both.

use super::news::{Line, decode, encode};
use crate::exchange::Generation;
use crate::live::{Confirmer, Listener};
use arc_swap::ArcSwap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Tells what comes to `listener`, and hears what the other process tells, until either is gone. What was read too far is
/// in `reader`.
///
/// # Errors
/// There is no thread or descriptor to be had: the other process is told nothing.
pub(in crate::server) fn start(
    reader: BufReader<UnixStream>,
    listener: Listener,
    latest: Arc<ArcSwap<Generation>>,
) -> io::Result<()> {
    let stream = reader.get_ref().try_clone()?;
    stream.set_read_timeout(None)?;
    stream.set_write_timeout(Some(WRITE_MAX))?;
    let (writer, confirmer) = (Arc::new(Mutex::new(stream)), listener.confirmer());
    let telling = Arc::clone(&writer);
    thread::Builder::new().name("weir-tell".into()).spawn(move || tell(&listener, &telling))?;
    thread::Builder::new().name("weir-hear".into()).spawn(move || hear(reader, confirmer, &writer, &latest))?;
    Ok(())
}

fn tell(listener: &Listener, writer: &Mutex<UnixStream>) {
    while let Some(news) = listener.next() {
        let Err(error) = write(writer, &encode(&Line::News(news))) else { continue };
        // One that is gone breaks the line otherwise.
        if error.kind() == io::ErrorKind::WouldBlock {
            let limit = WRITE_MAX;
            tracing::warn!(?limit, "the other process does not listen: it is told no more what changes in caches");
        }
        break;
    }
    // The other thread ends with it.
    let _ = writer.lock().unwrap_or_else(PoisonError::into_inner).shutdown(Shutdown::Both);
}

fn hear(
    mut reader: BufReader<UnixStream>,
    confirmer: Confirmer,
    writer: &Mutex<UnixStream>,
    latest: &ArcSwap<Generation>,
) {
    while let Ok(Some(line)) = next_line(&mut reader) {
        match decode(&line) {
            Some(Line::News(news)) => {
                latest.load().hear(&news);
                if news.number > 0 && write(writer, &encode(&Line::Done(news.number))).is_err() {
                    break;
                }
            }
            Some(Line::Done(number)) => confirmer.confirm(number),
            // What only a newer process knows.
            None => {}
        }
    }
    latest.load().snapshot.caches.iter().for_each(|rules| rules.cache.hang_up(&confirmer));
    drop(confirmer);
}

/// The next line, without its end; `None` if there is none, or none that ends.
pub(super) fn next_line(reader: &mut BufReader<UnixStream>) -> io::Result<Option<String>> {
    let mut line = String::new();
    match reader.by_ref().take(LINE_BYTES_MAX).read_line(&mut line) {
        // A time limit on the socket shows so.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(line.strip_suffix('\n').map(str::to_owned)),
    }
}

fn write(writer: &Mutex<UnixStream>, line: &str) -> io::Result<()> {
    writer.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes())
}

/// How long the other process may take to read a line.
const WRITE_MAX: Duration = Duration::from_secs(5);

/// Bytes of a line: a key is no longer than a request's head, and each byte of it six characters at most.
const LINE_BYTES_MAX: u64 = 8 << 20;
