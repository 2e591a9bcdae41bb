//! A broken file stops nothing else, and nothing is claimed of it that does not hold.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::scene::{Target, add_rows, export, import, sentinel};
use crate::sentinel::Sentinel;

/// Imports `bad` beside a file that is right.
fn beside_a_good_one(target: &Target, bad: &str) -> Sentinel {
    let scene = sentinel(target);
    scene.write("work/sql/a.sql", bad);
    scene.write(
        "work/sql/b.sql",
        "CREATE TABLE IF NOT EXISTS good (a INT); INSERT INTO good VALUES (1);",
    );
    scene
}

#[test]
fn a_file_that_loses_its_connection_is_named_and_the_next_is_imported() {
    let cases = [
        (Target::postgres(), "SELECT pg_terminate_backend(pg_backend_pid());"),
        (Target::postgres(), "SET TRANSACTION READ ONLY;"),
        (Target::mariadb(), "KILL CONNECTION_ID();"),
    ];
    for (target, bad) in cases {
        let scene = beside_a_good_one(&target, bad);
        import(&scene).exits(1).says("a.sql:1: ").prints("1 file imported");
        assert_eq!(target.column("SELECT a FROM good"), ["1"], "{bad}");
    }
}

#[test]
fn a_statement_that_the_server_does_not_take_is_named() {
    let target = Target::mariadb();
    target.execute("SET GLOBAL max_allowed_packet = 1048576");
    let large =
        format!("CREATE TABLE t (a TEXT);\nINSERT INTO t VALUES ('{}');", "x".repeat(3 << 20));
    let scene = beside_a_good_one(&target, &large);
    import(&scene).exits(1).says("a.sql:2: ").says("max_allowed_packet").prints("1 file imported");
}

#[test]
fn a_file_that_commits_by_itself_is_not_taken_for_rolled_back_nor_for_imported() {
    let target = Target::mariadb();
    for (number, commits) in [
        "EXECUTE IMMEDIATE 'COMMIT'",
        "SET STATEMENT max_statement_time = 9 FOR ALTER TABLE t0 COMMENT 'x'",
    ]
    .into_iter()
    .enumerate()
    {
        let bad = format!(
            "CREATE TABLE IF NOT EXISTS t{number} (a INT);\nINSERT INTO t{number} VALUES (1);\n{commits};\n\
             INSERT INTO nowhere VALUES (1);"
        );
        let scene = beside_a_good_one(&target, &bad);
        for _ in 0..2 {
            import(&scene).exits(1).says("a.sql:4: ").says("stays in the database");
        }
    }
    let bad = "CREATE TABLE m (a INT) ENGINE = MyISAM;\nINSERT INTO m VALUES (1);\nINSERT INTO nowhere VALUES (1);";
    import(&beside_a_good_one(&target, bad))
        .exits(1)
        .says("a.sql:3: ")
        .says("stays in the database");
    let bad = "CREATE TABLE i (a INT);\nINSERT INTO i VALUES (1);\nINSERT INTO nowhere VALUES (1);";
    import(&beside_a_good_one(&target, bad)).exits(1).says("nothing of this file was kept");
}

#[test]
fn a_file_for_another_engine_is_told_as_such() {
    let scene = sentinel(&Target::sqlite());
    add_rows(&scene, "mx1", 0..3);
    export(&scene).exits(0);
    let target = Target::postgres();
    let other = sentinel(&target);
    let file = crate::scene::files(&scene).remove(0);
    other.write("work/sql/a.sql", std::fs::read(file).unwrap());
    import(&other).exits(1).says("a.sql:1: it was exported for SQLite").says("--sql-export --all");
}

#[test]
fn an_import_that_waits_for_a_lock_ends_at_once_when_it_is_told_to() {
    let cases = [
        (
            Target::postgres(),
            "BEGIN; LOCK TABLE maillogsentinel_imports; SELECT pg_sleep(14); COMMIT",
        ),
        (Target::mariadb(), "LOCK TABLES maillogsentinel_imports WRITE; DO SLEEP(14)"),
    ];
    for (target, lock) in cases {
        let scene = sentinel(&target);
        add_rows(&scene, "mx1", 0..3);
        export(&scene).exits(0);
        import(&scene).exits(0);
        add_rows(&scene, "mx1", 3..6);
        export(&scene).exits(0);
        thread::scope(|scope| {
            // Long enough for a busy machine to begin, and to tell an end at once from the lock's.
            scope.spawn(|| target.execute(lock));
            thread::sleep(Duration::from_secs(4));
            let mut command = scene.command(&["--sql-import"]);
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            thread::sleep(Duration::from_secs(2));
            assert_eq!(child.try_wait().unwrap(), None, "it does not wait");
            let told = Instant::now();
            kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
            let status = child.wait().unwrap();
            assert_eq!(status.signal(), Some(Signal::TERM.as_raw()));
            assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
        });
        import(&scene).exits(0);
        assert_eq!(crate::scene::wrong(&target, "mx1", 6), None);
    }
}
