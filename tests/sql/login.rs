//! How the program gets into a server: sockets, passwords, TLS.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::database::{Setup, Tls};
use crate::mariadb::MariaDb;
use crate::postgres::Postgres;
use crate::scene::{DATABASE, Target, add_rows, export, import, sentinel};
use crate::sentinel::{Ran, Sentinel};

/// A scene with one exported row, which is another one in each scene.
fn exported(scene: Sentinel) -> Sentinel {
    static SCENES: AtomicUsize = AtomicUsize::new(0);
    let number = SCENES.fetch_add(1, Ordering::Relaxed);
    add_rows(&scene, &format!("mx{number}"), 0..1);
    export(&scene).exits(0);
    scene
}

fn with_authority(scene: &Sentinel, authority: &Path) -> Ran {
    Ran::of(scene.command(&["--sql-import"]).env("SSL_CERT_FILE", authority))
}

/// What each mode does with a server that has a certificate for `localhost`, and with one that has none.
fn tls(offered: &Target, authority: &Path, absent: &Target) {
    let scene = |target: &Target, mode: &str, host: &str| {
        let scene = sentinel(target).set(format!("database.db_tls={mode}"));
        let hosts = target.settings()[1].replace("127.0.0.1", host);
        exported(scene.set(hosts))
    };
    for mode in ["disable", "prefer", "require"] {
        import(&scene(offered, mode, "127.0.0.1")).exits(0);
    }
    with_authority(&scene(offered, "verify-full", "localhost"), authority).exits(0);
    // Nobody vouches for the certificate; it is for another name.
    import(&scene(offered, "verify-full", "localhost")).exits(1).says("cannot reach the database");
    with_authority(&scene(offered, "verify-full", "127.0.0.2"), authority).exits(1);
    for mode in ["disable", "prefer"] {
        import(&scene(absent, mode, "127.0.0.1")).exits(0);
    }
    for mode in ["require", "verify-full"] {
        import(&scene(absent, mode, "localhost")).exits(1).says("cannot reach the database");
    }
}

#[test]
fn tls_of_postgresql_is_as_the_configuration_says() {
    let offered = Target::postgres();
    let absent = Postgres::with(&Setup { tls: Tls::Absent, ..Setup::default() });
    absent.create_database(DATABASE);
    let Target::Postgres(server) = &offered else { unreachable!() };
    tls(&offered, &server.authority(), &Target::Postgres(absent));
    let imported = "SELECT count(*) FROM maillogsentinel_imports";
    assert_eq!(offered.column(imported), ["4"]);
}

#[test]
fn tls_of_mariadb_is_as_the_configuration_says() {
    let offered = Target::mariadb();
    let absent = MariaDb::with(&Setup { tls: Tls::Absent, ..Setup::default() });
    absent.create_database(DATABASE);
    let Target::MariaDb(server) = &offered else { unreachable!() };
    tls(&offered, &server.authority(), &Target::MariaDb(absent));
}

#[test]
fn a_password_comes_from_its_file_or_from_systemd_and_is_never_told() {
    for target in [Target::postgres(), Target::mariadb()] {
        let password = Setup::default().password;
        let scene = exported(sentinel(&target).set("database.db_password=wrong-password"));
        let ran = import(&scene).exits(1).says("cannot reach the database");
        assert!(!ran.stderr.contains("wrong-password"), "{}", ran.stderr);
        let log = fs::read_to_string(scene.path("operational.log")).unwrap();
        assert!(!log.contains("wrong-password"), "{log}");
        let credentials = scene.path("credentials");
        scene.write("credentials/db_password", format!("{password}\n"));
        let mut command = scene.command(&["--sql-import"]);
        Ran::of(command.env("CREDENTIALS_DIRECTORY", credentials))
            .exits(0)
            .prints("1 file imported");
        scene.write("password", format!("{password}\n"));
        let file = format!("database.db_password_file={}", scene.path("password").display());
        let scene = scene.set(file);
        import(&scene).exits(0).prints("1 imported before").says("others can read it");
    }
}

#[test]
fn a_path_is_a_sockets_folder() {
    let target = Target::postgres();
    let Target::Postgres(server) = &target else { unreachable!() };
    let scene = sentinel(&target)
        .set(format!("database.db_host={}", server.socket_folder().display()))
        .set(format!("database.db_port={}", server.port()));
    import(&exported(scene)).exits(0).prints("1 file imported");
    let target = Target::mariadb();
    let Target::MariaDb(server) = &target else { unreachable!() };
    let scene = sentinel(&target).set(format!("database.db_host={}", server.socket().display()));
    import(&exported(scene)).exits(0).prints("1 file imported");
}

#[test]
fn the_next_server_is_tried_when_one_is_down() {
    let target = Target::postgres();
    let Target::Postgres(server) = &target else { unreachable!() };
    let hosts = format!("database.db_host=127.0.0.1:1, 127.0.0.1:{}", server.port());
    import(&exported(sentinel(&target).set(hosts))).exits(0).prints("1 file imported");
}
