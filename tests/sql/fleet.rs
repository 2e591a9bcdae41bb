//! What docs/fleet.md says of tables, rights and reports is so.

use std::path::Path;

use crate::scene::{DATABASE, Target, add_rows, export, import, sentinel, write_csv, wrong};
use crate::sentinel::{HEADER, Ran};

/// The block of SQL in docs/fleet.md that has these words, without what it drops.
fn block(words: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fleet.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut blocks = text.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let block = blocks.find(|block| block.contains(words)).expect(words);
    let kept = block.lines().filter(|line| !line.contains("DROP "));
    kept.collect::<Vec<_>>().join("\n")
}

/// Rows, some of them without a time, into a table of the administrator's own, and a report of it.
fn own_table(target: &Target, words: &str) {
    target.execute(&block(words));
    let scene = sentinel(target);
    add_rows(&scene, "mx1", 0..100);
    export(&scene).exits(0);
    import(&scene).exits(0).prints("1 file imported, 100 rows");
    assert_eq!(wrong(target, "mx1", 100), None);
    write_csv(
        &scene,
        (HEADER.to_owned() + "mx2;never;203.0.113.9;x;null;Errno 1;N/A;N/A;N/A\n").as_bytes(),
    );
    Ran::of(&mut scene.command(&["--sql-export", "--all"])).exits(0);
    import(&scene).exits(0).prints("1 file imported, 1 row");
    let report = ["--report", "--source", "database", "--date", "2026-11-22", "--output", "-"];
    Ran::of(&mut scene.command(&report))
        .exits(0)
        .prints("Servers: all in the database mail at 127.0.0.1:")
        .prints("100 failed logins on 2026-11-22")
        .prints("   1. mx1  100 times  last 2026-11-22 21:59");
}

#[test]
fn a_partitioned_table_of_postgresql_takes_rows() {
    own_table(&Target::postgres(), "PARTITION BY RANGE (event_time);");
}

#[test]
fn a_partitioned_table_of_mariadb_takes_rows() {
    own_table(&Target::mariadb(), "PARTITION BY RANGE COLUMNS (event_time)");
}

#[test]
fn the_rights_that_are_named_are_enough() {
    let target = Target::mariadb();
    let Target::MariaDb(server) = &target else { unreachable!() };
    server.administer(&format!(
        "CREATE USER least@'%' IDENTIFIED BY 'x'; GRANT SELECT, INSERT, UPDATE, CREATE, INDEX ON {DATABASE}.* \
         TO least@'%'"
    ));
    let scene = sentinel(&target).set("database.db_user=least").set("database.db_password=x");
    add_rows(&scene, "mx1", 0..10);
    export(&scene).exits(0);
    import(&scene).exits(0).prints("1 file imported, 10 rows");
    let target = Target::postgres();
    let Target::Postgres(server) = &target else { unreachable!() };
    server.administer("CREATE ROLE least LOGIN PASSWORD 'x'");
    let scene = sentinel(&target).set("database.db_user=least").set("database.db_password=x");
    add_rows(&scene, "mx1", 0..10);
    export(&scene).exits(0);
    import(&scene).exits(1).says("permission denied").says("needs the right to make it");
    target.execute("GRANT CREATE ON SCHEMA public TO least");
    import(&scene).exits(0).prints("1 file imported, 10 rows");
}
