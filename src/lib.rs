//! MailLogSentinel: finds every failed login in a mail server's log and records it, once.
//!
//! The modules stand in reading order: what people type and configure, the run that joins the
//! stages, the nouns they share, then the stages themselves. `ARCHITECTURE.md` tells why.

pub mod cli;
pub mod config;
pub mod exit;
pub mod pipeline;
pub mod judge;
pub mod doctor;
pub mod manual;
pub mod setup;

pub mod event;
pub mod logins;
pub mod user_name;
pub mod campaign;
pub mod pace;
pub mod finding;
pub mod meaning;
pub mod figures;
pub mod origin;
pub mod position;
pub mod programs;
pub mod account;
pub mod untrusted;
pub mod host;
pub mod files;

pub mod source;
pub mod parse;
pub mod enrich;
pub mod store;
pub mod sql;
pub mod report;
pub mod alert;
pub mod anonymize;

pub mod oplog;
