//! TLS for the servers of tests.
#![allow(dead_code, reason = "each of those who start servers uses its part")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What a server with this certificate and key offers.
pub(crate) fn config((certificate, key): (&Path, &Path)) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(certificate).unwrap().map(Result::unwrap);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.collect(), PrivateKeyDer::from_pem_file(key).unwrap());
    Arc::new(config.unwrap())
}

/// Takes requests of HTTP over TLS and passes them on to a server that has none; gives its port.
pub(crate) fn in_front_of(server: &str, pair: (&Path, &Path)) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (config, server) = (config(pair), server.to_owned());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(config.clone()).unwrap();
            let mut client = StreamOwned::new(connection, stream.unwrap());
            let Some(request) = request(&mut client) else { continue };
            let mut server = TcpStream::connect(&server).unwrap();
            server.write_all(&request).unwrap();
            let mut answer = Vec::new();
            server.read_to_end(&mut answer).unwrap();
            let _ = client.write_all(&answer);
            client.conn.send_close_notify();
            let _ = client.flush();
        }
    });
    port
}

/// A whole request, with its body; `None` if the client went away.
fn request(client: &mut impl Read) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    loop {
        let mut part = [0; 4096];
        let length = client.read(&mut part).ok().filter(|length| *length > 0)?;
        request.extend(&part[..length]);
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        let expected = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        if body.len() >= expected.map_or(0, |(_, length)| length.parse().unwrap()) {
            return Some(request);
        }
    }
}
