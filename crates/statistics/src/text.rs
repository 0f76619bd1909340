//! Formatting of numbers for messages, tables and figures: decimals, magnitudes, p-values, times. Data files have full precision.
//!
//! Estimates of a plan are rounded more ([`rough_duration`], [`rough_p`]) than measured values ([`duration`], [`p_value`]).
//!
//! ```
//! use statistics::text::{duration, plus_minus, rough_duration};
//! assert_eq!(plus_minus(1.6684, 0.0123), "1.668 ± 0.012");
//! assert_eq!((rough_duration(100.0), duration(100.0 / 3600.0)), ("2 min".into(), "100 s".into()));
//! ```

/// Number of decimals for a half-width: 3, or up to 5 so that it has a non-zero digit.
#[must_use]
pub fn decimals(half_width: f64) -> usize {
    match half_width.abs() {
        w if w >= 0.0005 || w == 0.0 || !w.is_finite() => 3,
        w if w >= 0.00005 => 4,
        _ => 5,
    }
}

/// `1.668 ± 0.012`.
#[must_use]
pub fn plus_minus(mean: f64, half_width: f64) -> String {
    let digits = decimals(half_width);
    format!("{mean:.digits$} ± {half_width:.digits$}")
}

/// `+0.021 ± 0.006`, always with a sign (U+2212 for minus).
#[must_use]
pub fn signed(mean: f64, half_width: f64) -> String {
    let sign = if mean < 0.0 { '\u{2212}' } else { '+' };
    format!("{sign}{}", plus_minus(mean.abs(), half_width))
}

/// p-value with two significant digits: `0.016`, `0.25`, `< 0.0001`.
#[must_use]
pub fn p_value(p: f64) -> String {
    match p {
        p if p < 0.0001 => "< 0.0001".into(),
        p if p < 0.001 => format!("{p:.5}"),
        p if p < 0.01 => format!("{p:.4}"),
        p if p < 0.1 => format!("{p:.3}"),
        p => format!("{p:.2}"),
    }
}

/// `p = 0.016` or `p < 0.0001`.
#[must_use]
pub fn p_equals(p: f64) -> String {
    let text = p_value(p);
    if text.starts_with('<') { format!("p {text}") } else { format!("p = {text}") }
}

/// A magnitude: `0.5 million`, `3.2 billion`, `48,000`.
#[must_use]
pub fn magnitude(value: f64) -> String {
    let short = |v: f64| {
        let text = format!("{v:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    if value >= 1e9 {
        format!("{} billion", short(value / 1e9))
    } else if value >= 1e5 {
        format!("{} million", short(value / 1e6))
    } else {
        thousands(value)
    }
}

/// p-value with at most four decimals, never 0: `0.0313`, `< 0.0001`.
#[must_use]
pub fn rough_p(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".to_owned() } else { format!("{}", (p * 1e4).round() / 1e4) }
}

/// An estimated time in seconds: `40 s`, `12 min`, `3.5 h`, `2.1 days`.
#[must_use]
pub fn rough_duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}

/// A measured time in hours, with a suitable unit: `24 s`, `8 min`, `3.2 h`.
#[must_use]
pub fn duration(hours: f64) -> String {
    let seconds = hours * 3600.0;
    match seconds {
        s if !s.is_finite() => "-".into(),
        s if s < 9.95 => format!("{s:.1} s"),
        s if s < 119.5 => format!("{s:.0} s"),
        s if s < 7170.0 => format!("{:.0} min", s / 60.0),
        s if s < 359_640.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.0} h", s / 3600.0),
    }
}

/// An integer with thousands separators: `1,234,567`.
#[must_use]
pub fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with metric suffix for axes and narrow columns: `250`, `1.5k`, `86M`, `2G`.
#[must_use]
pub fn brief(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        v if v >= 1e9 => (value / 1e9, "G"),
        v if v >= 1e6 => (value / 1e6, "M"),
        v if v >= 1e3 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = if scaled.abs() >= 100.0 { format!("{scaled:.0}") } else { format!("{scaled:.3}") };
    let text = if text.contains('.') {
        let rounded = match scaled.abs() {
            v if v >= 10.0 => format!("{scaled:.1}"),
            _ => format!("{scaled:.2}"),
        };
        rounded.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    };
    format!("{text}{unit}")
}

/// `a`, `a and b`, `a, b and c`.
#[must_use]
pub fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [front @ .., last] => format!("{} and {last}", front.join(", ")),
    }
}

/// `1 seed`, `7 seeds`.
#[must_use]
pub fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_formatted() {
        assert_eq!(plus_minus(1.6684, 0.0123), "1.668 ± 0.012");
        assert_eq!(plus_minus(1.6684, 0.0001), "1.6684 ± 0.0001");
        assert_eq!(signed(-0.021, 0.006), "−0.021 ± 0.006");
        assert_eq!(
            (p_value(0.015625), p_value(0.25), p_equals(1e-6)),
            ("0.016".into(), "0.25".into(), "p < 0.0001".into())
        );
        assert_eq!(
            (magnitude(500_000.0), magnitude(48_000.0), magnitude(3.2e9)),
            ("0.5 million".into(), "48,000".into(), "3.2 billion".into())
        );
        let times: Vec<String> = [0.4, 24.0, 480.0, 11_520.0, 720_000.0].iter().map(|s| duration(s / 3600.0)).collect();
        assert_eq!(times, ["0.4 s", "24 s", "8 min", "3.2 h", "200 h"]);
        let rough: Vec<String> = [40.0, 720.0, 12_600.0, 181_440.0].map(rough_duration).to_vec();
        assert_eq!(rough, ["40 s", "12 min", "3.5 h", "2.1 days"]);
        assert_eq!([0.03125, 0.00001].map(rough_p), ["0.0313", "< 0.0001"]);
        assert_eq!(thousands(1_234_567.0), "1,234,567");
        assert_eq!(thousands(123.0), "123");
        let briefs: Vec<String> = [250.0, 1500.0, 86e6, 2e9, 0.25, 3.846, 12.34].iter().map(|v| brief(*v)).collect();
        assert_eq!(briefs, ["250", "1.5k", "86M", "2G", "0.25", "3.85", "12.3"]);
        assert_eq!(list(&["a".into(), "b".into(), "c".into()]), "a, b and c");
        assert_eq!(count(1, "seed"), "1 seed");
    }
}
