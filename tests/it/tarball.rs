//! The archive for systems without dpkg, and its installer, which runs in a folder of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sentinel::{Ran, Sentinel, program};

/// Packs `binary`.
fn build(sentinel: &Sentinel, binary: &Path) -> Ran {
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/tarball/build");
    Ran::of(Command::new(build).arg(binary).arg(sentinel.path("out")))
}

/// Unpacks the archive that was built, and gives the folder.
fn unpack(sentinel: &Sentinel, built: &Ran) -> PathBuf {
    let archive = Path::new(built.stdout.trim_end());
    let mut tar = Command::new("tar");
    Ran::of(tar.arg("-xzf").arg(archive).arg("-C").arg(sentinel.path("out"))).exits(0);
    sentinel.path("out").join(name(&archive.with_extension("")).strip_suffix(".tar").unwrap())
}

/// Packs the program, unpacks the archive, and gives the folder.
fn unpacked(sentinel: &Sentinel) -> PathBuf {
    let folder = unpack(sentinel, &build(sentinel, program()).exits(0));
    let start = format!("maillogsentinel-{}-", env!("CARGO_PKG_VERSION"));
    assert!(name(&folder).starts_with(&start), "{}", folder.display());
    folder
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// A program with no more than a version, linked against musl and so statically; `None` where Rust has
/// no such target. The real one takes minutes to build.
fn static_program(sentinel: &Sentinel) -> Option<PathBuf> {
    let ask = |what: &[&str]| Ran::of(Command::new("rustc").arg("--print").args(what)).stdout;
    let target = ask(&["host-tuple"]).trim_end().replace("-gnu", "-musl");
    if !Path::new(ask(&["target-libdir", "--target", &target]).trim_end()).is_dir() {
        return None;
    }
    let source = sentinel.path("small.rs");
    fs::write(&source, r#"fn main() { println!("maillogsentinel 0.0.1"); }"#).unwrap();
    let binary = sentinel.path("small");
    let mut rustc = Command::new("rustc");
    rustc.args(["--target", &target, "-o"]).arg(&binary).arg(source);
    Ran::of(&mut rustc).exits(0);
    Some(binary)
}

/// Runs the installer so that it installs below the scratch folder.
fn install(sentinel: &Sentinel, folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(folder.join("install.sh"));
    Ran::of(command.args(arguments).env("DESTDIR", sentinel.path("root")).env_remove("PREFIX"))
}

/// Runs the installer as where there is no glibc.
fn install_without_glibc(sentinel: &Sentinel, folder: &Path) -> Ran {
    let path = format!("{}:{}", sentinel.path("bin").display(), std::env::var("PATH").unwrap());
    let getconf = sentinel.path("bin/getconf");
    fs::create_dir_all(sentinel.path("bin")).unwrap();
    fs::write(&getconf, "#!/bin/sh\nexit 1\n").unwrap();
    fs::set_permissions(&getconf, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(folder.join("install.sh"));
    Ran::of(command.env("DESTDIR", sentinel.path("root")).env("PATH", path).env_remove("PREFIX"))
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
    let built = build(&sentinel, program()).exits(0);
    let folder = unpack(&sentinel, &built);
    let needed = fs::read_to_string(folder.join("glibc")).unwrap().trim_end().to_owned();
    assert!(name(&folder).ends_with(&format!("-glibc{needed}")), "{}", folder.display());
    let warning = format!("runs only where glibc is {needed} or later");
    built.says(&warning).says("hint: rustup target add ");
    install_without_glibc(&sentinel, &folder).exits(1).says("has no glibc").says("static");
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

#[test]
fn what_is_linked_statically_says_so_and_needs_no_glibc() {
    let sentinel = Sentinel::default();
    let Some(binary) = static_program(&sentinel) else { return };
    let built = build(&sentinel, &binary).exits(0);
    let folder = unpack(&sentinel, &built);
    built.says("linked statically");
    assert!(name(&folder).ends_with("-static"), "{}", folder.display());
    assert!(folder.join("musl-licence.txt").is_file());
    let installed = install_without_glibc(&sentinel, &folder).exits(0);
    installed.prints("maillogsentinel 0.0.1 is installed");
}
