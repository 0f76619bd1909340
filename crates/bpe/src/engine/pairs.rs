//! The cut of DNA found from the rule of pairs alone: linear time, any vocabulary, no tables. The fall-back where an automaton
//! would be too large, and the twin that the automaton is tested against.

use std::sync::OnceLock;

use super::merges::{Merges, NONE};

/// Tokens by spelling, for walks from a place to the right, and to the left where those are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Pairs {
    merges: Merges,
    tree: Tree,
    backwards: OnceLock<Tree>,
}

/// Children by letter, and the token that ends here.
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
    /// For a set of merges.
    pub(crate) fn new(merges: Merges) -> Pairs {
        let tree = tree(merges.tokens().map(|id| (id, merges.letters(id).iter())));
        Pairs { merges, tree, backwards: OnceLock::new() }
    }

    /// The merges.
    pub(crate) fn merges(&self) -> &Merges {
        &self.merges
    }

    /// The cut of `letters` (0 to 3), appended to `ids`. From the right: the first token at a place is the one that may stand
    /// before the first token behind it. O(letters x longest token) at worst.
    pub(crate) fn cut(&self, letters: &[u8], ids: &mut Vec<u16>) {
        let mut first = vec![NONE; letters.len() + 1];
        for place in (0..letters.len()).rev() {
            let mut node = 0;
            for (end, &letter) in (place + 1..).zip(&letters[place..]) {
                node = self.tree[node as usize].0[letter as usize];
                if node == NONE {
                    break;
                }
                let token = self.tree[node as usize].1;
                if token != NONE && (first[end] == NONE || self.merges.may_follow(token, first[end])) {
                    first[place] = token;
                    break;
                }
            }
        }
        let mut place = 0;
        while place < letters.len() {
            let token = first[place];
            ids.push(token as u16);
            place += self.merges.letters(token).len();
        }
    }

    /// The last place at which every text that begins with `letters` is cut; 0 if there is none behind its beginning. No token may
    /// have more than `longest` letters. As [`Pairs::cut`], from left to right: the last token of a beginning of the text is the
    /// one that may follow the last token of what is in front of it.
    pub(crate) fn border(&self, letters: &[u8], longest: usize) -> usize {
        if letters.len() < longest {
            return 0;
        }
        let merges = &self.merges;
        let tree = self.backwards.get_or_init(|| tree(merges.tokens().map(|id| (id, merges.letters(id).iter().rev()))));
        let mut last = vec![NONE; letters.len() + 1];
        for end in 1..=letters.len() {
            let mut node = 0;
            for place in (0..end).rev() {
                node = tree[node as usize].0[letters[place] as usize];
                if node == NONE {
                    break;
                }
                let token = tree[node as usize].1;
                if token != NONE && (place == 0 || merges.may_follow(last[place], token)) {
                    last[end] = token;
                    break;
                }
            }
        }
        // The cut of the whole goes on from one of the last places; where all of them come from, it has been.
        let mut here = vec![false; letters.len() + 1];
        here[letters.len() + 1 - longest..].fill(true);
        let mut ways = longest;
        for place in (1..=letters.len()).rev() {
            if !here[place] {
                continue;
            }
            if ways == 1 {
                return place;
            }
            let before = &mut here[place - merges.letters(last[place]).len()];
            ways -= usize::from(*before);
            *before = true;
        }
        0
    }
}
