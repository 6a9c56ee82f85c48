//! Asking before something is taken away.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::Context;
use clap::CommandFactory;
use clap::error::ErrorKind;

use crate::cli::Cli;

/// Whether to go on: `--yes` says so, else a person at the terminal does. Where nobody can be asked, `--yes` is part of
/// the usage.
pub(crate) fn confirmed(yes: bool, question: &str) -> anyhow::Result<bool> {
    if yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        let message = "expected `--yes`, because nobody can be asked here: `--dry-run` shows what would be done";
        Cli::command().error(ErrorKind::MissingRequiredArgument, message).exit();
    }
    let mut stderr = std::io::stderr();
    write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush()).context("ask for confirmation")?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
