//! The databases of countries and networks: real ones against a plain search, hostile ones, updates.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::format_collect,
    reason = "a test should stop at the first surprise"
)]

#[path = "../servers/http.rs"]
mod server;

mod folder;
mod forms;
mod hostile;
mod mmdb;
mod real;
mod update;
