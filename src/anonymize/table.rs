//! Which value got which placeholder: numbers in the order of appearance, or keyed hashes.
//!
//! A value is remembered by a fingerprint of 64 bits (`SipHash` with a key of the process), so that a
//! table takes 18 MB at most, whatever the length of the values. When it is full, numbered tables go
//! on with hashes, which need no memory.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::key::Key;

/// How many values are remembered: what a hash map holds in 2^20 places.
const MOST: usize = 900_000;
/// Marks a hash; the 60 bits below it are shown.
const HASHED: u64 = 1 << 63;
const HASH_BITS: u32 = 60;

/// The place of a value in its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(u64);

impl Id {
    /// `12`, or `0` and twelve letters and digits: a number never starts with 0.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        if self.0 & HASHED == 0 {
            return write_number(self.0, out);
        }
        out.push(b'0');
        for at in (0..HASH_BITS / 5).rev() {
            let digit = (self.0 >> (at * 5) & 31) as u8;
            out.push(if digit < 26 { b'a' + digit } else { b'2' + digit - 26 });
        }
    }

    /// As hexadecimal digits in capitals, ten or fifteen of them, as queue ids have.
    pub(super) fn write_hex(self, out: &mut Vec<u8>) {
        let digits = if self.0 & HASHED == 0 { 10 } else { HASH_BITS / 4 };
        for at in (0..digits).rev() {
            let digit = (self.0 >> (at * 4) & 15) as u8;
            out.push(if digit < 10 { b'0' + digit } else { b'A' + digit - 10 });
        }
    }
}

/// Writes `number` in decimal; there are millions of them.
pub(super) fn write_number(number: u64, out: &mut Vec<u8>) {
    if number >= 10 {
        write_number(number / 10, out);
    }
    out.push(b'0' + (number % 10) as u8);
}

/// The values of one kind.
pub(super) struct Table {
    purpose: &'static str,
    numbered: bool,
    known: HashMap<u64, u64, foldhash::fast::RandomState>,
    fingerprints: RandomState,
    is_full: bool,
}

impl Table {
    /// An empty one; `purpose` sets its hashes apart from those of other tables.
    pub(super) fn new(purpose: &'static str, numbered: bool) -> Self {
        Self {
            purpose,
            numbered,
            known: HashMap::default(),
            fingerprints: RandomState::new(),
            is_full: false,
        }
    }

    /// The placeholder of `value`.
    pub(super) fn id(&mut self, key: &Key, value: &[u8]) -> Id {
        let fingerprint = self.fingerprints.hash_one(value);
        if let Some(id) = self.known.get(&fingerprint) {
            return Id(*id);
        }
        let full = self.known.len() >= MOST;
        let id = if self.numbered && !full {
            self.known.len() as u64 + 1
        } else {
            HASHED | key.hash(self.purpose, &[value]) >> (64 - HASH_BITS)
        };
        if full {
            self.is_full = true;
        } else {
            self.known.insert(fingerprint, id);
        }
        Id(id)
    }

    /// How many values it knows, and whether there were more.
    pub(super) fn count(&self) -> (u64, bool) {
        (self.known.len() as u64, self.is_full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_until_the_table_is_full_and_hashed_then() {
        let key = Key::of(b"a secret");
        let mut table = Table::new("test", true);
        let mut shown = |value: u64| {
            let mut out = Vec::new();
            table.id(&key, &value.to_le_bytes()).write(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!((shown(7), shown(8), shown(7)), ("1".into(), "2".into(), "1".into()));
        for value in 0..MOST as u64 {
            shown(value);
        }
        let late = shown(u64::MAX);
        assert!(late.starts_with('0') && late.len() == 13, "{late}");
        assert_eq!((shown(u64::MAX), shown(8)), (late, "2".into()));
        assert_eq!(table.count(), (MOST as u64, true));
    }
}
