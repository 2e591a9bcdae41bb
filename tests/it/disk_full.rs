//! Fills the disk, at every call that needs room and for real: the run says so and how to go on,
//! what is there stays whole, and the next run completes it once there is room.

use std::fs;
use std::os::unix::process::parent_id;
use std::path::Path;
use std::process::Command;

use rustix::fs::statvfs;
use rustix::process::geteuid;

use crate::kill::scene::{self, CSV, Ending, STORIES, Story, Troubles};
use crate::kill::strace::{self, Blow, Call};
use crate::kill::{LONG_CSV, limited};
use crate::sentinel::{HEADER, Ran, Sentinel};

/// One test for each story, so that they run at the same time.
macro_rules! at_every_call {
    ($($test:ident: $number:literal,)*) => {
        $(#[test]
        fn $test() {
            at_every_call(&STORIES[$number]);
        })*
    };
}

at_every_call! {
    no_room_in_the_first_run: 0,
    no_room_after_growth_and_a_rotation: 1,
    no_room_for_a_csv_in_place_of_one_that_was_moved: 3,
    no_room_while_taking_over_csv_and_offset: 7,
}

/// Fails each call that may need room, once or from then on.
fn at_every_call(story: &Story) {
    let expected = story.undisturbed();
    let scene = story.scene();
    let before = fs::read(scene.path(CSV)).ok();
    let mut calls = strace::changes(&scene, &scene::command(&scene));
    calls.retain(needs_room);
    let mut troubles = Troubles::of(story);
    for call in &calls {
        for blow in [Blow::Full, Blow::FullFromThenOn] {
            let scene = story.scene();
            let at = (call.name.as_str(), call.number);
            let struck = strace::strike(&scene, &scene::command(&scene), at, blow);
            let ran = Ran { status: struck.status, stdout: String::new(), stderr: struck.stderr };
            // When stderr takes nothing, nothing can be said.
            let silenced = call.name == "write" && matches!(blow, Blow::FullFromThenOn);
            let subject = subject(&call.text).filter(|_| !silenced);
            let what = format!("{blow:?} at {call}");
            troubles.note(&what, misbehaved(&scene, &ran, subject, (&before, &expected)));
            troubles.note(&what, story.finish(&scene, &expected));
        }
    }
    troubles.end(100);
}

pub fn needs_room(call: &Call) -> bool {
    let opens = ["open", "openat", "creat"].contains(&call.name.as_str());
    let frees = ["unlink", "unlinkat", "flock"].contains(&call.name.as_str());
    !frees && (!opens || call.text.contains("O_CREAT"))
}

/// What the message must name: the file of a call. SQLite's own files stand for the store, the
/// CSV's folder and what is to become the CSV for the CSV; `None` for a standard stream.
fn subject(call: &str) -> Option<&'static str> {
    let in_folder = |folder: &str| call.contains(&format!("/{folder}/"));
    let folder_itself = |folder: &str| {
        call.contains(&format!("/{folder}\"")) || call.contains(&format!("/{folder}>"))
    };
    if call.starts_with("mkdir") {
        return [("state", "/state"), ("work", "/work")]
            .into_iter()
            .find_map(|(folder, name)| folder_itself(folder).then_some(name));
    }
    if call.contains("/countries-") || call.contains("/networks-") {
        None
    } else if call.contains("operational.log") {
        Some("operational.log")
    } else if call.contains("maillogsentinel.lock") {
        Some("maillogsentinel.lock")
    } else if call.contains("state.offset") {
        Some("state.offset")
    } else if in_folder("state") || folder_itself("state") {
        Some("maillogsentinel.db")
    } else if in_folder("work") || folder_itself("work") {
        Some("maillogsentinel.csv")
    } else {
        None
    }
}

/// What is wrong with how a run ended that had no room, if anything.
fn misbehaved(
    scene: &Sentinel,
    ran: &Ran,
    subject: Option<&str>,
    (before, expected): (&Option<Vec<u8>>, &Ending),
) -> Option<String> {
    let csv = fs::read(scene.path(CSV)).ok();
    let complete = csv.as_deref() == Some(expected.csv());
    // A new CSV appears with its header, before there are rows for it.
    let untouched = csv == *before || before.is_none() && csv.as_deref() == Some(HEADER.as_bytes());
    // The compiled form of a database may be made another time: that is worth a warning only.
    let mut lines =
        ran.stderr.lines().filter(|line| !line.contains("cannot keep the compiled form"));
    let complained = lines.any(|line| line.contains("cannot") || line.contains(" ERROR "));
    match ran.status {
        _ if !complete && !untouched => {
            Some("the CSV is neither as before nor complete".to_owned())
        }
        Some(0) if !complete => Some("exit status 0, but the CSV is not complete".to_owned()),
        Some(0) if complained => Some(format!("exit status 0, but: {}", ran.stderr)),
        Some(0) => None,
        Some(1) => {
            let named = subject.is_none_or(|subject| ran.stderr.contains(subject));
            let full = ran.stderr.contains("make room") || ran.stderr.contains("No space left");
            let hinted = subject.is_none() || full && ran.stderr.contains("; ");
            (!named || !hinted).then(|| format!("no file or no cure is named: {}", ran.stderr))
        }
        _ => Some(format!("{ran:?}")),
    }
}

#[test]
fn no_room_in_the_middle_of_a_write_to_the_store() {
    limited_at_each(&STORIES[0], 0, 4001);
}

/// The CSV is by far the largest file here, so that the limit stops nothing else.
#[test]
fn no_room_in_the_middle_of_a_write_to_the_csv() {
    let length = fs::metadata(LONG_CSV.scene().path(CSV)).unwrap().len();
    limited_at_each(&LONG_CSV, length, 401);
}

/// Lets no file grow beyond a limit, from `start` on in steps, until a run gets through: the write
/// that meets the limit is made up to there, and the next one fails.
fn limited_at_each(story: &Story, start: u64, step: usize) {
    let expected = story.undisturbed();
    let before = fs::read(story.scene().path(CSV)).ok();
    let mut troubles = Troubles::of(story);
    for limit in (start..).step_by(step) {
        let scene = story.scene();
        let ran = Ran::of(&mut limited(limit, "env", &scene::command(&scene)));
        let what = format!("no file could grow beyond {limit} bytes");
        // The limit is no full disk: the cure is another one.
        troubles.note(&what, misbehaved(&scene, &ran, None, (&before, &expected)));
        troubles.note(&what, story.finish(&scene, &expected));
        if ran.status == Some(0) {
            break;
        }
    }
    troubles.end(20);
}

#[test]
fn a_small_disk_fills_up_in_the_first_run() {
    in_own_mounts("disk_full::a_small_disk_fills_up_in_the_first_run", || {
        with_ever_more_room(&STORIES[0]);
    });
}

#[test]
fn a_small_disk_fills_up_after_growth_and_a_rotation() {
    in_own_mounts("disk_full::a_small_disk_fills_up_after_growth_and_a_rotation", || {
        with_ever_more_room(&STORIES[1]);
    });
}

#[test]
fn a_small_disk_fills_up_while_csv_and_offset_are_taken_over() {
    in_own_mounts("disk_full::a_small_disk_fills_up_while_csv_and_offset_are_taken_over", || {
        with_ever_more_room(&STORIES[7]);
    });
}

/// Runs the story on a disk with no free page, with one, and so on until a run gets through.
fn with_ever_more_room(story: &Story) {
    const PAGE: u64 = 4096;
    const PLENTY: u64 = 64 << 20;
    let expected = story.undisturbed();
    let parent = tempfile::tempdir_in(scene::scratch()).unwrap();
    let disk = parent.path();
    mount(disk, &format!("size={PLENTY}"));
    let mut troubles = Troubles::of(story);
    for pages in 0.. {
        let scene = (story.before)(Sentinel::inside(disk));
        let before = fs::read(scene.path(CSV)).ok();
        let used =
            statvfs(disk).map(|disk| (disk.f_blocks - disk.f_bfree) * disk.f_frsize).unwrap();
        mount(disk, &format!("remount,size={}", used + pages * PAGE));
        let ran = Ran::of(&mut scene::command(&scene));
        let what = format!("{pages} pages were free");
        troubles.note(&what, misbehaved(&scene, &ran, Some(""), (&before, &expected)));
        mount(disk, &format!("remount,size={PLENTY}"));
        troubles.note(&what, story.finish(&scene, &expected));
        if ran.status == Some(0) {
            break;
        }
        assert!(pages < 1000, "{}: still no room: {ran:?}", story.name);
    }
    troubles.end(40);
}

/// Mounts a disk in memory on `folder`.
pub fn mount(folder: &Path, options: &str) {
    let mut mount = Command::new("mount");
    let mount = mount.args(["-t", "tmpfs", "-o", options, "maillogsentinel-test"]).arg(folder);
    Ran::of(mount).exits(0);
}

/// Calls `body` where mounts are seen by this process only and go with it: this test, `name`,
/// starts itself again in a mount namespace of its own.
pub fn in_own_mounts(name: &str, body: impl FnOnce()) {
    assert!(geteuid().is_root(), "only root can mount the small disk that this test fills");
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/mnt")).unwrap();
    if namespace("self") != namespace(&parent_id().to_string()) {
        return body();
    }
    let test = std::env::current_exe().unwrap();
    let mut again = Command::new("unshare");
    again.args(["--mount", "--propagation", "private"]).arg(test).args(["--exact", name]);
    let output = again.output();
    let output = output.unwrap_or_else(|e| panic!("cannot run unshare of util-linux: {e}"));
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = lossy(&output.stdout) + &lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
