//! `weir register`

mod backend;
mod child;
mod registrant;
mod session;
mod signals;

pub use session::{ALONE, alone};

use super::ask::Where;
use crate::admin::Place;
use crate::registry::Registration;
use backend::Check;
use child::Child;
use registrant::{Registrant, stay};
use serde_json::{Map, Value};
use signals::{Asked, Signals};
use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::process::{ExitCode, ExitStatus};
use std::rc::Rc;
use std::time::Duration;
use tokio::runtime::LocalRuntime;
use tokio::sync::watch;
use tokio::task::spawn_local;

/// Which backend is to be registered, and what runs it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The name of the pool.
    pub pool: String,
    /// Where the backend listens.
    pub address: SocketAddr,
    /// The path by which it says that it is healthy; `None`: it is once it accepts connections.
    pub check: Option<String>,
    /// As it is to be registered.
    pub ttl: Option<String>,
    /// As it is to be registered.
    pub weight: Option<u16>,
    /// As it is to be registered.
    pub zone: Option<String>,
    /// What runs it.
    pub command: Vec<OsString>,
}

/// `weir register --pool P --address A -- COMMAND…`: runs the command; registers the backend once it is healthy, and renews that for
/// as long as it is. Asked to end, it drains the backend and takes it out before the command hears of it; asked again, it
/// does not wait. Ends as the command does.
///
/// # Errors
/// The command cannot be started, or signals cannot be listened to.
pub fn register(process: &Where, wanted: Wanted) -> io::Result<ExitCode> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
    let content = content(&wanted).map_err(invalid)?;
    let check = Check::new(wanted.address, wanted.check.as_deref()).map_err(|why| invalid(why.into()))?;
    // A secret that cannot be read is better said before anything runs.
    process.secret().map_err(|error| invalid(error.to_string()))?;
    let place = Place { pool: wanted.pool.clone(), address: Some(wanted.address.to_string()) };
    let registrant = Registrant::new(process.clone(), place, content, check);
    let runtime = LocalRuntime::new()?;
    let code = runtime.block_on(run(Rc::new(registrant), &wanted.command));
    // An answer that hangs is not waited for.
    runtime.shutdown_background();
    code
}

/// What is sent to register, checked as the other side checks it.
fn content(Wanted { ttl, weight, zone, .. }: &Wanted) -> Result<String, String> {
    let mut content = Map::new();
    let mut say = |key: &str, value: Option<Value>| value.map(|value| content.insert(key.to_owned(), value));
    say("ttl", ttl.clone().map(Value::from));
    say("weight", weight.map(Value::from));
    say("zone", zone.clone().map(Value::from));
    let content = Value::Object(content).to_string();
    Registration::read(content.as_bytes())?;
    Ok(content)
}

async fn run(registrant: Rc<Registrant>, command: &[OsString]) -> io::Result<ExitCode> {
    let mut signals = Signals::take()?;
    let mut child = Child::start(command).await?;
    let (stop, stopping) = watch::channel(false);
    spawn_local(stay(Rc::clone(&registrant), stopping));
    let asked = loop {
        tokio::select! {
            ended = child.ends() => {
                let _ = stop.send(true);
                registrant.leaves(Duration::ZERO).await;
                return ended.map(code);
            }
            asked = signals.next() => match asked {
                Asked::ToEnd(signal) => break signal,
                Asked::Else(signal) => child.hears(signal),
            }
        }
    };
    let _ = stop.send(true);
    if !drained(&mut child, &mut signals, registrant.leaves(DRAIN_MAX)).await {
        registrant.parts().await;
    }
    child.hears(asked);
    loop {
        tokio::select! {
            ended = child.ends() => return ended.map(code),
            asked = signals.next() => child.hears(asked.signal()),
        }
    }
}

/// Waits for the drain, unless the command ends, or somebody asks once more; whether it came to its end.
async fn drained(child: &mut Child, signals: &mut Signals, leaving: impl Future<Output = ()>) -> bool {
    tokio::pin!(leaving);
    loop {
        tokio::select! {
            () = &mut leaving => return true,
            _ = child.ends() => return false,
            asked = signals.next() => match asked {
                Asked::ToEnd(_) => return false,
                Asked::Else(signal) => child.hears(signal),
            }
        }
    }
}

/// As shells say it.
fn code(status: ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| status.signal().map(|signal| SIGNALLED + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
}

const SIGNALLED: i32 = 128;

/// How long the backend may take to end its exchanges; the pool's `drain` may be shorter.
const DRAIN_MAX: Duration = Duration::from_secs(45);
