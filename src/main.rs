//! `weir`: flags to a command, a command to an exit code.

use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use weir::admin::Drain;
use weir::command::{self, Reach, Where};
use weir::server::{self, RunError, Source};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An edge proxy and shared HTTP cache.
#[derive(Parser)]
#[command(name = "weir", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Serve, in the foreground. SIGHUP reloads, SIGUSR2 upgrades, SIGTERM drains.
    Run {
        /// The configuration.
        #[arg(short, long, value_name = "FILE", default_value = "weir.toml", conflicts_with = "to")]
        config: PathBuf,
        /// No configuration: listen on 127.0.0.1:8080 in front of this one backend, and cache in memory.
        #[arg(long, value_name = "ADDRESS")]
        to: Option<String>,
    },
    /// Serve an embedded configuration in front of three built-in backends, and say what to try.
    Demo {
        /// Where to listen.
        #[arg(long, value_name = "ADDRESS", default_value = command::demo::LISTEN)]
        listen: SocketAddr,
    },
    /// Say all that is wrong with a configuration.
    Check {
        /// The configuration.
        #[arg(short, long, value_name = "FILE", default_value = "weir.toml")]
        config: PathBuf,
        /// Print the order in which routes match.
        #[arg(long)]
        routes: bool,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Have the running process read its configuration again.
    Reload(Running),
    /// Have the running process start its binary anew, and hand over to it.
    Upgrade(Running),
    /// Say what is up in the running process, pool by pool; fail if a pool has no backend that may be used.
    Status {
        #[command(flatten)]
        running: Running,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Take a backend out softly: it gets no new exchanges.
    Drain(OneBackend),
    /// Give it exchanges again.
    Undrain(OneBackend),
    /// Take what is named out of the cache, now and for fetches that are under way.
    Purge(Purge),
    /// Show what is up, and the keys that cost the cache most, once a second.
    Top {
        /// Keys in each table.
        #[arg(short, value_name = "KEYS", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1024))]
        n: u16,
        /// Only this cache.
        #[arg(long, value_name = "NAME")]
        cache: Option<String>,
        /// Print it once, and end; also if the output is no terminal.
        #[arg(long)]
        once: bool,
        #[command(flatten)]
        running: Running,
    },
    /// Run a backend's own command, and keep the backend registered for as long as it is healthy.
    Register(Register),
    /// Become a command in a session of its own: so `weir register` starts it.
    #[command(hide = true, name = command::register::ALONE)]
    Alone {
        /// It, with its arguments.
        #[arg(last = true, required = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
    /// Print the JSON Schema of the configuration, for editors.
    Schema,
}

/// Which process is meant.
#[derive(Args)]
struct Running {
    /// The configuration that it serves, which says where its admin listener is.
    #[arg(short, long, value_name = "FILE", default_value = "weir.toml")]
    config: PathBuf,
    /// Its admin listener.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<Reach>,
    /// A file with the secret of one of its tokens, where it wants one.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Which backend is meant.
#[derive(Args)]
struct OneBackend {
    /// The name of its pool.
    pool: String,
    /// Its address, as `weir status` shows it.
    address: String,
    #[command(flatten)]
    running: Running,
}

impl OneBackend {
    fn drain(self, drain: bool, out: &mut dyn std::io::Write) -> std::io::Result<ExitCode> {
        let OneBackend { pool, address, running } = self;
        command::drain::drain(&running.into(), &Drain { pool, backend: address, drain }, out)
    }
}

/// Which backend is to be registered, and what runs it.
#[derive(Args)]
struct Register {
    /// The name of the pool.
    #[arg(long)]
    pool: String,
    /// Where the backend listens: an IP address with a port.
    #[arg(long, value_name = "ADDRESS", value_parser = weir::registry::parse_address)]
    address: SocketAddr,
    /// It is healthy if a GET of this path is answered with a status from 200 to 399; else if it accepts a connection.
    #[arg(long, value_name = "PATH")]
    check: Option<String>,
    /// How long it stays registered if nothing is heard of it; the pool says how long at most.
    #[arg(long, value_name = "DURATION")]
    ttl: Option<String>,
    /// Its share relative to the others.
    #[arg(long, value_name = "N")]
    weight: Option<u16>,
    /// Where it stands.
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// The configuration that Weir serves, which says where its admin listener is.
    #[arg(short, long, value_name = "FILE", default_value = "weir.toml")]
    config: PathBuf,
    /// Its admin listener; of several Weirs one each, with which it is registered each by itself.
    #[arg(long = "admin", value_name = "ADDRESS")]
    admins: Vec<Reach>,
    /// A file with the secret of one of its tokens, where it wants one.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// What runs the backend, with its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Register {
    fn register(self) -> std::io::Result<ExitCode> {
        let Register { pool, address, check, ttl, weight, zone, config, admins, token_file, command } = self;
        let wanted = command::register::Wanted { pool, address, check, ttl, weight, zone, command };
        let at = |admin| Where { config: config.clone(), admin, token: token_file.clone() };
        let processes = match admins.as_slice() {
            [] => vec![at(None)],
            admins => admins.iter().cloned().map(|admin| at(Some(admin))).collect(),
        };
        command::register::register(&processes, &wanted)
    }
}

/// What is to be purged, and how.
#[derive(Args)]
struct Purge {
    #[command(flatten)]
    what: Named,
    /// It becomes stale: it is validated before it is used again, and still there if the backend is down.
    #[arg(long)]
    soft: bool,
    /// Only this cache.
    #[arg(long, value_name = "NAME")]
    cache: Option<String>,
    /// For programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    running: Running,
}

/// What is to be purged: one or more of these.
#[derive(Args)]
#[group(required = true, multiple = true)]
struct Named {
    /// URLs with all their variants: `https://shop.example/a?b`, or `shop.example/a` for both schemes.
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    /// What a response has in Surrogate-Key, Cache-Tag or Cache-Groups.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// URLs that begin with this: `shop.example/img/`.
    #[arg(long = "prefix", value_name = "URL")]
    prefixes: Vec<String>,
    /// All of a host, on all ports or on the one that is said.
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    /// Everything.
    #[arg(long)]
    all: bool,
}

impl Purge {
    fn purge(self, out: &mut dyn std::io::Write) -> std::io::Result<ExitCode> {
        let Purge { what: Named { urls, tags, prefixes, hosts, all }, soft, cache, json, running } = self;
        let wanted = command::purge::Wanted { urls, tags, prefixes, hosts, all, soft, cache };
        command::purge::purge(&running.into(), &wanted, json, out)
    }
}

impl From<Running> for Where {
    fn from(Running { config, admin, token_file }: Running) -> Where {
        Where { config, admin, token: token_file }
    }
}

fn main() -> ExitCode {
    let mut out = std::io::stdout();
    match Arguments::parse().verb {
        Verb::Run { config, to } => {
            let source = to.map_or(Source::File(config), Source::To);
            server::run(&source).unwrap_or_else(failed)
        }
        Verb::Demo { listen } => command::demo::demo(listen, &mut out).unwrap_or_else(|error| {
            let is_taken = matches!(&error, RunError::Bind(..));
            let code = failed(error);
            if is_taken {
                eprintln!("  = choose another address: `weir demo --listen 127.0.0.1:8888`");
            }
            code
        }),
        Verb::Check { config, routes, json } => done(command::check::check(&config, routes, json, &mut out)),
        Verb::Reload(running) => done(command::reload::reload(&running.into(), &mut out)),
        Verb::Upgrade(running) => done(command::upgrade::upgrade(&running.into(), &mut out)),
        Verb::Status { running, json } => done(command::status::status(&running.into(), json, &mut out)),
        Verb::Drain(backend) => done(backend.drain(true, &mut out)),
        Verb::Undrain(backend) => done(backend.drain(false, &mut out)),
        Verb::Register(register) => register.register().unwrap_or_else(|error| {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }),
        Verb::Alone { command } => {
            eprintln!("error: {}", command::register::alone(&command));
            ExitCode::FAILURE
        }
        Verb::Purge(purge) => done(purge.purge(&mut out)),
        Verb::Top { n, cache, once, running } => {
            let wanted = command::top::Wanted { keys: n.into(), cache };
            let process = running.into();
            if once || !out.is_terminal() {
                done(command::top::once(&process, &wanted, &mut out))
            } else {
                done(command::top::live(&process, &wanted, &mut out))
            }
        }
        Verb::Schema => done(command::schema::schema(&mut out).map(|()| ExitCode::SUCCESS)),
    }
}

fn failed(error: RunError) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}

/// Output that nobody reads is no fault of ours, but not a success either.
fn done(result: std::io::Result<ExitCode>) -> ExitCode {
    result.unwrap_or(ExitCode::FAILURE)
}
