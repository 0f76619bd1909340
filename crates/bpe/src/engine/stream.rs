//! Sequences that come bit by bit, and whose ids are given as soon as they are certain.

use dna::is_base;
use dna::letters::ascii_bits;

use super::{EncodedBatch, Engine};

/// Bases that are collected before they are cut.
const STEP: usize = 1 << 18;

/// Cuts a sequence that comes bit by bit: memory does not grow with it. From [`Engine::stream`].
///
/// What is read is kept until a border is certain whatever follows. On real text that is a matter of some tens of bases, and in
/// endless repeats of a few tokens, so some 3 MB suffice, tables of the engine aside. A text that left its cut open for longer would
/// be kept for so long, and its ids would still be the right ones.
#[derive(Debug)]
pub struct Stream<'a> {
    engine: &'a Engine,
    text: Vec<u8>,
    batch: EncodedBatch,
    /// Bases that are collected at least, and at present.
    step: usize,
    most: usize,
}

impl Engine {
    /// Begins a sequence.
    ///
    /// ```
    /// # let engine = bpe::Engine::new(&[b"A".as_slice(), b"C", b"G", b"T", b"AC", b"ACG"], &[(0, 1, 4), (4, 2, 5)], 9).unwrap();
    /// let mut stream = engine.stream();
    /// let (mut ids, mut place) = (Vec::new(), 0);
    /// for bases in [b"AC".as_slice(), b"G", b"TACNA"] {
    ///     stream.push(bases, &mut ids);
    ///     // Ids that are certain by now; here they can be written and forgotten.
    ///     place += ids.drain(..).map(|id| engine.length(id).max(1) as u64).sum::<u64>();
    /// }
    /// stream.finish(&mut ids);
    /// assert_eq!(place, 0);
    /// assert_eq!(ids, [5, 3, 4, 9, 0]);
    /// ```
    #[must_use]
    pub fn stream(&self) -> Stream<'_> {
        Stream { engine: self, text: Vec::new(), batch: EncodedBatch::default(), step: STEP, most: STEP }
    }
}

impl Stream<'_> {
    /// The same, collecting `bases` before they are cut (1 at least) in place of 262,144.
    #[must_use]
    pub fn with_step(self, bases: usize) -> Self {
        let step = bases.max(1);
        Stream { step, most: step.max(self.text.len() + 1), ..self }
    }

    /// Bases that were read and whose ids have not been given yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.text.len()
    }

    /// Reads on. Appends the ids that are certain by now: those that [`Engine::encode`] gives to the whole sequence, in order.
    pub fn push(&mut self, mut bases: &[u8], ids: &mut Vec<u16>) {
        while !bases.is_empty() {
            let (now, later) = bases.split_at((self.most - self.text.len()).min(bases.len()));
            self.text.extend_from_slice(now);
            bases = later;
            if self.text.len() == self.most {
                let border = self.border();
                self.cut(border, ids);
                self.most = if border == 0 { 2 * self.most } else { self.text.len() + self.step };
            }
        }
    }

    /// Ends the sequence: appends the ids that are left. Then another one can begin.
    pub fn finish(&mut self, ids: &mut Vec<u16>) {
        self.cut(self.text.len(), ids);
        self.most = self.step;
    }

    /// A place at which the text is cut whatever follows; 0 if none is certain.
    fn border(&self) -> usize {
        let (engine, text) = (self.engine, &self.text);
        let border = engine.border_near(engine.machine(0), text, text.len());
        if let Some(border) = border.filter(|&border| border > 0) {
            return border;
        }
        let from = text.iter().rposition(|&base| !is_base(base)).map_or(0, |other| other + 1);
        let letters: Vec<u8> = text[from..].iter().map(|&base| ascii_bits(base)).collect();
        from + engine.pairs.border(&letters, engine.longest)
    }

    fn cut(&mut self, to: usize, ids: &mut Vec<u16>) {
        if to > 0 {
            self.engine.encode([&self.text[..to]], &mut self.batch);
            ids.extend_from_slice(self.batch.ids(0));
            self.text.drain(..to);
        }
    }
}
