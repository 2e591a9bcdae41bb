//! Opens a log whatever it is compressed with, told by its first bytes and not by its name.
//!
//! gzip (RFC 1952), xz, Zstandard (RFC 8878) and bzip2, each with any number of members, as
//! `cat a.gz b.gz` makes them.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::errors::ReadFrameHeaderError::SkipFrame;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, RFC 1952.
    Gzip,
    /// The .xz format.
    Xz,
    /// Zstandard, RFC 8878.
    Zstandard,
    /// bzip2.
    Bzip2,
}

/// Memory that an `.xz` or `.zst` file may ask for, in MiB: what `xz -9` and `zstd -19` need.
const WINDOW_MIB: u32 = 128;

impl Compression {
    /// Tells it from the first bytes of a file.
    pub fn of(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstandard,
            // A block, or the end of an empty file.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, ..] => Self::Bzip2,
            _ => Self::None,
        }
    }

    /// Tells it of the file at `path`.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        let mut start = Vec::new();
        File::open(path)?.take(8).read_to_end(&mut start)?;
        Ok(Self::of(&start))
    }
}

/// A reader of the uncompressed content of `file`, and how it is compressed.
pub fn open<R: Read + Send + 'static>(file: R) -> io::Result<(Compression, Box<dyn Read + Send>)> {
    let mut file = BufReader::with_capacity(64 * 1024, file);
    let mut start = Vec::with_capacity(16);
    file.by_ref().take(8).read_to_end(&mut start)?;
    let compression = Compression::of(&start);
    let whole = io::Cursor::new(start).chain(file);
    Ok((
        compression,
        match compression {
            Compression::None => Box::new(whole),
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(whole)),
            Compression::Xz => {
                Box::new(lzma_rust2::XzReader::new_mem_limit(whole, true, WINDOW_MIB * 1024))
            }
            Compression::Zstandard => Box::new(Frames::new(whole)),
            Compression::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(whole)),
        },
    ))
}

/// Zstandard frames one after another, those to be skipped too (`pzstd` writes them).
struct Frames<R> {
    source: R,
    frame: FrameDecoder,
    started: bool,
}

impl<R: BufRead> Frames<R> {
    fn new(source: R) -> Self {
        Self { source, frame: FrameDecoder::new(), started: false }
    }

    /// Starts the next frame; false at the end.
    fn start(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.frame.init(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(SkipFrame { length, .. })) => {
                    io::copy(&mut self.source.by_ref().take(length.into()), &mut io::sink())?;
                }
                Err(error) => return Err(broken(error)),
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.frame.can_collect() == 0 {
            if !self.started || self.frame.is_finished() {
                let checksum = self.frame.get_checksum_from_data();
                if self.started
                    && checksum.is_some()
                    && checksum != self.frame.get_calculated_checksum()
                {
                    let what = "its checksum is wrong";
                    return Err(io::Error::new(io::ErrorKind::InvalidData, what));
                }
                self.started = self.start()?;
                if !self.started {
                    return Ok(0);
                }
            }
            let some = BlockDecodingStrategy::UptoBytes(buffer.len().max(1));
            self.frame.decode_blocks(&mut self.source, some).map_err(broken)?;
        }
        self.frame.read(buffer)
    }
}

fn broken(error: FrameDecoderError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    /// What the real program makes of `text`.
    fn compress(program: &str, text: &[u8]) -> Vec<u8> {
        let arguments: &[&str] = if program == "cat" { &[] } else { &["-c"] };
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {program}: {error}; install it"));
        let mut input = child.stdin.take().unwrap();
        let text = text.to_vec();
        let writer = std::thread::spawn(move || input.write_all(&text).unwrap());
        let output = child.wait_with_output().unwrap().stdout;
        writer.join().unwrap();
        output
    }

    #[test]
    fn each_format_is_told_by_content_and_read_through_all_members() {
        let text = b"Nov 22 21:28:34 mx1 postfix/smtpd[1]: connect\n".repeat(20_000);
        for (program, compression) in [
            ("gzip", Compression::Gzip),
            ("xz", Compression::Xz),
            ("zstd", Compression::Zstandard),
            ("bzip2", Compression::Bzip2),
            ("cat", Compression::None),
        ] {
            let twice = [compress(program, &text), compress(program, &text)].concat();
            let (found, mut reader) = open(io::Cursor::new(twice)).unwrap();
            assert_eq!(found, compression, "{program}");
            let mut content = Vec::new();
            reader.read_to_end(&mut content).unwrap();
            assert!(content == text.repeat(2), "{program}: {} bytes", content.len());
        }
    }

    #[test]
    fn frames_to_be_skipped_are_skipped() {
        let skip = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        let file = [compress("zstd", b"one\n"), skip, compress("zstd", b"two\n")].concat();
        let mut content = String::new();
        open(io::Cursor::new(file)).unwrap().1.read_to_string(&mut content).unwrap();
        assert_eq!(content, "one\ntwo\n");
    }

    #[test]
    fn a_file_that_ends_too_early_is_an_error_after_what_it_holds() {
        let text = b"Nov 22 21:28:34 mx1 postfix/smtpd[1]: connect\n".repeat(20_000);
        for program in ["gzip", "xz", "zstd", "bzip2"] {
            let mut file = compress(program, &text);
            file.truncate(file.len() / 2);
            let mut reader = open(io::Cursor::new(file)).unwrap().1;
            assert!(reader.read_to_end(&mut Vec::new()).is_err(), "{program}");
        }
    }
}
