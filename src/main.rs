//! The program: builds the real machine, calls the library, returns the exit status.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use maillogsentinel::exit::Status;
use maillogsentinel::{cli, host::Host};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

fn main() -> ExitCode {
    let host = Host::real();
    let signal = Arc::new(AtomicUsize::new(0));
    for (number, value) in [(SIGTERM, SIGTERM.unsigned_abs()), (SIGINT, SIGINT.unsigned_abs())] {
        // Should this fail, the signal ends the process at once; the next run repairs that too.
        let _ = flag::register_conditional_default(number, host.dies_at_once.clone());
        let _ = flag::register(number, host.stop.clone());
        let _ = flag::register_usize(number, signal.clone(), value as usize);
    }
    let status = cli::run(&host, std::env::args_os());
    if status == Status::Failed && signal.load(Ordering::Relaxed) != 0 {
        // Die of the signal that ended the run, so that shells and systemd see it.
        let number = i32::try_from(signal.load(Ordering::Relaxed)).unwrap_or(SIGTERM);
        let _ = low_level::emulate_default_handler(number);
    }
    status.into()
}
