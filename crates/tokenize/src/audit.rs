//! Measurements of a tokenizer on a text, without a model.
//!
//! No number is meaningful alone: entropy is high on noise, and a long token is costly where it is wrong. The caller therefore
//! measures the same on random text (uniform, and a Markov chain fitted to the text) and reports both.
//!
//! | | |
//! |---|---|
//! | [`Composition`] | counts of tokens and bases, vocabulary usage, lengths, entropy, Rényi efficiency, unigram bits per base |
//! | [`Stability`] | changes of the tokenization on the reverse strand and after a shift, a substitution or a deletion |
//! | [`Recovery`] | agreement with the words of a text whose boundaries are known |
//! | round trip | windows that decoding restores |
//!
//! # Example
//! ```
//! use tokenize::{audit, registry};
//! let kmer = registry::builtin().parse("kmer6-nonoverlap").unwrap().fit(&mut std::iter::empty()).unwrap();
//! let window = b"ACGTTGCAACGTACCATGACCATT".repeat(5);
//! let found = audit::Audit::of(&*kmer, &[&window], 1, &mut rand_chacha::ChaCha8Rng::from_seed([1; 32]));
//! assert_eq!(found.composition.bases_per_token(), 6.0);
//! // A substitution changes one token, at every position.
//! assert_eq!(found.stability.substitution(), 6.0);
//! # use rand::SeedableRng;
//! ```

mod composition;
mod measured;
mod metric;
mod recovery;
mod stability;

pub use composition::Composition;
pub use measured::Audit;
pub use metric::{AuditMetric, Block, Column, METRICS, Panel, SpeciesTable, Unit};
pub use recovery::Recovery;
pub use stability::{Agreement, SHIFTS, Stability};

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::registry;

    fn random(length: usize, seed: u64) -> Vec<u8> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..length).map(|_| b"ACGT"[rng.random_range(0..4)]).collect()
    }

    fn audit(name: &str, windows: &[Vec<u8>]) -> Audit {
        let training: Vec<Vec<u8>> = (0..200).map(|i| random(1000, 1_000 + i)).collect();
        let recipe = registry::builtin().parse(name).unwrap();
        let tokenizer = recipe.fit(&mut training.iter().map(Vec::as_slice)).unwrap();
        Audit::of(&*tokenizer, windows, 40, &mut ChaCha8Rng::seed_from_u64(7))
    }

    /// Calibration: known values on uniform random text.
    #[test]
    fn uniform_text_has_known_values() {
        let windows: Vec<Vec<u8>> = (0..200).map(|i| random(1_000, i)).collect();
        let base = audit("base", &windows);
        let near = |value: f64, expected: f64, by: f64| assert!((value - expected).abs() <= by, "{value} {expected}");
        near(base.composition.bits_per_base(), 2.0, 1e-3);
        near(base.composition.renyi(), 1.0, 1e-3);
        assert_eq!((base.stability.reverse.jaccard(), base.stability.substitution()), (1.0, 1.0));
        assert!(
            base.stability.reverse.kappa().is_nan(),
            "every position is a boundary, so the agreement expected by chance is 1"
        );

        let blocks = audit("kmer6-nonoverlap", &windows);
        // 166 tokens of six bases and one of four; the correction restores an entropy of two bits per base.
        near(blocks.composition.bases_per_token(), 1000.0 / 167.0, 1e-9);
        near(blocks.composition.renyi(), 0.98, 0.005);
        near(blocks.stability.substitution(), 6.0, 0.1);
        // Of twelve window lengths, two are multiples of six, for which both strands agree: no better than chance.
        assert!(blocks.stability.reverse.kappa().abs() < 0.1, "{}", blocks.stability.reverse.kappa());
        assert!(blocks.stability.resync() > 900.0 && blocks.stability.deletion() > 200.0);

        let sliding = audit("kmer6", &windows);
        near(sliding.composition.bits_per_base(), 2.0, 1e-3);
        // Short windows change the sample only.
        let short: Vec<Vec<u8>> = windows.iter().flat_map(|window| window.chunks(20).map(<[u8]>::to_vec)).collect();
        near(audit("kmer6", &short).composition.bits_per_base(), 2.0, 2e-3);
        assert!(sliding.composition.unseen() < 1e-3);
        near(sliding.stability.substitution(), 11.0, 0.1);
        near(sliding.composition.overlap(), 5.97, 0.01);

        // Of a million possible 10-mers about 199,000 occur, most of them once: a fraction exp(-n/4^10) of further tokens would be
        // new.
        let long = audit("kmer10", &windows);
        near(long.composition.unseen(), (-198_200.0 / 1_048_576.0f64).exp(), 0.01);
        assert!(long.composition.bits_per_base() < 1.9);

        let bpe = audit("bpe512", &windows);
        assert!((2.05..2.15).contains(&bpe.composition.bits_per_base()), "{}", bpe.composition.bits_per_base());
        assert!((3.5..4.0).contains(&bpe.composition.bases_per_token()));
        assert!((0.7..0.85).contains(&bpe.composition.renyi()));
        assert!(bpe.stability.shift.jaccard() > 0.95 && bpe.stability.resync() < 20.0);
        assert!((0.15..0.25).contains(&bpe.stability.reverse.jaccard()));
        assert!((5.0..9.0).contains(&bpe.stability.substitution()));
        for audit in [base, blocks, sliding, bpe] {
            assert_eq!((audit.round_trips, audit.windows), (200, 200));
        }
    }

    #[test]
    fn audits_merge_and_are_reproducible() {
        let windows: Vec<Vec<u8>> = (0..20).map(|i| random(300, i)).collect();
        let whole = audit("bpe512", &windows);
        assert_eq!(whole, audit("bpe512", &windows));
        let (mut first, second) = (audit("bpe512", &windows[..10]), audit("bpe512", &windows[10..]));
        first.merge(&second);
        assert_eq!(first.composition, whole.composition);
        assert_eq!(first.windows, 20);
    }

    #[test]
    fn empty_input_does_not_panic() {
        // An undefined number is NaN; defined ones are correct.
        let defined = |windows: &[&[u8]]| -> Vec<(&str, f64)> {
            let found = audit("kmer3", &windows.iter().map(|window| window.to_vec()).collect::<Vec<_>>());
            let all = METRICS.iter().map(|metric| (metric.name, (metric.value)(&found)));
            all.filter(|(_, value)| !value.is_nan()).collect()
        };
        assert_eq!(defined(&[]), [("used", 0.0), ("used_100", 0.0)]);
        assert_eq!(defined(&[b""]), [("used", 0.0), ("used_100", 0.0), ("round_trip", 1.0)]);
        // One token of one base, which is not a 3-mer: no boundary inside, nothing to change around it.
        let one = [("bases_per_token", 1.0), ("overlap", 1.0), ("used", 0.0), ("used_100", 0.0), ("types_50", 1.0)];
        let more = [("types_90", 1.0), ("types_99", 1.0), ("entropy", 0.0), ("unseen", 1.0), ("bits_per_base", 0.0)];
        for window in [b"A", b"N"] {
            assert_eq!(defined(&[window]), [&one[..], &more[..], &[("round_trip", 1.0)]].concat());
        }
    }
}
