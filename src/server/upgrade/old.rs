//! The old process's side.

use super::message::{Slot, encode};
use super::news::{Line, encode as encode_news};
use super::pass::{PASSED_MAX, send};
use super::program::Program;
use super::{FAILED, GO, GO_RELOAD, READY, VARIABLE};
use crate::live::News;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use std::{fmt, io};
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Why there is no successor.
#[derive(Debug)]
pub(in crate::server) enum UpgradeError {
    /// Process 1 of a container cannot leave: the container ends with it.
    First,
    /// A worker or the system does not give the sockets out.
    Sockets(io::Error),
    /// The disk of a cache was not let go of in that time.
    Disk(Duration),
    /// The binary at that path cannot be started.
    Start(PathBuf, io::Error),
    /// It ended, without a word.
    Ended(ExitStatus),
    /// It did not serve in that time, and was killed.
    Silent(Duration),
    /// It says why it cannot serve.
    Failed(String),
    /// It said something else, or the talk with it broke off.
    Talk(io::Error),
}

/// A process that is ready to take over. It is killed when this is dropped, unless it was told to go.
#[derive(Debug)]
pub(in crate::server) struct Successor {
    child: Option<Child>,
    pid: u32,
    stream: UnixStream,
}

/// Starts the binary, hands it the sockets, and waits until it is ready, `limit` at most.
///
/// # Errors
/// [`UpgradeError`]; nothing is left of the other process then.
pub(in crate::server) async fn start(
    program: &Program,
    sockets: Vec<(Slot, OwnedFd)>,
    limit: Duration,
) -> Result<Successor, UpgradeError> {
    if std::process::id() == 1 {
        return Err(UpgradeError::First);
    }
    let (ours, theirs) = StdStream::pair().map_err(UpgradeError::Talk)?;
    ours.set_nonblocking(true).map_err(UpgradeError::Talk)?;
    let stream = UnixStream::from_std(ours).map_err(UpgradeError::Talk)?;
    let child = spawn(program, theirs).map_err(|error| UpgradeError::Start(program.path.clone(), error))?;
    let mut successor = Successor { pid: child.id().unwrap_or_default(), child: Some(child), stream };
    let result = timeout(limit, successor.until_ready(sockets)).await.unwrap_or(Err(UpgradeError::Silent(limit)));
    match result {
        Ok(()) => Ok(successor),
        Err(error) => {
            successor.end().await;
            Err(error)
        }
    }
}

fn spawn(program: &Program, stdin: StdStream) -> io::Result<Child> {
    let mut command = Command::new(&program.path);
    command.arg0(&program.name).args(&program.arguments).env(VARIABLE, "1").stdin(Stdio::from(OwnedFd::from(stdin)));
    for ours in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] {
        command.env_remove(ours);
    }
    // The watchdog of systemd is for its main process, which the new one will be.
    if std::env::var("WATCHDOG_PID").is_ok_and(|pid| pid != std::process::id().to_string()) {
        command.env_remove("WATCHDOG_USEC");
    }
    command.env_remove("WATCHDOG_PID").spawn()
}

impl Successor {
    pub(in crate::server) fn pid(&self) -> u32 {
        self.pid
    }

    /// Lets it serve, once it knows the `news`. From now on it lives for itself; where it tells what changes, and is told.
    ///
    /// # Errors
    /// It is gone, or does not listen. Nothing is left of it.
    pub(in crate::server) async fn go(mut self, reload: bool, news: Vec<News>) -> Result<StdStream, UpgradeError> {
        let word = if reload { GO_RELOAD } else { GO };
        let lines: String = news.into_iter().map(|news| encode_news(&Line::News(news))).collect();
        let text = format!("{lines}{word}\n");
        let sent = timeout(GO_MAX, self.send(text.as_bytes(), &[])).await;
        let sent = sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let stream = sent.and_then(|()| blocking(&self.stream));
        // A process that has ended cannot be told from one that listens: the socket takes the word of either.
        let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
        match (stream, ended) {
            (Ok(stream), None) => {
                self.child.take();
                Ok(stream)
            }
            (_, Some(status)) => Err(UpgradeError::Ended(status)),
            (Err(error), None) => {
                self.end().await;
                Err(UpgradeError::Talk(error))
            }
        }
    }

    async fn until_ready(&mut self, sockets: Vec<(Slot, OwnedFd)>) -> Result<(), UpgradeError> {
        let handed = self.hand_over(&sockets).await;
        drop(sockets);
        // Who does not take the sockets may still say why.
        let said = self.listen().await;
        let said = String::from_utf8_lossy(&said);
        match said.strip_prefix(FAILED) {
            _ if said == READY && handed.is_ok() => Ok(()),
            Some(why) => Err(UpgradeError::Failed(why.trim_end().to_owned())),
            None if said.is_empty() => match self.status().await {
                Some(status) => Err(UpgradeError::Ended(status)),
                None => Err(UpgradeError::Talk(handed.err().unwrap_or(io::ErrorKind::UnexpectedEof.into()))),
            },
            None => Err(UpgradeError::Talk(io::Error::other("it speaks another language"))),
        }
    }

    async fn hand_over(&self, sockets: &[(Slot, OwnedFd)]) -> io::Result<()> {
        for batch in sockets.chunks(PASSED_MAX) {
            let descriptors: Vec<_> = batch.iter().map(|(_, socket)| socket.as_fd()).collect();
            // Descriptors need a byte to go along with; white space in front of the text is ignored.
            self.send(b" ", &descriptors).await?;
        }
        self.send(encode(sockets.iter().map(|(slot, _)| slot)).as_bytes(), &[]).await
    }

    async fn send(&self, mut bytes: &[u8], mut descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = self.stream.async_io(Interest::WRITABLE, || send(&self.stream, bytes, descriptors)).await?;
            bytes = &bytes[sent..];
            descriptors = &[];
        }
        Ok(())
    }

    /// What it says until it is ready, closes, or ends: another process that it started may hold the socket open.
    async fn listen(&mut self) -> Vec<u8> {
        let mut said = Vec::new();
        let Successor { child: Some(child), stream, .. } = self else { return said };
        let mut piece = [0; 4096];
        let mut has_ended = false;
        while said != READY.as_bytes() && said.len() < SAID_BYTES_MAX {
            let n = tokio::select! {
                biased;
                n = stream.read(&mut piece) => n.unwrap_or(0),
                // What it said before is still to be read.
                _ = child.wait(), if !has_ended => {
                    has_ended = true;
                    continue;
                }
                () = std::future::ready(()), if has_ended => 0,
            };
            if n == 0 {
                break;
            }
            said.extend_from_slice(&piece[..n]);
        }
        said
    }

    /// How it ended, if it has or is about to.
    async fn status(&mut self) -> Option<ExitStatus> {
        timeout(END_WAIT, self.child.as_mut()?.wait()).await.ok()?.ok()
    }

    /// Kills it, and takes note that it is dead.
    async fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.start_kill();
            let _ = timeout(END_WAIT, child.wait()).await;
        }
    }
}

/// The same socket, for threads.
fn blocking(stream: &UnixStream) -> io::Result<StdStream> {
    let stream = StdStream::from(stream.as_fd().try_clone_to_owned()?);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

impl Drop for Successor {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.start_kill();
        }
    }
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UpgradeError::First => {
                writeln!(f, "error: this is process 1, and its container would end with it")?;
                write!(f, "  = start another container beside it")
            }
            UpgradeError::Sockets(error) => write!(f, "error: the sockets cannot be handed over: {error}"),
            UpgradeError::Disk(limit) => {
                writeln!(
                    f,
                    "error: the disk of a cache does not answer: its directory was not let go of within {limit:?}"
                )?;
                write!(f, "  = look at the system's log for the disk; upgrade again once it answers")
            }
            UpgradeError::Start(path, error) => write!(f, "error: cannot start {}: {error}", path.display()),
            UpgradeError::Ended(status) => write!(f, "error: the new process ended before it served: {status}"),
            UpgradeError::Silent(limit) => {
                writeln!(f, "error: the new process did not serve within {limit:?}, and was killed")?;
                write!(f, "  = `[server] upgrade_timeout` gives it longer")
            }
            UpgradeError::Failed(why) => f.write_str(why),
            UpgradeError::Talk(error) => write!(f, "error: the new process and this one do not get on: {error}"),
        }
    }
}

impl std::error::Error for UpgradeError {}

/// How long a process that was killed, or has closed its socket, may take to be gone.
const END_WAIT: Duration = Duration::from_secs(2);

/// How long a process that is ready may take to hear what changed.
const GO_MAX: Duration = Duration::from_secs(10);

/// More than that a new process does not say.
const SAID_BYTES_MAX: usize = 1 << 20;
