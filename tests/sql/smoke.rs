//! The test servers themselves: they start, load files, and have what was committed after they were killed.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::authority::Authority;
use crate::database::{Rows, Setup, Tls, Writes};
use crate::galera::Galera;
use crate::mariadb::MariaDb;
use crate::postgres::Postgres;

/// What a value may be mistaken for, in SQL and in the answers of the clients.
const ODD: &str = "tab\tline\nreturn\rback\\slash \\N 'quote\" NULL ü🦀";

/// Rows as literals write them.
fn rows<const COLUMNS: usize>(rows: &[[Option<&str>; COLUMNS]]) -> Rows {
    rows.iter().map(|row| row.iter().map(|it| it.map(str::to_owned)).collect()).collect()
}

/// A file with this text, in a folder that ends with it.
fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file.sql");
    std::fs::write(&file, text).unwrap();
    (folder, file)
}

#[test]
fn postgres_has_what_was_committed_after_a_kill() {
    let mut server = Postgres::start();
    server.create_database("mail");
    server.execute("mail", "CREATE TABLE failure (id integer PRIMARY KEY, who text)");
    let (_folder, dump) = file(&format!(
        "INSERT INTO failure VALUES (1, '{}'), (2, NULL), (3, ''), (4, 'NULL');\n",
        ODD.replace('\'', "''")
    ));
    let output = server.load_file("mail", &dump);
    assert!(output.status.success(), "{output:?}");
    let expected = rows(&[
        [Some("1"), Some(ODD)],
        [Some("2"), None],
        [Some("3"), Some("")],
        [Some("4"), Some("NULL")],
    ]);
    let all = "SELECT id, who FROM failure ORDER BY id";
    assert_eq!(server.query("mail", all), expected);
    server.kill_hard();
    server.start_again();
    assert_eq!(server.query("mail", all), expected);
    let output = server.load_file("mail", &dump);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("duplicate key"), "{output:?}");
    assert_eq!(server.query("mail", all), expected);
}

#[test]
fn mariadb_has_what_was_committed_after_a_kill() {
    let mut server = MariaDb::start();
    server.create_database("mail");
    server.execute("mail", "CREATE TABLE failure (id INT PRIMARY KEY, who TEXT)");
    let (_folder, dump) = file(&format!(
        "INSERT INTO failure VALUES (1, '{}'), (2, NULL), (3, ''), (4, 'NULL');\n",
        ODD.replace('\\', "\\\\").replace('\'', "''")
    ));
    let output = server.load_file("mail", &dump);
    assert!(output.status.success(), "{output:?}");
    let expected = rows(&[
        [Some("1"), Some(ODD)],
        [Some("2"), None],
        [Some("3"), Some("")],
        [Some("4"), Some("NULL")],
    ]);
    let all = "SELECT id, who FROM failure ORDER BY id";
    assert_eq!(server.query("mail", all), expected);
    server.kill_hard();
    server.start_again();
    assert_eq!(server.query("mail", all), expected);
    let output = server.load_file("mail", &dump);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("Duplicate entry"), "{output:?}");
    assert_eq!(server.query("mail", all), expected);
}

/// What a native client says that logs in over TCP.
fn logs_in(client: &str, arguments: &[&str], password: (&str, &str)) -> Result<String, String> {
    let mut command = Command::new(client);
    let output = command.args(arguments).env(password.0, password.1).output().unwrap();
    let [said, error] =
        [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap().trim().to_owned());
    if output.status.success() { Ok(said) } else { Err(error) }
}

#[test]
fn postgres_wants_the_password_and_has_tls_for_those_who_trust_it() {
    let setup = Setup { user: "o'\"x", ..Setup::default() };
    let server = Postgres::with(&setup);
    let login = |more: &str, password: &str| {
        let server = format!("port={} dbname=postgres user=o\\'\"x {more}", server.port());
        let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        logs_in("psql", &["-XAtwc", encrypted, &server], ("PGPASSWORD", password))
    };
    let trusting = |authority: &Path| format!("sslrootcert={}", authority.display());
    let verify = format!("sslmode=verify-full {}", trusting(&server.authority()));
    let stranger = Authority::new();
    let other = format!("sslmode=verify-full {}", trusting(&stranger.certificate()));
    assert_eq!(login("host=localhost sslmode=disable", setup.password).unwrap(), "f");
    assert_eq!(login("host=localhost sslmode=require", setup.password).unwrap(), "t");
    assert_eq!(login(&format!("host=localhost {verify}"), setup.password).unwrap(), "t");
    for (more, password, why) in [
        ("host=localhost sslmode=require", "wrong", "password authentication failed"),
        (&format!("host=127.0.0.1 {verify}"), setup.password, "does not match host name"),
        (&format!("host=localhost {other}"), setup.password, "certificate verify failed"),
    ] {
        let said = login(more, password).unwrap_err();
        assert!(said.contains(why), "{more}: {said}");
    }
}

#[test]
fn mariadb_wants_the_password_and_has_tls_for_those_who_trust_it() {
    let setup = Setup { user: "o'\"x", ..Setup::default() };
    let server = MariaDb::with(&setup);
    let login = |more: &[&str], password: &str| {
        let port = format!("--port={}", server.port());
        let encrypted = "SHOW STATUS LIKE 'Ssl_version'";
        let always = ["--no-defaults", "--protocol=tcp", &port, "--user=o'\"x", "-Ne", encrypted];
        logs_in("mysql", &[&always, more].concat(), ("MYSQL_PWD", password))
    };
    let trusting = |authority: &Path| format!("--ssl-ca={}", authority.display());
    let stranger = Authority::new();
    let (ours, theirs) = (trusting(&server.authority()), trusting(&stranger.certificate()));
    let verify = "--ssl-verify-server-cert";
    let plain = login(&["--host=localhost", "--skip-ssl"], setup.password).unwrap();
    assert_eq!(plain, "Ssl_version");
    let secret = login(&["--host=localhost", verify, &ours], setup.password).unwrap();
    assert!(secret.contains("TLSv1.3"), "{secret}");
    for (more, password, why) in [
        (["--host=localhost", "--ssl", &ours], "wrong", "Access denied"),
        (["--host=127.0.0.1", verify, &ours], setup.password, "TLS/SSL error"),
        (["--host=localhost", verify, &theirs], setup.password, "TLS/SSL error"),
    ] {
        let said = login(&more, password).unwrap_err();
        assert!(said.contains(why), "{more:?}: {said}");
    }
}

#[test]
fn what_is_asked_for_is_set() {
    let durable = Setup { writes: Writes::Durable, tls: Tls::Absent, ..Setup::default() };
    let asked =
        "SELECT current_setting('fsync'), current_setting('ssl'), current_setting('TimeZone')";
    for (setup, expected) in [
        (&Setup::default(), [Some("off"), Some("on"), Some("GMT")]),
        (
            &Setup { settings: &[("timezone", "Asia/Kolkata")], ..durable },
            [Some("on"), Some("off"), Some("Asia/Kolkata")],
        ),
    ] {
        assert_eq!(Postgres::with(setup).query("postgres", asked), rows(&[expected]));
    }
    let asked = "SELECT @@innodb_flush_log_at_trx_commit, @@have_ssl, @@character_set_database, @@global.sql_mode";
    let setup = &Setup { settings: &[("sql_mode", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES")], ..durable };
    let server = MariaDb::with(setup);
    server.create_database("mail");
    let mut expected =
        [Some("1"), Some("DISABLED"), Some("utf8mb4"), Some("ANSI_QUOTES,NO_BACKSLASH_ESCAPES")];
    assert_eq!(server.query("mail", asked), rows(&[expected]));
    server.set_sql_mode("NO_BACKSLASH_ESCAPES");
    expected[3] = Some("NO_BACKSLASH_ESCAPES");
    assert_eq!(server.query("mail", asked), rows(&[expected]));
    server.execute("mail", "CREATE TABLE odd AS SELECT 'a\\b' AS it");
    assert_eq!(server.query("mail", "SELECT * FROM odd"), rows(&[[Some("a\\b")]]));
}

#[test]
fn galera_goes_on_without_the_node_that_was_written_to() {
    let mut cluster = Galera::start(3);
    cluster.node(0).create_database("mail");
    cluster.node(0).execute("mail", "CREATE TABLE failure (id INT PRIMARY KEY)");
    cluster.node(0).execute("mail", "INSERT INTO failure VALUES (1)");
    let all = "SELECT id FROM failure ORDER BY id";
    // A node may be behind the others unless it is told to wait for them.
    let causal = |cluster: &Galera, number: usize| {
        cluster.node(number).administer("SET GLOBAL wsrep_sync_wait = 1");
        cluster.query(number, "mail", all)
    };
    assert_eq!(causal(&cluster, 2), rows(&[[Some("1")]]));
    cluster.kill_node(0);
    cluster.wait_for(1, 2).unwrap();
    cluster.wait_for(2, 2).unwrap();
    cluster.node(1).execute("mail", "INSERT INTO failure VALUES (2)");
    assert_eq!(causal(&cluster, 2), rows(&[[Some("1")], [Some("2")]]));
    cluster.restart_node(0);
    assert_eq!(causal(&cluster, 0), rows(&[[Some("1")], [Some("2")]]));
}
