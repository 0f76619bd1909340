//! Parsers of flag values: counts with a suffix k, M or G, and bounded numbers.

/// Seconds between checkpoints, 0 to 1,000,000.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if (0.0..=1e6).contains(&number) { Ok(number) } else { Err("must be between 0 and 1000000".to_owned()) }
}

/// The sampling weight of a file: a finite number above 0.
pub(super) fn weight(text: &str) -> Result<f64, String> {
    let number: f64 = text.trim().parse().map_err(|_| "not a number".to_owned())?;
    if number.is_finite() && number > 0.0 { Ok(number) } else { Err("must be a number > 0".to_owned()) }
}

/// A number of threads or of concurrent runs, 1 to 1024.
pub(super) fn threads(text: &str) -> Result<usize, String> {
    positive(text).ok().filter(|&number| number <= 1024).ok_or_else(|| "must be an integer from 1 to 1024".to_owned())
}

/// A positive integer.
pub(super) fn positive(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&number| number > 0).ok_or_else(|| "must be a positive integer".to_owned())
}

/// A count with an optional suffix k (10^3), M (10^6) or G (10^9), any case; underscores are ignored.
pub(super) fn count(text: &str) -> Result<u64, String> {
    let clean = text.replace('_', "");
    let (digits, factor) = match clean.chars().last() {
        Some('k' | 'K') => (&clean[..clean.len() - 1], 1e3),
        Some('m' | 'M') => (&clean[..clean.len() - 1], 1e6),
        Some('g' | 'G') => (&clean[..clean.len() - 1], 1e9),
        _ => (clean.as_str(), 1.0),
    };
    let number: f64 = digits.parse().map_err(|_| "not a number such as 500000, 500k or 5M".to_owned())?;
    let value = number * factor;
    if !(1.0..=1e15).contains(&value) {
        return Err("must be between 1 and 10^15".to_owned());
    }
    Ok(value.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        assert_eq!(count("500k"), Ok(500_000));
        assert_eq!(count("1.5M"), Ok(1_500_000));
        assert_eq!(count("1_000"), Ok(1000));
        assert!(count("many").is_err() && count("0").is_err() && count("-3").is_err());
    }
}
