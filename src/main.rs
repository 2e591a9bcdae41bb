//! The program: builds the real machine, calls the library, returns the exit status.

use std::process::ExitCode;

use maillogsentinel::{cli, host::Host};

fn main() -> ExitCode {
    let host = Host::real();
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        // Should this fail, the signal ends the process at once; the next run repairs that too.
        let _ = signal_hook::flag::register(signal, host.stop.clone());
    }
    cli::run(&host, std::env::args_os()).into()
}
