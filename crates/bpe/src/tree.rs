//! A prefix tree of tokens, which finds the tokens at a position of a text. Unigram and WordPiece models and random segmentation
//! use it.

use crate::vocabulary::Vocabulary;

/// No child, no token.
const NONE: u32 = u32::MAX;

/// Tokens by their letters: A, C, G, T, and any other ASCII letters that they contain.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Index of each letter; `width` or more: it occurs in no token.
    numbers: [u8; 256],
    width: usize,
    /// Children of all nodes, `width` each.
    children: Vec<u32>,
    /// The token that ends at each node.
    tokens: Vec<u32>,
}

impl Tree {
    /// A tree of tokens with their letters. Tokens with other characters than ASCII letters are omitted.
    #[must_use]
    pub fn new<T: AsRef<[u8]>>(tokens: &[(u32, T)]) -> Tree {
        let mut numbers = [u8::MAX; 256];
        let mut width = 0;
        let mut add = |letter: u8| {
            if numbers[usize::from(letter)] == u8::MAX {
                numbers[usize::from(letter)] = width;
                width += 1;
            }
        };
        b"ACGT".iter().for_each(|&base| add(base));
        let spelled = |token: &[u8]| !token.is_empty() && token.iter().all(u8::is_ascii_alphabetic);
        for (_, token) in tokens {
            let token = token.as_ref();
            token.iter().filter(|_| spelled(token)).for_each(|&letter| add(letter));
        }
        let width = usize::from(width);
        let mut tree = Tree { numbers, width, children: vec![NONE; width], tokens: vec![NONE] };
        for (id, token) in tokens {
            if spelled(token.as_ref()) {
                tree.insert(*id, token.as_ref());
            }
        }
        tree
    }

    /// A tree of the tokens that consist of A, C, G, T.
    #[must_use]
    pub fn of_dna(vocabulary: &Vocabulary) -> Tree {
        let dna = vocabulary.ids().filter(|&id| vocabulary.is_dna(id));
        Tree::new(&dna.map(|id| (id, vocabulary.bases(id).unwrap_or_default())).collect::<Vec<_>>())
    }

    fn insert(&mut self, id: u32, token: &[u8]) {
        let mut node = 0;
        for &letter in token {
            let position = node * self.width + usize::from(self.numbers[usize::from(letter)]);
            if self.children[position] == NONE {
                self.children[position] = self.tokens.len() as u32;
                self.tokens.push(NONE);
                self.children.resize(self.children.len() + self.width, NONE);
            }
            node = self.children[position] as usize;
        }
        self.tokens[node] = id;
    }

    /// Tokens that are a prefix of the text, shortest first: id and length.
    pub fn at<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = (u32, usize)> + 'a {
        let mut node = 0;
        let nodes = text.iter().map_while(move |&letter| {
            let number = usize::from(self.numbers[usize::from(letter)]);
            let child = if number < self.width { self.children[node * self.width + number] } else { NONE };
            node = child as usize;
            (child != NONE).then_some(node)
        });
        (1..).zip(nodes).filter_map(|(length, node)| (self.tokens[node] != NONE).then_some((self.tokens[node], length)))
    }
}

#[cfg(test)]
mod tests {
    use super::Tree;

    #[test]
    fn shortest_first() {
        let tokens: [(u32, &[u8]); 6] = [(5, b"A"), (6, b"ACG"), (7, b"AC"), (8, b"N"), (9, b"[UNK]"), (10, b"")];
        let tree = Tree::new(&tokens);
        assert_eq!(tree.at(b"ACGT").collect::<Vec<_>>(), [(5, 1), (7, 2), (6, 3)]);
        assert_eq!(tree.at(b"NA").collect::<Vec<_>>(), [(8, 1)]);
        assert!([b"".as_slice(), b"T", b"n", b"[UNK]", b"\xFF"].iter().all(|text| tree.at(text).next().is_none()));
    }
}
