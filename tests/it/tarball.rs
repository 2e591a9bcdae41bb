//! The archive for systems without dpkg, and its installer, which runs in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sentinel::{Ran, Sentinel, program};

/// Builds the archive, unpacks it, and gives the folder.
fn unpacked(sentinel: &Sentinel) -> PathBuf {
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/tarball/build");
    let mut command = Command::new(build);
    let ran = Ran::of(command.arg(program()).arg(sentinel.path("out"))).exits(0);
    let archive = Path::new(ran.stdout.trim_end());
    let name = archive.file_name().unwrap().to_str().unwrap().strip_suffix(".tar.gz").unwrap();
    assert!(name.starts_with(&format!("maillogsentinel-{}-", env!("CARGO_PKG_VERSION"))), "{name}");
    let mut tar = Command::new("tar");
    Ran::of(tar.arg("-xzf").arg(archive).arg("-C").arg(sentinel.path("out"))).exits(0);
    sentinel.path("out").join(name)
}

/// Runs the installer so that it installs below the scratch folder.
fn install(sentinel: &Sentinel, folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(folder.join("install.sh"));
    Ran::of(command.args(arguments).env("DESTDIR", sentinel.path("root")).env_remove("PREFIX"))
}

#[test]
fn it_installs_a_program_that_runs_and_over_the_one_before() {
    let sentinel = Sentinel::default().file("root/usr/local/bin/maillogsentinel", "an older one");
    let folder = unpacked(&sentinel);
    for _ in 0..2 {
        install(&sentinel, &folder, &[]).exits(0).prints("maillogsentinel --setup");
    }
    let bin = sentinel.path("root/usr/local/bin");
    Ran::of(Command::new(bin.join("maillogsentinel")).arg("--version"))
        .exits(0)
        .prints(env!("CARGO_PKG_VERSION"));
    assert_eq!(fs::read_dir(bin).unwrap().count(), 1);
    for file in ["README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md", "third-party-licences.txt"]
    {
        assert!(folder.join(file).is_file(), "{file}");
    }
    for link in links(&fs::read_to_string(folder.join("README.md")).unwrap()) {
        // Pictures are for those who read it where it is published.
        assert!(link.contains("images/") || folder.join(&link).exists(), "{link}");
    }
}

/// Where a page leads to, but for other sites.
fn links(page: &str) -> Vec<String> {
    let parts = page.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
    let local = parts.filter(|link| !link.starts_with("http") && !link.starts_with('#'));
    local.map(|link| link.split('#').next().unwrap().to_owned()).collect()
}

#[test]
fn what_cannot_run_here_is_not_installed() {
    let sentinel = Sentinel::default();
    let folder = unpacked(&sentinel);
    fs::write(folder.join("glibc"), "9.99\n").unwrap();
    install(&sentinel, &folder, &[]).exits(1).says("needs glibc 9.99 or later");
    fs::write(folder.join("glibc"), "2.9\n").unwrap();
    fs::write(folder.join("maillogsentinel"), "\u{7f}ELF").unwrap();
    install(&sentinel, &folder, &[]).exits(1).says("does not run here");
    assert!(!sentinel.path("root").exists());
}

#[test]
fn a_program_of_the_package_is_not_hidden_by_another() {
    let sentinel = Sentinel::default().file("root/usr/bin/maillogsentinel", "of the package");
    let folder = unpacked(&sentinel);
    install(&sentinel, &folder, &[]).exits(1).says("apt-get remove maillogsentinel");
    assert!(!sentinel.path("root/usr/local").exists());
}

#[test]
fn asked_how_to_remove_it_the_installer_says_so_and_does_nothing() {
    let sentinel = Sentinel::default().file("root/usr/local/bin/maillogsentinel", "stays");
    let folder = unpacked(&sentinel);
    install(&sentinel, &folder, &["--uninstall"]).exits(0).prints("/var/lib/maillogsentinel");
    let program = sentinel.path("root/usr/local/bin/maillogsentinel");
    assert_eq!(fs::read(program).unwrap(), b"stays");
    install(&sentinel, &folder, &["--elsewhere"]).exits(1).says("no option --elsewhere");
}
