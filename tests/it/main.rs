//! Whole runs of the real program, each in a folder of its own.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test should stop at the first surprise"
)]

#[path = "../servers/authority.rs"]
mod authority;
#[path = "../servers/dnsmasq.rs"]
mod dnsmasq;
#[path = "../servers/http.rs"]
mod http;
#[path = "../servers/smtp.rs"]
mod smtp;
#[path = "../servers/tls.rs"]
mod tls;

mod command_line;
mod corpus;
mod dovecot;
mod docs;
mod follow;
mod doctor;
mod report;
mod package;
mod reset;
mod sql;
mod sql_histories;
mod enrichment;
mod ipinfo;
mod journal;
mod mail;
mod manual;
mod meaning;
mod sentinel;
mod setup;
mod service_user;
mod anonymize;
mod snapshots;
mod stories;
mod tarball;
mod units;
mod kill;
mod disk_full;
