//! Real database servers take what is made for them, and survive what tests do to them.
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
#[path = "../servers/daemon.rs"]
mod daemon;
#[path = "../servers/database.rs"]
mod database;
#[path = "../servers/postgres.rs"]
mod postgres;
#[path = "../servers/mariadb.rs"]
mod mariadb;
#[path = "../servers/galera.rs"]
mod galera;

mod smoke;
#[allow(dead_code, reason = "stories about logs use the rest")]
#[path = "../it/sentinel.rs"]
mod sentinel;

mod scene;
mod doctor;
mod fleet;
mod load;
mod login;
mod broken;
mod once;
