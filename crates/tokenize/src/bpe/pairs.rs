//! The cut of DNA found from the rule of pairs alone: linear time, any vocabulary, no tables. The fall-back where an automaton
//! would be too large, and the twin that the automaton is tested against.

use super::merges::{Merges, NONE};

/// Tokens by spelling, for the walk from a place to the right.
#[derive(Clone, Debug)]
pub(crate) struct Pairs {
    merges: Merges,
    /// Children by letter, and the token that ends here.
    tree: Vec<([u32; 4], u32)>,
}

impl Pairs {
    /// For a set of merges.
    pub(crate) fn new(merges: Merges) -> Pairs {
        let mut tree = vec![([NONE; 4], NONE)];
        for id in merges.tokens() {
            let mut node = 0;
            for &letter in merges.letters(id) {
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
        Pairs { merges, tree }
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
}
