//! The new process's side.

use super::kin::next_line;
use super::message::{Slot, decode as decode_sockets};
use super::news::{Line, decode};
use super::pass::receive;
use super::{FAILED, GO, GO_RELOAD, READY, VARIABLE};
use crate::live::News;
use std::fs::File;
use std::io::{self, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// The process that hands over to this one.
#[derive(Debug)]
pub(in crate::server) struct Predecessor(UnixStream);

/// What to do besides serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Go {
    Serve,
    /// The old process was asked for a reload meanwhile: what was read here may be old by now.
    Reload,
}

/// What the other process leaves to this one.
#[derive(Debug)]
pub(in crate::server) struct Handed {
    pub(in crate::server) go: Go,
    /// What changed in the caches while this process opened their directories.
    pub(in crate::server) news: Vec<News>,
    /// Where it tells more.
    pub(in crate::server) reader: BufReader<UnixStream>,
}

impl Predecessor {
    /// The one that started this process, if one did. Standard input becomes `/dev/null`.
    ///
    /// # Errors
    /// There is no descriptor to be had.
    pub(in crate::server) fn find() -> io::Result<Option<Predecessor>> {
        if std::env::var_os(VARIABLE).is_none() {
            return Ok(None);
        }
        let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
        Ok(Some(Predecessor(socket)))
    }

    /// The sockets that it hands over.
    ///
    /// # Errors
    /// They do not come, or not all of them.
    pub(in crate::server) fn sockets(&self) -> io::Result<Vec<(Slot, OwnedFd)>> {
        self.0.set_read_timeout(Some(SOCKETS_WAIT))?;
        let (mut text, mut descriptors) = (Vec::new(), Vec::new());
        while text.last() != Some(&b'\n') {
            let n = receive(&self.0, &mut text, &mut descriptors)?;
            if n == 0 || text.len() > TEXT_BYTES_MAX {
                return Err(io::Error::other("the hand-over breaks off"));
            }
        }
        let slots = decode_sockets(&String::from_utf8_lossy(&text)).map_err(io::Error::other)?;
        if slots.len() != descriptors.len() {
            let (all, came) = (slots.len(), descriptors.len());
            return Err(io::Error::other(format!("{came} of {all} sockets came: the limit of open files is too low")));
        }
        Ok(slots.into_iter().zip(descriptors).collect())
    }

    /// Says that nothing can fail any more, and waits until this process is to serve. It is, too, if the other is gone:
    /// one that did not want it any more would have killed it before.
    ///
    /// # Errors
    /// The other process says nothing.
    pub(in crate::server) fn ready(&self) -> io::Result<Handed> {
        self.0.set_read_timeout(Some(GO_WAIT))?;
        self.0.set_write_timeout(Some(GO_WAIT))?;
        let mut handed = Handed { go: Go::Serve, news: Vec::new(), reader: BufReader::new(self.0.try_clone()?) };
        if (&self.0).write_all(READY.as_bytes()).is_err() {
            return Ok(handed);
        }
        while let Some(line) = next_line(&mut handed.reader)? {
            match (line.as_str(), decode(&line)) {
                (GO, _) => break,
                (GO_RELOAD, _) => {
                    handed.go = Go::Reload;
                    break;
                }
                (_, Some(Line::News(news))) => handed.news.push(news),
                _ => {}
            }
        }
        Ok(handed)
    }

    /// Says why this process cannot serve; whether anybody heard it.
    pub(in crate::server) fn failed(&self, why: &str) -> bool {
        let text = format!("{FAILED}{why}");
        let _ = self.0.set_write_timeout(Some(GO_WAIT));
        (&self.0).write_all(text.as_bytes()).is_ok()
    }
}

/// How long the sockets may take to come.
const SOCKETS_WAIT: Duration = Duration::from_secs(10);

/// How long the other process may take to say `go`: it does so at once, or hangs.
const GO_WAIT: Duration = Duration::from_secs(60);

/// Bytes that say what the sockets are.
const TEXT_BYTES_MAX: usize = 16 << 20;
