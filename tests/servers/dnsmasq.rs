//! A real dnsmasq on loopback, ended with the test that started it.
#![allow(dead_code, reason = "each of those who start it uses its part")]

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// dnsmasq on a port of its own, ended with the test.
pub(crate) struct Dnsmasq {
    process: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    queries: Arc<Mutex<Vec<String>>>,
}

impl Dnsmasq {
    /// With these options besides those that keep it from the system's files and servers.
    pub(crate) fn start(options: &[&str]) -> Self {
        // The port is free when we look; should it be taken in between, we try another.
        for _ in 0..20 {
            let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let mut process = Command::new("dnsmasq")
                .args([
                    "--keep-in-foreground",
                    "--log-facility=-",
                    "--log-queries",
                    "--conf-file=/dev/null",
                ])
                .args(["--no-hosts", "--no-resolv", "--bind-interfaces", "--user=", "--group="])
                .args(["--pid-file", "--listen-address=127.0.0.1"])
                .arg(format!("--port={}", address.port()))
                .args(options)
                .stderr(Stdio::piped())
                .spawn()
                .unwrap_or_else(|error| {
                    panic!("cannot run dnsmasq: {error}; install the package dnsmasq-base")
                });
            let mut log = BufReader::new(process.stderr.take().unwrap());
            let mut line = String::new();
            let mut said = String::new();
            while log.read_line(&mut line).unwrap() > 0 {
                said.push_str(&line);
                if line.contains("started") {
                    let queries = Arc::<Mutex<Vec<String>>>::default();
                    let noted = queries.clone();
                    std::thread::spawn(move || {
                        for line in log.lines().map_while(Result::ok) {
                            if let Some((_, query)) = line.split_once("query[") {
                                noted.lock().unwrap().push(query.to_owned());
                            }
                        }
                    });
                    return Self { process, address, queries };
                }
                line.clear();
            }
            process.wait().unwrap();
            assert!(said.contains("in use"), "dnsmasq did not start: {said}");
        }
        panic!("no free port for dnsmasq");
    }

    /// What it was asked so far, as `PTR] 7.2.0.192.in-addr.arpa from 127.0.0.1`.
    pub(crate) fn queries(&self) -> Vec<String> {
        // It writes its log just after it answered.
        std::thread::sleep(std::time::Duration::from_millis(500));
        self.queries.lock().unwrap().clone()
    }
}

impl Drop for Dnsmasq {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
