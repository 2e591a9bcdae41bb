//! `doctor` on real servers: what may be done there, told without doing it.

use crate::mariadb::MariaDb;
use crate::postgres::Postgres;
use crate::scene::{DATABASE, Target, add_rows, export, import, sentinel};
use crate::sentinel::{Ran, Sentinel};

/// What is said about SQL, a line and its hint in one.
fn about_sql(scene: &Sentinel) -> String {
    let ran = Ran::of(&mut scene.command(&["doctor"]));
    let told = ran.stdout.replace("\n  hint: ", "; hint: ");
    let lines = told.lines().filter(|line| line.contains(" sql: "));
    lines.collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn says(scene: &Sentinel, expected: &[&str]) {
    let told = about_sql(scene);
    for expected in expected {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    assert_eq!(told.lines().count(), expected.len(), "{told}");
}

fn as_least(target: &Target) -> Sentinel {
    sentinel(target).set("database.db_user=least").set("database.db_password=x")
}

fn before_and_after_an_import(target: &Target) {
    let scene = sentinel(target);
    let login = "takes the login";
    says(&scene, &[login, "has no table maillogsentinel_events yet; an import makes it"]);
    assert!(about_sql(&scene).contains("yet"), "looking has made nothing");
    add_rows(&scene, "mx1", 0..3);
    export(&scene).exits(0);
    import(&scene).exits(0);
    says(&scene, &[login, "rows can be read and inserted in maillogsentinel_events"]);
}

#[test]
fn postgresql_tells_what_may_be_done() {
    let server = Postgres::start();
    server.create_database(DATABASE);
    server.administer("CREATE ROLE least LOGIN PASSWORD 'x'");
    let target = Target::Postgres(server);
    let Target::Postgres(server) = &target else { unreachable!() };
    let least = as_least(&target);
    let may_not = "yet; an import makes it, and may not; hint: grant CREATE";
    says(&least, &["takes the login", may_not]);
    before_and_after_an_import(&target);
    server.execute(DATABASE, "GRANT SELECT ON maillogsentinel_events TO least");
    let denied = "error   sql: mail at 127.0.0.1:";
    says(&least, &["takes the login", denied]);
    assert!(
        about_sql(&least)
            .contains("permission denied for table maillogsentinel_events; hint: grant")
    );
    server.execute(DATABASE, "GRANT INSERT ON maillogsentinel_events TO least");
    says(&least, &["takes the login", "rows can be read and inserted in maillogsentinel_events"]);
    let wrong = sentinel(&target).set("database.db_password=wrong");
    says(&wrong, &["error   sql: cannot use mail at 127.0.0.1:"]);
    // One of two answers: an import goes on with that one.
    let hosts = format!("database.db_host=127.0.0.1:1, 127.0.0.1:{}", server.port());
    let two = sentinel(&target).set(hosts);
    says(&two, &["warning sql: cannot use mail at 127.0.0.1:1", "takes the login", "rows can be"]);
    assert_eq!(target.column("SELECT count(*)::text FROM maillogsentinel_events"), ["3"]);
}

#[test]
fn mariadb_tells_what_may_be_done() {
    let server = MariaDb::start();
    server.create_database(DATABASE);
    let target = Target::MariaDb(server);
    let Target::MariaDb(server) = &target else { unreachable!() };
    before_and_after_an_import(&target);
    server.administer(&format!(
        "CREATE USER least@'%' IDENTIFIED BY 'x'; GRANT SELECT ON {DATABASE}.* TO least@'%'"
    ));
    let least = as_least(&target);
    assert!(about_sql(&least).contains("INSERT command denied to user"), "{}", about_sql(&least));
    server.administer(&format!("GRANT INSERT ON {DATABASE}.* TO least@'%'"));
    says(&least, &["takes the login", "rows can be read and inserted in maillogsentinel_events"]);
    assert_eq!(target.column("SELECT count(*) FROM maillogsentinel_events"), ["3"]);
}
