//! Reads a long plain file with several threads, and yet as if one had read it from its start.
//!
//! A piece is parsed while those before it still are, on the assumption that the line before it
//! tells all that matters of them: the time. Where that was wrong (the year is another one, the
//! auth service is down), the piece is void, and the rest of the file is read in order.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};

use crate::event::Findings;
use crate::host::Host;
use crate::parse::{Scanner, State, Stop};
use crate::source::block::{Blocks, Edges};
use crate::source::file::Stream;
use crate::source::piece::Pieces;

use super::reader::{FileReader, Flow, is_full};

/// A piece to parse, and where the outcome goes.
struct Job {
    blocks: Blocks<Stream>,
    end: u64,
    scanner: Scanner,
    reply: SyncSender<Option<Piece>>,
}

/// A piece that was parsed.
struct Piece {
    found: Vec<Findings>,
    scanner: Scanner,
    edges: Edges,
    end: u64,
}

impl FileReader<'_> {
    /// Reads piece by piece, as far as that goes; the rest is to be read in order.
    ///
    /// Gives how reading ended, if it did.
    pub(super) fn read_pieces(
        &mut self,
        threads: usize,
        host: &Host,
        may_restart: bool,
    ) -> Option<Flow> {
        let mut pieces = self.opened.pieces(host.piece_bytes)?;
        let (hand_out, jobs) = channel();
        let jobs = Mutex::new(jobs);
        let mut done = None;
        let flow = std::thread::scope(|scope| {
            // Threads end when nothing more can be handed out.
            let hand_out = hand_out;
            (0..threads).for_each(|_| drop(scope.spawn(|| work(&jobs))));
            let mut waiting = VecDeque::new();
            loop {
                while waiting.len() <= threads
                    && let Some((assumed, job, outcome)) = self.next_job(&mut pieces)
                {
                    hand_out.send(job).ok()?;
                    waiting.push_back((assumed, outcome));
                }
                let (assumed, outcome) = waiting.pop_front()?;
                let piece: Piece = outcome.recv().ok()??;
                let lines_before = self.scanner.lines();
                if host.stopping() || !self.scanner.join(assumed, piece.scanner) {
                    return None;
                }
                let (_, edges) =
                    done.get_or_insert_with(|| (0, self.opened.blocks.edges().clone()));
                edges.join(piece.edges);
                done = Some((piece.end, edges.clone()));
                if may_restart && self.scanner.guessed_too_late() {
                    return Some(Flow::YearsTooLate);
                }
                for found in piece.found {
                    self.found.append(found, lines_before);
                    if is_full(&self.found) && !self.send(false) {
                        return Some(Flow::End);
                    }
                }
            }
        });
        if let Some((position, edges)) = done {
            self.opened.go_on_at(position, edges);
        }
        flow
    }

    /// The next piece with a scanner that assumes the time of the line before it.
    ///
    /// An error of the disk ends the pieces: whoever reads on in order meets it again.
    fn next_job(&self, pieces: &mut Pieces) -> Option<(State, Job, Receiver<Option<Piece>>)> {
        let piece = pieces.next_piece().ok()??;
        let is_next = piece.start == self.opened.blocks.position();
        let line_before = if is_next { vec![] } else { pieces.before(piece.start).ok()? };
        let scanner = self.scanner.ahead(&line_before);
        let (reply, outcome) = sync_channel(1);
        let (assumed, end) = (scanner.state(), piece.end);
        let blocks = self.opened.stretch(piece)?;
        Some((assumed, Job { blocks, end, scanner, reply }, outcome))
    }
}

/// Parses pieces until no more come.
fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { blocks, end, scanner, reply }) = job else { return };
        // A piece that ends early was cut off while it was read. Nobody waits for it if a piece
        // before this one ended the reading.
        let _ = reply.send(parse(blocks, scanner).filter(|piece| piece.end == end));
    }
}

/// Parses one piece; `None` if it must be read in order to see what is wrong.
fn parse(mut blocks: Blocks<Stream>, mut scanner: Scanner) -> Option<Piece> {
    let mut found = vec![];
    let mut current = Findings::default();
    while let Some(block) = blocks.next_block().ok()? {
        current.cut_lines += u64::from(block.cut);
        match scanner.scan(block.bytes, block.position, &mut current) {
            Err(Stop::NotALog) => return None,
            Err(Stop::YearsTooLate) | Ok(()) => {}
        }
        if is_full(&current) {
            found.push(std::mem::take(&mut current));
        }
    }
    found.push(current);
    Some(Piece { found, scanner, end: blocks.position(), edges: blocks.edges().clone() })
}
