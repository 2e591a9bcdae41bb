//! Rows as SQL, told as runs of the program: what is exported, what is imported, and how often.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use rusqlite::types::Value;

use crate::sentinel::{HEADER, Ran, Sentinel, failure};

/// A scene whose database is in its folder.
fn scene() -> Sentinel {
    let scene = Sentinel::default();
    let setting = format!("database.db_path={}", scene.path("events.sqlite").display());
    scene.set(setting)
}

fn export(scene: &Sentinel) -> Ran {
    Ran::of(&mut scene.command(&["--sql-export"]))
}

fn import(scene: &Sentinel) -> Ran {
    Ran::of(&mut scene.command(&["--sql-import"]))
}

/// The files of SQL, in the order of their names.
fn files(scene: &Sentinel) -> Vec<PathBuf> {
    let entries = fs::read_dir(scene.path("work/sql")).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The user names in the database, in the order of their rows.
fn users(scene: &Sentinel) -> Vec<String> {
    column(scene, "SELECT coalesce(username, 'NULL') FROM maillogsentinel_events ORDER BY id")
}

fn column(scene: &Sentinel, sql: &str) -> Vec<String> {
    let database = rusqlite::Connection::open(scene.path("events.sqlite")).unwrap();
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, Value>(0)).unwrap();
    rows.map(|value| match value.unwrap() {
        Value::Text(text) => text,
        Value::Integer(number) => number.to_string(),
        other => format!("{other:?}"),
    })
    .collect()
}

fn row(minute: u32, user: &str) -> String {
    format!("mx1;2026-11-22 21:{minute:02};203.0.113.9;{user};null;Errno 1;CN;4837;China; Unicom\n")
        .replace("China; Unicom", "\"China; Unicom\"")
}

fn csv(users: &[&str]) -> String {
    let rows = users.iter().zip(0..).map(|(user, minute)| row(minute, user));
    HEADER.to_owned() + &rows.collect::<String>()
}

const CSV: &str = "work/maillogsentinel.csv";

#[test]
fn what_was_logged_is_exported_and_imported_once() {
    let log = [
        failure("Nov 22 21:28:34", "203.0.113.9", "bob"),
        failure("Nov 22 21:29:34", "2001:db8::7", "o'neil; DROP TABLE maillogsentinel_events; --"),
    ];
    let scene = scene().file("mail.log", log.concat());
    scene.run().exits(0);
    export(&scene).exits(0).prints("2 rows exported to ");
    export(&scene).exits(0).prints("nothing new to export");
    import(&scene).exits(0).prints("1 file imported, 2 rows");
    import(&scene).exits(0).prints("nothing new to import; 1 imported before");
    scene.append("mail.log", failure("Nov 22 21:30:34", "203.0.113.9", "bob"));
    scene.run().exits(0);
    export(&scene).exits(0).prints("1 row exported");
    import(&scene).exits(0).prints("1 file imported, 1 row; 1 imported before");
    assert_eq!(users(&scene), ["bob", "o'neil; DROP TABLE maillogsentinel_events; --", "bob"]);
    assert_eq!(files(&scene).len(), 2);
    assert_eq!(
        column(&scene, "SELECT rows FROM maillogsentinel_imports ORDER BY file"),
        ["2", "1"]
    );
}

#[test]
fn every_row_goes_out_typed() {
    let rows = "mx1;2026-11-22 21:28;203.0.113.9;bob;null;Errno 1;N/A;N/A;N/A\n\
        mx1;05/11/2026 09:07;2001:DB8::1;N/A;host.example;OK;CN;4837;China Unicom\r\n\
        mx1;yesterday;somewhere;null;null;Errno 4;;AS64496;\n\
        server;date;ip;user;hostname;reverse_dns_status;country_code;asn;aso\n\
        mx1;2026-11-22 21:30\n\
        mx1;2026-11-22 21:31;203.0.113.9;\"a;b\"\"c\nd\";null;Errno 1;N/A;N/A;N/A\n";
    let scene = scene().file(CSV, HEADER.to_owned() + rows);
    export(&scene)
        .exits(0)
        .prints("5 rows exported")
        .says("maillogsentinel.csv:4: the field `date` is not what its column holds")
        .says(":4: the field `ip`")
        .says(":7: a quoted field goes over 2 lines");
    import(&scene).exits(0);
    let sql = "SELECT json_array(server, event_time, ip, username, hostname, reverse_dns_status, \
        country_code, asn_int, asn_varchar) FROM maillogsentinel_events ORDER BY id";
    assert_eq!(
        column(&scene, sql),
        [
            r#"["mx1","2026-11-22 21:28:00","203.0.113.9","bob",null,"Errno 1",null,null,null]"#,
            r#"["mx1","2026-11-05 09:07:00","2001:db8::1","N/A","host.example","OK","CN",4837,"China Unicom"]"#,
            r#"["mx1",null,null,null,null,"Errno 4",null,64496,null]"#,
            r#"["mx1","2026-11-22 21:30:00",null,null,null,null,null,null,null]"#,
            r#"["mx1","2026-11-22 21:31:00","203.0.113.9","a;b\"c\nd",null,"Errno 1",null,null,null]"#,
        ]
    );
}

#[test]
fn the_native_client_loads_the_same_file() {
    let scene = scene();
    scene.write(CSV, csv(&["bob", "\"it's \\ \"\"x\"\"\"", "\u{1f600}", "\"a\r\nb\""]));
    export(&scene).exits(0);
    let mut client = Command::new("sqlite3");
    client.arg("-bail").arg(scene.path("events.sqlite"));
    client.stdin(fs::File::open(&files(&scene)[0]).unwrap());
    Ran::of(&mut client).exits(0);
    assert_eq!(users(&scene), ["bob", "it's \\ \"x\"", "\u{1f600}", "a\r\nb"]);
}

#[test]
fn a_line_without_its_end_waits() {
    let scene = scene().file(CSV, csv(&["a", "b"]) + "mx1;2026-11-22 21:40;203.0.113.9;adm");
    export(&scene).exits(0).prints("2 rows exported");
    scene.append(CSV, "in;null;Errno 1;CN;4837;x\n");
    export(&scene).exits(0).prints("1 row exported");
    import(&scene).exits(0);
    assert_eq!(users(&scene), ["a", "b", "admin"]);
}

#[test]
fn a_rotated_csv_loses_and_repeats_nothing() {
    let scene = scene().file(CSV, csv(&["a", "b"]));
    export(&scene).exits(0);
    scene.append(CSV, row(10, "late"));
    fs::rename(scene.path(CSV), scene.path("work/maillogsentinel.csv.1")).unwrap();
    scene.write(CSV, csv(&["c"]));
    export(&scene).exits(0).prints("2 rows exported");
    // Twice before the next export, and the older one compressed.
    scene.append(CSV, row(11, "d"));
    let gzip = Command::new("gzip").arg(scene.path("work/maillogsentinel.csv.1")).status();
    assert!(gzip.unwrap().success());
    fs::rename(
        scene.path("work/maillogsentinel.csv.1.gz"),
        scene.path("work/maillogsentinel.csv.3.gz"),
    )
    .unwrap();
    fs::rename(scene.path(CSV), scene.path("work/maillogsentinel.csv.2")).unwrap();
    scene.write("work/maillogsentinel.csv.1", csv(&["e", "f"]));
    scene.write(CSV, csv(&["g"]));
    export(&scene).exits(0).prints("4 rows exported");
    import(&scene).exits(0);
    assert_eq!(users(&scene), ["a", "b", "late", "c", "d", "e", "f", "g"]);
}

#[test]
fn an_edited_csv_is_continued_and_another_one_starts_anew() {
    let all: Vec<_> = (0..60).map(|n| format!("user{n}")).collect();
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    let scene = scene().file(CSV, csv(&all));
    export(&scene).exits(0).prints("60 rows exported");
    // The administrator keeps the last rows only; then two more are added.
    let kept = HEADER.to_owned() + &row(58, "user58") + &row(59, "user59");
    scene.write(CSV, kept + &row(5, "new1") + &row(6, "new2"));
    export(&scene).exits(0).prints("2 rows exported").says("was edited");
    scene.write(CSV, csv(&["other"]));
    export(&scene)
        .exits(0)
        .prints("1 row exported")
        .says("is not the file that was exported up to line 5")
        .says("come twice")
        .says("--sql-export --all");
    import(&scene).exits(0);
    assert_eq!(users(&scene)[60..], ["new1", "new2", "other"]);
    export(&scene).exits(0).prints("nothing new");
    Ran::of(&mut scene.command(&["--sql-export", "--all"])).exits(0).prints("1 row exported");
}

#[test]
fn what_is_rotated_before_it_had_a_row_that_was_exported_is_not_lost() {
    for before in ["", HEADER] {
        let scene = scene().file(CSV, before);
        export(&scene).exits(0).prints("nothing new");
        scene.append(
            CSV,
            csv(&["a", "b", "c"]).replace(HEADER, if before.is_empty() { HEADER } else { "" }),
        );
        fs::rename(scene.path(CSV), scene.path("work/maillogsentinel.csv.1")).unwrap();
        scene.write(CSV, before);
        export(&scene).exits(0).prints("3 rows exported");
        // The bookmark stays in the rotation until the new file has a row.
        scene.append(
            CSV,
            csv(&["d", "e", "f"]).replace(HEADER, if before.is_empty() { HEADER } else { "" }),
        );
        let gzip = Command::new("gzip").arg(scene.path("work/maillogsentinel.csv.1")).status();
        assert!(gzip.unwrap().success());
        let second = scene.path("work/maillogsentinel.csv.2.gz");
        fs::rename(scene.path("work/maillogsentinel.csv.1.gz"), second).unwrap();
        fs::rename(scene.path(CSV), scene.path("work/maillogsentinel.csv.1")).unwrap();
        scene.write(CSV, csv(&["g", "h"]));
        export(&scene).exits(0).prints("5 rows exported");
        export(&scene).exits(0).prints("nothing new");
        import(&scene).exits(0);
        assert_eq!(users(&scene), ["a", "b", "c", "d", "e", "f", "g", "h"]);
    }
}

#[test]
fn the_first_export_and_all_take_the_rotations_too() {
    let scene = scene().file("work/maillogsentinel.csv-20261101", csv(&["a"]));
    let scene = scene.file("work/maillogsentinel.csv-20261108", csv(&["b"])).file(CSV, csv(&["c"]));
    export(&scene).exits(0).prints("3 rows exported");
    Ran::of(&mut scene.command(&["--sql-export", "--all"])).exits(0).prints("3 rows exported");
    export(&scene).exits(0).prints("nothing new");
    // All of the file that was exported is gone; what came after it is not.
    fs::remove_file(scene.path("work/maillogsentinel.csv-20261101")).unwrap();
    fs::remove_file(scene.path("work/maillogsentinel.csv-20261108")).unwrap();
    scene.write("work/maillogsentinel.csv-20261115", HEADER.to_owned() + &row(30, "later"));
    scene.write(CSV, HEADER.to_owned() + &row(40, "latest"));
    export(&scene).exits(0).prints("2 rows exported").says("after the rotations that are later");
}

#[test]
fn rotations_whose_rows_were_read_again_are_not_exported_twice() {
    let log = ["10", "11", "12"]
        .map(|hour| failure(&format!("Nov 22 {hour}:00:00"), "203.0.113.9", hour));
    let scene = scene().file("mail.log", &log[0]);
    for (number, line) in [(2, &log[1]), (1, &log[2])] {
        scene.run().exits(0);
        let rotation = format!("work/maillogsentinel.csv.{number}");
        fs::rename(scene.path(CSV), scene.path(&rotation)).unwrap();
        scene.append("mail.log", line);
    }
    scene.run().exits(0);
    export(&scene).exits(0).prints("3 rows exported");
    let backup = scene.path("backup").display().to_string();
    let reset = ["--reset", "--yes", "--backup-dir", &backup];
    fs::create_dir(&backup).unwrap();
    Ran::of(&mut scene.command(&reset)).exits(0);
    scene.run().exits(0);
    export(&scene)
        .exits(0)
        .prints("3 rows exported")
        .says("not exported")
        .says("maillogsentinel.csv.1");
}

#[test]
fn a_row_that_is_deleted_among_the_last_brings_no_other_twice() {
    let scene = scene().file(CSV, csv(&["a", "b"]));
    let rows = |users: std::ops::Range<u32>| -> String {
        users.map(|n| row(n, &format!("u{n}"))).collect()
    };
    scene.write(CSV, HEADER.to_owned() + &rows(0..50));
    export(&scene).exits(0);
    let text = fs::read_to_string(scene.path(CSV)).unwrap() + &rows(50..52);
    scene.write(CSV, text.replace(&row(45, "u45"), ""));
    export(&scene).exits(0).says("was edited").prints("2 rows exported");
    import(&scene).exits(0);
    assert_eq!(users(&scene).len(), 52);
}

#[test]
fn odd_lines_of_the_csv_are_named() {
    let scene = scene().file(CSV, HEADER.to_owned() + "\\.\n" + row(1, "a").trim_end() + ";more\n");
    export(&scene).exits(0).says(":2: the line has one field").says(":3: the line has more fields");
}

#[test]
fn rotations_that_share_a_place_bring_nothing_twice() {
    let scene = scene().file(CSV, csv(&["a"]));
    export(&scene).exits(0);
    let at = |hour: u32, user: &str| {
        HEADER.to_owned() + &row(0, user).replace(" 21:", &format!(" {hour}:"))
    };
    for (name, hour) in [("2", 23), ("1", 22)] {
        for (end, hour) in [("", hour), (".old", hour - 2)] {
            scene.write(
                &format!("work/maillogsentinel.csv.{name}{end}"),
                at(hour, &format!("u{hour}")),
            );
        }
        let old = scene.path(&format!("work/maillogsentinel.csv.{name}.old"));
        assert!(Command::new("gzip").arg(&old).status().unwrap().success());
        let packed = scene.path(&format!("work/maillogsentinel.csv.{name}.gz"));
        fs::rename(old.with_extension("old.gz"), packed).unwrap();
    }
    scene.write(CSV, HEADER);
    for _ in 0..3 {
        let _ = export(&scene).exits(0);
    }
    import(&scene).exits(0);
    let mut users = users(&scene);
    let count = users.len();
    users.sort();
    users.dedup();
    assert_eq!(users.len(), count, "{users:?}");
}

#[test]
fn what_is_no_csv_of_ours_is_refused() {
    let scene = scene().file(CSV, "a,b,c\n1,2,3\n");
    export(&scene).exits(1).says("is no CSV of failed logins");
    scene.write(CSV, csv(&["a"]).replace(HEADER, ""));
    export(&scene).exits(0).prints("1 row exported").says(":1: the header is missing");
}

#[test]
fn a_copy_among_the_rotations_brings_nothing_twice_and_hides_nothing() {
    for copy in [
        "work/maillogsentinel.csv.0",
        "work/maillogsentinel.csv.9",
        "work/maillogsentinel.csv-20260101",
    ] {
        for exported_before in [true, false] {
            let scene = scene().file(CSV, csv(&["a", "b"]));
            if !exported_before {
                fs::copy(scene.path(CSV), scene.path(copy)).unwrap();
            }
            export(&scene).exits(0);
            scene.append(CSV, row(10, "c"));
            if exported_before {
                fs::copy(scene.path(CSV), scene.path(copy)).unwrap();
            }
            scene.append(CSV, row(11, "d"));
            fs::rename(scene.path(CSV), scene.path("work/maillogsentinel.csv.1")).unwrap();
            scene.write(CSV, HEADER.to_owned() + &row(12, "e"));
            export(&scene).exits(0).prints("3 rows exported");
            import(&scene).exits(0);
            assert_eq!(users(&scene), ["a", "b", "c", "d", "e"], "{copy} {exported_before}");
        }
    }
}

#[test]
fn rows_cut_off_at_the_end_and_rows_changed_there_are_told_from_new_ones() {
    let all: Vec<_> = (0..60).map(|n| format!("user{n}")).collect();
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    let scene = scene().file(CSV, csv(&all));
    export(&scene).exits(0);
    scene.write(CSV, csv(&all[..50]) + &row(59, "new"));
    export(&scene).exits(0).prints("1 row exported").says("was edited: exported is what follows");
    scene.write(CSV, csv(&all[..3]) + &row(59, "newer"));
    export(&scene).exits(0).prints("1 row exported").says("was edited");
}

#[test]
fn a_damaged_rotation_that_may_hold_rows_stops_the_export() {
    let scene = scene().file(CSV, csv(&["a"]));
    export(&scene).exits(0);
    scene.append(CSV, row(10, "b"));
    let rotated = scene.path("work/maillogsentinel.csv.1");
    fs::rename(scene.path(CSV), &rotated).unwrap();
    scene.write(CSV, HEADER.to_owned() + &row(12, "c"));
    assert!(Command::new("gzip").arg(&rotated).status().unwrap().success());
    let packed = scene.path("work/maillogsentinel.csv.1.gz");
    let bytes = fs::read(&packed).unwrap();
    fs::write(&packed, &bytes[..bytes.len() - 30]).unwrap();
    export(&scene)
        .exits(1)
        .says("cannot read")
        .says("maillogsentinel.csv.1.gz")
        .says("nothing was exported");
    assert_eq!(files(&scene).len(), 1);
    fs::write(&packed, &bytes).unwrap();
    export(&scene).exits(0).prints("2 rows exported");
}

#[test]
fn pipes_links_and_open_folders_are_refused_and_nothing_waits() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let pipe =
        |path: PathBuf| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    let scene = scene();
    fs::create_dir_all(scene.path("work")).unwrap();
    pipe(scene.path(CSV));
    export(&scene).exits(1).says("maillogsentinel.csv").says("not a regular file");
    fs::remove_file(scene.path(CSV)).unwrap();
    scene.write(CSV, csv(&["a"]));
    pipe(scene.path("work/maillogsentinel.csv.1"));
    export(&scene)
        .exits(0)
        .prints("1 row exported")
        .says("maillogsentinel.csv.1 is not a regular file");
    // What stands in the way of the new file is no way out of the folder.
    let new = files_being_written(&scene);
    fs::write(scene.path("victim"), "kept").unwrap();
    symlink(scene.path("victim"), &new).unwrap();
    scene.append(CSV, row(10, "b"));
    export(&scene).exits(0).prints("1 row exported");
    assert_eq!(fs::read(scene.path("victim")).unwrap(), b"kept");
    pipe(new);
    scene.append(CSV, row(11, "c"));
    export(&scene).exits(0).prints("1 row exported");
    fs::set_permissions(scene.path("work/sql"), fs::Permissions::from_mode(0o777)).unwrap();
    export(&scene).exits(1).says("work/sql can be written to by everybody");
    pipe(scene.path("mapping.json"));
    let setting =
        format!("sql_export_settings.column_mapping_file={}", scene.path("mapping.json").display());
    export(&scene.set(setting)).exits(78).says("mapping.json").says("not a regular file");
}

/// The name that the next export writes to before its file is whole.
fn files_being_written(scene: &Sentinel) -> PathBuf {
    let store = rusqlite::Connection::open(scene.path("state/maillogsentinel.db")).unwrap();
    let id: String = store.query_row("SELECT id FROM exporter", [], |row| row.get(0)).unwrap();
    scene.path(&format!("work/sql/.maillogsentinel-{id}.sql.new"))
}

#[test]
fn two_that_share_a_folder_and_a_name_lose_nothing() {
    let one = scene().file(CSV, csv(&["a"]));
    let two = scene().file(CSV, csv(&["b"]));
    let shared = one.path("shared").display().to_string();
    let [one, two] = [one, two].map(|scene| scene.set(format!("database.sql_export_dir={shared}")));
    for scene in [&one, &two] {
        export(scene).exits(0);
    }
    import(&one).exits(0).prints("2 files imported, 2 rows");
}

#[test]
fn a_file_that_would_hinder_the_next_ones_is_refused() {
    let scene = scene().file(CSV, csv(&["a"]));
    scene.write("work/sql/0.sql", "ATTACH '/nowhere/x' AS y;\n");
    scene.write("work/sql/1.sql", "SELECT 1;\nPRAGMA query_only = 1;\n");
    scene.write("work/sql/2.sql", "PRAGMA foreign_keys=OFF;\nCREATE TABLE u (a);\n");
    scene.write("work/sql/3.sql", "INSERT INTO u VALUES (1);\nINSERT INTO u VALUES ('\0');\n");
    export(&scene).exits(0);
    import(&scene)
        .exits(1)
        .says("0.sql:1: it goes to another database")
        .says("1.sql:2: it changes how the database works")
        .says("3.sql:2: it holds a NUL byte")
        .prints("2 files imported, 1 row; 3 files failed");
}

#[test]
fn another_table_than_ours_is_said() {
    let scene = scene();
    let database = rusqlite::Connection::open(scene.path("events.sqlite")).unwrap();
    database.execute_batch("CREATE TABLE maillogsentinel_events (a)").unwrap();
    let args = ["--report", "--source", "database", "--output", "-"];
    Ran::of(&mut scene.command(&args)).exits(1).says("no such column").says("`table_name`");
    database.execute_batch("CREATE TABLE maillogsentinel_imports (a)").unwrap();
    scene.write("work/sql/0.sql", "SELECT 1;\n");
    import(&scene).exits(1).says("cannot use the table maillogsentinel_imports");
    let none = format!("database.db_path={}", scene.path("none.sqlite").display());
    let scene = scene.set(none);
    Ran::of(&mut scene.command(&args)).exits(1).says("there is no database").says("--sql-import");
    assert!(!scene.path("none.sqlite").exists());
    Ran::of(&mut scene.set("database.table_name=temp.x").command(&["--sql-import"])).exits(78);
}

#[test]
fn a_database_that_another_program_writes_to_is_said() {
    let scene = scene().file(CSV, csv(&["a"]));
    export(&scene).exits(0);
    import(&scene).exits(0);
    let database = rusqlite::Connection::open(scene.path("events.sqlite")).unwrap();
    database.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    scene.append(CSV, row(10, "b"));
    export(&scene).exits(0);
    import(&scene).exits(1).says("another program is writing to").says("try again");
}

#[test]
fn a_csv_that_is_not_there_is_said() {
    let scene = scene();
    export(&scene).exits(1).says("cannot read").says("run maillogsentinel first");
    import(&scene).exits(0).prints("nothing new to import");
}

#[test]
fn a_broken_file_is_named_and_stops_no_other() {
    let scene = scene().file(CSV, csv(&["a"]));
    export(&scene).exits(0);
    scene.write(
        "work/sql/0-first.sql",
        "CREATE TABLE t (a);\nINSERT INTO t VALUES (1);\n\nINSERT INTO\nnowhere VALUES (2);\n",
    );
    scene.write("work/sql/1-second.sql", "CREATE TABLE u (a);\n-- ;\nINSERT INTO u VALUES (';');");
    scene.write("work/sql/2-third.sql", "BEGIN;\nINSERT INTO u VALUES (2);\n");
    scene.write("work/sql/3-fourth.sql", "INSERT INTO u VALUES (3); ROLLBACK;");
    scene.write("work/sql/4-fifth.sql", "INSERT INTO u VALUES ('open);");
    import(&scene)
        .exits(1)
        .says("0-first.sql:4: no such table: nowhere; nothing of this file was kept")
        .says("2-third.sql:1: the transaction that starts here is never committed")
        .says("3-fourth.sql:1: it takes back")
        .says("4-fifth.sql:1: what is opened")
        .prints("2 files imported, 2 rows; 4 files failed");
    assert_eq!(users(&scene), ["a"]);
    assert_eq!(column(&scene, "SELECT a FROM u"), [";"]);
    assert_eq!(column(&scene, "SELECT count(*) FROM sqlite_master WHERE name = 't'"), ["0"]);
    // Mended, it is imported.
    scene.write("work/sql/0-first.sql", "CREATE TABLE t (a);\nINSERT INTO t VALUES (1);\n");
    for name in ["2-third.sql", "3-fourth.sql", "4-fifth.sql"] {
        fs::remove_file(scene.path("work/sql").join(name)).unwrap();
    }
    import(&scene).exits(0).prints("1 file imported, 1 row; 2 imported before");
}

#[test]
fn a_file_that_was_imported_is_not_imported_under_another_name_nor_with_more_in_it() {
    let scene = scene();
    scene.write("work/sql/a.sql", "CREATE TABLE u (a);\nINSERT INTO u VALUES (1);\n");
    import(&scene).exits(0);
    fs::copy(scene.path("work/sql/a.sql"), scene.path("work/sql/b.sql")).unwrap();
    import(&scene).exits(0).prints("nothing new to import; 2 imported before");
    scene.append("work/sql/a.sql", "INSERT INTO u VALUES (2);\n");
    import(&scene).exits(1).says("a.sql was imported, and changed since");
    import(&scene).exits(1).says("a.sql was imported, and changed since");
    assert_eq!(column(&scene, "SELECT a FROM u"), ["1"]);
}

#[test]
fn what_everybody_can_write_is_not_run() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: PathBuf, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let scene = scene();
    scene.write("work/sql/a.sql", "CREATE TABLE u (a);");
    scene.write("work/sql/b.sql", "CREATE TABLE v (a);");
    mode(scene.path("work/sql/a.sql"), 0o666);
    import(&scene)
        .exits(1)
        .says("a.sql can be written to by everybody")
        .says("chmod o-w")
        .prints("1 file imported");
    std::os::unix::fs::symlink(scene.path("work/sql/b.sql"), scene.path("work/sql/c.sql")).unwrap();
    import(&scene).exits(1).says("c.sql is a link").says("put the file itself there");
    fs::remove_file(scene.path("work/sql/c.sql")).unwrap();
    mode(scene.path("work/sql/a.sql"), 0o640);
    mode(scene.path("work/sql"), 0o1777);
    import(&scene).exits(1).says("/work/sql can be written to by everybody");
    assert_eq!(column(&scene, "SELECT name FROM sqlite_master WHERE name IN ('u', 'v')"), ["v"]);
}

#[test]
fn a_mapping_of_columns_is_honoured_and_a_bad_one_refused() {
    let mapping = r#"{"id": {"sql_column_def": "INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY", "csv_column_name": "csv_id_placeholder"},
        "who": {"sql_column_def": "VARCHAR(5) NOT NULL", "csv_column_name": "user"},
        "number": {"sql_column_def": "INT UNSIGNED NOT NULL", "csv_column_name": "asn"}}"#;
    let scene = scene().file("mapping.json", mapping);
    let setting =
        format!("sql_export_settings.column_mapping_file={}", scene.path("mapping.json").display());
    let scene = scene
        .set(setting)
        .set("sql_export_settings.table_name=attempts")
        .file(CSV, csv(&["bob", "null", "administrator"]).replace("4837", "N/A"));
    export(&scene).exits(0).says(":4: the field `user` is longer than its column, and is cut");
    import(&scene).exits(0);
    let sql = "SELECT json_array(id, who, number) FROM attempts ORDER BY id";
    assert_eq!(column(&scene, sql), [r#"[1,"bob",0]"#, r#"[2,"",0]"#, r#"[3,"admin",0]"#]);
    scene.write("mapping.json", mapping.replace("asn", "as_number"));
    scene.append(CSV, row(30, "eve"));
    export(&scene).exits(78).says("column `number`: the CSV has no column `as_number`");
    assert_eq!(files(&scene).len(), 1, "nothing was written");
    scene.write("mapping.json", mapping);
    export(&scene).exits(0).prints("1 row exported");
}

#[test]
fn a_report_of_the_database_has_a_line_for_each_server() {
    let scene = scene();
    let row = |(server, day, n): (&str, u32, u32)| {
        let user = n % 3;
        format!(
            "{server};2026-11-{day:02} 09:{n:02};203.0.113.{n};user{user};null;Errno 1;CN;4837;Unicom\n"
        )
    };
    let rows = |server: &'static str, day: u32, count: u32| -> String {
        let rows: Vec<_> = (0..count).map(|n| row((server, day, n))).collect();
        rows.concat()
    };
    let csv = HEADER.to_owned()
        + &(10..=22).map(|day| rows("mx1", day, 10)).collect::<String>()
        + &rows("mx2", 22, 5)
        + &rows("mx3", 20, 7);
    let scene = scene.file(CSV, csv);
    export(&scene).exits(0);
    import(&scene).exits(0);
    let report = |more: &[&str]| {
        let all =
            [&["--report", "--date", "2026-11-22", "--output", "-", "--source", "database"], more];
        Ran::of(&mut scene.command(&all.concat()))
    };
    report(&[])
        .exits(0)
        .prints("Servers: all in the database ")
        .prints("15 failed logins on 2026-11-22, more than usual (10 the day before")
        .prints("Nothing on 2026-11-22 came from mx3 (last on 2026-11-20 09:06)")
        .prints("\nAttempts by server on 2026-11-22:\n   1. mx1  10 times  last 2026-11-22 09:09\n   2. mx2  5 times   last 2026-11-22 09:04\n   3. mx3  0 times   last 2026-11-20 09:06\n")
        .prints("   1. user0  203.0.113.0  null  CN  2 times");
    report(&["--server", "mx9"])
        .exits(0)
        .says("the database has no row of the server `mx9`")
        .says("it has rows of: mx1, mx2, mx3");
    let one = report(&["--server", "mx2"]).exits(0).prints("Server: mx2, in the database ");
    assert!(
        one.stdout.contains("5 failed logins") && !one.stdout.contains("mx1"),
        "{}",
        one.stdout
    );
    Ran::of(&mut scene.command(&["--report", "--server", "mx2"])).exits(2);
    let json = ["--report", "--date", "2026-11-22", "--source", "database", "--output"];
    let path = scene.path("report.json").display().to_string();
    Ran::of(&mut scene.command(&[&json[..], &[&path]].concat())).exits(0);
    let json: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(
        (&json["servers"][1]["name"], &json["servers"][1]["count"]),
        (&"mx2".into(), &5.into())
    );
    assert!(json["coverage"].is_null());
}

#[test]
fn a_database_that_cannot_be_reached_is_said_with_every_server_that_was_tried() {
    let scene = scene()
        .set("database.db_type=postgresql")
        .set("database.db_host=127.0.0.1:1, /nowhere")
        .set("database.db_name=mail")
        .set("database.db_password=secret-word")
        .file(CSV, csv(&["a"]));
    export(&scene).exits(0);
    for args in [&["--sql-import"][..], &["--report", "--source", "database", "--output", "-"]] {
        let ran = Ran::of(&mut scene.command(args)).exits(1);
        let ran = ran.says("cannot reach the database: 127.0.0.1:1: ").says("/nowhere: ");
        assert!(!ran.stderr.contains("secret-word"), "{}", ran.stderr);
    }
    let scene = scene.set("database.db_name=");
    Ran::of(&mut scene.command(&["--sql-import"])).exits(1).says("`db_name` is not set");
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for_without_end() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for engine in ["postgresql", "mysql"] {
        let scene = scene()
            .set(format!("database.db_type={engine}"))
            .set(format!("database.db_host={}", silent.local_addr().unwrap()))
            .set("database.db_name=mail")
            .file(CSV, csv(&["a"]));
        export(&scene).exits(0);
        import(&scene).exits(1).says("it did not let us in for 10 seconds");
    }
}

#[test]
fn what_the_python_program_exported_and_imported_is_taken_over() {
    let first = "server;date;ip;user;hostname;reverse_dns_status;country_code;asn;aso\r\n\
        mx1;22/11/2026 10:00;203.0.113.9;old;null;ERRNO 1;CN;4837;Unicom\r\n";
    let scene = scene().file(CSV, first.to_owned() + &row(1, "new").replace("CN;4837", "N/A;N/A"));
    scene.write("state/sql_state.offset", first.len().to_string());
    scene.write("state/sql_imported_files.log", "maillogsentinel_export_1.sql\n");
    let table = "CREATE TABLE IF NOT EXISTS maillogsentinel_events (id INTEGER PRIMARY KEY AUTOINCREMENT, server \
        TEXT NOT NULL, event_time TEXT NOT NULL, ip TEXT NOT NULL, username TEXT NOT NULL, hostname TEXT, \
        reverse_dns_status TEXT CHECK (reverse_dns_status IN ('OK', 'ERRNO 1', 'ERRNO 2', 'ERRNO 3', 'ERRNO 4')) \
        NOT NULL, country_code TEXT NOT NULL, asn_int INTEGER NOT NULL, asn_varchar TEXT NOT NULL)";
    let insert = "INSERT INTO maillogsentinel_events (server, event_time, ip, username, hostname, \
        reverse_dns_status, country_code, asn_int, asn_varchar) VALUES ('mx1', '22/11/2026 10:00', \
        '203.0.113.9', 'old', NULL, 'ERRNO 1', 'CN', 4837, 'Unicom');";
    let database = rusqlite::Connection::open(scene.path("events.sqlite")).unwrap();
    database.execute_batch(&format!("{table}; {insert}")).unwrap();
    drop(database);
    scene.write(
        "work/sql/maillogsentinel_export_1.sql",
        format!("BEGIN TRANSACTION;\n{insert}\nCOMMIT;\n"),
    );
    export(&scene).exits(0).prints("1 row exported");
    import(&scene)
        .exits(0)
        .prints("1 file imported, 1 row; 1 imported before")
        .says("kept as maillogsentinel_events_python");
    let sql = "SELECT json_array(event_time, username, reverse_dns_status, country_code, asn_int) FROM \
        maillogsentinel_events ORDER BY id";
    assert_eq!(
        column(&scene, sql),
        [
            r#"["2026-11-22 10:00:00","old","Errno 1","CN",4837]"#,
            r#"["2026-11-22 21:01:00","new","Errno 1",null,null]"#,
        ]
    );
    assert_eq!(column(&scene, "SELECT count(*) FROM maillogsentinel_events_python"), ["1"]);
}
