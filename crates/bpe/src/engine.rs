//! [`Engine`]: byte-pair encoding of A, C, G, T from a list of merges.
//!
//! Greedy merging over four letters is a finite automaton: `engine/automaton.rs` describes it, `engine/merges.rs` proves that it is
//! exact, and `engine/interleaved.rs` runs it on several chunks at a time.

mod automaton;
mod boundary;
mod interleaved;
mod long;
mod merges;
mod pairs;
pub(crate) mod stream;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use dna::is_base;
use dna::letters::{self, ascii_bits, leading_bases};

use automaton::Automaton;
use interleaved::{Chunk, Tables};
use merges::Merges;
use pairs::Pairs;

/// Window in bases in which a token boundary is searched for.
pub(crate) const WINDOW: usize = 8192;
/// Minimum length in bases of a segment that is encoded in blocks (`engine/long.rs`).
const LONG_SEGMENT: usize = 1 << 18;
/// Bases of a chunk of a long segment. Chunks are processed as interleaved streams.
const CHUNK: usize = 2048;
/// Bases read after a chunk, so that the automaton reaches the end of the chunk in the correct state. If they do not suffice, the
/// chunk is read again.
const LOOKAHEAD: usize = 128;
/// Sequences are processed in groups of about this many bases, so that the buffers stay in the caches.
const BATCH_BASES: usize = 1 << 15;

/// The automaton is compiled after V * V / `AMORTIZATION` bases for a vocabulary of V. Compilation takes 14 ms for 4,096 ids and
/// 0.8 s for 32,000, about proportional to V squared: the time in which the pair search encodes this many bases (10 to 16 Mb/s).
const AMORTIZATION: usize = 128;
/// Pairs of bases that an idle stream processes before it is given the next chunk.
const IDLE_PAIRS: usize = 128;

/// A byte-pair encoding over A, C, G, T.
///
/// Encoding starts with a search based on the pair rule, which needs no preparation. The automaton is compiled once its cost is
/// amortized: after about 130 thousand bases for a vocabulary of 4,096, and about 8 million for one of 32,000. Both give the same
/// ids. [`Engine::compile`] compiles it immediately.
#[derive(Debug)]
pub struct Engine {
    pairs: Pairs,
    lengths: Vec<u16>,
    /// Length of the longest token in bases.
    longest: usize,
    unknown: u16,
    max_states: usize,
    automaton: OnceLock<Option<Tables>>,
    encoded: AtomicUsize,
}

/// The tables of the automaton of `merges`; `None` if it would have more than `max_states` states.
fn automaton(merges: &Merges, lengths: &[u16], max_states: usize) -> Option<Tables> {
    Some(Tables::new(&Automaton::new(merges, max_states)?.by_frequency(), lengths.to_vec()))
}

/// The tokens of a batch of sequences. Buffers are reused from batch to batch.
#[derive(Clone, Debug, Default)]
pub struct EncodedBatch {
    ids: Vec<u16>,
    starts: Vec<u32>,
    ends: Vec<usize>,
    work: Work,
}

#[derive(Clone, Debug, Default)]
struct Work {
    pairs: Vec<u8>,
    entries: Vec<u32>,
    ids: Vec<u16>,
    chunks: Vec<Chunk>,
    segments: Vec<Segment>,
    letters: Vec<u8>,
    /// Bases of the current sequence that have been encoded.
    start: u32,
}

impl Work {
    /// Adds the chunk that idle streams process, if the buffers are empty.
    fn add_idle_chunk(&mut self) {
        if self.chunks.is_empty() {
            self.chunks.push(Chunk { bases: 2 * IDLE_PAIRS, ..Chunk::default() });
            self.pairs.extend((0..IDLE_PAIRS).map(|i| (i * 7 % 16) as u8));
        }
    }

    fn reserve(&mut self) {
        let room = 2 * self.pairs.len();
        if self.entries.len() < room {
            self.entries.resize(room, 0);
            self.ids.resize(room, 0);
        }
    }

    /// Tokenizes the chunks in the buffers.
    fn tokenize(&mut self, automaton: &Tables) {
        automaton.tokenize(&self.pairs, &mut self.entries, &mut self.ids, &mut self.chunks);
    }

    fn clear(&mut self) {
        self.pairs.clear();
        self.chunks.clear();
        self.segments.clear();
    }
}

/// A segment of the input.
#[derive(Clone, Copy, Debug)]
enum Segment {
    /// One letter other than A, C, G, T.
    Unknown,
    /// A run of A, C, G, T, as this many consecutive chunks.
    Chunks(usize),
    /// End of a sequence.
    End,
}

impl EncodedBatch {
    /// Number of sequences.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no sequence.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn range(&self, sequence: usize) -> std::ops::Range<usize> {
        let start = if sequence == 0 { 0 } else { self.ends[sequence - 1] };
        start..self.ends[sequence]
    }

    /// Ids of a sequence.
    ///
    /// # Panics
    /// If there is no such sequence.
    #[must_use]
    pub fn ids(&self, sequence: usize) -> &[u16] {
        &self.ids[self.range(sequence)]
    }

    /// Start positions of the tokens of a sequence, in bases from 0; empty if no spans were computed ([`Engine::encode`]).
    ///
    /// # Panics
    /// If there is no such sequence.
    #[must_use]
    pub fn starts(&self, sequence: usize) -> &[u32] {
        if self.starts.is_empty() { &[] } else { &self.starts[self.range(sequence)] }
    }
}

impl Engine {
    /// Builds an engine from merges `(left, right, token)` in order of rank over `tokens` (id -> spelling; ids that are not DNA are
    /// allowed). `unknown` is the id of a letter other than A, C, G, T.
    ///
    /// `None` if the engine does not support the encoding: a base without a token, more than 65,536 ids, a token of more than
    /// 65,535 bases, or a merge that precedes the merges of its parts.
    #[must_use]
    pub fn new<T: AsRef<[u8]>>(tokens: &[T], merges: &[(u32, u32, u32)], unknown: u32) -> Option<Engine> {
        let unknown = u16::try_from(unknown).ok()?;
        if tokens.len() > usize::from(u16::MAX) + 1 {
            return None;
        }
        let dna = |token: &[u8]| !token.is_empty() && token.iter().all(|&base| is_base(base));
        let spelling: Vec<Option<Vec<u8>>> = tokens
            .iter()
            .map(|token| dna(token.as_ref()).then(|| token.as_ref().iter().map(|&base| ascii_bits(base)).collect()))
            .collect();
        let known = |id: u32| spelling.get(id as usize).is_some_and(Option::is_some);
        // Merges with other letters never apply to A, C, G, T.
        let merges: Vec<(u32, u32, u32)> = merges
            .iter()
            .copied()
            .filter(|&(left, right, token)| known(left) && known(right) && known(token))
            .collect();
        let merges = Merges::new(&spelling, &merges)?;
        let mut lengths = Vec::with_capacity(merges.len());
        for id in 0..merges.len() as u32 {
            lengths.push(u16::try_from(merges.letters(id).len()).ok()?);
        }
        Some(Engine {
            pairs: Pairs::new(merges),
            longest: lengths.iter().copied().max().map_or(1, usize::from),
            lengths,
            unknown,
            max_states: automaton::MAX_STATES,
            automaton: OnceLock::new(),
            encoded: AtomicUsize::new(0),
        })
    }

    /// Limits the automaton to `states` states; 0: always use the search based on the pair rule.
    #[must_use]
    pub fn with_max_states(self, states: usize) -> Engine {
        Engine { max_states: states, automaton: OnceLock::new(), ..self }
    }

    /// Compiles the automaton now. Returns its number of states and the bytes of its tables; `None` if it would have too many
    /// states, in which case tokens are found by the pair rule.
    pub fn compile(&self) -> Option<(usize, usize)> {
        let made = self.automaton.get_or_init(|| automaton(self.pairs.merges(), &self.lengths, self.max_states));
        made.as_ref().map(|automaton| (automaton.states(), automaton.bytes()))
    }

    /// The automaton, if it is compiled or its compilation is amortized by `bases` further bases.
    fn automaton(&self, bases: usize) -> Option<&Tables> {
        if self.automaton.get().is_none() {
            let encoded = self.encoded.load(Ordering::Relaxed) + bases;
            if encoded < self.lengths.len() * self.lengths.len() / AMORTIZATION {
                return None;
            }
            self.compile();
        }
        self.automaton.get()?.as_ref()
    }

    /// As [`Engine::automaton`]; if it is not compiled yet, `bases` count towards its amortization.
    pub(crate) fn automaton_for(&self, bases: usize) -> Option<&Tables> {
        let automaton = self.automaton(bases);
        if automaton.is_none() {
            self.encoded.fetch_add(bases, Ordering::Relaxed);
        }
        automaton
    }

    /// Pair rule: whether `second` can directly follow `first` in a tokenization.
    #[must_use]
    pub fn may_follow(&self, first: u32, second: u32) -> bool {
        let merges = self.pairs.merges();
        let known = |id: u32| !merges.letters(id).is_empty();
        known(first) && known(second) && merges.may_follow(first, second)
    }

    /// Length of a token in bases; 0 for an id that is not DNA.
    #[must_use]
    pub fn length(&self, id: u16) -> usize {
        self.lengths.get(usize::from(id)).map_or(0, |&length| usize::from(length))
    }

    /// Encodes sequences to ids. Each letter other than A, C, G, T gives the unknown id.
    pub fn encode<'a, S: AsRef<[u8]> + ?Sized + 'a>(
        &self,
        sequences: impl IntoIterator<Item = &'a S>,
        batch: &mut EncodedBatch,
    ) {
        self.run(sequences, batch, false);
    }

    /// Encodes sequences to ids and start positions. (A token ends where the next one starts.)
    pub fn encode_spans<'a, S: AsRef<[u8]> + ?Sized + 'a>(
        &self,
        sequences: impl IntoIterator<Item = &'a S>,
        batch: &mut EncodedBatch,
    ) {
        self.run(sequences, batch, true);
    }

    fn run<'a, S: AsRef<[u8]> + ?Sized + 'a>(
        &self,
        sequences: impl IntoIterator<Item = &'a S>,
        batch: &mut EncodedBatch,
        spans: bool,
    ) {
        batch.ids.clear();
        batch.starts.clear();
        batch.ends.clear();
        batch.work.start = 0;
        batch.work.clear();
        for sequence in sequences {
            self.push(sequence.as_ref(), batch, spans);
            if 2 * batch.work.pairs.len() >= BATCH_BASES {
                self.finish(batch, spans);
            }
        }
        if !batch.work.segments.is_empty() {
            self.finish(batch, spans);
        }
    }

    /// Adds a sequence to the buffers; long segments are encoded immediately.
    fn push(&self, sequence: &[u8], batch: &mut EncodedBatch, spans: bool) {
        let mut rest = sequence;
        while !rest.is_empty() {
            let known = leading_bases(rest);
            if known == 0 {
                batch.work.segments.push(Segment::Unknown);
                rest = &rest[1..];
                continue;
            }
            let (mut segment, mut count) = (&rest[..known], 0);
            rest = &rest[known..];
            if known >= LONG_SEGMENT
                && let Some(automaton) = self.automaton(known)
            {
                self.finish(batch, spans);
                let first = batch.ids.len();
                if self.encode_long(automaton, segment, batch) {
                    if spans {
                        self.push_starts(&batch.ids[first..], &mut batch.starts, &mut batch.work.start);
                    }
                    continue;
                }
            }
            let work = &mut batch.work;
            work.add_idle_chunk();
            while !segment.is_empty() {
                let bases = if segment.len() > CHUNK + LOOKAHEAD { CHUNK } else { segment.len() };
                let lookahead = LOOKAHEAD.min(segment.len() - bases);
                work.chunks.push(Chunk { from: work.pairs.len(), bases, lookahead, ..Chunk::default() });
                letters::pairs(&segment[..bases + lookahead], &mut work.pairs);
                segment = &segment[bases..];
                count += 1;
            }
            work.segments.push(Segment::Chunks(count));
        }
        batch.work.segments.push(Segment::End);
    }

    /// Appends the start positions of `ids`, which continue a sequence that has been encoded up to `start`.
    fn push_starts(&self, ids: &[u16], starts: &mut Vec<u32>, start: &mut u32) {
        starts.extend(ids.iter().map(|&id| {
            let here = *start;
            *start += u32::from(self.lengths[usize::from(id)]);
            here
        }));
    }

    /// Tokenizes the chunks in the buffers and appends the result to the batch.
    fn finish(&self, batch: &mut EncodedBatch, spans: bool) {
        let EncodedBatch { ids, starts, ends, work } = batch;
        work.reserve();
        let bases = 2 * work.pairs.len();
        let automaton = self.automaton_for(bases);
        if let Some(automaton) = automaton.filter(|_| !work.chunks.is_empty()) {
            work.tokenize(automaton);
        }
        let mut chunks = work.chunks.iter().skip(1);
        let mut start = work.start;
        for segment in &work.segments {
            match *segment {
                Segment::Unknown => {
                    ids.push(self.unknown);
                    if spans {
                        starts.push(start);
                    }
                    start += 1;
                }
                Segment::End => {
                    ends.push(ids.len());
                    start = 0;
                }
                Segment::Chunks(count) => {
                    // End of the tokens so far, relative to the start of the current chunk.
                    let (first, mut position) = (ids.len(), 0);
                    match automaton {
                        Some(automaton) => {
                            for chunk in chunks.by_ref().take(count) {
                                position = self.join(automaton, chunk, position, work, ids);
                            }
                        }
                        None => {
                            work.letters.clear();
                            for chunk in chunks.by_ref().take(count) {
                                let pairs = &work.pairs[chunk.from..][..chunk.bases.div_ceil(2)];
                                let letters = pairs.iter().flat_map(|&pair| [pair >> 2, pair & 3]);
                                work.letters.extend(letters.take(chunk.bases));
                            }
                            self.pairs.tokenize(&work.letters, ids);
                        }
                    }
                    if spans {
                        self.push_starts(&ids[first..], starts, &mut start);
                    }
                }
            }
        }
        work.start = start;
        work.clear();
    }

    /// Appends the tokens of a chunk whose text is already tokenized up to `position`; returns the position in the next chunk up to
    /// which that is tokenized. The tokens of the chunk were found from its start on; they are valid from the first boundary that
    /// both tokenizations share.
    fn join(&self, automaton: &Tables, chunk: &Chunk, mut position: usize, work: &Work, ids: &mut Vec<u16>) -> usize {
        let own = &work.ids[2 * chunk.from..][..chunk.tokens];
        let (mut skipped, mut at) = (0, 0);
        while at != position && position < chunk.bases {
            if at < position {
                // If its own tokens end before the position is reached, the states are followed to the end.
                at = own.get(skipped).map_or(usize::MAX, |&id| at + self.length(id));
                skipped += 1;
                continue;
            }
            let id = automaton.token(&work.entries, chunk.from, position);
            ids.push(id);
            position += self.length(id);
        }
        if position >= chunk.bases {
            return position - chunk.bases;
        }
        ids.extend_from_slice(&own[skipped..]);
        chunk.reached - chunk.bases
    }
}
