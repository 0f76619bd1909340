//! The merges of a byte-pair encoding over A, C, G, T, and the pair rule on which all else is based: can two tokens be adjacent in
//! a tokenization?
//!
//! # Why pairs are sufficient
//! Greedy merging always merges the adjacent pair of lowest rank, the leftmost of equal ones. Take a segment of the text that
//! starts and ends at boundaries of the final tokenization. No merge ever crosses these boundaries, and the merges inside occur in
//! the order in which they would occur in the segment alone: so a segment of a tokenization is the tokenization of the segment.
//! Conversely, if every token is tokenized as itself and every two neighbors as themselves, then no merge can be the first to cross
//! a boundary, since it would also cross it in the tokenization of the two neighbors alone. So a sequence of tokens is *the*
//! tokenization of its text if and only if every two neighbors [may be adjacent](Merges::may_follow).
//!
//! # How a pair is decided
//! While the tokens `u` and `v` grow, the part that touches their common boundary from the left is first the last base of `u`, then
//! the right part of one of its merges, and so on up to `u`: the *right chain* of `u`. The same holds on the right. The boundary is
//! removed if and only if a merge of a part of the left chain with a part of the right one has its turn before either is absorbed
//! by its own token.

use rustc_hash::FxHashMap as HashMap;

/// No token, no rank: larger than all valid values.
pub(crate) const NONE: u32 = u32::MAX;

/// The merge that creates a token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    /// Rank of the last merge; 0 for a single base (ranks of merges begin at 1).
    pub(crate) rank: u32,
    /// Its left part; [`NONE`] for a single base.
    pub(crate) left: u32,
    /// Its right part.
    pub(crate) right: u32,
}

/// Tokens of A, C, G, T and the merges that create them. Ids are those of the caller, below `spelled.len()`.
#[derive(Clone, Debug)]
pub(crate) struct Merges {
    /// id -> letters 0 to 3 (A, C, T, G in the order of [`dna::letters::ascii_bits`]); empty for an id that cannot occur in a
    /// tokenization of DNA.
    spelled: Vec<Vec<u8>>,
    made: Vec<Made>,
    /// (left, right) -> rank and token.
    ranks: HashMap<(u32, u32), (u32, u32)>,
}

impl Merges {
    /// Builds the merges from `(left, right, token)` in order of rank. `spelling` gives the letters of an id, `None` for ids that
    /// are not DNA. `None` if a base has no token, or if a merge precedes the merges that create its parts: then parts do not grow
    /// in order of rank, and the pair rule is not valid.
    pub(crate) fn new(spelling: &[Option<Vec<u8>>], merges: &[(u32, u32, u32)]) -> Option<Merges> {
        let mut single = [NONE; 4];
        for (id, letters) in spelling.iter().enumerate() {
            if let Some([letter]) = letters.as_deref() {
                single[*letter as usize] = id as u32;
            }
        }
        if single.contains(&NONE) {
            return None;
        }
        let mut ranks = HashMap::with_capacity_and_hasher(merges.len(), rustc_hash::FxBuildHasher);
        for (number, &(left, right, token)) in merges.iter().enumerate() {
            ranks.insert((left, right), (number as u32 + 1, token));
        }
        let nothing = Made { rank: 0, left: NONE, right: NONE };
        let mut all = Merges { spelled: vec![Vec::new(); spelling.len()], made: vec![nothing; spelling.len()], ranks };
        for id in single {
            all.spelled[id as usize].clone_from(spelling[id as usize].as_ref()?);
        }
        // In order of rank: a token is created by the first merge whose parts are adjacent until then and spell the whole token. A
        // token that is never created is not tokenized as itself, and never occurs.
        for (number, &(left, right, token)) in merges.iter().enumerate() {
            let (rank, [l, r]) = (number as u32 + 1, [left, right].map(|part| all.letters(part)));
            let parts = !l.is_empty() && !r.is_empty();
            let letters = spelling[token as usize].as_deref().unwrap_or_default();
            let whole = letters.len() == l.len() + r.len() && letters.starts_with(l) && letters.ends_with(r);
            // If a pair is listed twice, the last rank counts.
            let counts = all.ranks.get(&(left, right)).is_some_and(|&(counting, _)| counting == rank);
            if counts && parts && whole && all.letters(token).is_empty() && all.adjacent(left, right, rank) {
                all.made[token as usize] = Made { rank, left, right };
                all.spelled[token as usize] = letters.to_vec();
            }
        }
        let made = |id: u32| all.made[id as usize].rank;
        let in_order = all.ranks.iter().all(|(&(left, right), &(rank, token))| {
            let lengths = all.spelled[left as usize].len() + all.spelled[right as usize].len();
            let known = lengths == all.spelled[token as usize].len() && !all.spelled[left as usize].is_empty();
            known && made(left) < rank && made(right) < rank
        });
        in_order.then_some(all)
    }

    /// Number of ids.
    pub(crate) fn len(&self) -> usize {
        self.spelled.len()
    }

    /// The letters of a token, 0 to 3; empty for an id that never occurs.
    pub(crate) fn letters(&self, id: u32) -> &[u8] {
        self.spelled.get(id as usize).map_or(&[], Vec::as_slice)
    }

    /// Ids that can occur in a tokenization.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.spelled.len() as u32).filter(|&id| !self.letters(id).is_empty())
    }

    /// The merge that creates a token.
    pub(crate) fn made(&self, id: u32) -> Made {
        self.made[id as usize]
    }

    /// Every merge: left, right, rank.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u32, u32, u32)> + '_ {
        self.ranks.iter().map(|(&(left, right), &(rank, _))| (left, right, rank))
    }

    /// Whether `second` can directly follow `first`. Undoes merges in reverse order: in each step the part that was created last is
    /// split. O(merges along the boundary).
    pub(crate) fn may_follow(&self, first: u32, second: u32) -> bool {
        self.adjacent(first, second, NONE)
    }

    /// As [`Merges::may_follow`], before any merge of this rank or a higher one.
    fn adjacent(&self, first: u32, second: u32, before: u32) -> bool {
        let (mut left, mut right) = (first, second);
        // Ranks at which the current parts are absorbed by their own token.
        let (mut left_until, mut right_until) = (NONE, NONE);
        loop {
            // Of merges of equal rank the leftmost created first: the one of the left token precedes the one across the boundary,
            // that of the right token follows it.
            if let Some(&(rank, _)) = self.ranks.get(&(left, right))
                && rank < before
                && rank < left_until
                && rank <= right_until
            {
                return false;
            }
            let (a, b) = (self.made(left), self.made(right));
            match (a.left, b.left) {
                (NONE, NONE) => return true,
                (_, NONE) => (left_until, left) = (a.rank, a.right),
                (NONE, _) => (right_until, right) = (b.rank, b.left),
                _ if a.rank > b.rank => (left_until, left) = (a.rank, a.right),
                _ => (right_until, right) = (b.rank, b.left),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reference implementation of greedy merging: the tokenization of `letters`, and its last merge. Quadratic.
    fn merge(merges: &[(u32, u32, u32)], letters: &[u8]) -> (Vec<u32>, Made) {
        let mut tokens: Vec<u32> = letters.iter().map(|&letter| u32::from(letter)).collect();
        let mut last = Made { rank: 0, left: NONE, right: NONE };
        loop {
            let rank = |pair: &[u32]| merges.iter().rposition(|&(left, right, _)| pair == [left, right]);
            let positions = (0..tokens.len().saturating_sub(1)).filter_map(|at| Some((rank(&tokens[at..at + 2])?, at)));
            let Some((number, position)) = positions.min() else { return (tokens, last) };
            last = Made { rank: number as u32 + 1, left: tokens[position], right: tokens[position + 1] };
            tokens[position] = merges[number].2;
            tokens.remove(position + 1);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]
        /// Merges in any order, with several merges to one token and tokens that are never created.
        #[test]
        fn tokens_are_created_as_in_greedy_merging(
            picks in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..14),
            letters in 1u8..3,
        ) {
            let mut spelling: Vec<Option<Vec<u8>>> = (0..4).map(|letter| Some(vec![letter])).collect();
            let mut merges: Vec<(u32, u32, u32)> = Vec::new();
            for (left, right) in picks {
                // Few letters and short tokens give many such cases.
                let created = |id: &usize| merge(&merges, spelling[*id].as_ref().unwrap()).0 == [*id as u32];
                let parts = (0..spelling.len()).filter(|&id| id >= 4 || id < usize::from(letters));
                let parts: Vec<usize> = parts.filter(created).collect();
                let (left, right) = (parts[left.index(parts.len())], parts[right.index(parts.len())]);
                let string = [&spelling[left], &spelling[right]].into_iter().flatten().flatten().copied().collect::<Vec<u8>>();
                if string.len() > 9 || merges.iter().any(|&(l, r, _)| (l, r) == (left as u32, right as u32)) {
                    continue;
                }
                let token = spelling.iter().position(|known| known.as_ref() == Some(&string)).unwrap_or_else(|| {
                    spelling.push(Some(string));
                    spelling.len() - 1
                });
                merges.push((left as u32, right as u32, token as u32));
                // A merge of a token that is never created is rejected.
                if merge(&merges, spelling[token].as_ref().unwrap()).0 != [token as u32] {
                    prop_assert!(Merges::new(&spelling, &merges).is_none());
                    merges.pop();
                }
            }
            let found = Merges::new(&spelling, &merges).unwrap();
            for (id, string) in spelling.iter().flatten().enumerate() {
                let (tokens, last) = merge(&merges, string);
                let created = tokens == [id as u32];
                prop_assert_eq!(!found.letters(id as u32).is_empty(), created, "{} of {:?}", id, &merges);
                if created {
                    let made = found.made(id as u32);
                    prop_assert_eq!((made.rank, made.left, made.right), (last.rank, last.left, last.right));
                }
            }
        }
    }
}
