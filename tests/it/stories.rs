//! What the program promises, told as runs.

use crate::sentinel::{Sentinel, failure};

#[test]
fn a_refused_login_becomes_a_row() {
    let sentinel = Sentinel::default()
        .file("mail.log", failure("2026-11-22T21:28:34.901234+00:00", "203.0.113.9", "bob"));
    sentinel.run().exits(0).prints("1 failed login recorded");
    let row = "mx1;2026-11-22 21:28;203.0.113.9;bob;null;Errno 4;N/A;N/A;N/A\n";
    assert_eq!(sentinel.rows(), row);
    sentinel.run().exits(0);
    assert_eq!(sentinel.rows(), row, "a second run finds nothing new");
}
