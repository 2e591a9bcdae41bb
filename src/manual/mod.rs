//! Man pages, completions and the reference of the configuration, made from what the program itself
//! goes by: the command line and the table of keys. So no page can drift from the program.

mod commands;
mod markdown;
mod settings;

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::roff::Roff;

use crate::cli::args::Args;

pub use markdown::configuration;

/// When the sentences of the pages changed last; a date of the build would make each build another.
const CHANGED: &str = "2026-11-25";
/// The name of the volume, as man(1) shows it at the top.
const VOLUME: &str = "MailLogSentinel";

/// A page or a completion, and where it belongs below `/usr` or `/usr/local`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The path, without a slash at its start.
    pub path: &'static str,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Everything that help is looked for in, by man(1) and by shells.
pub fn files() -> std::io::Result<Vec<File>> {
    Ok(vec![
        File { path: "share/man/man8/maillogsentinel.8", bytes: commands::page()? },
        File { path: "share/man/man5/maillogsentinel.conf.5", bytes: settings::page() },
        completion("share/bash-completion/completions/maillogsentinel", Shell::Bash),
        completion("share/zsh/site-functions/_maillogsentinel", Shell::Zsh),
        completion("share/fish/vendor_completions.d/maillogsentinel.fish", Shell::Fish),
    ])
}

fn completion(path: &'static str, shell: Shell) -> File {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut visible(&Args::command()), "maillogsentinel", &mut bytes);
    File { path, bytes }
}

/// The command without what is hidden, which completions would offer too.
fn visible(command: &Command) -> Command {
    let about = command.get_about().cloned().unwrap_or_default();
    let arguments = command.get_arguments().filter(|argument| !argument.is_hide_set()).cloned();
    let commands = command.get_subcommands().filter(|command| !command.is_hide_set()).map(visible);
    let bare = Command::new(command.get_name().to_owned()).about(about).disable_version_flag(true);
    bare.args(arguments).subcommands(commands)
}

/// The first line of a page.
fn title(roff: &mut Roff, name: &str, section: &str) {
    let source = concat!("maillogsentinel ", env!("CARGO_PKG_VERSION"));
    roff.control("TH", [name, section, CHANGED, source, VOLUME]);
}
