//! Fuzzes the decompressors: no bytes make them panic, take the memory, or give another content
//! when they are read in smaller pieces, up to the damage if there is any.

#![no_main]

mod memory;

use std::io::{Cursor, Read};

use libfuzzer_sys::fuzz_target;
use maillogsentinel::source::compressed;

/// Past this much content a file has shown what it does.
const MOST_BYTES: u64 = 4 * 1024 * 1024;
/// What `WINDOW_MIB` of `source/compressed.rs` allows, and as much as the content for the rest.
const MOST_MEMORY: usize = (128 + 24) * 1024 * 1024;

fuzz_target!(|input: &[u8]| {
    let before = memory::start();
    let (content, failed) = read(input, 64 * 1024);
    let taken = memory::peak() - before;
    assert!(taken <= MOST_MEMORY, "{taken} bytes of memory");
    if content.len() as u64 == MOST_BYTES {
        return;
    }
    let (again, failed_again) = read(input, 1 + input.len() % 100);
    assert_eq!(failed_again, failed);
    // A decompressor that meets damage keeps back what it had of that piece.
    let common = if failed { again.len().min(content.len()) } else { content.len() };
    assert!(again.get(..common) == content.get(..common), "{common} bytes");
});

/// The uncompressed content of `file`, and whether it broke off.
fn read(file: &[u8], piece: usize) -> (Vec<u8>, bool) {
    let Ok((_, stream)) = compressed::open(Cursor::new(file.to_vec())) else {
        return (Vec::new(), true);
    };
    let (mut stream, mut content) = (stream.take(MOST_BYTES), Vec::new());
    let mut buffer = vec![0; piece];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return (content, false),
            Ok(length) => content.extend_from_slice(&buffer[..length]),
            Err(_) => return (content, true),
        }
    }
}
