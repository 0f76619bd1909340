//! [`Engine`]: from merges to ids.
//!
//! Greedy merging over four letters is a finite automaton: `engine/automaton.rs` has the idea, `engine/merges.rs` why it is exact,
//! `engine/lanes.rs` how ten stretches are read in lockstep.

mod automaton;
mod border;
mod lanes;
mod long;
mod merges;
mod pairs;
pub(crate) mod stream;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use dna::is_base;
use dna::letters::{self, ascii_bits, leading_bases};

use automaton::Automaton;
use lanes::{Stretch, Tables};
use merges::Merges;
use pairs::Pairs;

/// Bases in front of a place in which a border is looked for.
pub(crate) const EDGE: usize = 8192;
/// Shortest stretch that is cut in parts (`engine/long.rs`).
const LONG: usize = 1 << 18;
/// Bases of a piece of a long stretch: pieces are walked side by side.
const PIECE: usize = 2048;
/// Bases read behind a piece to arrive at its end in the right state. If they do not suffice, the piece is read again.
const BEYOND: usize = 128;
/// A batch is worked on in parts of about so many bases, so that its buffers stay in the caches.
const PART: usize = 1 << 15;

/// The automaton is made after V * V / `PAYS` bases for V ids: making it takes 14 ms for 4,096 ids and 0.8 s for 32,000, so about as
/// V squared, and as long as the walk over pairs takes for so many bases (10 to 16 Mb/s).
const PAYS: usize = 128;
/// Pairs of bases that idle lanes walk between two looks at the work.
const PAUSE: usize = 128;

/// A byte-pair encoding over A, C, G, T.
///
/// It begins with the walk over pairs, which needs no preparation, and makes the automaton when so much has been encoded that
/// it pays: after about 130 thousand bases for a vocabulary of 4,096, about 8 million for one of 32,000. Both give the
/// same ids. [`Engine::compile`] makes it at once.
#[derive(Debug)]
pub struct Engine {
    pairs: Pairs,
    lengths: Vec<u16>,
    /// Bases of the longest token.
    longest: usize,
    unknown: u16,
    most_states: usize,
    machine: OnceLock<Option<Tables>>,
    encoded: AtomicUsize,
}

/// Tables of the automaton of some merges; `None` if it would need too many states.
fn machine(merges: &Merges, lengths: &[u16], most_states: usize) -> Option<Tables> {
    Some(Tables::new(&Automaton::new(merges, most_states)?.by_heat(), lengths.to_vec()))
}

/// Sequences cut into tokens; buffers are kept from batch to batch.
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
    stretches: Vec<Stretch>,
    parts: Vec<Part>,
    letters: Vec<u8>,
    /// Bases of the present sequence that are cut already.
    start: u32,
}

impl Work {
    /// Lays in what idle lanes walk, if nothing is there yet.
    fn idle(&mut self) {
        if self.stretches.is_empty() {
            self.stretches.push(Stretch { bases: 2 * PAUSE, ..Stretch::default() });
            self.pairs.extend((0..PAUSE).map(|i| (i * 7 % 16) as u8));
        }
    }

    fn make_room(&mut self) {
        let room = 2 * self.pairs.len();
        if self.entries.len() < room {
            self.entries.resize(room, 0);
            self.ids.resize(room, 0);
        }
    }

    /// Cuts what lies in the buffers.
    fn cut(&mut self, machine: &Tables) {
        machine.cut(&self.pairs, &mut self.entries, &mut self.ids, &mut self.stretches);
    }

    fn clear(&mut self) {
        self.pairs.clear();
        self.stretches.clear();
        self.parts.clear();
    }
}

/// What a sequence consists of.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// A base that is none of A, C, G, T.
    Unknown,
    /// So many stretches that continue each other.
    Stretches(usize),
    /// The sequence ends.
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

    /// Where the tokens of a sequence begin, in bases from 0; empty without spans ([`Engine::encode`]).
    ///
    /// # Panics
    /// If there is no such sequence.
    #[must_use]
    pub fn starts(&self, sequence: usize) -> &[u32] {
        if self.starts.is_empty() { &[] } else { &self.starts[self.range(sequence)] }
    }
}

impl Engine {
    /// From merges `(left, right, token)`, in order of rank, over `tokens` (id -> spelling; ids may be unused by DNA).
    /// `unknown` is the id of a base that is none of A, C, G, T.
    ///
    /// `None` if this is no encoding of the kind: a base without a token, more than 65,536 ids, a token of more than 65,535
    /// bases, or merges that do not come in the order in which their parts are made.
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
        // Merges with other letters never touch a stretch of A, C, G, T.
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
            most_states: automaton::MOST_STATES,
            machine: OnceLock::new(),
            encoded: AtomicUsize::new(0),
        })
    }

    /// The same with at most `states` states, however much is encoded; 0: always the walk over pairs.
    #[must_use]
    pub fn with_most_states(self, states: usize) -> Engine {
        Engine { most_states: states, machine: OnceLock::new(), ..self }
    }

    /// Makes the automaton now. Gives its number of states and the bytes of its tables; `None` if it would need too many: then
    /// the cut is found from pairs.
    pub fn compile(&self) -> Option<(usize, usize)> {
        let made = self.machine.get_or_init(|| machine(self.pairs.merges(), &self.lengths, self.most_states));
        made.as_ref().map(|machine| (machine.states(), machine.bytes()))
    }

    /// The automaton, if it is there or pays for so many bases more.
    fn machine(&self, bases: usize) -> Option<&Tables> {
        if self.machine.get().is_none() {
            let encoded = self.encoded.load(Ordering::Relaxed) + bases;
            if encoded < self.lengths.len() * self.lengths.len() / PAYS {
                return None;
            }
            self.compile();
        }
        self.machine.get()?.as_ref()
    }

    /// As [`Engine::machine`]; if it is not there yet, the bases count towards it.
    pub(crate) fn machine_for(&self, bases: usize) -> Option<&Tables> {
        let machine = self.machine(bases);
        if machine.is_none() {
            self.encoded.fetch_add(bases, Ordering::Relaxed);
        }
        machine
    }

    /// Whether `second` can stand right after `first` in a cut.
    #[must_use]
    pub fn may_follow(&self, first: u32, second: u32) -> bool {
        let merges = self.pairs.merges();
        let known = |id: u32| !merges.letters(id).is_empty();
        known(first) && known(second) && merges.may_follow(first, second)
    }

    /// Bases of a token; 0 for an id that is no DNA.
    #[must_use]
    pub fn length(&self, id: u16) -> usize {
        self.lengths.get(usize::from(id)).map_or(0, |&length| usize::from(length))
    }

    /// Cuts sequences; ids only. Bases other than A, C, G, T give the unknown id, one each.
    pub fn encode<'a, S: AsRef<[u8]> + ?Sized + 'a>(
        &self,
        sequences: impl IntoIterator<Item = &'a S>,
        batch: &mut EncodedBatch,
    ) {
        self.run(sequences, batch, false);
    }

    /// Cuts sequences; ids and where tokens begin. (A token ends where the next one begins.)
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
            if 2 * batch.work.pairs.len() >= PART {
                self.finish(batch, spans);
            }
        }
        if !batch.work.parts.is_empty() {
            self.finish(batch, spans);
        }
    }

    /// Lays a sequence into the buffers; long stretches are cut at once.
    fn push(&self, sequence: &[u8], batch: &mut EncodedBatch, spans: bool) {
        let mut rest = sequence;
        while !rest.is_empty() {
            let known = leading_bases(rest);
            if known == 0 {
                batch.work.parts.push(Part::Unknown);
                rest = &rest[1..];
                continue;
            }
            let (mut stretch, mut count) = (&rest[..known], 0);
            rest = &rest[known..];
            if known >= LONG
                && let Some(machine) = self.machine(known)
            {
                self.finish(batch, spans);
                let first = batch.ids.len();
                if self.long(machine, stretch, batch) {
                    if spans {
                        self.place(&batch.ids[first..], &mut batch.starts, &mut batch.work.start);
                    }
                    continue;
                }
            }
            let work = &mut batch.work;
            work.idle();
            while !stretch.is_empty() {
                let bases = if stretch.len() > PIECE + BEYOND { PIECE } else { stretch.len() };
                let beyond = BEYOND.min(stretch.len() - bases);
                work.stretches.push(Stretch { from: work.pairs.len(), bases, beyond, ..Stretch::default() });
                letters::pairs(&stretch[..bases + beyond], &mut work.pairs);
                stretch = &stretch[bases..];
                count += 1;
            }
            work.parts.push(Part::Stretches(count));
        }
        batch.work.parts.push(Part::End);
    }

    /// Appends where each of `ids` begins; they continue a sequence that is cut up to `start`.
    fn place(&self, ids: &[u16], starts: &mut Vec<u32>, start: &mut u32) {
        starts.extend(ids.iter().map(|&id| {
            let here = *start;
            *start += u32::from(self.lengths[usize::from(id)]);
            here
        }));
    }

    /// Cuts what lies in the buffers and appends it to the batch.
    fn finish(&self, batch: &mut EncodedBatch, spans: bool) {
        let EncodedBatch { ids, starts, ends, work } = batch;
        work.make_room();
        let bases = 2 * work.pairs.len();
        let machine = self.machine_for(bases);
        if let Some(machine) = machine.filter(|_| !work.stretches.is_empty()) {
            work.cut(machine);
        }
        let mut stretches = work.stretches.iter().skip(1);
        let mut start = work.start;
        for part in &work.parts {
            match *part {
                Part::Unknown => {
                    ids.push(self.unknown);
                    if spans {
                        starts.push(start);
                    }
                    start += 1;
                }
                Part::End => {
                    ends.push(ids.len());
                    start = 0;
                }
                Part::Stretches(count) => {
                    // Where the tokens so far end, counted from the beginning of the present stretch.
                    let (first, mut place) = (ids.len(), 0);
                    match machine {
                        Some(machine) => {
                            for stretch in stretches.by_ref().take(count) {
                                place = self.join(machine, stretch, place, work, ids);
                            }
                        }
                        None => {
                            work.letters.clear();
                            for stretch in stretches.by_ref().take(count) {
                                let pairs = &work.pairs[stretch.from..][..stretch.bases.div_ceil(2)];
                                let letters = pairs.iter().flat_map(|&pair| [pair >> 2, pair & 3]);
                                work.letters.extend(letters.take(stretch.bases));
                            }
                            self.pairs.cut(&work.letters, ids);
                        }
                    }
                    if spans {
                        self.place(&ids[first..], starts, &mut start);
                    }
                }
            }
        }
        work.start = start;
        work.clear();
    }

    /// Appends the tokens of a stretch whose text is cut up to `place` already; gives where the next stretch is cut up to. The
    /// stretch was walked from its beginning: its tokens count from where both walks meet.
    fn join(&self, machine: &Tables, stretch: &Stretch, mut place: usize, work: &Work, ids: &mut Vec<u16>) -> usize {
        let own = &work.ids[2 * stretch.from..][..stretch.tokens];
        let (mut skipped, mut at) = (0, 0);
        while at != place && place < stretch.bases {
            if at < place {
                // Its own tokens may end before the walk has arrived: then it is followed to the end.
                at = own.get(skipped).map_or(usize::MAX, |&id| at + self.length(id));
                skipped += 1;
                continue;
            }
            let id = machine.token(&work.entries, stretch.from, place);
            ids.push(id);
            place += self.length(id);
        }
        if place >= stretch.bases {
            return place - stretch.bases;
        }
        ids.extend_from_slice(&own[skipped..]);
        stretch.reached - stretch.bases
    }
}
