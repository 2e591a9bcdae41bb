//! Updates: what comes in replaces the old file at once, and nothing else ever touches it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::read::GzEncoder;
use maillogsentinel::enrich::geo::update::{
    DEFAULT_COUNTRY_URLS, DEFAULT_NETWORK_URLS, Job, Limits, Outcome, Proxies, UpdateError,
    Updater, plan, without_secrets,
};
use maillogsentinel::enrich::geo::{Databases, Kind};

use crate::folder::{Folder, country};
use crate::mmdb;
use crate::server::{Server, response};

fn limits() -> Limits {
    Limits {
        connect: Duration::from_secs(5),
        stalled: Duration::from_secs(10),
        total: Duration::from_secs(20),
        size: 1 << 20,
    }
}

fn job(path: &Path, urls: &[String]) -> Job {
    Job { kind: Kind::Countries, path: path.to_path_buf(), urls: urls.to_vec() }
}

fn update(path: &Path, urls: &[String]) -> Outcome {
    update_through(path, urls, Proxies::default())
}

fn update_within(limits: Limits, path: &Path, urls: &[String]) -> Outcome {
    let updater = Updater::new(limits, Proxies::default());
    updater.update(&job(path, urls), &mut |_, _| ControlFlow::Continue(()))
}

fn update_through(path: &Path, urls: &[String], proxies: Proxies) -> Outcome {
    Updater::new(limits(), proxies).update(&job(path, urls), &mut |_, _| ControlFlow::Continue(()))
}

fn failure(outcome: Outcome) -> UpdateError {
    match outcome {
        Outcome::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

fn rows(count: u32, country: &str) -> Vec<u8> {
    (0..count).map(|at| format!("10.0.{at}.0,10.0.{at}.255,{country}\n")).collect::<String>().into()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    GzEncoder::new(bytes, Compression::fast()).read_to_end(&mut out).unwrap();
    out
}

fn names(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(folder.path("")).unwrap();
    let mut names: Vec<_> =
        entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A server that knows which version a client has.
fn tagged() -> Server {
    Server::new(|request, stream| {
        let tag = "\"v1\"";
        let answer = if request.header("if-none-match") == tag {
            response("304 Not Modified", &[&format!("ETag: {tag}")], b"")
        } else {
            let headers =
                [format!("ETag: {tag}"), "Last-Modified: Mon, 23 Nov 2026 03:00:00 GMT".into()];
            response("200 OK", &headers.each_ref().map(String::as_str), &rows(10, "FR"))
        };
        stream.write_all(&answer).unwrap();
    })
}

#[test]
fn a_database_is_downloaded_once_and_then_only_asked_for() {
    let (folder, server) = (Folder::new(), tagged());
    let (path, urls) = (folder.path("country.csv"), [server.url("/country.csv")]);
    let length = rows(10, "FR").len() as u64;
    let mut told = Vec::new();
    let first =
        Updater::new(limits(), Proxies::default()).update(&job(&path, &urls), &mut |done, of| {
            told.push((done, of));
            ControlFlow::Continue(())
        });
    assert!(
        matches!(first, Outcome::Updated { ranges: 10, bytes } if bytes == length),
        "{first:?}"
    );
    assert_eq!(told.last(), Some(&(length, Some(length))));
    assert_eq!(fs::read(&path).unwrap(), rows(10, "FR"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(names(&folder), ["country.csv", "country.csv.source"]);
    assert!(matches!(update(&path, &urls), Outcome::NotModified));
    let second = &server.requests()[1];
    assert_eq!(second.header("if-none-match"), "\"v1\"");
    assert_eq!(second.header("if-modified-since"), "Mon, 23 Nov 2026 03:00:00 GMT");
    // What the administrator put there is not what the server sent.
    fs::write(&path, rows(6, "DE")).unwrap();
    assert!(matches!(update(&path, &urls), Outcome::Updated { ranges: 10, .. }));
    assert_eq!(names(&folder), ["country.csv", "country.csv.source"]);
}

#[test]
fn after_each_failure_the_old_file_is_as_it_was() {
    let whole = rows(100, "FR");
    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
    let cut = |length: usize| format!("{head}Content-Length: {length}\r\n\r\n").into_bytes();
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    let chunk =
        |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    let packed = gzip(&whole);
    let mut damaged_mmdb = mmdb::of_countries("FR");
    damaged_mmdb.truncate(damaged_mmdb.len() - 90);
    let ok = |body: &[u8]| response("200 OK", &[], body);
    let cases = [
        ("status 404", response("404 Not Found", &[], b"gone")),
        ("status 500", response("500 Internal Server Error", &[], b"")),
        ("status 304", response("304 Not Modified", &[], b"")),
        ("the transfer ended", [cut(whole.len() + 1), whole.clone()].concat()),
        ("cannot download", [cut(100), rows(1, "FR")].concat()),
        ("cannot download", [chunked.clone(), chunk(&whole)].concat()),
        ("cannot download", [chunked.clone(), b"zz\r\n".to_vec()].concat()),
        ("is no usable database: it is neither", ok(b"<!DOCTYPE html><title>Sorry</title>")),
        ("is no usable database: it is empty", ok(b"")),
        ("is no usable database: it has no usable line", ok(b"1.2.3.4,1.2.3.4,13335,Example\n")),
        ("60 lines are bad, 50 good", ok(&[rows(50, "FR"), b"x\n".repeat(60)].concat())),
        ("has 49 ranges, and the one in use 100", ok(&rows(49, "DE"))),
        ("cannot download", ok(&packed[..packed.len() - 4])),
        ("is larger than 1048576 bytes", cut(2 << 20)),
        ("is larger than 1048576 bytes", ok(&gzip(&b"\n".repeat(2 << 20)))),
        ("is larger than 1048576 bytes", [chunked, chunk(&b"\n".repeat(2 << 20))].concat()),
        ("cannot download", b"SSH-2.0-OpenSSH_10.0\r\n".to_vec()),
        ("cannot download", b"".to_vec()),
        ("cannot download", response("302 Found", &["Location: /again"], b"")),
        ("is no usable database", ok(&damaged_mmdb)),
    ];
    for (expected, answer) in cases {
        let folder = Folder::new();
        let path = folder.file("country.csv", &whole);
        let error = failure(update(&path, &[Server::fixed(answer).url("/x?token=secret")]));
        assert!(error.text().contains(expected), "{expected}: {}", error.text());
        assert!(!error.text().contains("secret"), "{}", error.text());
        assert!(error.hint().is_some(), "{error:?}");
        assert_eq!(fs::read(&path).unwrap(), whole, "{expected}");
        assert_eq!(names(&folder), ["country.csv"], "{expected}");
    }
}

#[test]
fn a_server_that_stalls_is_left() {
    let folder = Folder::new();
    let path = folder.file("country.csv", rows(3, "FR"));
    let stalls = |before: &'static [u8]| {
        Server::new(move |_, stream| {
            stream.write_all(before).unwrap();
            thread::sleep(Duration::from_secs(20));
        })
    };
    for before in
        [&b""[..], b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n10.0.0.0"]
    {
        let limits = Limits { stalled: Duration::from_millis(300), ..limits() };
        let error = failure(update_within(limits, &path, &[stalls(before).url("/")]));
        assert!(error.text().contains("timeout"), "{}", error.text());
        assert_eq!(fs::read(&path).unwrap(), rows(3, "FR"));
    }
    assert_eq!(names(&folder), ["country.csv"]);
}

#[test]
fn nobody_there_is_an_error_with_its_reason() {
    let folder = Folder::new();
    let path = folder.path("country.csv");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = failure(update(&path, &[format!("http://user:secret@{closed}/x")]));
    let expected = format!("cannot download http://{closed}/x: ");
    assert!(error.text().starts_with(&expected), "{}", error.text());
    for url in [
        "ftp://user:secret@host/x",
        "country.csv",
        "http://",
        "http://user:secret@/x",
        "https://a b/",
    ] {
        let error = failure(update(&path, &[url.to_owned()]));
        assert!(matches!(error, UpdateError::Url { .. }), "{url}: {error:?}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
    assert_eq!(names(&folder), [""; 0]);
    let nowhere = folder.path("missing/country.csv");
    let error = failure(update(&nowhere, &[tagged().url("/")]));
    assert!(error.text().contains("missing/country.csv: No such file"), "{}", error.text());
}

#[test]
fn what_is_compressed_is_unpacked() {
    let whole = rows(20, "FR");
    let (packed, twice) = (gzip(&whole), gzip(&gzip(&whole)));
    for (headers, body) in [
        (vec!["Content-Encoding: gzip"], &packed),
        (vec![], &packed),
        (vec!["Content-Encoding: gzip"], &twice),
        (vec![], &[gzip(&whole[..100]), gzip(&whole[100..])].concat()),
    ] {
        let folder = Folder::new();
        let path = folder.path("country.csv");
        let server = Server::fixed(response("200 OK", &headers, body));
        let outcome = update(&path, &[server.url("/country.csv.gz")]);
        assert!(matches!(outcome, Outcome::Updated { ranges: 20, .. }), "{outcome:?}");
        assert_eq!(fs::read(&path).unwrap(), whole);
        assert_eq!(server.requests()[0].header("accept-encoding"), "gzip");
    }
}

#[test]
fn redirects_are_followed_and_the_version_is_that_of_their_end() {
    let server = Server::new(|request, stream| {
        let answer = match request.target.as_str() {
            "/latest" => response("302 Found", &["Location: /there?signed=1"], b"moved"),
            _ if request.header("if-none-match") == "\"a\"" => {
                response("304 Not Modified", &[], b"")
            }
            _ => response("200 OK", &["ETag: \"a\""], &rows(5, "FR")),
        };
        stream.write_all(&answer).unwrap();
    });
    let folder = Folder::new();
    let (path, urls) = (folder.path("country.csv"), [server.url("/latest")]);
    assert!(matches!(update(&path, &urls), Outcome::Updated { ranges: 5, .. }));
    assert!(matches!(update(&path, &urls), Outcome::NotModified));
}

#[test]
fn several_urls_are_joined_in_one_file() {
    let changed = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flag = std::sync::Arc::clone(&changed);
    let server = Server::new(move |request, stream| {
        let (tag, body) = match request.target.as_str() {
            "/four" if flag.load(std::sync::atomic::Ordering::SeqCst) => {
                ("\"4b\"", "1.2.3.4,1.2.3.4,DE")
            }
            "/four" => ("\"4\"", "1.2.3.4,1.2.3.4,FR"),
            "/six" => ("\"6\"", "2001:db8::,2001:db8::ffff,NL\n"),
            _ => ("\"x\"", "<html>"),
        };
        let same = request.header("if-none-match") == tag;
        let headers = [&*format!("ETag: {tag}")];
        let answer = if same {
            response("304 Not Modified", &headers, b"")
        } else {
            response("200 OK", &headers, body.as_bytes())
        };
        stream.write_all(&answer).unwrap();
    });
    let folder = Folder::new();
    let path = folder.path("country.csv");
    let urls = [server.url("/four"), server.url("/six")];
    let jobs = plan(Kind::Countries, std::slice::from_ref(&path), &urls).unwrap();
    assert_eq!(jobs, [job(&path, &urls)]);
    assert!(matches!(update(&path, &urls), Outcome::Updated { ranges: 2, .. }));
    let known = |four: &str| {
        let mut databases = Databases::new(vec![path.clone()], vec![], None);
        assert_eq!(country(&mut databases, "1.2.3.4"), four);
        assert_eq!(country(&mut databases, "2001:db8::7"), "NL");
        assert_eq!(databases.warnings(), []);
    };
    known("FR");
    assert!(matches!(update(&path, &urls), Outcome::NotModified));
    changed.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(matches!(update(&path, &urls), Outcome::Updated { ranges: 2, .. }));
    known("DE");
    assert!(matches!(update(&path, &urls), Outcome::NotModified));
    let only = [server.url("/six")];
    assert!(matches!(update(&path, &only), Outcome::Updated { ranges: 1, .. }), "others before");
    assert!(matches!(update(&path, &urls), Outcome::Updated { ranges: 2, .. }));
    let before = fs::read(&path).unwrap();
    failure(update(&path, &[server.url("/four"), server.url("/html")]));
    assert_eq!(fs::read(&path).unwrap(), before, "one bad part spoils nothing");
    let mmdb = Server::fixed(response("200 OK", &[], &mmdb::of_countries("FR")));
    let error = failure(update(&path, &[server.url("/four"), mmdb.url("/x.mmdb")]));
    assert!(error.text().contains("cannot be joined"), "{}", error.text());
    assert_eq!(names(&folder), ["country.csv", "country.csv.source"]);
}

#[test]
fn an_mmdb_replaces_a_csv_and_the_reverse() {
    let folder = Folder::new();
    let path = folder.file("country.csv", rows(3, "FR"));
    let mmdb = Server::fixed(response("200 OK", &[], &mmdb::of_countries("NL")));
    assert!(matches!(update(&path, &[mmdb.url("/")]), Outcome::Updated { .. }));
    assert_eq!(country(&mut Databases::new(vec![path.clone()], vec![], None), "192.0.2.1"), "NL");
    let csv = Server::fixed(response("200 OK", &[], &rows(200, "DE")));
    assert!(matches!(update(&path, &[csv.url("/")]), Outcome::Updated { ranges: 200, .. }));
}

#[test]
fn mode_and_link_of_the_old_file_stay() {
    let folder = Folder::new();
    let target = folder.file("real.csv", rows(3, "DE"));
    fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("real.csv", folder.path("country.csv")).unwrap();
    assert!(matches!(
        update(&folder.path("country.csv"), &[tagged().url("/")]),
        Outcome::Updated { .. }
    ));
    assert!(fs::symlink_metadata(folder.path("country.csv")).unwrap().is_symlink());
    assert_eq!(fs::read(&target).unwrap(), rows(10, "FR"));
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn two_updates_at_once_leave_one_whole_file() {
    let folder = Folder::new();
    let path = folder.path("country.csv");
    let server = tagged();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let outcome = update(&path, &[server.url("/")]);
                assert!(
                    matches!(outcome, Outcome::Updated { .. } | Outcome::NotModified),
                    "{outcome:?}"
                );
            });
        }
    });
    assert_eq!(fs::read(&path).unwrap(), rows(10, "FR"));
    assert_eq!(names(&folder), ["country.csv", "country.csv.source"]);
}

#[test]
fn who_is_interrupted_leaves_nothing() {
    let folder = Folder::new();
    let path = folder.file("country.csv", rows(3, "FR"));
    let outcome = Updater::new(limits(), Proxies::default())
        .update(&job(&path, &[tagged().url("/")]), &mut |_, _| ControlFlow::Break(()));
    assert!(matches!(outcome, Outcome::Failed(UpdateError::Interrupted)), "{outcome:?}");
    assert_eq!(names(&folder), ["country.csv"]);
}

#[test]
fn proxies_are_used_as_the_environment_says() {
    let folder = Folder::new();
    let path = folder.path("country.csv");
    let proxy = tagged();
    let address = format!("http://anna:secret@{}", proxy.address());
    let with = |name: &'static str, except: &'static str| {
        let address = address.clone();
        Proxies::from_variables(move |asked| match asked {
            "NO_PROXY" => Some(except.to_owned()),
            _ => (asked == name).then(|| address.clone()),
        })
    };
    let url = ["http://database.invalid/country.csv".to_owned()];
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        let _ = fs::remove_file(&path);
        let outcome = update_through(&path, &url, with(name, "example.org,10.0.0.1"));
        assert!(matches!(outcome, Outcome::Updated { ranges: 10, .. }), "{name}: {outcome:?}");
    }
    for request in proxy.requests() {
        assert_eq!(request.target, "http://database.invalid/country.csv");
        assert_eq!(request.header("host"), "database.invalid");
        assert_eq!(request.header("proxy-authorization"), "Basic YW5uYTpzZWNyZXQ=");
    }
    let requests = proxy.requests().len();
    for (name, except) in [
        ("HTTP_PROXY", "database.invalid"),
        ("HTTP_PROXY", "example.org, .invalid"),
        ("HTTP_PROXY", "invalid"),
        ("ALL_PROXY", "*"),
        ("HTTPS_PROXY", ""),
    ] {
        failure(update_through(&path, &url, with(name, except)));
        assert_eq!(proxy.requests().len(), requests, "{name} {except}");
    }
    let tls = ["https://database.invalid/country.csv".to_owned()];
    failure(update_through(&path, &tls, with("HTTPS_PROXY", "")));
    assert_eq!(proxy.requests().last().unwrap().target, "database.invalid:443", "a tunnel");
    let broken = Proxies::from_variables(|_| Some("nonsense://anna:secret@proxy".to_owned()));
    let error = failure(update_through(&path, &url, broken));
    assert_eq!(error.text(), "the proxy nonsense://proxy is not a URL of http or https");
}

#[test]
fn user_names_and_passwords_are_sent_and_not_told() {
    let folder = Folder::new();
    let server = Server::fixed(response("403 Forbidden", &[], b""));
    let url = format!("http://anna:secret@{}/x?license_key=secret", server.address());
    let error = failure(update(&folder.path("country.csv"), &[url]));
    assert_eq!(
        error.text(),
        format!("http://{}/x?... was answered with status 403", server.address())
    );
    assert_eq!(server.requests()[0].header("authorization"), "Basic YW5uYTpzZWNyZXQ=");
    for (url, shown) in [
        ("https://a:b@h:8/p@q?x#y", "https://h:8/p@q?..."),
        ("a@h/p", "h/p"),
        ("https://h\u{1b}/", "https://h\\x1b/"),
        ("https://h#secret", "https://h?..."),
    ] {
        assert_eq!(without_secrets(url), shown);
    }
}

#[test]
fn urls_and_files_are_matched() {
    let paths =
        |count: usize| (0..count).map(|at| PathBuf::from(format!("{at}"))).collect::<Vec<_>>();
    let urls = |count: usize| (0..count).map(|at| format!("u{at}")).collect::<Vec<_>>();
    let plan = |p, u| plan(Kind::Networks, &paths(p), &urls(u));
    assert_eq!(plan(2, 2).unwrap()[1].urls, ["u1"]);
    assert_eq!(plan(1, 3).unwrap()[0].urls, ["u0", "u1", "u2"]);
    assert_eq!(plan(2, 0).unwrap(), []);
    let error = plan(2, 3).unwrap_err();
    assert_eq!(error.to_string(), "3 URLs cannot be put into 2 files");
    for url in DEFAULT_COUNTRY_URLS.iter().chain(&DEFAULT_NETWORK_URLS) {
        assert!(
            url.starts_with("https://github.com/sapics/ip-location-db/releases/download/latest/")
        );
    }
}

/// A server of TLS, with a certificate of its own making.
struct Tls(Child, u16);

impl Tls {
    fn new(folder: &Folder) -> Self {
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args([
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
                "-keyout",
                "key",
                "-out",
                "cert",
            ])
            .args([
                "-addext",
                "subjectAltName=DNS:localhost",
                "-addext",
                "basicConstraints=critical,CA:FALSE",
            ])
            .current_dir(folder.path(""))
            .output()
            .unwrap_or_else(|error| panic!("cannot run openssl: {error}; install it"));
        assert!(made.status.success(), "{made:?}");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new("openssl")
            .args(["s_server", "-quiet", "-HTTP", "-key", "key", "-cert", "cert", "-accept"])
            .arg(format!("127.0.0.1:{port}"))
            .current_dir(folder.path(""))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert_eq!(child.try_wait().unwrap(), None, "openssl ended");
            thread::yield_now();
        }
        Self(child, port)
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn certificates_are_verified_and_https_stays_https() {
    let folder = Folder::new();
    let plain = tagged();
    folder.file("good", response("200 OK", &[], &rows(4, "FR")));
    folder.file("down", response("302 Found", &[&format!("Location: {}", plain.url("/"))], b""));
    let server = Tls::new(&folder);
    // The store of this machine does not have the certificate, the variable's file does.
    for (name, host, trusted, expected) in [
        ("good", "localhost", false, "invalid peer certificate"),
        ("good", "localhost", true, "Updated { ranges: 4"),
        ("good", "127.0.0.1", true, "certificate not valid for name"),
        ("down", "localhost", true, "it is redirected from https to http"),
    ] {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--ignored", "--exact", "update::told_by_variables", "--nocapture"]);
        child.env("TEST_URL", format!("https://{host}:{}/{name}", server.1));
        if trusted {
            child.env("SSL_CERT_FILE", folder.path("cert")).env_remove("SSL_CERT_DIR");
        }
        let output = child.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.contains(expected), "{expected}: {said}");
    }
    assert_eq!(plain.requests().len(), 0);
}

#[test]
#[ignore = "the part of the test above that needs an environment of its own"]
#[expect(clippy::print_stdout, reason = "the test reads it")]
fn told_by_variables() {
    let folder = Folder::new();
    let url = std::env::var("TEST_URL").unwrap();
    let limits = limits();
    let job = job(&folder.path("country.csv"), &[url]);
    let outcome = Updater::new(limits, Proxies::default())
        .update(&job, &mut |_, _| ControlFlow::Continue(()));
    println!("{outcome:?}");
}
