//! A folder of a test's own, and the short ways to ask a database in it.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use maillogsentinel::enrich::geo::Databases;
use tempfile::TempDir;

pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.path("cache")
    }

    /// The one file in the cache.
    pub(crate) fn compiled(&self) -> PathBuf {
        let files: Vec<_> =
            fs::read_dir(self.cache()).unwrap().map(|it| it.unwrap().path()).collect();
        let [file] = files.as_slice() else { panic!("{files:?}") };
        file.clone()
    }
}

/// `CC`, or nothing.
pub(crate) fn country(databases: &mut Databases, address: &str) -> String {
    let (country, _) = databases.look_up(address.parse().unwrap());
    country.map(|it| it.code().to_owned()).unwrap_or_default()
}

/// `number organisation`, or nothing.
pub(crate) fn network(databases: &mut Databases, address: &str) -> String {
    let address: IpAddr = address.parse().unwrap();
    let (_, network) = databases.look_up(address);
    network.map(|it| format!("{} {}", it.number, it.organisation.for_csv())).unwrap_or_default()
}

pub(crate) fn warnings(databases: &mut Databases) -> Vec<String> {
    databases.warnings().into_iter().map(|it| it.text).collect()
}
