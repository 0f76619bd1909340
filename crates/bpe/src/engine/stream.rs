//! Streaming encoding: ids are returned as soon as they are certain.

use dna::is_base;
use dna::letters::ascii_bits;

use super::{EncodedBatch, Engine};

/// Bases that are buffered before they are encoded.
const STEP: usize = 1 << 18;

/// Encodes a sequence that arrives in chunks: memory does not grow with its length. Created by [`Engine::stream`].
///
/// Input is buffered until a boundary is certain whatever follows. Real text needs some tens of bases, endless repeats a few
/// tokens, so about 3 MB suffice in addition to the tables of the engine. A text without a certain boundary is buffered for as long
/// as needed; its ids are still correct.
#[derive(Debug)]
pub struct Stream<'a> {
    engine: &'a Engine,
    text: Vec<u8>,
    batch: EncodedBatch,
    /// Minimum number of buffered bases, and the current one.
    step: usize,
    most: usize,
}

impl Engine {
    /// Starts a sequence.
    ///
    /// ```
    /// # let engine = bpe::Engine::new(&[b"A".as_slice(), b"C", b"G", b"T", b"AC", b"ACG"], &[(0, 1, 4), (4, 2, 5)], 9).unwrap();
    /// let mut stream = engine.stream();
    /// let (mut ids, mut position) = (Vec::new(), 0);
    /// for bases in [b"AC".as_slice(), b"G", b"TACNA"] {
    ///     stream.push(bases, &mut ids);
    ///     // Ids that are certain by now; they can be written and dropped here.
    ///     position += ids.drain(..).map(|id| engine.length(id).max(1) as u64).sum::<u64>();
    /// }
    /// stream.finish(&mut ids);
    /// assert_eq!(position, 0);
    /// assert_eq!(ids, [5, 3, 4, 9, 0]);
    /// ```
    #[must_use]
    pub fn stream(&self) -> Stream<'_> {
        Stream { engine: self, text: Vec::new(), batch: EncodedBatch::default(), step: STEP, most: STEP }
    }
}

impl Stream<'_> {
    /// Sets the number of bases that are buffered before encoding (at least 1; default 262,144).
    #[must_use]
    pub fn with_step(self, bases: usize) -> Self {
        let step = bases.max(1);
        Stream { step, most: step.max(self.text.len() + 1), ..self }
    }

    /// Number of buffered bases whose ids have not been returned yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.text.len()
    }

    /// Adds bases. Appends the ids that are certain by now: those that [`Engine::encode`] gives for the whole sequence, in order.
    pub fn push(&mut self, mut bases: &[u8], ids: &mut Vec<u16>) {
        while !bases.is_empty() {
            let (now, later) = bases.split_at((self.most - self.text.len()).min(bases.len()));
            self.text.extend_from_slice(now);
            bases = later;
            if self.text.len() == self.most {
                let boundary = self.boundary();
                self.encode_prefix(boundary, ids);
                self.most = if boundary == 0 { 2 * self.most } else { self.text.len() + self.step };
            }
        }
    }

    /// Ends the sequence: appends the remaining ids. Another sequence can then start.
    pub fn finish(&mut self, ids: &mut Vec<u16>) {
        self.encode_prefix(self.text.len(), ids);
        self.most = self.step;
    }

    /// A position at which every continuation has a boundary; 0 if none is certain.
    fn boundary(&self) -> usize {
        let (engine, text) = (self.engine, &self.text);
        let boundary = engine.boundary_near(engine.automaton(0), text, text.len());
        if let Some(boundary) = boundary.filter(|&boundary| boundary > 0) {
            return boundary;
        }
        let from = text.iter().rposition(|&base| !is_base(base)).map_or(0, |other| other + 1);
        let letters: Vec<u8> = text[from..].iter().map(|&base| ascii_bits(base)).collect();
        from + engine.pairs.boundary(&letters, engine.longest)
    }

    fn encode_prefix(&mut self, to: usize, ids: &mut Vec<u16>) {
        if to > 0 {
            self.engine.encode([&self.text[..to]], &mut self.batch);
            ids.extend_from_slice(self.batch.ids(0));
            self.text.drain(..to);
        }
    }
}
