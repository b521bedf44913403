//! `weir top`

use super::ask::{NoAnswer, Where};
use super::status::write_status;
use crate::admin::TopAsk;
use crate::cache::top::By;
use serde_json::Value;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

/// What is to be seen.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Keys in each table.
    pub keys: usize,
    /// Of this cache; `None`: of all.
    pub cache: Option<String>,
}

/// `weir top --once`: what `weir status` says, and the keys that cost the cache most, by misses and by bytes.
///
/// # Errors
/// `out` cannot be written to.
pub fn once(process: &Where, wanted: &Wanted, out: &mut dyn Write) -> io::Result<ExitCode> {
    match page(process, wanted) {
        Ok(page) => {
            out.write_all(page.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            writeln!(out, "{error}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}

/// `weir top`: the same on the whole terminal, anew every second, until SIGINT or SIGTERM, or until nobody answers at the
/// beginning.
///
/// # Errors
/// `out` cannot be written to; or signals cannot be waited for.
pub fn live(process: &Where, wanted: &Wanted, out: &mut dyn Write) -> io::Result<ExitCode> {
    // Who was never there will hardly come.
    if let Err(error) = page(process, wanted) {
        writeln!(out, "{error}")?;
        return Ok(ExitCode::FAILURE);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    out.write_all(ENTER.as_bytes())?;
    let ended = runtime.block_on(redraw(process, wanted, out));
    // The terminal is left as it was found, also when writing to it failed.
    let left = out.write_all(LEAVE.as_bytes()).and_then(|()| out.flush());
    // A question that hangs is not waited for.
    runtime.shutdown_background();
    ended.and(left).map(|()| ExitCode::SUCCESS)
}

async fn redraw(process: &Where, wanted: &Wanted, out: &mut dyn Write) -> io::Result<()> {
    let (mut interrupted, mut terminated) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let (asked, question) = (process.clone(), wanted.clone());
        let next = async {
            ticks.tick().await;
            tokio::task::spawn_blocking(move || page(&asked, &question)).await
        };
        let page = tokio::select! {
            _ = interrupted.recv() => return Ok(()),
            _ = terminated.recv() => return Ok(()),
            page = next => page.map_err(io::Error::other)?,
        };
        let page = page.unwrap_or_else(|error| format!("{error}\n"));
        out.write_all(drawn(&page, rows()).as_bytes())?;
        out.flush()?;
    }
}

fn page(process: &Where, wanted: &Wanted) -> Result<String, NoAnswer> {
    let mut page = Vec::new();
    let status = process.read("/v1/status")?;
    // A vector takes all that is written.
    let _ = write_status(&status, &mut page);
    let mut page = String::from_utf8_lossy(&page).into_owned();
    for by in [By::Misses, By::Bytes] {
        let ask = TopAsk { cache: wanted.cache.clone(), by, n: wanted.keys };
        match process.look(&ask.path())? {
            Ok(top) => page.push_str(&table(by, &top)),
            Err(why) => {
                page.push_str(&format!("\n{why}\n"));
                break;
            }
        }
    }
    Ok(page)
}

fn table(by: By, top: &Value) -> String {
    let keys = top["keys"].as_array().map_or(&[][..], Vec::as_slice);
    let mut table = format!("\nkeys by {}\n", by.name());
    if keys.is_empty() {
        table.push_str("  none yet\n");
        return table;
    }
    table.push_str(&format!("  {:>10}  {:>10}  key\n", "misses", "bytes"));
    for key in keys {
        let (count, bytes) = (key["count"].as_u64().unwrap_or(0), key["bytes"].as_u64().unwrap_or(0));
        table.push_str(&format!(
            "  {count:>10}  {:>10}  {}\n",
            size(bytes),
            harmless(key["key"].as_str().unwrap_or("?"))
        ));
    }
    table
}

/// Whatever clients put into a URL, it gives the terminal no orders.
fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// What draws a page over the one before: no more lines than there is room for.
fn drawn(page: &str, rows: usize) -> String {
    let mut drawn = String::from(HOME);
    for (at, line) in page.lines().take(rows).enumerate() {
        drawn.push_str(if at == 0 { "" } else { "\r\n" });
        drawn.push_str(&harmless(line));
        drawn.push_str(CLEAR_LINE);
    }
    drawn.push_str(CLEAR_BELOW);
    drawn
}

/// Lines of the terminal.
fn rows() -> usize {
    rustix::termios::tcgetwinsize(rustix::stdio::stdout()).map_or(ROWS, |size| match size.ws_row {
        0 => ROWS,
        rows => usize::from(rows),
    })
}

const EVERY: Duration = Duration::from_secs(1);

/// Of a terminal that does not say.
const ROWS: usize = 24;

// ECMA-48, and the private modes of xterm: another screen (1049), the cursor (25), long lines (7).
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_shown_with_what_they_cost_and_give_no_orders() {
        let top = json!({ "keys": [{ "key": "http://a/\x1b[2J", "count": 12, "bytes": 3_500 }] });
        let expected = "\nkeys by misses\n      misses       bytes  key\n          12     3.4 KiB  http://a/?[2J\n";
        assert_eq!(table(By::Misses, &top), expected);
        assert!(table(By::Bytes, &json!({ "keys": [] })).contains("none yet"));
    }

    #[test]
    fn a_page_is_drawn_over_the_one_before_and_no_larger_than_the_terminal() {
        assert_eq!(drawn("a\nb\nc\n", 2), "\x1b[Ha\x1b[K\r\nb\x1b[K\x1b[J");
        assert_eq!(drawn("a\x07\n", 5), "\x1b[Ha?\x1b[K\x1b[J");
    }

    #[test]
    fn sizes_are_easy_to_read() {
        let sizes = [0, 1_023, 1_536, 5 << 20, 3 << 30, 2 << 40].map(size);
        assert_eq!(sizes, ["0 B", "1023 B", "1.5 KiB", "5.0 MiB", "3.0 GiB", "2.0 TiB"]);
    }
}
