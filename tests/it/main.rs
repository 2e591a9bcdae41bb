//! Whole runs of the real program, each in a folder of its own.

mod command_line;
mod corpus;
mod sentinel;
mod stories;
