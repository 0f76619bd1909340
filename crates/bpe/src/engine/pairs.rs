//! Tokenization by the pair rule alone: linear time, any vocabulary, no tables. It is used until the automaton is compiled or where
//! it would be too large, and it is the reference in tests of the automaton.

use std::sync::OnceLock;

use super::merges::{Merges, NONE};

/// Prefix tree of tokens, and, built on first use, the tree of reversed tokens.
#[derive(Clone, Debug)]
pub(crate) struct Pairs {
    merges: Merges,
    prefixes: Tree,
    suffixes: OnceLock<Tree>,
}

/// Per node: children by letter, and the token that ends here.
type Tree = Vec<([u32; 4], u32)>;

fn tree<'a>(tokens: impl Iterator<Item = (u32, impl Iterator<Item = &'a u8>)>) -> Tree {
    let mut tree = vec![([NONE; 4], NONE)];
    for (id, letters) in tokens {
        let mut node = 0;
        for &letter in letters {
            let child = tree[node].0[letter as usize];
            node = if child == NONE {
                tree.push(([NONE; 4], NONE));
                let fresh = tree.len() - 1;
                tree[node].0[letter as usize] = fresh as u32;
                fresh
            } else {
                child as usize
            };
        }
        tree[node].1 = id;
    }
    tree
}

impl Pairs {
    /// The search for a set of merges.
    pub(crate) fn new(merges: Merges) -> Pairs {
        let prefixes = tree(merges.tokens().map(|id| (id, merges.letters(id).iter())));
        Pairs { merges, prefixes, suffixes: OnceLock::new() }
    }

    /// The merges.
    pub(crate) fn merges(&self) -> &Merges {
        &self.merges
    }

    /// Appends the tokenization of `letters` (0 to 3) to `ids`. From the right: the first token at a position is the one that may
    /// precede the first token after it. O(letters x longest token) in the worst case.
    pub(crate) fn tokenize(&self, letters: &[u8], ids: &mut Vec<u16>) {
        let mut first = vec![NONE; letters.len() + 1];
        for position in (0..letters.len()).rev() {
            let mut node = 0;
            for (end, &letter) in (position + 1..).zip(&letters[position..]) {
                node = self.prefixes[node as usize].0[letter as usize];
                if node == NONE {
                    break;
                }
                let token = self.prefixes[node as usize].1;
                if token != NONE && (first[end] == NONE || self.merges.may_follow(token, first[end])) {
                    first[position] = token;
                    break;
                }
            }
        }
        let mut position = 0;
        while position < letters.len() {
            let token = first[position];
            ids.push(token as u16);
            position += self.merges.letters(token).len();
        }
    }

    /// The last position at which every text that starts with `letters` has a boundary; 0 if none is certain. No token may have
    /// more than `longest` letters. As [`Pairs::tokenize`], from left to right: the last token of a prefix is the one that may
    /// follow the last token of the text before it.
    pub(crate) fn boundary(&self, letters: &[u8], longest: usize) -> usize {
        if letters.len() < longest {
            return 0;
        }
        let merges = &self.merges;
        let suffixes =
            self.suffixes.get_or_init(|| tree(merges.tokens().map(|id| (id, merges.letters(id).iter().rev()))));
        let mut last = vec![NONE; letters.len() + 1];
        for end in 1..=letters.len() {
            let mut node = 0;
            for position in (0..end).rev() {
                node = suffixes[node as usize].0[letters[position] as usize];
                if node == NONE {
                    break;
                }
                let token = suffixes[node as usize].1;
                if token != NONE && (position == 0 || merges.may_follow(last[position], token)) {
                    last[end] = token;
                    break;
                }
            }
        }
        // The tokenization of the whole text contains one of the last positions; a position through which the paths from all of
        // them pass is a boundary.
        let mut reached = vec![false; letters.len() + 1];
        reached[letters.len() + 1 - longest..].fill(true);
        let mut paths = longest;
        for position in (1..=letters.len()).rev() {
            if !reached[position] {
                continue;
            }
            if paths == 1 {
                return position;
            }
            let before = &mut reached[position - merges.letters(last[position]).len()];
            paths -= usize::from(*before);
            *before = true;
        }
        0
    }
}
