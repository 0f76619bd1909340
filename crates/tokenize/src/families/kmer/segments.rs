//! Segments of a sequence whose concatenated k-mers are those of the whole.

use std::ops::Range;

use dna::is_base;

use super::Kmer;

/// Number of positions that are tried as the end of a segment.
const TRIES: usize = 64;

impl Kmer {
    /// Segments of a sequence that can be encoded separately: their concatenated tokens are those of the whole. They start about
    /// every `every` bases, and overlap if the k-mers do.
    ///
    /// ```
    /// use tokenize::kmer;
    /// let kmers = kmer::named("kmer6").unwrap();
    /// assert_eq!(kmers.segments(b"ACGTTGCATCAGATTA", 8), [0..8, 3..11, 6..14, 9..16]);
    /// ```
    ///
    /// # Panics
    /// If `every` is 0.
    #[must_use]
    pub fn segments(&self, bases: &[u8], every: usize) -> Vec<Range<usize>> {
        assert!(every > 0, "segments must have at least 1 base");
        let (mut segments, mut from, mut near) = (Vec::new(), 0, every);
        while near < bases.len() {
            let tries = (near.saturating_sub(TRIES).max(from + 1)..=near).rev();
            match tries.filter_map(|to| self.segment_end(bases, from, to)).next() {
                Some((to, next)) => {
                    segments.push(from..to);
                    from = next;
                    near = from + every;
                }
                None => near += every,
            }
        }
        if from < bases.len() || segments.is_empty() {
            segments.push(from..bases.len());
        }
        segments
    }

    /// The end of a segment that starts at `from`, at most `to`, and the start of the next one.
    fn segment_end(&self, bases: &[u8], from: usize, to: usize) -> Option<(usize, usize)> {
        let begin = bases[from..to].iter().rposition(|&base| !is_base(base)).map_or(from, |other| from + other + 1);
        if begin == to {
            // After another letter, encoding restarts, except that starts remain multiples of the stride.
            return (self.stride == self.k || to.is_multiple_of(self.stride)).then_some((to, to));
        }
        // The last complete k-mer before `to` ends the segment; the next k-mer starts the next one.
        let first = self.first(begin, to);
        let count = (to.checked_sub(first + self.k)? / self.stride) + 1;
        let next = first + count * self.stride;
        // A remainder after the last k-mer of a run starts where that k-mer ends, so the next k-mer must be complete.
        let whole = self.stride == self.k || bases.get(to..next + self.k)?.iter().all(|&base| is_base(base));
        (whole && next > from).then_some((next - self.stride + self.k, next))
    }
}

#[cfg(test)]
mod tests {
    use super::super::codes::MAX_K;
    use super::*;
    use crate::{Token, Tokenizer};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn segments_have_the_tokens_of_the_whole(
            bases in prop::collection::vec(prop::sample::select(b"ACGTACGTACGTACGTACGTACGTN".to_vec()), 0..300), every in 1usize..90,
        ) {
            for (k, stride) in (1..=MAX_K).flat_map(|k| (1..=k).map(move |stride| (k, stride))) {
                let kmer = Kmer::new("kmer".to_owned(), k, stride);
                let (mut whole, mut segment, mut tokens) = (Vec::new(), Vec::new(), Vec::new());
                kmer.encode(&bases, &mut whole);
                for range in kmer.segments(&bases, every) {
                    kmer.encode(&bases[range.clone()], &mut segment);
                    let from = range.start as u32;
                    tokens.extend(segment.iter().map(|t| Token { id: t.id, start: t.start + from, end: t.end + from }));
                }
                prop_assert_eq!(&tokens, &whole, "{} {} {}", k, stride, every);
            }
        }
    }

    #[test]
    fn segments_have_the_requested_length() {
        let bases: Vec<u8> = b"ACGTTGCATCAG".repeat(1000);
        for kmer in [Kmer::new("a".into(), 6, 1), Kmer::new("b".into(), 6, 6), Kmer::new("c".into(), 12, 5)] {
            let segments = kmer.segments(&bases, 1000);
            assert!(segments.iter().all(|segment| segment.len() <= 1000 + MAX_K), "{}", kmer.name());
            assert!((12..=13).contains(&segments.len()), "{}: {}", kmer.name(), segments.len());
        }
    }
}
