//! Fuzzes the reading of a mail server's answers.
//!
//! However the bytes are cut on their way, they are the same answers; and what is shown of them is
//! one line that no terminal is steered by.

#![no_main]

use std::io::{self, Read};

use libfuzzer_sys::fuzz_target;
use maillogsentinel::report::send::Replies;

/// Gives a byte at a time.
struct Drips<'a>(&'a [u8]);

impl Read for Drips<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let some = buffer.len().min(1);
        self.0.read(&mut buffer[..some])
    }
}

fuzz_target!(|input: &[u8]| {
    let whole = read(&mut &*input);
    assert_eq!(whole, read(&mut Drips(input)));
});

/// The answers as they are shown, the last one being what is wrong.
fn read(from: &mut dyn Read) -> Vec<String> {
    let mut replies = Replies::default();
    let mut all = Vec::new();
    loop {
        let reply = replies.next(from);
        let end = reply.is_err();
        let shown = reply.map_or_else(|error| error.to_string(), |reply| reply.to_string());
        assert!(shown.chars().count() < 500);
        assert!(!shown.chars().any(char::is_control));
        all.push(shown);
        if end {
            return all;
        }
    }
}
