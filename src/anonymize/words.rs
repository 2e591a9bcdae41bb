//! The words that may stay: those of mail servers' own messages, and the commonest of English.
//!
//! `words.txt` was made of the message texts in the sources of Postfix 3.11 and Dovecot 2.4, and of
//! what other programs around them log; names of people and accounts were taken out. A word that is
//! missing there becomes a placeholder: that costs a little sense, while one too many might tell
//! a secret.

use std::collections::HashSet;

const LIST: &str = include_str!("words.txt");
/// No word of the list is longer.
const LONGEST: usize = 20;

/// The list, ready to be asked.
pub(super) struct Words(HashSet<&'static [u8], foldhash::fast::RandomState>);

impl Words {
    pub(super) fn new() -> Self {
        Self(LIST.split_ascii_whitespace().map(str::as_bytes).collect())
    }

    /// Whether `word` is one of them, in whatever case.
    pub(super) fn contain(&self, word: &[u8]) -> bool {
        let mut lower = [0; LONGEST];
        let Some(lower) = lower.get_mut(..word.len()) else { return false };
        lower.copy_from_slice(word);
        lower.make_ascii_lowercase();
        self.0.contains(&*lower)
    }

    /// Whether `word` is made of words of the list and of numbers: `TLS_AES_256_GCM`, `60s`.
    ///
    /// Not with four numbers, `host-192-0-2-1`, unless it is a version.
    pub(super) fn make_up(&self, word: &[u8]) -> bool {
        let mut numbers = 0;
        let parts = word.split(|b| b"._-+".contains(b)).filter(|part| !part.is_empty());
        let mut known = parts.map(|part| {
            let is_number = is_number(part) || is_amount(part);
            numbers += usize::from(is_number);
            is_number || self.contain(part)
        });
        known.all(|known| known)
            && (numbers < 4 || numbers == 4 && matches!(word, [b'v', b'0'..=b'9', ..]))
    }
}

fn is_number(part: &[u8]) -> bool {
    part.iter().all(u8::is_ascii_digit)
}

/// A number and its unit, a code of a character (`0x20`), the day and hour of a stamp (`22T21`).
fn is_amount(part: &[u8]) -> bool {
    let digits = part.iter().take_while(|b| b.is_ascii_digit()).count();
    let Some((number, unit)) = part.split_at_checked(digits) else { return false };
    match unit {
        b"s" | b"ms" | b"us" | b"m" | b"h" | b"d" | b"B" | b"K" | b"M" | b"G" | b"KB" | b"MB"
        | b"GB" | b"k" | b"th" => digits > 0,
        [b'x', code @ ..] => {
            number == b"0" && matches!(code.len(), 1..=2) && code.iter().all(u8::is_ascii_hexdigit)
        }
        [b'T', hour @ ..] => digits == 2 && hour.len() == 2 && is_number(hour),
        // `v2`, of a version.
        [b'v', version @ ..] => digits == 0 && matches!(version.len(), 1..=2) && is_number(version),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_lower_case_and_short() {
        let words: Vec<_> = LIST.split_ascii_whitespace().collect();
        assert!(words.is_sorted_by(|a, b| a < b));
        assert!(
            words.iter().all(|w| w.len() <= LONGEST && !w.bytes().any(|b| b.is_ascii_uppercase()))
        );
        assert_eq!(words.iter().map(|word| word.len()).max(), Some(LONGEST));
    }

    #[test]
    fn keywords_stay_and_names_do_not() {
        let words = Words::new();
        for kept in ["authentication", "SASL", "TLSv1.3", "TLS_AES_256_GCM_SHA384", "60s", "0x20"] {
            assert!(words.make_up(kept.as_bytes()), "{kept}");
        }
        for gone in
            ["bob", "alice", "a4b48a", "müller", "work0", "x", "UGFzc3dvcmQ6", "ip-10-0-0-7"]
        {
            assert!(!words.make_up(gone.as_bytes()), "{gone}");
        }
    }
}
