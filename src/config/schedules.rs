//! When what is done: section `[systemd]` and its like, which `--setup` makes timers of.

use super::Reader;

/// Times, as systemd.time(7) writes them; `None` means the unit's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedules {
    /// When the log is read.
    pub extraction: Option<String>,
    /// When the report is mailed.
    pub report: Option<String>,
    /// When databases of addresses are downloaded.
    pub databases: Option<String>,
    /// When SQL is exported and imported.
    pub sql: Option<String>,
}

impl Reader {
    pub(super) fn schedules(&self) -> Schedules {
        let time = |section, name| Some(self.text(section, name)).filter(|text| !text.is_empty());
        Schedules {
            extraction: time("systemd", "extraction_schedule"),
            report: time("systemd", "report_schedule"),
            databases: time("systemd", "ip_update_schedule"),
            sql: time("sql_export_systemd", "frequency"),
        }
    }
}
