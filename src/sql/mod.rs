//! Rows for other databases: files of SQL, the databases they go to, and a day's rows back from there.
//!
//! [`export`] writes rows of the CSV as a file that the native client of an engine loads as it is;
//! [`import`] loads such files, and others, each exactly once; [`day`] asks a database for the rows
//! of a day.

pub mod engine;
pub mod layout;
pub mod mapping;
pub mod csv_rows;
pub mod value;
pub mod export;
pub mod bookmark;
pub mod edited;
pub mod connect;
pub mod import;
pub mod day;

pub use engine::Engine;
pub use layout::Layout;
