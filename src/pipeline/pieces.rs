//! Reads a long plain file with several threads, and yet as if one had read it from its start.
//!
//! A piece is parsed while those before it still are, on the assumption that the lines just before it
//! tell all that matters of them: the time and, of an old Postfix, whose attempts are under way. Where
//! that was wrong (the year is another one, the auth service is down), the piece is void and is read in
//! order.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// Tells the threads that nobody waits for more, however reading by pieces ends.
struct Over<'o>(&'o AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Where reading by pieces stopped.
pub(super) enum Stopped {
    /// Reading is over.
    Over(Flow),
    /// What comes up to this position is to be read in order, for a piece of it was void.
    Void(u64),
    /// No more pieces come: the rest is to be read in order.
    Rest,
}

impl FileReader<'_> {
    /// Reads piece by piece, as far as that goes; gives whether what was assumed was right at least once,
    /// and why it stopped.
    pub(super) fn read_pieces(
        &mut self,
        threads: usize,
        host: &Host,
        may_restart: bool,
    ) -> (bool, Stopped) {
        let Some(mut pieces) = self.opened.pieces(host.piece_bytes) else {
            return (false, Stopped::Rest);
        };
        let (hand_out, jobs) = channel();
        let jobs = Mutex::new(jobs);
        let (mut done, mut joined, mut are_all) = (None, 0, false);
        let is_over = AtomicBool::new(false);
        let stopped = std::thread::scope(|scope| {
            // Threads end when nothing more can be handed out.
            let hand_out = hand_out;
            (0..threads).for_each(|_| drop(scope.spawn(|| work(&jobs, &is_over))));
            let _over = Over(&is_over);
            let mut waiting = VecDeque::new();
            loop {
                while waiting.len() <= threads && !are_all {
                    // After an error, a later piece would not follow those before.
                    let Some((assumed, job, outcome)) = self.next_job(&mut pieces) else {
                        are_all = true;
                        break;
                    };
                    let end = job.end;
                    if hand_out.send(job).is_err() {
                        return Stopped::Rest;
                    }
                    waiting.push_back((assumed, end, outcome));
                }
                let Some((assumed, end, outcome)) = waiting.pop_front() else {
                    return Stopped::Rest;
                };
                let piece: Option<Piece> = outcome.recv().ok().flatten();
                let lines_before = self.scanner.lines();
                if host.stopping() {
                    return Stopped::Rest;
                }
                let Some(piece) = piece else { return Stopped::Void(end) };
                if !self.scanner.join(&assumed, piece.scanner) {
                    return Stopped::Void(end);
                }
                let (_, edges) =
                    done.get_or_insert_with(|| (0, self.opened.blocks.edges().clone()));
                edges.join(piece.edges);
                done = Some((piece.end, edges.clone()));
                joined += 1;
                if may_restart && self.scanner.guessed_too_late() {
                    return Stopped::Over(Flow::YearsTooLate);
                }
                for found in piece.found {
                    self.found.append(found, lines_before);
                    if is_full(&self.found) && !self.send(false) {
                        return Stopped::Over(Flow::End);
                    }
                }
            }
        });
        if let Some((position, edges)) = done {
            self.opened.go_on_at(position, edges);
        }
        // The first one assumed nothing.
        (joined > 1, stopped)
    }

    /// The next piece with a scanner that assumes what the lines just before it tell.
    ///
    /// An error of the disk ends the pieces: whoever reads on in order meets it again.
    fn next_job(&self, pieces: &mut Pieces) -> Option<(State, Job, Receiver<Option<Piece>>)> {
        let piece = pieces.next_piece().ok()??;
        let is_next = piece.start == self.opened.blocks.position();
        let matters = self.scanner.matters_before();
        let before = if is_next { vec![] } else { pieces.before(piece.start, matters).ok()? };
        let scanner = self.scanner.ahead(&before);
        let (reply, outcome) = sync_channel(1);
        let (assumed, end) = (scanner.state(), piece.end);
        let blocks = self.opened.stretch(piece)?;
        Some((assumed, Job { blocks, end, scanner, reply }, outcome))
    }
}

/// Parses pieces until no more come.
fn work(jobs: &Mutex<Receiver<Job>>, is_over: &AtomicBool) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { blocks, end, scanner, reply }) = job else { return };
        // A piece that ends early was cut off while it was read. Nobody waits for it if a piece
        // before this one ended the reading.
        let _ = reply.send(parse((blocks, scanner), is_over).filter(|piece| piece.end == end));
    }
}

/// Parses one piece; `None` if it must be read in order to see what is wrong.
fn parse(
    (mut blocks, mut scanner): (Blocks<Stream>, Scanner),
    is_over: &AtomicBool,
) -> Option<Piece> {
    let mut found = vec![];
    let mut current = Findings::default();
    while let Some(block) = blocks.next_block().ok()? {
        if is_over.load(Ordering::Relaxed) {
            return None;
        }
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
