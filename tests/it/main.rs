//! Whole runs of the real program, each in a folder of its own.

mod sentinel;
mod stories;
