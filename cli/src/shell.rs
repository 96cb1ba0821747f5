//! `holdfast completions` and `holdfast man`: what shells and manuals know of this command.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Command};
use clap_complete::Shell;
use serde::Serialize;

use crate::{output::Output, target::standard_output};

/// Which shell.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

/// Where the pages go.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The folder to write into; made if absent.
    #[arg(long, default_value = "man")]
    dir: PathBuf,
}

#[derive(Serialize)]
struct Written {
    dir: PathBuf,
}

/// Prints a completion script.
pub(crate) fn completions(args: &CompletionsArgs, mut command: Command) -> anyhow::Result<()> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    Ok(standard_output(&script)?)
}

/// Writes a page for the command and one for each of its subcommands.
pub(crate) fn man(args: &ManArgs, command: Command, output: Output) -> anyhow::Result<()> {
    let shown = args.dir.display();
    std::fs::create_dir_all(&args.dir).with_context(|| format!("cannot make {shown}"))?;
    clap_mangen::generate_to(command.disable_help_subcommand(true), &args.dir)
        .with_context(|| format!("cannot write into {shown}"))?;
    let written = Written { dir: args.dir.clone() };
    output.print(&written, |written| format!("manual pages in {}", written.dir.display()))
}
