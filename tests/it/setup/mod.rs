//! `--setup` installs all or nothing, a second time nothing, and asks before it does.

mod room;
mod undone;
mod wizard;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use crate::sentinel::{Ran, program};
use room::{ATTACK, CONFIG, Room, difference};

const AUTOMATED: [&str; 3] = ["maillogsentinel", "--setup", "--automated"];

fn set_up(room: &Room) -> Ran {
    Ran::of(&mut room.command(&AUTOMATED))
}

fn staged(folder: &std::path::Path, more: &[&str]) -> Ran {
    let mut command = Command::new(program());
    command.args(["--setup", "--automated", "--root"]).arg(folder).args(more).current_dir("/");
    Ran::of(&mut command)
}

#[test]
fn staging_makes_the_tree_that_is_expected_and_a_second_time_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("given.conf");
    fs::write(&config, "[report]\nemail = root\n[systemd]\nreport_schedule = 07:00\n").unwrap();
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    let config = ["--config", config.to_str().unwrap()];
    staged(&root, &config).exits(0).prints("write the configuration: /etc/maillogsentinel.conf");
    let listed = Command::new("find")
        .args([".", "-printf", "%M %P %l\\n"])
        .current_dir(&root)
        .output()
        .unwrap();
    let mut lines: Vec<_> =
        std::str::from_utf8(&listed.stdout).unwrap().lines().map(str::trim_end).collect();
    lines.sort_by_key(|line| line.split(' ').nth(1).map(str::to_owned));
    let expected = include_str!("staged.txt").lines().collect::<Vec<_>>();
    assert_eq!(lines, expected, "\n{}", lines.join("\n"));
    staged(&root, &config).exits(0).prints("Nothing to change");
    staged(&root, &["--uninstall"]).exits(0);
    let left =
        Command::new("find").args([".", "!", "-type", "d"]).current_dir(&root).output().unwrap();
    let mut left: Vec<_> = std::str::from_utf8(&left.stdout).unwrap().lines().collect();
    left.sort_unstable();
    assert_eq!(left, ["./etc/maillogsentinel.conf", "./maillogsentinel_setup.log"]);
    staged(&root, &["--uninstall"]).exits(0).prints("Nothing to remove");
}

#[test]
fn a_machine_is_set_up_with_a_first_run_and_a_second_setup_changes_nothing() {
    let room = Room::default();
    room.write("root/my.conf", CONFIG);
    let asked = [&AUTOMATED[..], &["--config", "/root/my.conf"]].concat();
    Ran::of(&mut room.command(&asked)).exits(0).prints("Next: sudo maillogsentinel doctor");
    assert!(room.read("etc/passwd").contains("maillogsentinel:x:"));
    for group in ["adm", "systemd-journal"] {
        let is_member = |line: &str| line.starts_with(group) && line.ends_with(":maillogsentinel");
        assert!(room.read("etc/group").lines().any(is_member), "{group}");
    }
    assert!(room.read("var/log/maillogsentinel/maillogsentinel.csv").contains(";203.0.113.1;bob;"));
    let all = room.all();
    let mode = |name: &str| all[name].rsplit_once(' ').unwrap().0.to_owned();
    let account =
        room.read("etc/passwd").lines().last().unwrap().split(':').nth(2).unwrap().to_owned();
    assert_eq!(mode("var/lib/maillogsentinel"), format!("750 {account} {account}"));
    assert_eq!(mode("etc/maillogsentinel.conf"), format!("640 0 {account}"));
    let timers: Vec<_> = all.keys().filter(|name| name.contains("target.wants/")).collect();
    assert_eq!(timers.len(), 3, "{timers:?}");
    let log = room.read("maillogsentinel_setup.log");
    assert!(log.contains("make the system account maillogsentinel"), "{log}");
    set_up(&room).exits(0).prints("Nothing to change");
    assert_eq!(difference(&all, &room.all()), Vec::<String>::new());
}

#[test]
fn an_installation_of_the_python_program_is_taken_over_and_nothing_of_it_lost() {
    let room = Room::default().with_python();
    let before = room.all();
    set_up(&room)
        .exits(0)
        .prints("what was there before: /etc/systemd/system/maillogsentinel.service.before-setup-");
    let after = room.all();
    for (name, state) in before {
        let content = state.rsplit(' ').next().unwrap();
        let is_kept =
            |(path, state): (&String, &String)| path.starts_with(&name) && state.ends_with(content);
        let may_change = ["etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"]
            .contains(&name.as_str())
            || name.contains(".wants/")
            || name.contains(".csv");
        assert!(may_change || after.iter().any(is_kept), "{name} is gone");
    }
    assert!(room.read("etc/maillogsentinel.conf").starts_with("# mine\n"));
    assert!(!room.path("etc/systemd/system/maillogsentinel-extract.timer").exists());
    assert!(
        room.read("etc/systemd/system/maillogsentinel.service").contains("User=maillogsentinel")
    );
    assert!(room.read("var/log/maillogsentinel/maillogsentinel.csv").contains(";bob;"));
    set_up(&room).exits(0).prints("Nothing to change");
}

#[test]
fn units_of_a_package_are_used_and_only_what_differs_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let units = folder.path().join("usr/lib/systemd/system");
    fs::create_dir_all(&units).unwrap();
    fs::write(units.join("maillogsentinel.service"), "").unwrap();
    let config = folder.path().join("given.conf");
    fs::write(&config, "[paths]\nworking_dir = /srv/sentinel\nstate_dir = /home/mls/state\n[systemd]\nextraction_schedule = *:0/10\n").unwrap();
    staged(folder.path(), &["--config", config.to_str().unwrap()]).exits(0);
    let own = folder.path().join("etc/systemd/system");
    assert!(!own.join("maillogsentinel.service").exists());
    let service =
        fs::read_to_string(own.join("maillogsentinel.service.d/maillogsentinel.conf")).unwrap();
    for line in ["ReadWritePaths=-/srv/sentinel", "ProtectHome=tmpfs", "BindPaths=-/home/mls/state"]
    {
        assert!(service.lines().any(|it| it == line), "{line} is not in {service}");
    }
    let timer =
        fs::read_to_string(own.join("maillogsentinel.timer.d/maillogsentinel.conf")).unwrap();
    assert!(timer.ends_with("[Timer]\nOnCalendar=\nOnCalendar=*:0/10\n"), "{timer}");
}

#[test]
fn what_cannot_work_is_said_before_anything_is_changed() {
    let cases: [(&str, &str, &str); 11] = [
        (
            "[paths]\nmail_log = /var/log/none.log\n",
            "there is no mail log /var/log/none.log",
            "to journal",
        ),
        ("[paths]\nmail_log = journal\n", "the journal has no entries", "systemd-journald"),
        (
            "[systemd]\nextraction_schedule = now and then\n",
            "maillogsentinel.timer: systemd does not take `now and then`",
            "[systemd]",
        ),
        ("[User]\nrun_as_user = nobody-here\n", "there is no such account", "hint"),
        ("[paths]\nworking_dir = /var/log\n", "/var/log is not a folder for one program", "hint"),
        ("[paths]\nworking_dir = /etc/mls\n", "/etc/mls is not a folder for one program", "hint"),
        ("[report]\nemail = a b\n", "/etc/maillogsentinel.conf:2:", "email"),
        ("[paths]\nworking_dir = mls\n", "the folder mls is not told from the root on", "with /"),
        ("[paths]\nmail_log = -\n", "standard input, which services do not have", "to a file"),
        ("[paths]\nmail_log = /var/log\n", "the mail log /var/log is no file", "to journal"),
        ("[User]\nrun_as_user = a;b\n", "`run_as_user` is no name of an account", "letters"),
    ];
    for (config, what, hint) in cases {
        let room = Room::default();
        room.write("etc/maillogsentinel.conf", config);
        let before = room.all();
        let ran = set_up(&room).says(what).says(hint);
        assert!([Some(1), Some(78)].contains(&ran.status), "{config}");
        assert_eq!(difference(&before, &room.all()), Vec::<String>::new(), "{config}");
    }
    let room = Room::default();
    room.write("etc/maillogsentinel.conf", CONFIG);
    let asked = [&AUTOMATED[..], &["--set", "report.emial=x"]].concat();
    Ran::of(&mut room.command(&asked)).exits(78).says("--set report.emial=x").says("email");
    let room = Room::default();
    set_up(&room).exits(1).says("no configuration").says("--config FILE");
}

#[test]
fn folders_that_others_could_turn_against_us_are_refused() {
    let cases = [
        ("/var/lib/../../etc/systemd", "goes up by `..`"),
        ("/home/bob/x/ssl", "is a link"),
        ("/home/bob/mls", "/home/bob belongs to somebody else"),
        ("/srv/open/mls", "/srv/open can be written to by everybody"),
        ("/srv/others", "holds nothing of this program"),
        ("/var/lib", "others use it too"),
    ];
    for (folder, what) in cases {
        let room = Room::default();
        room.write("home/bob/mls/passwd", "");
        room.write("srv/others/tax.pdf", "");
        fs::create_dir_all(room.path("srv/open")).unwrap();
        fs::set_permissions(room.path("srv/open"), fs::Permissions::from_mode(0o777)).unwrap();
        symlink("/etc", room.path("home/bob/x")).unwrap();
        for path in ["home/bob", "home/bob/mls", "srv/others"] {
            std::os::unix::fs::chown(room.path(path), Some(1000), Some(1000)).unwrap();
        }
        room.write(
            "etc/maillogsentinel.conf",
            &format!("{CONFIG}[paths]\nworking_dir = {folder}\n"),
        );
        let before = room.all();
        set_up(&room).exits(1).says(what).says("hint");
        assert_eq!(difference(&before, &room.all()), Vec::<String>::new(), "{folder}");
    }
}

#[test]
fn files_with_other_names_are_not_given_away_and_links_are_not_followed() {
    let room = Room::default().with_python();
    room.write("etc/key", "secret");
    fs::hard_link(room.path("etc/key"), room.path("var/log/maillogsentinel/hard")).unwrap();
    symlink("/etc/shadow", room.path("var/log/maillogsentinel/soft")).unwrap();
    set_up(&room).exits(0);
    let all = room.all();
    for name in ["etc/key", "etc/shadow"] {
        assert!(all[name].split(' ').nth(1) == Some("0"), "{name}: {}", all[name]);
    }
    assert!(room.read("maillogsentinel_setup.log").contains("left alone, for it has other names"));
}

#[test]
fn nothing_outside_of_a_staging_folder_is_touched_whatever_links_are_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let (root, outside) = (folder.path().join("root"), folder.path().join("outside"));
    fs::create_dir_all(root.join("usr")).unwrap();
    fs::create_dir_all(outside.join("bin")).unwrap();
    fs::write(outside.join("bin/maillogsentinel"), "mine").unwrap();
    symlink(&outside, root.join("usr/local")).unwrap();
    let config = folder.path().join("given.conf");
    fs::write(&config, CONFIG).unwrap();
    staged(&root, &["--config", config.to_str().unwrap()]).exits(1).says("is a link");
    staged(&root, &["--uninstall", "--purge-data"]).exits(1).says("is a link");
    assert_eq!(fs::read_to_string(outside.join("bin/maillogsentinel")).unwrap(), "mine");
    assert_eq!(fs::read_dir(outside).unwrap().count(), 1);
}

#[test]
fn two_setups_at_once_do_not_undo_each_other() {
    let room = Room::default();
    room.write("etc/maillogsentinel.conf", CONFIG);
    let script = "maillogsentinel --setup --automated >/tmp/a 2>&1 & one=$!
        maillogsentinel --setup --automated >/tmp/b 2>&1; two=$?; wait $one; echo $? $two; cat /tmp/a /tmp/b >&2";
    let ran = Ran::of(&mut room.command(&["bash", "-c", script])).exits(0);
    assert!(["0 75\n", "75 0\n", "0 0\n"].contains(&ran.stdout.as_str()), "{ran:?}");
    set_up(&room).exits(0).prints("Nothing to change");
}

#[test]
fn a_log_that_the_service_cannot_read_is_said_before_anything_is_done() {
    for (path, mode) in [("var/log/mail.log", 0o600), ("var/log", 0o700)] {
        let room = Room::default();
        room.write("etc/maillogsentinel.conf", CONFIG);
        fs::set_permissions(room.path(path), fs::Permissions::from_mode(mode)).unwrap();
        let before = room.all();
        set_up(&room).exits(1).says(&format!("/{path} is closed")).says("chgrp adm");
        assert_eq!(difference(&before, &room.all()), Vec::<String>::new());
    }
}

#[test]
fn passwords_in_a_configuration_are_not_for_others() {
    let room = Room::default();
    room.write("etc/maillogsentinel.conf", "[report]\nsmtp_password = one\n");
    room.write("root/new.conf", &format!("{CONFIG}smtp_password = two\n"));
    let asked = [&AUTOMATED[..], &["--config", "/root/new.conf"]].concat();
    let ran = Ran::of(&mut room.command(&asked)).exits(0);
    let all = room.all();
    let mode =
        |name: &str| all.iter().find(|(path, _)| path.starts_with(name)).unwrap().1[..3].to_owned();
    assert_eq!(mode("etc/maillogsentinel.conf.before-setup-"), "600");
    assert_eq!(mode("etc/maillogsentinel.conf"), "640");
    let said = ran.stdout + &ran.stderr + &room.read("maillogsentinel_setup.log");
    assert!(!said.contains("two") && !said.contains("= one"), "{said}");
}

#[test]
fn accounts_and_masks_of_the_administrator_stay() {
    let room = Room::default();
    room.write("etc/maillogsentinel.conf", &format!("{CONFIG}[User]\nrun_as_user = 0\n"));
    set_up(&room).exits(1).says("there is no such account");
    room.write("etc/maillogsentinel.conf", CONFIG);
    room.write(
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nmaillogsentinel:x:500:500::/home/other:/bin/bash\n",
    );
    room.write("etc/group", &(room.read("etc/group") + "maillogsentinel:x:500:\n"));
    symlink("/dev/null", room.path("etc/systemd/system/maillogsentinel-ipdb.timer")).unwrap();
    set_up(&room).exits(0);
    assert!(room.path("etc/systemd/system/maillogsentinel-ipdb.timer").is_symlink());
    let wants = room.path("etc/systemd/system/timers.target.wants");
    assert_eq!(fs::read_dir(wants).unwrap().count(), 2);
    room.write("var/log/maillogsentinel/tax.pdf", "");
    let purge = [&AUTOMATED[..], &["--uninstall", "--purge-data"]].concat();
    let ran = Ran::of(&mut room.command(&purge));
    assert!(ran.stderr.contains("/var/log/maillogsentinel is kept"), "{ran:?}");
    assert!(room.path("var/log/maillogsentinel/tax.pdf").exists());
    assert!(room.read("etc/passwd").contains("/home/other"));
}

#[test]
fn a_link_in_place_of_the_record_is_not_followed() {
    let room = Room::default().with_python();
    symlink("/etc/passwd", room.path("maillogsentinel_setup.log")).unwrap();
    let before = room.all();
    set_up(&room).exits(1).says("maillogsentinel_setup.log").says("nothing was changed");
    assert_eq!(difference(&before, &room.all()), Vec::<String>::new());
}

#[test]
fn who_is_not_root_or_has_no_terminal_is_told_what_to_do() {
    let mut command = Command::new("setpriv");
    let room = Room::default();
    let copy = room.path("tmp/maillogsentinel");
    crate::sentinel::copy_program(&copy);
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    command.args(["--reuid=65534", "--clear-groups"]).arg(&copy).arg("--setup").current_dir("/");
    Ran::of(&mut command).exits(1).says("takes root").says("sudo maillogsentinel --setup");
    Ran::of(&mut room.command(&["maillogsentinel", "--setup"])).exits(2).says("--automated");
    Ran::of(&mut room.command(&["maillogsentinel", "--uninstall"])).exits(2).says("--setup");
}

#[test]
fn it_is_removed_and_what_was_recorded_stays_unless_it_is_asked_for() {
    let room = Room::default();
    let before = room.all();
    room.write("etc/maillogsentinel.conf", CONFIG);
    set_up(&room).exits(0);
    let remove = [&AUTOMATED[..], &["--uninstall"]].concat();
    // The program itself is lent to the room, and cannot be deleted there.
    let ours = |words: &[&str]| {
        let script = "umount /usr/local/bin/maillogsentinel; exec \"$0\" \"$@\"";
        let program = room.path("tmp/maillogsentinel");
        crate::sentinel::copy_program(program.as_ref());
        room.write("local/bin/maillogsentinel", "");
        let words = [&["sh", "-c", script, "/tmp/maillogsentinel"], &words[1..]].concat();
        let ran = Ran::of(&mut room.command(&words));
        fs::remove_file(room.path("tmp/maillogsentinel")).unwrap();
        ran
    };
    ours(&remove).exits(0).prints("Kept: the configuration, all that was recorded");
    let left = difference(&before, &room.all());
    // Folders that others use too stay.
    let is_data = |line: &String| {
        let kept = [
            "local/bin/maillogsentinel",
            "etc/maillogsentinel.conf",
            "var/log/maillogsentinel",
            "var/lib/maillogsentinel",
            "etc/passwd",
            "etc/group",
            "etc/shadow",
            "etc/gshadow",
        ];
        line.contains(" folder\"") || kept.iter().any(|name| line.starts_with(name))
    };
    let odd: Vec<_> = left.iter().filter(|line| !is_data(line)).collect();
    assert!(odd.is_empty(), "{odd:?}");
    assert!(room.read("var/log/maillogsentinel/maillogsentinel.csv").contains("bob"));
    room.write("etc/maillogsentinel.conf.before-setup-1", "db_password = secret\n");
    ours(&[&remove[..], &["--purge-data"]].concat()).exits(0);
    for gone in [
        "etc/maillogsentinel.conf",
        "etc/maillogsentinel.conf.before-setup-1",
        "var/log/maillogsentinel",
        "var/lib/maillogsentinel",
    ] {
        assert!(!room.path(gone).exists(), "{gone}");
    }
    assert!(!room.read("etc/passwd").contains("maillogsentinel"));
    assert_eq!(room.read("var/log/mail.log"), ATTACK);
}
