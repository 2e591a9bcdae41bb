//! Whatever fails, and whenever Ctrl-C comes: all is there, or nothing is changed.

use std::os::unix::process::ExitStatusExt;

use super::room::{Room, difference};
use super::{AUTOMATED, Ran};

/// Calls that change files, or start programs.
const CALLS: [&str; 11] = [
    "mkdir", "rename", "link", "symlink", "chown", "lchown", "chmod", "fchmod", "fsync", "unlink",
    "clone3",
];

/// A machine whose first run is behind it, so that all that is done can be undone.
fn machine() -> Room {
    let room = Room::default().with_python();
    room.write("var/lib/maillogsentinel/maillogsentinel.db", "");
    room
}

/// Strikes each call of each kind once, and looks at what is there then.
fn strike(blow: &str, calls: &[&str]) -> usize {
    let mut struck = 0;
    for call in calls {
        for number in 1.. {
            let room = machine();
            let before = room.all();
            let (trace, inject) =
                (format!("trace={call}"), format!("inject={call}:{blow}:when={number}"));
            let strace = ["strace", "-qq", "-o", "/root/trace", "-e", &trace, "-e", &inject];
            let output = room.command(&[&strace[..], &AUTOMATED].concat()).output().unwrap();
            let trace = room.read("root/trace");
            std::fs::remove_file(room.path("root/trace")).unwrap();
            let done = output.status.success();
            let odd = difference(&before, &room.all());
            let is_whole = done
                && Ran::of(&mut room.command(&AUTOMATED))
                    .exits(0)
                    .stdout
                    .contains("Nothing to change");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(
                is_whole || odd.is_empty(),
                "{inject}: {said}\n{odd:#?}\n{}",
                room.read("maillogsentinel_setup.log")
            );
            assert!(
                done || output.status.signal().is_some() || output.status.code() == Some(1),
                "{inject}"
            );
            if !trace.contains("INJECTED")
                && !["--- SIGINT", "--- SIGHUP"].iter().any(|it| trace.contains(it))
            {
                break;
            }
            struck += 1;
        }
    }
    struck
}

#[test]
fn what_fails_at_any_call_is_undone() {
    let struck = strike("error=EIO", &CALLS);
    assert!(struck > 60, "{struck}");
}

#[test]
fn ctrl_c_at_any_call_undoes_all_or_comes_too_late() {
    let struck = strike("signal=SIGINT", &["mkdir", "rename", "symlink", "chown", "clone3"]);
    assert!(struck > 20, "{struck}");
    // As when a connection is lost.
    assert!(strike("signal=SIGHUP", &["symlink"]) > 1);
}
