//! The Debian package: what is in it, with which modes, and what its scripts are. Installed it is by
//! nobody here: that would change the machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sentinel::{Ran, Sentinel, program};

fn packaging(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)
}

/// Builds the package, uncompressed, and gives its path.
fn build(sentinel: &Sentinel) -> PathBuf {
    let mut command = Command::new(packaging("deb/build"));
    command.arg(program()).arg(sentinel.path("out"));
    command.env("DEB_COMPRESSION", "none").env("SOURCE_DATE_EPOCH", "1700000000");
    PathBuf::from(Ran::of(&mut command).exits(0).stdout.trim_end())
}

fn dpkg_deb(arguments: &[&str], package: &Path) -> String {
    Ran::of(Command::new("dpkg-deb").args(arguments).arg(package)).exits(0).stdout
}

/// Mode and owner of each path in it, as `-rw-r--r-- root/root`.
fn contents(package: &Path) -> BTreeMap<String, String> {
    let list = dpkg_deb(&["-c"], package);
    let entry = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let [mode, owner, _, _, _, path] = words[..] else { panic!("{line}") };
        (path.trim_start_matches('.').to_owned(), format!("{mode} {owner}"))
    };
    list.lines().map(entry).collect()
}

#[test]
fn it_holds_what_it_should_for_root_and_nothing_in_etc_or_var() {
    let sentinel = Sentinel::default();
    let contents = contents(&build(&sentinel));
    for (path, mode) in &contents {
        let wanted = match path.as_str() {
            "/usr/bin/maillogsentinel" => "-rwxr-xr-x root/root",
            folder if folder.ends_with('/') => "drwxr-xr-x root/root",
            _ => "-rw-r--r-- root/root",
        };
        assert_eq!(mode, wanted, "{path}");
        assert!(path == "/" || path.starts_with("/usr/"), "{path}");
    }
    let files: Vec<_> = contents.keys().filter(|path| !path.ends_with('/')).collect();
    let mut wanted: Vec<String> = [
        "bin/maillogsentinel",
        "lib/sysusers.d/maillogsentinel.conf",
        "lib/tmpfiles.d/maillogsentinel.conf",
        "share/bash-completion/completions/maillogsentinel",
        "share/doc/maillogsentinel/ARCHITECTURE.md",
        "share/doc/maillogsentinel/README.md",
        "share/doc/maillogsentinel/SECURITY.md",
        "share/doc/maillogsentinel/changelog.Debian.gz",
        "share/doc/maillogsentinel/changelog.gz",
        "share/doc/maillogsentinel/copyright",
        "share/doc/maillogsentinel/docs/maillogsentinel.conf",
        "share/doc/maillogsentinel/third-party-licences.gz",
        "share/fish/vendor_completions.d/maillogsentinel.fish",
        "share/maillogsentinel/logrotate",
        "share/maillogsentinel/maillogsentinel.conf",
        "share/man/man5/maillogsentinel.conf.5.gz",
        "share/man/man8/maillogsentinel.8.gz",
        "share/zsh/vendor-completions/_maillogsentinel",
    ]
    .map(|path| format!("/usr/{path}"))
    .to_vec();
    let names = |folder: PathBuf, end: &'static str| {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).filter(move |name| name.ends_with(end))
    };
    let units = names(packaging("systemd"), "");
    wanted.extend(units.map(|unit| format!("/usr/lib/systemd/system/{unit}")));
    let docs = names(packaging("../docs"), ".md");
    wanted.extend(docs.map(|page| format!("/usr/share/doc/maillogsentinel/docs/{page}")));
    wanted.sort();
    assert_eq!(files, wanted.iter().collect::<Vec<_>>());
}

#[test]
fn its_control_file_is_of_this_version_and_says_what_the_program_needs() {
    let sentinel = Sentinel::default();
    let package = build(&sentinel);
    let field = |name: &str| {
        dpkg_deb(&["-f"], &package)
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
    };
    let version = format!("{}-1", env!("CARGO_PKG_VERSION"));
    assert_eq!(field("Package").as_deref(), Some("maillogsentinel"));
    assert_eq!(field("Version"), Some(version.clone()));
    let here = Ran::of(Command::new("dpkg").arg("--print-architecture")).exits(0).stdout;
    assert_eq!(field("Architecture").as_deref(), Some(here.trim_end()));
    assert_eq!(field("Priority").as_deref(), Some("optional"));
    let depends = field("Depends").unwrap();
    let least = depends.strip_prefix("libc6 (>= 2.").unwrap().split(')').next().unwrap();
    assert!(least.parse::<u32>().is_ok_and(|minor| minor >= 17), "{depends}");
    assert!(field("Installed-Size").unwrap().parse::<u64>().unwrap() > 1000);
    let unpacked = sentinel.path("unpacked");
    let mut unpack = Command::new("dpkg-deb");
    Ran::of(unpack.arg("-x").args([&package, &unpacked])).exits(0);
    let changelog = unpacked.join("usr/share/doc/maillogsentinel/changelog.Debian.gz");
    let changelog = Ran::of(Command::new("gzip").arg("-dc").arg(changelog)).exits(0).stdout;
    assert!(changelog.starts_with(&format!("maillogsentinel ({version}) ")), "{changelog}");
    assert!(changelog.ends_with("Tue, 14 Nov 2023 22:13:20 +0000\n"), "{changelog}");
    let sums = sentinel.path("control");
    Ran::of(Command::new("dpkg-deb").arg("-e").args([&package, &sums])).exits(0);
    let mut check = Command::new("md5sum");
    Ran::of(check.args(["--check", "--quiet"]).arg(sums.join("md5sums")).current_dir(unpacked))
        .exits(0);
}

/// A file of dpkg's own in /etc would make it ask about the one that the Python program left.
#[test]
fn it_has_no_conffile_and_its_scripts_are_of_plain_shell() {
    let sentinel = Sentinel::default();
    let package = build(&sentinel);
    let control = sentinel.path("control");
    Ran::of(Command::new("dpkg-deb").arg("-e").args([&package, &control])).exits(0);
    let mut names: Vec<_> = fs::read_dir(&control)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["control", "md5sums", "postinst", "postrm", "prerm"]);
    for script in ["postinst", "postrm", "prerm"] {
        Ran::of(Command::new("sh").arg("-n").arg(control.join(script))).exits(0);
        let text = fs::read_to_string(control.join(script)).unwrap();
        assert!(text.starts_with("#!/bin/sh\n") && text.ends_with("exit 0\n"), "{script}");
    }
    let postrm = fs::read_to_string(control.join("postrm")).unwrap();
    assert!(!postrm.contains("rm -rf"), "what was recorded stays");
}

#[test]
fn the_same_source_and_program_give_the_same_package() {
    let (one, other) = (Sentinel::default(), Sentinel::default());
    assert!(fs::read(build(&one)).unwrap() == fs::read(build(&other)).unwrap());
}

#[test]
fn a_program_that_is_not_there_is_said() {
    let mut command = Command::new(packaging("deb/build"));
    Ran::of(command.arg("/nonexistent")).exits(1).says("hint: cargo build --release");
}

#[test]
fn every_licence_of_what_is_linked_fits() {
    let ran = Ran::of(&mut Command::new(packaging("licences"))).exits(0);
    assert!(ran.stdout.ends_with("each licence fits GPL-3.0-or-later\n"), "{}", ran.stdout);
}
