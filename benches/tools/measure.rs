//! Runs one command and prints what it cost: `wall_ns user_us sys_us peak_rss_kib status`.
//!
//! `measure STDOUT_FILE STDERR_FILE COMMAND [ARGUMENT …]`; a status above 128 is a signal.
//!
//! Linux counts the memory that a process had before it called `execve` into its peak. A Python
//! program that starts the command itself would report its own 12 MB; this one has about two.

use std::ffi::{c_int, c_long};
use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Instant;

/// `struct rusage` of `<sys/resource.h>`, as glibc and musl have it on 64-bit Linux.
#[repr(C)]
#[derive(Default)]
struct Usage {
    user: [c_long; 2],
    system: [c_long; 2],
    peak_rss_kib: c_long,
    other: [c_long; 13],
}

extern "C" {
    fn wait4(process: c_int, status: *mut c_int, options: c_int, usage: *mut Usage) -> c_int;
}

fn main() {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [stdout, stderr, program, rest @ ..] = arguments.as_slice() else {
        eprintln!("usage: measure STDOUT_FILE STDERR_FILE COMMAND [ARGUMENT ...]");
        std::process::exit(2);
    };
    let create = |path| {
        File::create(path).unwrap_or_else(|error| fail(&format!("cannot create {path:?}: {error}")))
    };
    let mut command = Command::new(program);
    command.args(rest).stdin(Stdio::null()).stdout(create(stdout)).stderr(create(stderr));

    let start = Instant::now();
    let child =
        command.spawn().unwrap_or_else(|error| fail(&format!("cannot run {program:?}: {error}")));
    let (mut status, mut usage) = (0, Usage::default());
    // SAFETY: both pointers are to live values of the types that wait4(2) fills in.
    let waited = unsafe { wait4(child.id() as c_int, &mut status, 0, &mut usage) };
    let wall = start.elapsed().as_nanos();
    if waited < 0 {
        fail("wait4 failed");
    }
    let microseconds = |[seconds, rest]: [c_long; 2]| seconds * 1_000_000 + rest;
    let status = if status & 0x7f == 0 { status >> 8 & 0xff } else { 128 + (status & 0x7f) };
    let (user, system) = (microseconds(usage.user), microseconds(usage.system));
    println!("{wall} {user} {system} {} {status}", usage.peak_rss_kib);
}

fn fail(message: &str) -> ! {
    eprintln!("measure: {message}");
    std::process::exit(1);
}
