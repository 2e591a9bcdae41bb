//! What is exported arrives equal, by the native client and by our own import.

use std::fs;

use maillogsentinel::untrusted::for_sql;

use crate::database::Rows;
use crate::scene::{EVENTS, Target, export, files, import, sentinel, write_csv};
use crate::sentinel::HEADER;

const ROWS: usize = 1000;

/// Names as an attacker, a broken program or a hand with an editor writes them, built from what ends
/// strings, statements, comments, lines and files in one engine or another.
fn hostile_names() -> Vec<Vec<u8>> {
    let tokens: [&[u8]; 44] = [
        b"'",
        b"''",
        b"\\",
        b"\\'",
        b"\"",
        b"`",
        b";",
        b"'; DROP TABLE maillogsentinel_events; --",
        b"--",
        b"-- ",
        b"/*",
        b"*/",
        b"/*!50000 ",
        b"#",
        b"$$",
        b"$a$",
        b"\n",
        b"\r\n",
        b"\r",
        b"\t",
        b"\x1a",
        b"\x00",
        b"\\0",
        b"\\n",
        b"\\Z",
        b"\x1b[2J",
        b"\x7f",
        "\u{1f600}".as_bytes(),
        "ü".as_bytes(),
        "\u{202e}".as_bytes(),
        b"\xff",
        b"\xc3",
        b"%",
        b"_",
        b"?",
        b":x",
        b"E'",
        b"N/A",
        b"null",
        b"NULL",
        b"\\.",
        b"DELIMITER //\n",
        b"\\q",
        b"bob@example.org",
    ];
    let mut random = fastrand::Rng::with_seed(7);
    let mut names: Vec<Vec<u8>> = tokens.iter().map(|token| token.to_vec()).collect();
    names.push(Vec::new());
    names.push(b"x".repeat(64 * 1024));
    names.push("'\u{1f600}\\".as_bytes().repeat(11_000));
    while names.len() < ROWS {
        let parts = (0..random.usize(1..9)).map(|_| tokens[random.usize(..tokens.len())]);
        names.push(parts.collect::<Vec<_>>().concat());
    }
    names
}

/// A CSV with these names as users, hosts and organisations; and the rows that it means.
fn hostile_csv() -> (Vec<u8>, Rows) {
    let mut csv = csv::WriterBuilder::new().delimiter(b';').from_writer(HEADER.into());
    let mut rows = Vec::new();
    for name in hostile_names() {
        csv.write_record([
            b"mx1",
            &b"2026-11-22 21:28"[..],
            b"2001:db8::7",
            &name,
            &name,
            b"OK",
            b"CN",
            b"4294967295",
            &name,
        ])
        .unwrap();
        let text =
            |absent: &[&[u8]]| (!absent.contains(&&*name)).then(|| for_sql(&name).into_owned());
        let known = |text: &str| Some(text.to_owned());
        rows.push(vec![
            known("mx1"),
            known("2026-11-22 21:28:00"),
            known("2001:db8::7"),
            text(&[b"null"]),
            text(&[b"null"]),
            known("OK"),
            known("CN"),
            known("4294967295"),
            text(&[b"N/A", b""]),
        ]);
    }
    (csv.into_inner().unwrap(), rows)
}

/// Loads the same file by the native client, and then by our own import.
fn arrives_equal(target: &Target) {
    let (csv, rows) = hostile_csv();
    let scene = sentinel(target);
    write_csv(&scene, &csv);
    export(&scene).exits(0).prints("1,000 rows exported");
    let [file] = &files(&scene)[..] else { panic!("not one file") };
    let equal = |who: &str| {
        let found = target.query(EVENTS);
        assert_eq!(found.len(), rows.len(), "{who}");
        for (at, (found, expected)) in found.iter().zip(&rows).enumerate() {
            assert!(found == expected, "{who}, row {at}:\n{found:?}\n{expected:?}");
        }
    };
    let loaded = target.load(file);
    assert!(loaded.status.success(), "{loaded:?}");
    equal("the native client");
    target.execute("DROP TABLE maillogsentinel_events");
    import(&scene).exits(0).prints("1 file imported, 1,000 rows");
    equal("our import");
}

#[test]
fn hostile_rows_arrive_equal_in_sqlite() {
    arrives_equal(&Target::sqlite());
}

#[test]
fn hostile_rows_arrive_equal_in_postgresql() {
    arrives_equal(&Target::postgres());
}

#[test]
fn hostile_rows_arrive_equal_in_mariadb() {
    arrives_equal(&Target::mariadb());
}

#[test]
fn hostile_rows_arrive_equal_in_a_cluster() {
    arrives_equal(&Target::galera());
}

#[test]
fn the_settings_of_a_server_change_nothing() {
    let target = Target::mariadb();
    let Target::MariaDb(server) = &target else { unreachable!() };
    server.set_sql_mode("ANSI,NO_BACKSLASH_ESCAPES");
    arrives_equal(&target);
    let target = Target::postgres();
    let Target::Postgres(server) = &target else { unreachable!() };
    server.administer("ALTER SYSTEM SET standard_conforming_strings = off");
    server.administer("ALTER SYSTEM SET datestyle = 'ISO, DMY'");
    server.administer("SELECT pg_reload_conf()");
    arrives_equal(&target);
}

/// A file that an administrator wrote.
fn by_hand(target: &Target, text: &str) -> crate::sentinel::Ran {
    let scene = sentinel(target);
    fs::create_dir_all(scene.path("work/sql")).unwrap();
    scene.write("work/sql/by-hand.sql", text);
    import(&scene)
}

#[test]
fn files_by_hand_hold_what_their_engine_knows() {
    let target = Target::postgres();
    let text = "-- a function; with a body\nCREATE TABLE u (a text);\nCREATE FUNCTION f() RETURNS int LANGUAGE \
        plpgsql AS $body$ BEGIN INSERT INTO u VALUES ('in;side'); RETURN 1; END $body$;\n/* ; */ SELECT f();\n\
        DO $$ BEGIN INSERT INTO u VALUES (E'it\\'s'); END $$;";
    by_hand(&target, text).exits(0).prints("1 file imported");
    assert_eq!(target.column("SELECT a FROM u ORDER BY a"), ["in;side", "it's"]);
    // As pg_dump begins.
    let text = "SELECT pg_catalog.set_config('search_path', '', false);\nINSERT INTO public.u VALUES ('x');";
    by_hand(&target, text).exits(0).prints("1 file imported, 1 row");
    let target = Target::mariadb();
    let text = "# a comment; of MySQL\nCREATE TABLE u (a text);\n/*!40101 SET NAMES utf8mb4 */;\nSTART TRANSACTION;\n\
        INSERT INTO u VALUES ('it\\'s;');\nINSERT INTO u VALUES (\"a;b\");\nCOMMIT;\n";
    by_hand(&target, text).exits(0).prints("1 file imported, 2 rows");
    assert_eq!(target.column("SELECT a FROM u ORDER BY a"), ["a;b", "it's;"]);
}

#[test]
fn a_broken_file_is_named_with_its_line_and_the_servers_words() {
    let target = Target::postgres();
    by_hand(&target, "CREATE TABLE u (a int);\nINSERT INTO u\nVALUES (1), (b);\n")
        .exits(1)
        .says("by-hand.sql:3: column \"b\" does not exist");
    by_hand(&target, "CREATE TABLE u (a int CHECK (a > 0));\n\nINSERT INTO u\nVALUES (0);\n")
        .exits(1)
        .says("by-hand.sql:3: new row for relation \"u\" violates check constraint");
    by_hand(&target, "CREATE TABLE u (a int);\nCOPY u (a) FROM STDIN;\n1\n\\.\n")
        .exits(1)
        .says("by-hand.sql:2: it reads from the client");
    assert_eq!(target.column("SELECT count(*) FROM pg_class WHERE relname = 'u'"), ["0"]);
    assert_eq!(target.column("SELECT count(*) FROM maillogsentinel_imports"), ["0"]);
    let target = Target::mariadb();
    by_hand(
        &target,
        "CREATE TABLE u (a int);\nINSERT INTO u VALUES (1);\nINSERT INTO\nu VALUE (2))\n",
    )
    .exits(1)
    .says("by-hand.sql:4: You have an error in your SQL syntax");
    by_hand(&target, "INSERT INTO u VALUES (1);\nCREATE TABLE v (a int);\n")
        .exits(1)
        .says("by-hand.sql:2: this statement commits what is before it");
    by_hand(&target, "INSERT INTO u VALUES (1);\nUNLOCK TABLES;\n").exits(1).says("by-hand.sql:2:");
    by_hand(&target, "USE mysql;\n").exits(1).says("by-hand.sql:1: it goes to another database");
    by_hand(&target, "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE u;\n")
        .exits(1)
        .says("by-hand.sql:1: it reads from the client");
    assert_eq!(target.column("SELECT count(*) FROM u"), ["0"]);
    assert_eq!(target.column("SELECT count(*) FROM maillogsentinel_imports"), ["0"]);
}
