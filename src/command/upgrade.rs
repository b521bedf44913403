//! `weir upgrade`

use super::ask::Where;
use std::io::{self, Write};
use std::process::ExitCode;

/// `weir upgrade [-c FILE] [--admin ADDRESS]`: asks the running process to start its binary anew and to hand over to it.
/// Succeeds if the new process serves.
///
/// # Errors
/// `out` cannot be written to.
pub fn upgrade(process: &Where, out: &mut dyn Write) -> io::Result<ExitCode> {
    match process.ask("/v1/upgrade") {
        Ok(answer) if answer.is_done() => {
            writeln!(out, "upgraded: process {} serves", answer.content["pid"])?;
            Ok(ExitCode::SUCCESS)
        }
        Ok(answer) => {
            writeln!(out, "{}", answer.error())?;
            if answer.has_failed() {
                writeln!(out, "not upgraded, the old process serves on")?;
            }
            Ok(ExitCode::FAILURE)
        }
        Err(error) => {
            writeln!(out, "{error}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}
