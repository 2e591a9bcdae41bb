//! MariaDB servers on loopback that are one Galera cluster, ended with the test.
#![allow(dead_code, reason = "each of those who start it uses its part")]

use std::path::Path;

use crate::daemon::{free_port, patiently};
use crate::database::{Rows, Setup, assert_installed};
use crate::mariadb::MariaDb;

const PROVIDER: &str = "/usr/lib/galera/libgalera_smm.so";

/// A node that is silent for some seconds is suspected, and out when the others agree. A busy machine must not be
/// mistaken for a dead one, so it cannot be much less. Those who join need not wait a second for each answer.
const TIMEOUTS: &str = "evs.keepalive_period=PT0.5S; evs.inactive_check_period=PT0.2S; \
    evs.suspect_timeout=PT6S; evs.inactive_timeout=PT12S; evs.install_timeout=PT12S; \
    evs.join_retrans_period=PT0.2S";

/// A cluster, ended with the test.
pub(crate) struct Galera {
    nodes: Vec<MariaDb>,
}

impl Galera {
    /// With so many nodes, all of them in step.
    pub(crate) fn start(count: usize) -> Self {
        Self::with(count, &Setup::default())
    }

    pub(crate) fn with(count: usize, setup: &Setup) -> Self {
        assert_installed(&[Path::new(PROVIDER), Path::new("/usr/bin/rsync")]);
        // The ports are free when we look; should one be taken in between, we try others.
        for _ in 0..5 {
            match Self::try_start(count, setup) {
                Ok(cluster) => return cluster,
                Err(said) => assert!(said.contains("Address already in use"), "{said}"),
            }
        }
        panic!("no free ports for Galera");
    }

    fn try_start(count: usize, setup: &Setup) -> Result<Self, String> {
        let group: Vec<u16> = (0..count).map(|_| free_port()).collect();
        let members: Vec<_> = group.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let members = format!("gcomm://{}", members.join(","));
        let mut cluster = Self { nodes: Vec::new() };
        for (number, port) in group.into_iter().enumerate() {
            let node = prepare(number, port, &members, setup);
            cluster.nodes.push(node);
            let node = &mut cluster.nodes[number];
            if number == 0 {
                node.run(&["--wsrep-new-cluster"])?;
                node.welcome();
            } else {
                node.run(&[])?;
            }
            cluster.wait_for(number, number + 1)?;
        }
        for number in 0..count {
            cluster.wait_for(number, count)?;
        }
        Ok(cluster)
    }

    pub(crate) fn node(&self, number: usize) -> &MariaDb {
        &self.nodes[number]
    }

    /// The answer of one node.
    pub(crate) fn query(&self, number: usize, database: &str, sql: &str) -> Rows {
        self.nodes[number].query(database, sql)
    }

    /// Ends it by SIGKILL; the others notice after two or three seconds.
    pub(crate) fn kill_node(&mut self, number: usize) {
        self.nodes[number].kill_hard();
    }

    /// Lets a killed node join the others again, and waits until it has what they have. One of them must be left: a
    /// cluster that nobody is in does not begin by itself.
    pub(crate) fn restart_node(&mut self, number: usize) {
        self.nodes[number].start_again();
        let living = self.nodes.iter().filter(|node| node.is_running()).count();
        self.wait_for(number, living).unwrap_or_else(|said| panic!("{said}"));
    }

    /// Waits until this node is in step in a cluster of this size; an error is its log.
    pub(crate) fn wait_for(&self, number: usize, size: usize) -> Result<(), String> {
        let node = &self.nodes[number];
        patiently(|| (status(node) == (size, "Synced".to_owned())).then_some(()))
            .ok_or_else(|| format!("{:?}\n{}", status(node), node.log()))
    }
}

fn prepare(number: usize, port: u16, members: &str, setup: &Setup) -> MariaDb {
    let (increments, copies) = (free_port(), free_port());
    let provider = format!(
        "\"base_port={port}; gmcast.listen_addr=tcp://127.0.0.1:{port}; \
         ist.recv_addr=127.0.0.1:{increments}; gcache.size=16M; {TIMEOUTS}\""
    );
    let name = format!("node{number}");
    let copies = format!("127.0.0.1:{copies}");
    let own = [
        ("wsrep_on", "ON"),
        ("wsrep_provider", PROVIDER),
        ("wsrep_provider_options", &provider),
        ("wsrep_cluster_address", members),
        ("wsrep_node_name", &name),
        ("wsrep_node_address", "127.0.0.1"),
        ("wsrep_sst_method", "rsync"),
        ("wsrep_sst_receive_address", &copies),
        ("binlog_format", "ROW"),
        ("innodb_autoinc_lock_mode", "2"),
    ];
    let settings = [&own, setup.settings].concat();
    MariaDb::prepare(&Setup { settings: &settings, ..*setup }, free_port())
}

/// How many nodes this one sees, and what it does: 0 and nothing if it does not answer.
fn status(node: &MariaDb) -> (usize, String) {
    let output = node.try_administer(
        "SHOW STATUS WHERE Variable_name IN ('wsrep_cluster_size', 'wsrep_local_state_comment')",
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default().trim().to_owned()
    };
    (value("wsrep_cluster_size").parse().unwrap_or(0), value("wsrep_local_state_comment"))
}
