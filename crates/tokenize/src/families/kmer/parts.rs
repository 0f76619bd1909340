//! Parts of a sequence whose words, side by side, are the words of the whole.

use std::ops::Range;

use dna::is_base;

use super::Kmer;

/// Places at which the end of a part is tried.
const TRIES: usize = 64;

impl Kmer {
    /// Parts of a sequence that can be cut on their own: their tokens, one part after the other, are those of the whole. They begin
    /// about `every` bases apart, and overlap where words do.
    ///
    /// ```
    /// use tokenize::kmer;
    /// let words = kmer::named("kmer6").unwrap();
    /// assert_eq!(words.parts(b"ACGTTGCATCAGATTA", 8), [0..8, 3..11, 6..14, 9..16]);
    /// ```
    ///
    /// # Panics
    /// If `every` is 0.
    #[must_use]
    pub fn parts(&self, bases: &[u8], every: usize) -> Vec<Range<usize>> {
        assert!(every > 0, "parts of no bases");
        let (mut parts, mut from, mut near) = (Vec::new(), 0, every);
        while near < bases.len() {
            let tries = (near.saturating_sub(TRIES).max(from + 1)..=near).rev();
            match tries.filter_map(|to| self.part(bases, from, to)).next() {
                Some((to, next)) => {
                    parts.push(from..to);
                    from = next;
                    near = from + every;
                }
                None => near += every,
            }
        }
        if from < bases.len() || parts.is_empty() {
            parts.push(from..bases.len());
        }
        parts
    }

    /// Where a part that begins at `from` may end, at or in front of `to`, and where the next one begins.
    fn part(&self, bases: &[u8], from: usize, to: usize) -> Option<(usize, usize)> {
        let begin = bases[from..to].iter().rposition(|&base| !is_base(base)).map_or(from, |other| from + other + 1);
        if begin == to {
            // Behind another letter everything begins anew, the grid of strides aside.
            return (self.stride == self.k || to.is_multiple_of(self.stride)).then_some((to, to));
        }
        // The last whole word of the stretch in front of `to` ends the part; the one after it begins the next.
        let first = self.first(begin, to);
        let words = (to.checked_sub(first + self.k)? / self.stride) + 1;
        let next = first + words * self.stride;
        // What is left behind the last word of a stretch begins where that word ends: so the next one must be whole.
        let whole = self.stride == self.k || bases.get(to..next + self.k)?.iter().all(|&base| is_base(base));
        (whole && next > from).then_some((next - self.stride + self.k, next))
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::MOST;
    use super::*;
    use crate::{Token, Tokenizer};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_have_the_tokens_of_the_whole(
            bases in prop::collection::vec(prop::sample::select(b"ACGTACGTACGTACGTACGTACGTN".to_vec()), 0..300), every in 1usize..90,
        ) {
            for (k, stride) in (1..=MOST).flat_map(|k| (1..=k).map(move |stride| (k, stride))) {
                let kmer = Kmer::new("kmer".to_owned(), k, stride);
                let (mut whole, mut part, mut tokens) = (Vec::new(), Vec::new(), Vec::new());
                kmer.encode(&bases, &mut whole);
                for range in kmer.parts(&bases, every) {
                    kmer.encode(&bases[range.clone()], &mut part);
                    let from = range.start as u32;
                    tokens.extend(part.iter().map(|t| Token { id: t.id, start: t.start + from, end: t.end + from }));
                }
                prop_assert_eq!(&tokens, &whole, "{} {} {}", k, stride, every);
            }
        }
    }

    #[test]
    fn parts_are_about_as_long_as_asked_for() {
        let bases: Vec<u8> = b"ACGTTGCATCAG".repeat(1000);
        for kmer in [Kmer::new("a".into(), 6, 1), Kmer::new("b".into(), 6, 6), Kmer::new("c".into(), 12, 5)] {
            let parts = kmer.parts(&bases, 1000);
            assert!(parts.iter().all(|part| part.len() <= 1000 + MOST), "{}", kmer.name());
            assert!((12..=13).contains(&parts.len()), "{}: {}", kmer.name(), parts.len());
        }
    }
}
