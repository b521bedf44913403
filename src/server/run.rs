use super::desk::{Desk, Event};
use super::process::{Process, Ready};
use super::signals::{Signals, Wish};
use super::sockets::Inherited;
use super::systemd::passed;
use super::upgrade::{Go, Handed, Predecessor, Program};
use super::{RunError, Source};
use crate::admin::Job;
use crate::telemetry::Events;
use crate::wire::tls::install_provider;
use std::process::ExitCode;
use tokio::runtime::LocalRuntime;

/// Serves until SIGTERM or SIGINT; reloads on SIGHUP, hands over to a new binary on SIGUSR2.
///
/// # Errors
/// [`RunError`] if it cannot start. Later errors are logged, and what worked goes on.
pub fn run(source: &Source) -> Result<ExitCode, RunError> {
    run_then(source, || ())
}

/// As [`run`], and calls `serving` once connections are accepted.
///
/// # Errors
/// As [`run`].
pub fn run_then(source: &Source, serving: impl FnOnce()) -> Result<ExitCode, RunError> {
    // First of all, while no other descriptor is open.
    let inherited = Inherited::from_systemd(passed());
    let predecessor = Predecessor::find().map_err(RunError::Inherit)?;
    match (start(source, serving, inherited, predecessor.as_ref()), predecessor) {
        // The other process tells it, so that it is said once.
        (Err(error), Some(predecessor)) if predecessor.failed(&error.to_string()) => Ok(ExitCode::FAILURE),
        (result, _) => result,
    }
}

fn start(
    source: &Source,
    serving: impl FnOnce(),
    inherited: Inherited,
    predecessor: Option<&Predecessor>,
) -> Result<ExitCode, RunError> {
    let program = Program::of_this_process();
    let inherited = match predecessor {
        Some(predecessor) => Inherited::from_predecessor(predecessor.sockets().map_err(RunError::Inherit)?),
        None => inherited,
    };
    install_provider();
    raise_descriptor_limit();
    let config = source.load().map_err(RunError::Load)?;
    // Another subscriber may be there already, in tests: events then go to it.
    let events = Events::install(config.log.level).ok();
    let runtime = LocalRuntime::new().map_err(RunError::System)?;
    let result = runtime.block_on(async {
        let mut signals = Signals::take().map_err(RunError::System)?;
        let (mut process, Ready { listeners, shares, asks }) =
            Process::start(source.clone(), config, events, inherited)?;
        process.settle().await;
        let mut desk = Desk::new(program, asks);
        let handed = predecessor.map(Predecessor::ready).transpose().map_err(RunError::Inherit)?;
        let (has_predecessor, go) = (handed.is_some(), handed.as_ref().map(|handed| handed.go));
        if has_predecessor {
            process.recall().await;
        }
        if let Some(Handed { news, reader, .. }) = handed {
            news.iter().for_each(|news| process.latest.load().hear(news));
            process.tell_each_other(reader, None);
        }
        process.serve(&listeners, shares, has_predecessor);
        if go == Some(Go::Reload) {
            desk.ask(Job::Reload, None, &process);
        }
        serving();
        Ok(until_ended(process, &mut desk, &mut signals).await)
    });
    // A file that hangs is not waited for.
    runtime.shutdown_background();
    result
}

async fn until_ended(mut process: Process, desk: &mut Desk, signals: &mut Signals) -> ExitCode {
    loop {
        tokio::select! {
            wish = signals.next() => match wish {
                Wish::Do(job) => desk.ask(job, None, &process),
                Wish::Drain => {
                    desk.close();
                    return process.drain(signals).await;
                }
            },
            event = desk.next() => match event {
                Event::Asked(ask) => desk.ask(ask.job, Some(ask.answer), &process),
                Event::Done(done) => {
                    if desk.finish(done, &mut process).await.is_break() {
                        return process.leave(signals).await;
                    }
                }
            },
        }
    }
}

/// A connection takes two descriptors: we take as many as we may.
fn raise_descriptor_limit() {
    if let Ok((_, hard)) = rlimit::Resource::NOFILE.get() {
        let _ = rlimit::Resource::NOFILE.set(hard, hard);
    }
}
