//! Writes a report to a file or a terminal.

use std::io::Write;
use std::path::Path;

use anyhow::Context;

use super::compose::Composed;
use crate::account;
use crate::report::html::{self, Images};
use crate::report::{Attachment, Report, json, text};

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Html,
    Message,
    Json,
}

impl Form {
    /// What the ending of a file's name asks for; `-` is text.
    pub(super) fn of(output: &Path) -> Result<Self, String> {
        if output == Path::new("-") {
            return Ok(Self::Text);
        }
        match output.extension().and_then(|ending| ending.to_str()) {
            Some("txt") => Ok(Self::Text),
            Some("html" | "htm") => Ok(Self::Html),
            Some("eml") => Ok(Self::Message),
            Some("json") => Ok(Self::Json),
            _ => {
                Err("--output takes - or a file that ends in .txt, .html, .eml or .json".to_owned())
            }
        }
    }
}

/// Writes it; a file is replaced in one step.
pub(super) fn write(
    composed: &Composed,
    output: &Path,
    message: impl FnOnce() -> Vec<u8>,
) -> anyhow::Result<()> {
    let Composed { report, summary, .. } = composed;
    // What is no mail has nothing attached to it.
    let report = &Report { attachment: Attachment::None { because: None }, ..report.clone() };
    let bytes = match Form::of(output).map_err(anyhow::Error::msg)? {
        Form::Text => text::render(report, summary).into_bytes(),
        Form::Json => json::render(report, summary).into_bytes(),
        Form::Html => html::page(report, summary, Images::Inline).html.into_bytes(),
        Form::Message => message(),
    };
    let cannot = || format!("cannot write {}", output.display());
    if output == Path::new("-") {
        return match anstream::stdout().write_all(&bytes) {
            // `--output - | head` has seen enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            done => done.context("cannot write to standard output"),
        };
    }
    // Started by root, this is another user: one whom root's folders are closed to.
    let denied = |error: std::io::Error| {
        let kind = error.kind();
        let error = anyhow::Error::new(error).context(cannot());
        if kind != std::io::ErrorKind::PermissionDenied {
            return error;
        }
        let user = account::own_name();
        error.context(format!(
            "{}: user {user} may not write there\n  hint: name a file in a folder of that user's, or let \
             the shell write text: --output - > FILE",
            cannot()
        ))
    };
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .prefix(".report-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o640))
        .tempfile_in(folder.unwrap_or(Path::new(".")))
        .map_err(denied)?;
    file.write_all(&bytes).with_context(cannot)?;
    file.persist(output).map_err(|error| error.error).with_context(cannot)?;
    Ok(())
}
