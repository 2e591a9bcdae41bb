//! How numbers are written: grouped for reading, short for charts.

/// In groups of three: `12,311`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number with its noun: `1 line`, `12,311 lines`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// How often something comes, by the seconds between: `every 15 min`, `every 3 h`.
pub fn rhythm(seconds: i64) -> String {
    const DAY: i64 = 86_400;
    match seconds {
        ..=89 => format!("every {seconds} s"),
        90..=5399 => format!("every {} min", (seconds + 30) / 60),
        5400..=172_799 => format!("every {} h", (seconds + 1800) / 3600),
        _ => format!("every {} days", (seconds + DAY / 2) / DAY),
    }
}

/// In at most six characters, for the scale of a chart: `950`, `9,500`, `95k`, `1.2M`.
pub(super) fn compact(number: u64) -> String {
    const UNITS: [(u64, &str); 6] = [
        (1_000_000_000_000_000_000, "E"),
        (1_000_000_000_000_000, "P"),
        (1_000_000_000_000, "T"),
        (1_000_000_000, "G"),
        (1_000_000, "M"),
        (1_000, "k"),
    ];
    let unit = UNITS.iter().find(|(size, _)| number >= *size);
    match unit {
        Some((size, name)) if number >= 10_000 => {
            let (whole, tenth) = (number / size, number % size / (size / 10));
            if whole >= 10 || tenth == 0 {
                format!("{whole}{name}")
            } else {
                format!("{whole}.{tenth}{name}")
            }
        }
        _ => grouped(number),
    }
}

/// The share of a whole, rounded: `38 %`; what is more than nothing is at least `< 1 %`.
pub(super) fn percent(part: u64, whole: u64) -> String {
    let (part, whole) = (u128::from(part), u128::from(whole.max(1)));
    match (part * 200 + whole) / (whole * 2) {
        0 if part > 0 => "< 1 %".to_owned(),
        rounded => format!("{rounded} %"),
    }
}

/// A number of hundredths, with as many decimals as it needs: `4`, `4.5`.
pub(super) fn hundredths(number: u64) -> String {
    let (whole, rest) = (grouped(number / 100), number % 100);
    match rest {
        0 => whole,
        rest if rest % 10 == 0 => format!("{whole}.{}", rest / 10),
        rest => format!("{whole}.{rest:02}"),
    }
}

/// A file size in units of 1024, one decimal: `241.1K`.
pub(super) fn size(bytes: u64) -> String {
    let mut tenths = u128::from(bytes) * 10;
    for unit in ["B", "K", "M", "G", "T"] {
        if tenths < 10_240 {
            return match unit {
                "B" => format!("{bytes}B"),
                _ => format!("{}.{}{unit}", tenths / 10, tenths % 10),
            };
        }
        tenths = (tenths + 512) / 1024;
    }
    format!("{}P", grouped(u64::try_from(tenths / 10).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_shortened() {
        assert_eq!(["0", "999", "1,000", "12,311"], [0, 999, 1000, 12_311].map(grouped)[..]);
        assert_eq!(grouped(u64::MAX), "18,446,744,073,709,551,615");
        let shown = [950, 9_500, 95_000, 1_250_000, u64::MAX].map(compact);
        assert_eq!(["950", "9,500", "95k", "1.2M", "18E"], shown[..]);
    }

    #[test]
    fn shares_are_rounded_but_never_to_nothing() {
        assert_eq!(percent(0, 0), "0 %");
        assert_eq!(percent(1, 1000), "< 1 %");
        assert_eq!(percent(138, 368), "38 %");
        assert_eq!(percent(u64::MAX, u64::MAX), "100 %");
    }

    #[test]
    fn sizes_and_medians_are_short() {
        assert_eq!([0, 1023, 246_886, 5 << 30].map(size), ["0B", "1023B", "241.1K", "5.0G"]);
        assert_eq!(size(u64::MAX), "16,384P");
        assert_eq!([0, 400, 450, 425, 5].map(hundredths), ["0", "4", "4.5", "4.25", "0.05"]);
    }
}
