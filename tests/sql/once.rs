//! Each row exactly once: many importers at a time, killed importers, killed servers, a cluster that
//! loses a node.

use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::scene::{Target, add_rows, export, files, import, sentinel, wrong};
use crate::sentinel::Sentinel;

fn start(scene: &Sentinel) -> Child {
    let mut command = scene.command(&["--sql-import"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Fails unless it ended well.
fn ends_well(child: Child) {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Ten servers with a CSV of their own, and a database that knows none of them.
fn ten_servers(target: &Target) {
    let scenes: Vec<_> = (0..10).map(|_| sentinel(target)).collect();
    for (number, scene) in scenes.iter().enumerate() {
        for part in 0..3 {
            add_rows(scene, &format!("mx{number}"), part * 400..(part + 1) * 400);
            export(scene).exits(0);
        }
    }
    // Each runs twice at the same time, as a timer and an administrator may.
    let started: Vec<_> = scenes.iter().chain(&scenes).map(start).collect();
    started.into_iter().for_each(ends_well);
    for (number, scene) in scenes.iter().enumerate() {
        assert_eq!(wrong(target, &format!("mx{number}"), 1200), None);
        import(scene).exits(0).prints("nothing new to import; 3 imported before");
    }
    assert_eq!(target.column("SELECT count(*) FROM maillogsentinel_imports"), ["30"]);
}

#[test]
fn ten_importers_at_once_into_sqlite() {
    ten_servers(&Target::sqlite());
}

#[test]
fn ten_importers_at_once_into_postgresql() {
    ten_servers(&Target::postgres());
}

#[test]
fn ten_importers_at_once_into_mariadb() {
    ten_servers(&Target::mariadb());
}

#[test]
fn a_table_that_all_make_at_once_is_made_once() {
    const IMPORTERS: usize = 12;
    let target = Target::postgres();
    let scenes: Vec<_> = (0..IMPORTERS).map(|_| sentinel(&target)).collect();
    for (number, scene) in scenes.iter().enumerate() {
        add_rows(scene, &format!("mx{number}"), 0..3);
        export(scene).exits(0);
    }
    for _ in 0..12 {
        let started: Vec<_> = scenes.iter().map(start).collect();
        started.into_iter().for_each(ends_well);
        let rows = target.column("SELECT count(*) FROM maillogsentinel_events");
        assert_eq!(rows, [(IMPORTERS * 3).to_string()]);
        target.execute("DROP TABLE maillogsentinel_events, maillogsentinel_imports");
    }
}

#[test]
fn a_type_with_the_name_of_the_table_of_imports_is_said() {
    let target = Target::postgres();
    target.execute("CREATE TYPE maillogsentinel_imports AS ENUM ('a')");
    let scene = sentinel(&target);
    add_rows(&scene, "mx1", 0..3);
    export(&scene).exits(0);
    import(&scene)
        .exits(1)
        .says("cannot use the table maillogsentinel_imports")
        .says("already exists");
}

/// Kills importers of ever new rows at random instants, two in a row now and then.
fn killed_importers(target: &Target, rounds: usize) {
    const ROWS: usize = 3000;
    let scene = sentinel(target);
    add_rows(&scene, "mx1", 0..ROWS);
    export(&scene).exits(0);
    let begun = Instant::now();
    import(&scene).exits(0);
    // How long an import takes depends on what else the machine does, so this follows it.
    let mut longest = begun.elapsed();
    let (mut kills, mut rows) = (0, ROWS);
    for _ in 0..rounds {
        add_rows(&scene, "mx1", rows..rows + ROWS);
        rows += ROWS;
        export(&scene).exits(0);
        for _ in 0..=fastrand::u32(..2) {
            let mut child = start(&scene);
            thread::sleep(longest.mul_f64(fastrand::f64()));
            child.kill().unwrap();
            let killed = child.wait().unwrap().code().is_none();
            kills += usize::from(killed);
            longest = longest.mul_f64(if killed { 1.1 } else { 0.7 });
        }
    }
    import(&scene).exits(0);
    assert_eq!(wrong(target, "mx1", rows), None, "after {kills} kills");
    assert!(kills >= rounds / 2, "only {kills} importers were killed before they ended");
    assert_eq!(files(&scene).len(), rounds + 1);
}

#[test]
fn killed_importers_into_sqlite() {
    killed_importers(&Target::sqlite(), 30);
}

#[test]
fn killed_importers_into_postgresql() {
    killed_importers(&Target::postgres(), 30);
}

#[test]
fn killed_importers_into_mariadb() {
    killed_importers(&Target::mariadb(), 30);
}

/// Kills the server while rows are imported, starts it again while the importer waits or has given
/// up, and lets the next run end it.
fn killed_server(mut target: Target, rounds: usize) {
    const ROWS: usize = 20_000;
    let scene = sentinel(&target);
    let mut rows = 0;
    for round in 0..rounds {
        add_rows(&scene, "mx1", rows..rows + ROWS);
        rows += ROWS;
        export(&scene).exits(0);
        let mut child = start(&scene);
        thread::sleep(Duration::from_millis(fastrand::u64(20..900)));
        match &mut target {
            Target::Postgres(server) => {
                server.kill_hard();
                server.start_again();
            }
            Target::MariaDb(server) => {
                server.kill_hard();
                server.start_again();
            }
            _ => unreachable!(),
        }
        child.wait().unwrap();
        import(&scene).exits(0);
        assert_eq!(wrong(&target, "mx1", rows), None, "round {round}");
    }
}

#[test]
fn a_killed_postgresql() {
    killed_server(Target::postgres(), 6);
}

#[test]
fn a_killed_mariadb() {
    killed_server(Target::mariadb(), 6);
}

#[test]
fn a_cluster_takes_rows_at_every_node_and_loses_none_with_one() {
    const ROWS: usize = 60_000;
    let mut target = Target::galera();
    ten_servers(&target);
    // The first node dies while a file is imported there; the client goes on at another.
    let scene = sentinel(&target);
    let mut rows = 0;
    for round in 0..3 {
        add_rows(&scene, "mx-kill", rows..rows + ROWS);
        rows += ROWS;
        export(&scene).exits(0);
        let child = start(&scene);
        thread::sleep(Duration::from_millis(fastrand::u64(50..1500)));
        let Target::Galera(cluster) = &mut target else { unreachable!() };
        cluster.kill_node(0);
        ends_well(child);
        assert_eq!(wrong(&target, "mx-kill", rows), None, "round {round}");
        let Target::Galera(cluster) = &mut target else { unreachable!() };
        cluster.restart_node(0);
    }
    // Importers at different nodes, all with the same files.
    let scenes: Vec<_> = (0..3)
        .map(|first| {
            let Target::Galera(cluster) = &target else { unreachable!() };
            let hosts = [0, 1, 2]
                .map(|node| format!("127.0.0.1:{}", cluster.node((node + first) % 3).port()));
            sentinel(&target).set(format!("database.db_host={}", hosts.join(", ")))
        })
        .collect();
    add_rows(&scenes[0], "mx-same", 0..2000);
    export(&scenes[0]).exits(0);
    let folder = format!("database.sql_export_dir={}", scenes[0].path("work/sql").display());
    let scenes: Vec<_> = scenes.into_iter().map(|scene| scene.set(folder.clone())).collect();
    let started: Vec<_> = scenes.iter().map(start).collect();
    started.into_iter().for_each(ends_well);
    assert_eq!(wrong(&target, "mx-same", 2000), None);
}
