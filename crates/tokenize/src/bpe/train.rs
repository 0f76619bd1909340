//! Learning merges from records of any length.
//!
//! The result is that of the `tokenizers` crate's `BpeTrainer` on the same pieces: always the pair with the highest count, of
//! equals the one with the smaller ids; counts are those of adjacent tokens, overlapping ones in runs included; merging goes
//! from left to right. What differs is the cost: nothing is kept per word, so a record may be a chromosome.
//!
//! # How
//! While the best pair is frequent, each merge is one sweep over the text, a list of token ids that shrinks under it. When
//! it is rare, the text is laid out by base: the first and the last cell of a token hold its id, so its neighbours are
//! found without links, and each pair has a list of the places where it was made. A pair is only ever made at the merge that
//! makes the later of its two tokens, so its list is complete from the beginning and in order; a place at which the pair
//! has been overtaken by another merge is recognised by its id. Counts change only in the neighbourhood of a merge: four
//! small tables per merge, added to the counts of pairs afterwards.
//!
//! # Memory
//! Two bytes a base for the text, four for each place of a pair: 9 to 14 bytes a base in all at 4,096 entries, about 21 at 65,536.

mod known;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use crate::error::Error;
use crate::token::reverse_complement;
use crate::vocabulary::SPECIALS;
use known::Cutter;
pub use known::known;

/// Between pieces: the id of no token.
const BORDER: u16 = 0;
/// Inside a token, when the text is laid out by base.
const INSIDE: u16 = 1;
/// Sweeps end when the best pair stands at fewer than one of so many tokens.
const RARE: usize = 64;
/// Pieces that are cut at once by known merges.
const PIECES: usize = 1024;
/// Most bases of all pieces together, one border for each included: places are numbers of 32 bits.
pub const MOST_BASES: usize = u32::MAX as usize - 1;

/// What is to be learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Entries of the vocabulary: special ids, four bases, merges.
    pub vocabulary: usize,
    /// A pair that stands at fewer places is not merged.
    pub min_frequency: u64,
    /// Tokens have fewer bases than this, as in the `tokenizers` crate; 0: no bound.
    pub max_token_length: usize,
    /// Bases of a piece; records are cut into such pieces, and no token reaches over a border. 0: whole records.
    pub piece: usize,
    /// Counts every piece on both strands: the same as adding its reverse complement. Doubles text and memory.
    pub both_strands: bool,
    /// Merges that are there already, in order (see [`known`]): learning goes on from them.
    pub known: Vec<(u32, u32)>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            vocabulary: 4096,
            min_frequency: 2,
            max_token_length: 0,
            piece: 512,
            both_strands: false,
            known: Vec::new(),
        }
    }
}

/// A vocabulary that was learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learned {
    /// Spelling of every id from [`SPECIALS`] on: A, C, G, T, then one token a merge.
    pub tokens: Vec<Vec<u8>>,
    /// Left and right id of every merge. The first n of them are the vocabulary that is smaller by the others.
    pub merges: Vec<(u32, u32)>,
    /// Places at which each merge was made; 0 for those that were known before.
    pub counts: Vec<u64>,
    /// Bases learned from: A, C, G, T in pieces, each base once.
    pub bases: u64,
}

/// Learns merges from `records`: stretches of A, C, G, T; every other letter splits. Stops early when no pair is frequent
/// enough. `tell` hears the number of entries after every merge; if it answers `false`, learning ends with an error.
///
/// # Errors
/// If the vocabulary is smaller than the alphabet or larger than 65,536, the text is larger than [`MOST_BASES`], or `tell`
/// says so.
pub fn train(
    records: impl IntoIterator<Item = impl AsRef<[u8]>>,
    options: &Options,
    tell: &mut dyn FnMut(usize) -> bool,
) -> Result<Learned, Error> {
    let failed = |reason: String, remedy: &str| Error::Fit {
        name: format!("bpe{}", options.vocabulary),
        reason,
        remedy: remedy.to_owned(),
    };
    let first_merge = SPECIALS as usize + 4;
    if options.vocabulary < first_merge || options.vocabulary > usize::from(u16::MAX) + 1 {
        return Err(failed(
            format!("a vocabulary of {} is not between {first_merge} and 65536", options.vocabulary),
            "5 special ids and 4 bases come first",
        ));
    }
    let mut learner = Learner::new(options);
    for &(left, right) in &options.known {
        if left.max(right) >= learner.lengths.len() as u32 || left.min(right) < SPECIALS {
            return Err(failed(
                format!("the known merge of {left} and {right} is not one of tokens before it"),
                "give the merges in the order in which they were learned",
            ));
        }
        learner.name((left as u16, right as u16), 0);
    }
    if learner.lengths.len() > options.vocabulary {
        return Err(failed(
            format!("{} entries are known already", learner.lengths.len()),
            "ask for a larger vocabulary than the one that is continued",
        ));
    }
    let mut cutter = (!options.known.is_empty()).then(|| Cutter::new(&learner.tokens, &learner.merges)).flatten();
    if cutter.is_none() && !options.known.is_empty() {
        return Err(failed("the known merges make no vocabulary".to_owned(), "each token must be made by one merge"));
    }
    let strands = 1 + u64::from(options.both_strands);
    let (mut text, mut bases) = (Vec::new(), 0);
    for record in records {
        for stretch in record.as_ref().split(|&base| !super::is_base(base)) {
            let piece = if options.piece == 0 { stretch.len().max(1) } else { options.piece };
            let pieces: Vec<&[u8]> = stretch.chunks(piece).collect();
            for pieces in pieces.chunks(PIECES) {
                put(pieces, &mut text, &mut cutter);
                if options.both_strands {
                    let turned: Vec<Vec<u8>> = pieces.iter().map(|piece| reverse_complement(piece)).collect();
                    put(&turned.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut text, &mut cutter);
                }
            }
            bases += stretch.len() as u64;
        }
        if text.len() > MOST_BASES || bases > MOST_BASES as u64 / strands {
            return Err(failed(
                format!("more than {MOST_BASES} bases"),
                "learn from a sample: a vocabulary hardly changes beyond some 100 million bases",
            ));
        }
    }
    text.shrink_to_fit();
    drop(cutter);
    learner.count(&text);
    let mut text = Some(text);
    let mut cells = Vec::new();
    while learner.tokens.len() + (SPECIALS as usize) < options.vocabulary {
        let Some((pair, count)) = learner.best() else { break };
        if count < options.min_frequency.max(1) {
            break;
        }
        if text.as_ref().is_some_and(|text| (count as usize) < text.len() / RARE)
            && let Some(text) = text.take()
        {
            cells = learner.lay_out(text);
        }
        let new = learner.name(pair, count);
        match &mut text {
            Some(text) => learner.sweep(text, pair, new),
            None => learner.visit(&mut cells, pair, new),
        }
        if !tell(learner.tokens.len() + SPECIALS as usize) {
            return Err(failed("interrupted".to_owned(), "start it again"));
        }
    }
    let Learner { tokens, merges, places, .. } = learner;
    Ok(Learned { tokens, merges, counts: places, bases })
}

/// Appends pieces to the text, each followed by a border.
fn put(pieces: &[&[u8]], text: &mut Vec<u16>, cutter: &mut Option<Cutter>) {
    match cutter {
        Some(cutter) => cutter.cut(pieces, BORDER, text),
        None => {
            for piece in pieces {
                text.extend(piece.iter().map(|&base| letter(base)));
                text.push(BORDER);
            }
        }
    }
}

/// Ids of the bases, in the order of their letters.
fn letter(base: u8) -> u16 {
    SPECIALS as u16
        + match base {
            b'A' => 0,
            b'C' => 1,
            b'G' => 2,
            _ => 3,
        }
}

type Pair = (u16, u16);

fn key((left, right): Pair) -> u32 {
    u32::from(left) << 16 | u32::from(right)
}

/// What is known of a pair.
#[derive(Clone, Copy, Default)]
struct Known {
    count: i64,
    /// Where its places are: a range of a block.
    block: u32,
    from: u32,
    len: u32,
}

/// Changes of counts by one merge, by the id on the other side.
#[derive(Default)]
struct Side {
    change: Vec<[u32; 2]>,
    touched: Vec<u16>,
}

const GONE: usize = 0;
const MADE: usize = 1;

impl Side {
    fn add(&mut self, id: u16, kind: usize) {
        let change = &mut self.change[usize::from(id)];
        if *change == [0, 0] {
            self.touched.push(id);
        }
        change[kind] += 1;
    }
}

struct Learner {
    /// Token lengths by id.
    lengths: Vec<u32>,
    longest: u32,
    min_frequency: u64,
    tokens: Vec<Vec<u8>>,
    merges: Vec<(u32, u32)>,
    places: Vec<u64>,
    pairs: FxHashMap<u32, Known>,
    heap: BinaryHeap<(u64, Reverse<u32>)>,
    /// Places of pairs, one block a merge.
    blocks: Vec<Vec<u32>>,
    left: Side,
    right: Side,
}

impl Learner {
    fn new(options: &Options) -> Learner {
        let mut lengths = vec![0; SPECIALS as usize];
        lengths.extend([1; 4]);
        let side = || Side { change: vec![[0; 2]; options.vocabulary], touched: Vec::new() };
        Learner {
            lengths,
            longest: u32::try_from(options.max_token_length).ok().filter(|&length| length > 0).unwrap_or(u32::MAX),
            min_frequency: options.min_frequency.max(1),
            tokens: b"ACGT".iter().map(|&base| vec![base]).collect(),
            merges: Vec::new(),
            places: Vec::new(),
            pairs: FxHashMap::default(),
            heap: BinaryHeap::new(),
            blocks: Vec::new(),
            left: side(),
            right: side(),
        }
    }

    fn count(&mut self, text: &[u16]) {
        let alphabet = SPECIALS as usize + 4;
        let both = |pair: &&[u16]| pair[0] != BORDER && pair[1] != BORDER;
        if self.lengths.len() == alphabet {
            let mut counts = vec![0i64; alphabet * alphabet];
            for pair in text.windows(2).filter(both) {
                counts[usize::from(pair[0]) * alphabet + usize::from(pair[1])] += 1;
            }
            for (at, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let pair = key(((at / alphabet) as u16, (at % alphabet) as u16));
                self.pairs.insert(pair, Known { count, ..Known::default() });
            }
        } else {
            for pair in text.windows(2).filter(both) {
                self.pairs.entry(key((pair[0], pair[1]))).or_default().count += 1;
            }
            // The bound holds for what is made of merged tokens, as in `settle`.
            let (lengths, longest) = (&self.lengths, self.longest);
            let length = |id: u32| lengths[id as usize];
            let bases = |pair: u32| length(pair >> 16) + length(pair & 0xffff) == 2;
            self.pairs.retain(|&pair, _| bases(pair) || length(pair >> 16) + length(pair & 0xffff) < longest);
        }
        self.heap.extend(self.pairs.iter().map(|(&pair, known)| (known.count as u64, Reverse(pair))));
    }

    /// The pair with the highest count, of equals the one with the smaller ids. Counts in the heap may be out of date: then
    /// they are put right when they come up.
    fn best(&mut self) -> Option<(Pair, u64)> {
        loop {
            let (count, Reverse(pair)) = self.heap.pop()?;
            let now = self.pairs.get(&pair).map_or(0, |known| known.count);
            match u64::try_from(now) {
                Ok(now) if now == count && now > 0 => return Some((((pair >> 16) as u16, pair as u16), now)),
                Ok(now) if now > 0 => self.heap.push((now, Reverse(pair))),
                _ => {}
            }
        }
    }

    /// Makes the token of a pair.
    fn name(&mut self, (left, right): Pair, count: u64) -> u16 {
        let part = |id: u16| &self.tokens[usize::from(id) - SPECIALS as usize];
        let spelling = [part(left).as_slice(), part(right)].concat();
        self.lengths.push(spelling.len() as u32);
        self.tokens.push(spelling);
        self.merges.push((u32::from(left), u32::from(right)));
        self.places.push(count);
        (self.lengths.len() - 1) as u16
    }

    /// Counts one place of a merge: what stands before and behind it.
    fn note(&mut self, before: u16, behind: u16) {
        if before != BORDER {
            self.left.add(before, GONE);
            self.left.add(before, MADE);
        }
        if behind != BORDER {
            self.right.add(behind, GONE);
            self.right.add(behind, MADE);
        }
    }

    /// One sweep: merges the pair everywhere and closes the gaps.
    fn sweep(&mut self, text: &mut Vec<u16>, pair: Pair, new: u16) {
        let (mut read, mut write) = (0, 0);
        while let Some(found) = find(&text[read..], pair) {
            text.copy_within(read..read + found, write);
            (read, write) = (read + found, write + found);
            let before = if write == 0 { BORDER } else { text[write - 1] };
            // The text ends with a border.
            self.note(before, text[read + 2]);
            text[write] = new;
            (read, write) = (read + 2, write + 1);
        }
        text.copy_within(read.., write);
        text.truncate(write + text.len() - read);
        self.settle(pair, new, None);
    }

    /// Adds the changes of one merge to the counts. `made`: places of new pairs, by the side of the token beside them.
    fn settle(&mut self, (left, right): Pair, new: u16, made: Option<[Vec<(u16, u32)>; 2]>) {
        self.pairs.remove(&key((left, right)));
        let short = |other: u16| self.lengths[usize::from(other)] + self.lengths[usize::from(new)] < self.longest;
        let mut fresh: Vec<u32> = Vec::new();
        let sides = [(&self.left, left, false), (&self.right, right, true)];
        let pair = |own: u16, other: u16, first: bool| key(if first { (own, other) } else { (other, own) });
        // First what is new: in ABAB the pair (AB, A) is made by the first merge and gone by the second.
        for &(side, _, first) in &sides {
            for &other in side.touched.iter().filter(|&&other| short(other)) {
                let born = side.change[usize::from(other)][MADE];
                if born > 0 {
                    self.pairs.entry(pair(new, other, first)).or_default().count += i64::from(born);
                    fresh.push(pair(new, other, first));
                }
            }
        }
        for &(side, old, first) in &sides {
            for &other in &side.touched {
                if let Some(known) = self.pairs.get_mut(&pair(old, other, first)) {
                    known.count -= i64::from(side.change[usize::from(other)][GONE]);
                }
            }
        }
        for &pair in &fresh {
            if let Some(known) = self.pairs.get(&pair)
                && known.count > 0
            {
                self.heap.push((known.count as u64, Reverse(pair)));
            }
        }
        if let Some(made) = made {
            self.keep(&made, new);
        }
        for side in [&mut self.left, &mut self.right] {
            for other in side.touched.drain(..) {
                side.change[usize::from(other)] = [0, 0];
            }
        }
    }
}

/// Places by the token beside the new one.
type Made = Vec<(u16, u32)>;

impl Learner {
    /// Lays the text out by base and finds the places of all pairs.
    fn lay_out(&mut self, text: Vec<u16>) -> Vec<u16> {
        let cells_needed = text.iter().map(|&id| self.lengths[usize::from(id)].max(1) as usize).sum();
        let mut cells = Vec::with_capacity(cells_needed);
        for &id in &text {
            cells.push(id);
            let length = self.lengths[usize::from(id)] as usize;
            if length > 1 {
                cells.resize(cells.len() + length - 2, INSIDE);
                cells.push(id);
            }
        }
        drop(text);
        let mut next = 0;
        for known in self.pairs.values_mut() {
            (known.block, known.from, known.len) = (0, next, 0);
            if known.count >= self.min_frequency as i64 {
                next += known.count as u32;
            }
        }
        let mut block = vec![0; next as usize];
        let (mut place, mut before, mut before_at) = (0, BORDER, 0);
        while place < cells.len() {
            let id = cells[place];
            if before != BORDER
                && id != BORDER
                && let Some(known) = self.pairs.get_mut(&key((before, id)))
                && known.count >= self.min_frequency as i64
            {
                block[(known.from + known.len) as usize] = before_at as u32;
                known.len += 1;
            }
            (before, before_at) = (id, place);
            place += self.lengths[usize::from(id)].max(1) as usize;
        }
        self.blocks = vec![block];
        cells
    }

    /// Merges a pair at its places.
    fn visit(&mut self, cells: &mut [u16], (left, right): Pair, new: u16) {
        let known = self.pairs.get(&key((left, right))).copied().unwrap_or_default();
        let (left_length, length) = (self.lengths[usize::from(left)] as usize, self.lengths[usize::from(new)] as usize);
        let mut made: [Made; 2] = [Vec::new(), Vec::new()];
        for number in known.from..known.from + known.len {
            let place = self.blocks[known.block as usize][number as usize] as usize;
            let middle = place + left_length;
            if cells[place] != left || cells[middle] != right {
                continue;
            }
            let end = place + length;
            let (before, behind) = (if place == 0 { BORDER } else { cells[place - 1] }, cells[end]);
            self.note(before, behind);
            if before != BORDER {
                made[0].push((before, place as u32 - self.lengths[usize::from(before)]));
            }
            if behind != BORDER {
                made[1].push((behind, place as u32));
            }
            cells[middle - 1] = INSIDE;
            cells[middle] = INSIDE;
            cells[place] = new;
            cells[end - 1] = new;
        }
        self.settle((left, right), new, Some(made));
    }

    /// Sorts places by pair: those of pairs that could ever be merged.
    fn keep(&mut self, made: &[Made; 2], new: u16) {
        let block = self.blocks.len() as u32;
        let mut next = 0;
        let pair = |other: u16, first: bool| key(if first { (new, other) } else { (other, new) });
        let sides = [(&self.left, &made[0], false), (&self.right, &made[1], true)];
        for (side, _, first) in sides {
            for &other in &side.touched {
                if let Some(known) = self.pairs.get_mut(&pair(other, first))
                    && known.count >= self.min_frequency as i64
                {
                    (known.block, known.from, known.len) = (block, next, 0);
                    next += side.change[usize::from(other)][MADE];
                }
            }
        }
        let mut places = vec![0; next as usize];
        for (_, made, first) in sides {
            for &(other, place) in made {
                if let Some(known) = self.pairs.get_mut(&pair(other, first))
                    && known.count >= self.min_frequency as i64
                {
                    places[(known.from + known.len) as usize] = place;
                    known.len += 1;
                }
            }
        }
        self.blocks.push(places);
    }
}

/// Where a pair stands next. Looks at many places at once.
fn find(text: &[u16], (left, right): Pair) -> Option<usize> {
    const WIDTH: usize = 32;
    let mut from = 0;
    while from + WIDTH < text.len() {
        let (here, behind) = (&text[from..from + WIDTH], &text[from + 1..from + WIDTH + 1]);
        let any = here.iter().zip(behind).fold(false, |any, (&a, &b)| any | (a == left) & (b == right));
        if any {
            break;
        }
        from += WIDTH;
    }
    text[from..].windows(2).position(|pair| *pair == [left, right]).map(|at| from + at)
}
