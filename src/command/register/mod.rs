//! `weir register`

mod backend;
mod child;
mod registrant;
mod session;
mod signals;

pub use session::{ALONE, alone};

use super::ask::Where;
use super::reach::Reach;
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
/// as long as it is, with each of the processes by itself. Asked to end, it drains the backend and takes it out before the command hears of it; asked again, it
/// does not wait. Ends as the command does.
///
/// # Errors
/// The command cannot be started, or signals cannot be listened to.
pub fn register(processes: &[Where], wanted: &Wanted) -> io::Result<ExitCode> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
    let content = content(wanted).map_err(invalid)?;
    let check = Check::new(wanted.address, wanted.check.as_deref()).map_err(|why| invalid(why.into()))?;
    let place = Place { pool: wanted.pool.clone(), address: Some(wanted.address.to_string()) };
    let mut registrants = Vec::new();
    for process in processes {
        // A secret that cannot be read is better said before anything runs.
        process.secret().map_err(|error| invalid(error.to_string()))?;
        let at = process.admin.as_ref().filter(|_| processes.len() > 1).map(Reach::to_string);
        let (place, content, check) = (place.clone(), content.clone(), check.clone());
        registrants.push(Rc::new(Registrant::new(process.clone(), at, place, content, check)));
    }
    let runtime = LocalRuntime::new()?;
    let code = runtime.block_on(run(&registrants, &wanted.command));
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

async fn run(registrants: &[Rc<Registrant>], command: &[OsString]) -> io::Result<ExitCode> {
    let mut signals = Signals::take()?;
    let mut child = Child::start(command).await?;
    let (stop, stopping) = watch::channel(false);
    for registrant in registrants {
        spawn_local(stay(Rc::clone(registrant), stopping.clone()));
    }
    let asked = loop {
        tokio::select! {
            ended = child.ends() => {
                let _ = stop.send(true);
                each(registrants, |it| async move { it.leaves(Duration::ZERO).await }).await;
                return ended.map(code);
            }
            asked = signals.next() => match asked {
                Asked::ToEnd(signal) => break signal,
                Asked::Else(signal) => child.hears(signal),
            }
        }
    };
    let _ = stop.send(true);
    let leaving = each(registrants, |it| async move { it.leaves(DRAIN_MAX).await });
    if !drained(&mut child, &mut signals, leaving).await {
        each(registrants, |it| async move { it.parts().await }).await;
    }
    child.hears(asked);
    loop {
        tokio::select! {
            ended = child.ends() => return ended.map(code),
            asked = signals.next() => child.hears(asked.signal()),
        }
    }
}

/// Does it for all of them at once; what was begun goes on if that is not waited for.
async fn each<F: Future<Output = ()> + 'static>(registrants: &[Rc<Registrant>], what: impl Fn(Rc<Registrant>) -> F) {
    let begun: Vec<_> = registrants.iter().map(|registrant| spawn_local(what(Rc::clone(registrant)))).collect();
    for one in begun {
        let _ = one.await;
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
