//! Names: of the accounts, of what attackers try, and how both spell them.
//!
//! A server either uses full addresses as login names or bare names (by seed). One account in eight
//! is a role (info, office, ...), the others are first.last, f.last or first. Attackers try names
//! of three sources: addresses that exist (from web pages and stolen address books), the popular
//! names of every word list, and addresses that once existed or never did. Popular names are the
//! same for all attackers, so that unrelated campaigns share them.

use super::rng::Rng;

pub const POPULAR: [&str; 40] = [
    "admin",
    "info",
    "test",
    "sales",
    "support",
    "contact",
    "office",
    "postmaster",
    "webmaster",
    "mail",
    "user",
    "scanner",
    "backup",
    "root",
    "service",
    "noreply",
    "marketing",
    "hr",
    "billing",
    "accounts",
    "help",
    "guest",
    "demo",
    "scan",
    "fax",
    "reception",
    "webmail",
    "newsletter",
    "manager",
    "finance",
    "account",
    "jobs",
    "ftp",
    "www",
    "oracle",
    "printer",
    "spam",
    "abuse",
    "administrator",
    "team",
];
const ROLES: [&str; 12] = [
    "info",
    "office",
    "admin",
    "sales",
    "support",
    "billing",
    "contact",
    "scanner",
    "hr",
    "postmaster",
    "newsletter",
    "jobs",
];
const FIRST: [&str; 48] = [
    "anna", "peter", "maria", "thomas", "julia", "michael", "laura", "david", "sarah", "paul",
    "eva", "martin", "lisa", "daniel", "nina", "robert", "karin", "stefan", "emma", "felix",
    "claire", "hugo", "marta", "jan", "sofia", "lukas", "alice", "oscar", "irene", "victor",
    "helen", "george", "diana", "simon", "petra", "frank", "monika", "tim", "olga", "max", "ines",
    "leo", "carla", "adam", "ruth", "ben", "vera", "noah",
];
const LAST: [&str; 48] = [
    "berger", "martin", "novak", "schmidt", "dubois", "smith", "keller", "rossi", "jansen",
    "kowalski", "meyer", "brown", "fischer", "bernard", "visser", "wagner", "taylor", "moreau",
    "hoffmann", "bakker", "lang", "walker", "roux", "vogel", "mulder", "baker", "krause",
    "fontaine", "huber", "wood", "peters", "lambert", "winter", "clark", "simon", "brandt",
    "leroy", "sommer", "green", "haas", "nowak", "turner", "girard", "frey", "cook", "blanc",
    "roth", "hill",
];
const DOMAINS: [&str; 3] = ["example.org", "example.com", "example.net"];

#[derive(Clone)]
pub struct Account {
    pub local: String,
    pub domain: &'static str,
    /// The login name, as the lines of successful logins show it.
    pub name: String,
}

pub struct Names {
    pub accounts: Vec<Account>,
    pub full: bool,
    pub domain: &'static str,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Spelling {
    Full,
    Bare,
    /// `user@domain`, then at once `user`.
    Pair,
    /// As the attacker's list happens to have it.
    Mixed,
}

impl Names {
    pub fn new(rng: &mut Rng, count: usize) -> Names {
        let full = rng.chance(0.6);
        let domain = *rng.pick(&DOMAINS);
        let mut names = Names { accounts: Vec::new(), full, domain };
        for i in 0..count {
            let mut local = if i % 8 == 0 && i / 8 < ROLES.len() {
                ROLES[i / 8].to_string()
            } else {
                person(rng)
            };
            while names.exists(&local) {
                local = format!("{}{}", person(rng), rng.range(1, 99));
            }
            let name = if full { format!("{local}@{domain}") } else { local.clone() };
            names.accounts.push(Account { local, domain, name });
        }
        names
    }

    pub fn exists(&self, local: &str) -> bool {
        self.accounts.iter().any(|a| a.local == local)
    }

    pub fn is_role(&self, account: usize) -> bool {
        ROLES.contains(&self.accounts[account].local.as_str())
    }

    /// Index of the account with this local part.
    pub fn index(&self, local: &str) -> Option<usize> {
        self.accounts.iter().position(|a| a.local == local)
    }

    /// Local parts for an attacker to try, all different: `existing` of them are accounts, and of
    /// the others `popular` (a share) come from the word list.
    pub fn targets(&self, rng: &mut Rng, count: usize, existing: f64, popular: f64) -> Vec<String> {
        let mut list: Vec<String> = Vec::new();
        for _ in 0..count * 3 {
            let name = if rng.chance(existing) {
                rng.pick(&self.accounts).local.clone()
            } else if rng.chance(popular) {
                rng.pick(&POPULAR).to_string()
            } else {
                person(rng)
            };
            if list.len() < count && !list.contains(&name) {
                list.push(name);
            }
        }
        list
    }

    /// The spellings that one try of this name sends, one after the other.
    pub fn spell(&self, rng: &mut Rng, local: &str, spelling: Spelling) -> Vec<String> {
        let full = format!("{local}@{}", self.domain);
        match spelling {
            Spelling::Full => vec![full],
            Spelling::Bare => vec![local.to_string()],
            Spelling::Pair => vec![full, local.to_string()],
            Spelling::Mixed if rng.chance(0.7) => vec![full],
            Spelling::Mixed if rng.chance(0.2) => vec![capital(&full)],
            Spelling::Mixed => vec![local.to_string()],
        }
    }

    /// A user name as its owner gets it wrong.
    pub fn mistyped(&self, rng: &mut Rng, account: usize) -> String {
        let a = &self.accounts[account];
        match rng.below(5) {
            0 if self.full => a.local.clone(),
            0 => format!("{}@{}", a.local, a.domain),
            1 => format!("{}@{}", a.local, a.domain.replace("example", "exmaple")),
            2 => a.name.to_uppercase(),
            3 => capital(&a.name),
            _ => swapped(rng, &a.name),
        }
    }
}

fn person(rng: &mut Rng) -> String {
    let (first, last) = (*rng.pick(&FIRST), *rng.pick(&LAST));
    match rng.below(5) {
        0 => format!("{}.{last}", &first[..1]),
        1 => first.to_string(),
        2 => format!("{}{last}", &first[..1]),
        _ => format!("{first}.{last}"),
    }
}

fn capital(name: &str) -> String {
    format!("{}{}", name[..1].to_uppercase(), &name[1..])
}

/// Two neighbouring letters exchanged; account names here are ASCII.
fn swapped(rng: &mut Rng, name: &str) -> String {
    let mut letters: Vec<char> = name.chars().collect();
    if letters.len() > 2 {
        let i = rng.below(letters.len() - 1);
        letters.swap(i, i + 1);
    }
    letters.into_iter().collect()
}
