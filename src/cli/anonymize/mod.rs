//! `anonymize`: redacts a mail log, so that it can be shared.
//!
//! A file is written under another name and renamed when it is whole. It gets the time of the log,
//! for that tells the year of BSD stamps.

use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::args::{self, Args};
use super::progress::Bar;
use crate::anonymize::{Count, Key, KeyError, Kinds, Naming, Placeholders, Redactor};
use crate::exit::Status;
use crate::host::Host;
use crate::pipeline::Progress;
use crate::pipeline::anonymize::{Anonymizer, Broken};
use crate::report::{counted, grouped};

use ends::{Input, Output, Trouble};

mod ends;

pub(super) fn run(host: &Host, args: &Args, options: &args::Anonymize) -> Status {
    match anonymize(host, args, options) {
        Ok(()) => Status::Done,
        Err(Trouble { what, hint }) => super::fail(&what, hint.as_deref()),
    }
}

fn anonymize(host: &Host, args: &Args, options: &args::Anonymize) -> Result<(), Trouble> {
    let mut anonymizer = Anonymizer::new(Redactor::new(placeholders(options)?));
    let read = std::sync::Arc::new(AtomicU64::new(0));
    let input = Input::open(options.input.as_deref(), host, read.clone())?;
    // What is half written must go.
    host.dies_at_once.store(false, Ordering::Relaxed);
    let mut output = Output::create(options.output.as_deref(), &input)?;
    host.dies_at_once.store(!output.is_file(), Ordering::Relaxed);
    let quiet = args.quiet > 0;
    let mut bar = Bar::new(!args.no_progress && !quiet && !output.is_terminal());
    let (name, size, modified) = (input.name(), input.size(), input.modified());
    let done = anonymizer.run(input.into_reader(), &mut output, &mut || {
        bar.bytes(read.load(Ordering::Relaxed), size);
        !host.stopping()
    });
    bar.clear();
    match done {
        _ if host.stopping() => {
            return Err(Trouble::new("interrupted; nothing was written").hint(None));
        }
        Ok(()) => {}
        // `anonymize … | head` has seen enough.
        Err(Broken::Write(error)) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
        Err(Broken::Write(error)) => return Err(output.trouble(&error)),
        Err(Broken::Read { lines, source }) => return Err(unreadable(&name, lines, &source)),
        Err(Broken::Stopped) => return Err(Trouble::new("interrupted; nothing was written")),
    }
    output.finish(modified)?;
    if !quiet {
        tell(&anonymizer);
    }
    warn(&anonymizer, options.key_file.is_some());
    Ok(())
}

fn placeholders(options: &args::Anonymize) -> Result<Placeholders, Trouble> {
    let kinds = match options.only.as_slice() {
        [] => Kinds::all_but(&options.keep),
        only => Kinds::only(only),
    };
    let (key, naming) = if let Some(path) = &options.key_file {
        let trouble = |error: KeyError| Trouble::new(error.to_string()).hint(error.hint());
        (Key::from_file(path).map_err(trouble)?, Naming::Hashed)
    } else {
        let no_key = |error: io::Error| Trouble::new(format!("no random numbers: {error}"));
        (Key::random().map_err(no_key)?, Naming::Numbered)
    };
    Ok(Placeholders::new(kinds, key, naming))
}

fn unreadable(name: &str, lines: u64, error: &io::Error) -> Trouble {
    let trouble =
        Trouble::new(format!("cannot read {name} after line {}: {error}", grouped(lines)));
    trouble.hint(matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof).then(
        || {
            "it is damaged or still being compressed; no output was written. Redact what can be \
             unpacked of it: `zcat FILE | maillogsentinel anonymize`, or xzcat, zstdcat, bzcat"
                .to_owned()
        },
    ))
}

/// Says on stderr what was replaced, so that standard output stays a log.
fn tell(anonymizer: &Anonymizer) {
    let lines = counted(anonymizer.lines, "line", "lines");
    let counts = anonymizer.redactor.placeholders.counts();
    let parts: Vec<_> = counts.iter().filter(|count| count.values > 0).map(in_words).collect();
    let parts = match parts.as_slice() {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    };
    let _ = writeln!(anstream::stderr(), "{lines}; replaced: {parts}");
}

fn in_words(count: &Count) -> String {
    let more = if count.and_more { "more than " } else { "" };
    format!("{more}{}", counted(count.values, count.one, count.many))
}

/// Says what is not as one would expect.
fn warn(anonymizer: &Anonymizer, has_key: bool) {
    let (moved, crowded) = anonymizer.redactor.placeholders.crowding();
    if anonymizer.cut > 0 {
        let lines = counted(anonymizer.cut, "line", "lines");
        super::say("warning", &format!("{lines} longer than 8 KiB: the rest was left out"));
    }
    if anonymizer.emptied > 0 {
        let lines = counted(anonymizer.emptied, "line", "lines");
        let what = "emptied: replacing names in it would have changed its meaning";
        super::say("warning", &format!("{lines} {what}"));
    }
    if crowded {
        let what = "more networks than there are placeholders for: some share one";
        super::say("warning", what);
    }
    if has_key && moved > 0 {
        let networks = counted(moved, "network", "networks");
        let what = "met another one on the same placeholder and got the next: in other runs with \
                    this key they may get others";
        super::say("warning", &format!("{networks} {what}"));
    }
}

/// Whether two paths lead to one file.
fn is_same(one: Option<(u64, u64)>, other: Option<(u64, u64)>) -> bool {
    one.is_some() && one == other
}

/// What a path means: `-` and none are standard input or output.
fn named(path: Option<&Path>) -> Option<&Path> {
    path.filter(|path| *path != Path::new("-"))
}
