//! `weir drain` and `weir undrain`

use super::ask::Where;
use crate::admin::Drain;
use std::io::{self, Write};
use std::process::ExitCode;

/// `weir drain POOL ADDRESS`: the backend gets no new exchanges until `weir undrain`, or a restart.
///
/// # Errors
/// `out` cannot be written to.
pub fn drain(process: &Where, wanted: &Drain, out: &mut dyn Write) -> io::Result<ExitCode> {
    let Drain { pool, backend, drain } = wanted;
    match process.ask(&wanted.path()) {
        Ok(answer) if answer.is_done() => {
            let what = if *drain { "gets no new exchanges" } else { "gets exchanges again" };
            writeln!(out, "{pool}: {backend} {what}")?;
            Ok(ExitCode::SUCCESS)
        }
        Ok(answer) => {
            writeln!(out, "error: {}", answer.error())?;
            Ok(ExitCode::FAILURE)
        }
        Err(error) => {
            writeln!(out, "{error}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}
