//! Writes a Postfix and Dovecot mail log of any size, with known shares of failures and logins.
//!
//! `make_log BYTES FAILURE_PERCENT LOGIN_PERCENT bsd|rfc3339 [SEED] > FILE`. Standard error gets
//! what the log holds, counted while it is written: `failures N logins M lines L`.
//!
//! One file without crates, so that `rustc -O` builds it and nothing of the program under test can
//! leak into its input. It lives in a subfolder because Cargo takes every `benches/*.rs` for a
//! bench target. The shapes are those that Postfix 3.7 and Dovecot 2.3 write.
//!
//! Time is UTC, runs evenly over three weeks and ends yesterday at midnight: a BSD stamp has no
//! year, so a stamp from the future would be read as one from last year. The same arguments give
//! the same bytes for a whole day.

use std::collections::VecDeque;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY: u64 = 86_400;
const SPAN_DAYS: u64 = 21;
const FLUSH_BYTES: usize = 1 << 20;

/// How many conversations are under way at once; past `CROWDED` those that end are not replaced.
const BUSY: usize = 24;
const CROWDED: usize = 512;

const USAGE: &str = "usage: make_log BYTES FAILURE_PERCENT LOGIN_PERCENT bsd|rfc3339 [SEED]";
const SERVICES: [&str; 4] = ["smtpd", "smtps/smtpd", "submission/smtpd", "submission/smtpd"];
const NAMES: [&str; 40] = [
    "admin", "info", "test", "sales", "support", "office", "contact", "abuse", "web", "root",
    "user", "mail", "shop", "billing", "backup", "scanner", "noreply", "hr", "service", "accounts",
    "alice", "bob", "carol", "david", "emma", "frank", "george", "helen", "ivan", "julia", "karl",
    "laura", "martin", "nina", "oscar", "paula", "robert", "sophie", "thomas", "victor",
];
const DOMAINS: [&str; 4] = ["example.org", "example.com", "mail.example.net", "shop.example"];
/// Text that CSV must quote or that tries to pass for another field.
const AWKWARD: [&str; 6] =
    ["smith, john", "a;b", "\"quoted\"", "x, sasl_username=victim", "m\u{fc}ller", "=1+1"];

/// What clients do, line by line; `Server::write` knows the words in braces.
const INBOUND: &[&str] = &[
    CONNECT,
    TLS,
    "{smtpd}: {queue}: client={client}",
    CLEANUP,
    ACTIVE,
    "{smtpd}: disconnect from {client} ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7",
    "postfix/lmtp[{process}]: {queue}: to=<{name}@example.org>, relay=mx1[private/dovecot-lmtp], delay=0.{nn}, delays=0.02/0.01/0/0.{nn}, dsn=2.0.0, status=sent (250 2.0.0 <{name}@example.org> {session} Saved)",
    REMOVED,
];
const SUBMISSION: &[&str] = &[
    CONNECT,
    TLS,
    LOGIN,
    CLEANUP,
    ACTIVE,
    "{smtpd}: disconnect from {client} ehlo=2 starttls=1 auth=1 mail=1 rcpt=1 data=1 quit=1 commands=8",
    "postfix/smtp[{process}]: {queue}: to=<{name}@{domain}>, relay=mx.{domain}[203.0.113.{nn}]:25, delay=0.{nn}, delays=0.02/0.01/0.{nn}/0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {session})",
    REMOVED,
];
const ATTACK: &[&str] = &[
    CONNECT,
    TLS,
    FAILURE,
    "{smtpd}: lost connection after AUTH from {client}",
    "{smtpd}: disconnect from {client} ehlo=1 auth=0/1 commands=1/2",
];
const SCREENED: &[&str] = &[
    "postfix/postscreen[1411]: CONNECT from [{address}]:{process} to [192.0.2.25]:25",
    "postfix/dnsblog[{process}]: addr {address} listed by domain zen.dnsbl.example as 127.0.0.4",
    "postfix/postscreen[1411]: HANGUP after 0.{nn} from [{address}]:{process} in tests before SMTP handshake",
    "postfix/postscreen[1411]: DISCONNECT [{address}]:{process}",
];
const REJECTED: &[&str] = &[
    CONNECT,
    "{smtpd}: NOQUEUE: reject: RCPT from {client}: 554 5.7.1 <{name}@{domain}>: Relay access denied; from=<spam@bad.example> to=<{name}@{domain}> proto=ESMTP helo=<mail.{domain}>",
    "{smtpd}: disconnect from {client} ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4",
];
const MAILBOX: &[&str] = &[
    "dovecot: imap-login: Login: user=<{user}>, method=PLAIN, rip={address}, lip=192.0.2.25, mpid={process}, TLS, session=<{session}>",
    "dovecot: imap({user})<{process}><{session}>: Disconnected: Logged out in=9{nn} out=31{nn} deleted=0 expunged=0 trashed=0 hdr_count=0 hdr_bytes=0 body_count=0 body_bytes=0",
];
const MAILBOX_REFUSED: &[&str] = &[
    "dovecot: imap-login: Disconnected: Aborted login by logging out (auth failed, 1 attempts in 2 secs): user=<{name}>, method=PLAIN, rip={address}, lip=192.0.2.25, TLS, session=<{session}>",
];
const STATISTICS: &[&str] = &[
    "postfix/anvil[{process}]: statistics: max connection rate 1{nn}/60s for (smtp:{address}) at Nov  1 06:25:00",
    "postfix/anvil[{process}]: statistics: max cache size 1{nn} at Nov  1 06:25:00",
];

const CONNECT: &str = "{smtpd}: connect from {client}";
const TLS: &str = "{smtpd}: Anonymous TLS connection established from {client}: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256";
const CLEANUP: &str =
    "postfix/cleanup[{process}]: {queue}: message-id=<{session}.{queue}@{domain}>";
const ACTIVE: &str =
    "postfix/qmgr[1207]: {queue}: from=<{user}>, size=8{nn}, nrcpt=1 (queue active)";
const REMOVED: &str = "postfix/qmgr[1207]: {queue}: removed";

/// These two are written when their share of the log asks for them; a client waits at this step.
const LOGIN: &str = "{smtpd}: {queue}: client={client}, sasl_method=PLAIN, sasl_username={user}";
const FAILURE: &str =
    "{smtpd}: warning: {client}: SASL {mechanism} authentication failed: {reason}";
const READY: usize = 2;

/// Postfix before 3.7.8 names no user, and gives the server's last prompt as the reason.
const REASONS: [&str; 10] = [
    "UGFzc3dvcmQ6",
    "UGFzc3dvcmQ6",
    "VXNlcm5hbWU6",
    "Invalid authentication mechanism, sasl_username=(unavailable)",
    GUESSED,
    GUESSED,
    GUESSED,
    GUESSED,
    GUESSED,
    GUESSED,
];
const GUESSED: &str = "(reason unavailable), sasl_username={guess}";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((bytes, failures, logins, rfc3339, seed)) = parse(&arguments) else {
        eprintln!("{USAGE}");
        std::process::exit(2);
    };
    let mut server = Server::new(Random(seed), failures, logins);
    let mut clock = Clock::new(bytes, rfc3339);
    if let Err(error) = write_log(bytes, &mut server, &mut clock) {
        eprintln!("make_log: cannot write: {error}");
        std::process::exit(1);
    }
    let Counts { failures, logins, lines } = server.counts;
    eprintln!("failures {failures} logins {logins} lines {lines}");
}

fn parse(arguments: &[String]) -> Option<(u64, f64, f64, bool, u64)> {
    let [bytes, failures, logins, format, seed @ ..] = arguments else { return None };
    let rfc3339 = match format.as_str() {
        "bsd" => false,
        "rfc3339" => true,
        _ => return None,
    };
    let seed = match seed {
        [] => 1,
        [seed] => seed.parse().ok()?,
        _ => return None,
    };
    Some((bytes.parse().ok()?, failures.parse().ok()?, logins.parse().ok()?, rfc3339, seed))
}

fn write_log(bytes: u64, server: &mut Server, clock: &mut Clock) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let mut buffer = Vec::with_capacity(FLUSH_BYTES + 4096);
    let mut written = 0;
    while written + (buffer.len() as u64) < bytes {
        let stamp = clock.at(written + buffer.len() as u64);
        server.line(stamp, &mut buffer);
        if buffer.len() >= FLUSH_BYTES {
            out.write_all(&buffer)?;
            written += buffer.len() as u64;
            buffer.clear();
        }
    }
    out.write_all(&buffer)?;
    out.flush()
}

/// xorshift64*, by Sebastiano Vigna: small, fast, the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Low numbers more often, as a few clients and accounts make most of the traffic.
    fn skewed(&mut self, limit: usize) -> usize {
        self.below(limit).min(self.below(limit))
    }
}

/// Turns a position in the log into the time stamp and host name that begin its line.
struct Clock {
    rfc3339: bool,
    start_us: u64,
    us_per_byte: f64,
    second: u64,
    text: Vec<u8>,
}

impl Clock {
    fn new(bytes: u64, rfc3339: bool) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let end = (now / DAY).saturating_sub(1) * DAY;
        let span_us = SPAN_DAYS * DAY * 1_000_000;
        let us_per_byte = span_us as f64 / bytes.max(1) as f64;
        Self {
            rfc3339,
            start_us: end * 1_000_000 - span_us,
            us_per_byte,
            second: 0,
            text: Vec::new(),
        }
    }

    fn at(&mut self, position: u64) -> &[u8] {
        let us = self.start_us + (position as f64 * self.us_per_byte) as u64;
        let second = us / 1_000_000;
        if self.rfc3339 || second != self.second {
            self.second = second;
            self.text.clear();
            let (year, month, day) = civil(second / DAY);
            let (hour, minute, rest) = (second / 3600 % 24, second / 60 % 60, second % 60);
            let text = &mut self.text;
            let result = if self.rfc3339 {
                let fraction = us % 1_000_000;
                write!(
                    text,
                    "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{rest:02}.{fraction:06}+00:00 mx1 "
                )
            } else {
                let month = &"JanFebMarAprMayJunJulAugSepOctNovDec"[month as usize * 3 - 3..][..3];
                write!(text, "{month} {day:>2} {hour:02}:{minute:02}:{rest:02} mx1 ")
            };
            result.expect("a Vec takes every write");
        }
        &self.text
    }
}

/// Days since 1970 to a date; Howard Hinnant's `civil_from_days`.
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + u64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

struct Counts {
    failures: u64,
    logins: u64,
    lines: u64,
}

/// What one client does, from its connection to its end; each step is one line of the log.
struct Conversation {
    lines: &'static [&'static str],
    step: usize,
    process: usize,
    service: &'static str,
    number: u64,
    client: String,
    account: usize,
}

struct Server {
    random: Random,
    failure_share: f64,
    login_share: f64,
    attackers: Vec<String>,
    peers: Vec<String>,
    accounts: Vec<String>,
    networks: Vec<[String; 4]>,
    active: Vec<Conversation>,
    ready_logins: VecDeque<Conversation>,
    ready_failures: VecDeque<Conversation>,
    counts: Counts,
}

impl Server {
    fn new(seed: Random, failure_percent: f64, login_percent: f64) -> Self {
        // xorshift stays at zero for ever, and small seeds begin with alike numbers.
        let mut random = Random(seed.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        for _ in 0..16 {
            random.next();
        }
        let attackers = (0..8000).map(|n| client(&mut random, n % 12 == 0)).collect();
        let peers = (0..3000).map(|n| client(&mut random, n % 5 == 0)).collect();
        let accounts =
            (0..300).map(|n| format!("{}{}@{}", NAMES[n % 40], n / 40, DOMAINS[n % 3])).collect();
        let networks =
            (0..300).map(|_| [0, 1, 2, 3].map(|n| network(&mut random, n == 3))).collect();
        Self {
            random,
            failure_share: failure_percent / 100.0,
            login_share: login_percent / 100.0,
            attackers,
            peers,
            accounts,
            networks,
            active: Vec::new(),
            ready_logins: VecDeque::new(),
            ready_failures: VecDeque::new(),
            counts: Counts { failures: 0, logins: 0, lines: 0 },
        }
    }

    fn line(&mut self, stamp: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(stamp);
        let draw = (self.random.next() >> 11) as f64 / (1u64 << 53) as f64;
        if draw < self.failure_share {
            self.failure(out);
        } else if draw < self.failure_share + self.login_share {
            self.login(out);
        } else {
            self.background(out);
        }
        out.push(b'\n');
        self.counts.lines += 1;
    }

    fn failure(&mut self, out: &mut Vec<u8>) {
        let mut attack =
            self.ready_failures.pop_front().unwrap_or_else(|| self.begin_ready(ATTACK));
        self.write(FAILURE, &attack, out);
        self.counts.failures += 1;
        // Many clients try again on the same connection.
        if self.random.one_in(3) {
            self.ready_failures.push_back(attack);
        } else {
            attack.step += 1;
            self.resume(attack);
            let next = self.begin(ATTACK);
            self.resume(next);
        }
    }

    fn login(&mut self, out: &mut Vec<u8>) {
        let mut mail =
            self.ready_logins.pop_front().unwrap_or_else(|| self.begin_ready(SUBMISSION));
        self.write(LOGIN, &mail, out);
        self.counts.logins += 1;
        mail.step += 1;
        self.resume(mail);
        let next = self.begin(SUBMISSION);
        self.resume(next);
    }

    /// One line of a conversation that is under way, or of a new one.
    fn background(&mut self, out: &mut Vec<u8>) {
        if self.active.len() < BUSY {
            let lines = match self.random.below(20) {
                0..=7 => INBOUND,
                8..=11 => SCREENED,
                12..=13 => REJECTED,
                14..=17 => MAILBOX,
                18 => MAILBOX_REFUSED,
                _ => STATISTICS,
            };
            let new = self.begin(lines);
            self.active.push(new);
        }
        let index = self.random.below(self.active.len());
        let mut conversation = self.active.swap_remove(index);
        self.write(conversation.lines[conversation.step], &conversation, out);
        conversation.step += 1;
        match conversation.lines.get(conversation.step) {
            Some(&FAILURE) => self.ready_failures.push_back(conversation),
            Some(&LOGIN) => self.ready_logins.push_back(conversation),
            Some(_) => self.active.push(conversation),
            None => {}
        }
    }

    fn resume(&mut self, conversation: Conversation) {
        if self.active.len() < CROWDED {
            self.active.push(conversation);
        }
    }

    fn begin(&mut self, lines: &'static [&'static str]) -> Conversation {
        let random = &mut self.random;
        let account = random.skewed(self.accounts.len());
        let client = if lines == ATTACK {
            self.attackers[random.skewed(self.attackers.len())].clone()
        } else if lines == SUBMISSION || lines == MAILBOX {
            let network = random.pick(&self.networks[account]);
            format!("unknown[{network}{}]", random.below(200) + 1)
        } else {
            self.peers[random.skewed(self.peers.len())].clone()
        };
        let service = if lines == INBOUND { "smtpd" } else { random.pick(&SERVICES) };
        let process = 1000 + random.below(60_000);
        Conversation {
            lines,
            step: 0,
            process,
            service,
            number: random.next() >> 24,
            client,
            account,
        }
    }

    /// A conversation whose first lines the log does not hold, when none waits for its turn.
    fn begin_ready(&mut self, lines: &'static [&'static str]) -> Conversation {
        Conversation { step: READY, ..self.begin(lines) }
    }

    /// Writes a line, with the words in braces filled in.
    fn write(&mut self, line: &str, talk: &Conversation, out: &mut Vec<u8>) {
        let mut pieces = line.split(['{', '}']);
        while let Some(text) = pieces.next() {
            out.extend_from_slice(text.as_bytes());
            let Some(word) = pieces.next() else { break };
            self.fill_in(word, talk, out);
        }
    }

    fn fill_in(&mut self, word: &str, talk: &Conversation, out: &mut Vec<u8>) {
        let &Conversation { process, service, number, ref client, account, .. } = talk;
        let choice = number as usize;
        let written = match word {
            "smtpd" => write!(out, "postfix/{service}[{process}]"),
            "process" => write!(out, "{process}"),
            "client" => out.write_all(client.as_bytes()),
            "address" => {
                let start = client.find('[').map_or(0, |bracket| bracket + 1);
                out.write_all(client[start..].trim_end_matches(']').as_bytes())
            }
            "queue" => write!(out, "{number:010X}"),
            "session" => write!(out, "{number:016x}"),
            "nn" => write!(out, "{:02}", number % 90),
            "user" => out.write_all(self.accounts[account].as_bytes()),
            "name" => out.write_all(NAMES[choice % NAMES.len()].as_bytes()),
            "domain" => out.write_all(DOMAINS[choice % DOMAINS.len()].as_bytes()),
            "mechanism" => out.write_all(if self.random.one_in(4) { b"PLAIN" } else { b"LOGIN" }),
            "reason" => {
                let reason = *self.random.pick(&REASONS);
                self.write(reason, talk, out);
                Ok(())
            }
            "guess" => self.guess(out),
            _ => unreachable!("no line has the word {word}"),
        };
        written.expect("a Vec takes every write");
    }

    /// A user name that somebody tries.
    fn guess(&mut self, out: &mut Vec<u8>) -> std::io::Result<()> {
        let name = self.random.pick(&NAMES);
        let domain = self.random.pick(&DOMAINS);
        match self.random.below(200) {
            0 => out.write_all(self.random.pick(&AWKWARD).as_bytes()),
            1..=70 => write!(out, "{name}"),
            71..=130 => write!(out, "{name}@{domain}"),
            131..=170 => write!(out, "{name}.{}@{domain}", self.random.below(5000)),
            _ => out.write_all(self.random.pick(&self.accounts).as_bytes()),
        }
    }
}

/// A client as Postfix writes it, `name[address]`: half of them have no reverse name.
fn client(random: &mut Random, ipv6: bool) -> String {
    let address = format!("{}{}", network(random, ipv6), random.below(250) + 1);
    match random.below(8) {
        0..=3 => format!("unknown[{address}]"),
        4 if !ipv6 => format!("{}.dsl.isp.example[{address}]", address.replace('.', "-")),
        5 if !ipv6 => format!("host-{address}.cloud.example[{address}]"),
        _ => format!("mail{}.{}[{address}]", random.below(900), random.pick(&DOMAINS)),
    }
}

/// A /24 or /64, written so that a last number makes it an address in canonical form.
fn network(random: &mut Random, ipv6: bool) -> String {
    if ipv6 {
        format!("2001:db8:{:x}:{:x}::", random.below(0xFFFE) + 1, random.below(0xFFFE) + 1)
    } else {
        let first = 11 + random.below(100);
        format!("{first}.{}.{}.", random.below(256), random.below(256))
    }
}
