//! From a run to its outcome: the one door that the program uses.

use std::path::Path;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::Device;
use dataset::{Corpus, ScoringWindow, Split, Task};
use experiment::record::{BlockScore, Cost, Outcome, Pretrained, Timing};
use experiment::run::{Control, Pretrain, Run, Work};
use protocol::layout::{Cut, Layout};
use protocol::score::{BIAS_ONLY, FLOOR, PARALLEL_FLOOR};
use protocol::{Fitted, masking_plan as plan};
use tokenize::Token;
use tokenize::vocabulary::{CLS, SEP};

use crate::batch::Batch;
use crate::checkpoint;
use crate::controls;
use crate::error::Error;
use crate::finetune::{self, Fit};
use crate::frontend::Route;
use crate::network::Model;
use crate::predict::Predictor;
use crate::pretrain::{self, Trained};
use crate::score::{Scorer, block_of};
use crate::watch::Watch;

/// A run collapsed if its validation bits never fell below its first point and it needs so many bits per base more than
/// the model that sees nothing.
const WORSE: f64 = 0.1;

/// What a run needs beside its own description; absent where its kind does not need it.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The corpus.
    pub corpus: Option<&'a Corpus>,
    /// The labelled task.
    pub task: Option<&'a Task>,
    /// The tokenizer, fitted.
    pub fitted: Option<&'a Fitted>,
    /// The run's own folder: checkpoints and weights.
    pub folder: &'a Path,
    /// The folder of the run it starts from.
    pub parent: Option<&'a Path>,
    /// Where to compute; no tape.
    pub device: &'a Device,
}

impl<'a> Inputs<'a> {
    pub(crate) fn corpus(&self) -> Result<&'a Corpus, Error> {
        self.corpus.ok_or_else(|| Error::Missing("this run needs a corpus".to_owned()))
    }

    pub(crate) fn task(&self) -> Result<&'a Task, Error> {
        self.task.ok_or_else(|| Error::Missing("this run needs a labelled task".to_owned()))
    }

    pub(crate) fn fitted(&self) -> Result<&'a Fitted, Error> {
        self.fitted.ok_or_else(|| Error::Missing("this run needs a tokenizer".to_owned()))
    }
}

/// What a run came to, how long it took, how often it was resumed, and what a person should know.
#[derive(Debug)]
pub struct Executed {
    /// The result; a loss that diverged is a result too.
    pub outcome: Outcome,
    /// Seconds and memory.
    pub timing: Timing,
    /// Times resumed from a checkpoint.
    pub resumed: u32,
    /// Checkpoints set aside and the like.
    pub notes: Vec<String>,
}

/// Executes a run. A diverged loss becomes [`Outcome::Failed`]; whatever else goes wrong is an error.
///
/// # Errors
/// If an input is missing or unusable, a file cannot be written, or the run is interrupted.
pub fn execute(run: &Run, inputs: &Inputs<'_>, watch: &mut Watch<'_>) -> Result<Executed, Error> {
    let result = match &run.work {
        Work::Pretrain(pretrain) => pretraining(run.seed, pretrain, inputs, watch),
        Work::Finetune(finetune) => {
            let fitted = inputs.fitted()?;
            let model = match (finetune.pretrained, inputs.parent) {
                (true, Some(folder)) => Some(pretrain::weights(
                    run.seed,
                    &finetune.model,
                    inputs.corpus()?,
                    fitted,
                    inputs.device,
                    folder,
                    watch,
                )?),
                (true, None) => return Err(Error::Missing("the pretrained model's folder is not given".to_owned())),
                (false, _) => None,
            };
            finetune::finetune(run.seed, finetune, inputs, model, watch).map(Executed::from)
        }
        Work::Control(Control::Markov { order, window, span, scoring, .. }) => {
            let began = Instant::now();
            let blocks = controls::markov::score(inputs.corpus()?, *order, *window, *span, scoring, watch)?;
            let pretrained = Pretrained {
                blocks,
                curve: Vec::new(),
                cost: Cost { frontend_parameters: 3 << (2 * order), bases_per_token: 1.0, ..Cost::default() },
                lengths: Vec::new(),
                planned_bases: 0,
                hidden_bases: 0,
                collapsed: false,
            };
            let timing = Timing { score_seconds: began.elapsed().as_secs_f64(), ..Timing::default() };
            Ok(Executed { outcome: Outcome::Pretrained(Box::new(pretrained)), timing, resumed: 0, notes: Vec::new() })
        }
        Work::Control(Control::KmerLogistic { max_k, .. }) => {
            controls::logistic::run(run.seed, *max_k, inputs, watch).map(Executed::from)
        }
        Work::Control(Control::Cnn { finetuning, .. }) => {
            controls::cnn::run(run.seed, finetuning, inputs, watch).map(Executed::from)
        }
    };
    match result {
        Err(error @ Error::Diverged { .. }) => Ok(Executed {
            outcome: Outcome::Failed { reason: error.to_string() },
            timing: Timing::default(),
            resumed: 0,
            notes: Vec::new(),
        }),
        other => other,
    }
    .map(|mut executed| {
        executed.timing.threads = rayon::current_num_threads();
        executed.timing.peak_mib = peak_mib();
        executed
    })
}

impl From<Fit> for Executed {
    fn from(fit: Fit) -> Executed {
        let Fit { result, train_seconds, score_seconds, resumed, notes } = fit;
        let timing = Timing { train_seconds, score_seconds, ..Timing::default() };
        Executed { outcome: Outcome::Finetuned(Box::new(result)), timing, resumed, notes }
    }
}

fn pretraining(seed: u64, run: &Pretrain, inputs: &Inputs<'_>, watch: &mut Watch<'_>) -> Result<Executed, Error> {
    let (corpus, fitted) = (inputs.corpus()?, inputs.fitted()?);
    let Trained { model, state, steps, notes } =
        pretrain::train(seed, run, corpus, fitted, inputs.device, inputs.folder, watch)?;
    let began = Instant::now();
    let windows = corpus.scoring_windows(Split::Test, run.training.window, run.scoring.bases)?;
    let mut scorer = Scorer::new(Predictor::new(&model, inputs.device), fitted, run.masking.span);
    let every: Vec<usize> = (0..plan::PASSES).collect();
    let mut blocks: Vec<BlockScore> = Vec::new();
    for (number, window) in windows.iter().enumerate() {
        if watch.stopped() {
            // Scoring is short beside training: it starts again from the finished training.
            return Err(Error::Interrupted { step: steps, steps });
        }
        watch.tell("score", number as u64, windows.len() as u64);
        let score = scorer.window(&window.bases, &every, true)?;
        let block = block_of(&mut blocks, window);
        *block += &score;
        if let Some(source) = corpus.source() {
            for pass in 0..plan::PASSES {
                let spans = plan::scoring(&window.bases, run.masking.span, pass);
                let parts = Cut::new(&*fitted.tokenizer, &window.bases, &spans).parts();
                let spans: Vec<_> = spans.iter().map(|span| span.start..span.end).collect();
                block.add(FLOOR, source.sequential_bits(&window.bases, &spans));
                block.add(PARALLEL_FLOOR, source.parallel_bits(&window.bases, &spans, &parts));
            }
        }
    }
    watch.tell("score", windows.len() as u64, windows.len() as u64);
    let (lengths, tokens) = lengths(&model, fitted, &windows, inputs.device);
    let bases: u64 = windows.iter().map(|window| window.bases.len() as u64).sum();
    let (frontend, encoder, head) = model.parameters();
    let per_token = bases as f64 / tokens.max(1) as f64;
    let seen = seen(&model, fitted, &windows, run.masking.span, inputs.device);
    let cost = Cost {
        frontend_parameters: frontend as u64,
        encoder_parameters: encoder as u64,
        head_parameters: head as u64,
        bases_per_token: per_token,
        macs_per_base: model.macs(seen.positions, seen.tokens, seen.targets) as f64 / run.training.window as f64,
        passes: scorer.passes() as f64 / windows.len().max(1) as f64,
        steps,
    };
    checkpoint::save_weights(inputs.folder, &model)?;
    let sum = |bits: fn(&BlockScore) -> f64| blocks.iter().map(bits).sum::<f64>();
    let worse = sum(BlockScore::total)
        > sum(|block| block.score.bits(BIAS_ONLY)) + WORSE * sum(|block| block.score.bases as f64);
    let fell = match (state.curve.first(), state.curve.last()) {
        (Some(first), Some(last)) if state.curve.len() > 1 => {
            last.bits * (first.scored as f64) < first.bits * last.scored as f64
        }
        _ => true,
    };
    let collapsed = worse && !fell;
    let timing = Timing {
        train_seconds: state.seconds,
        score_seconds: began.elapsed().as_secs_f64(),
        bases_per_second: state.bases as f64 / state.seconds.max(1e-9),
        ..Timing::default()
    };
    let outcome = Outcome::Pretrained(Box::new(Pretrained {
        blocks,
        curve: state.curve,
        cost,
        lengths,
        planned_bases: state.planned,
        hidden_bases: state.hidden,
        collapsed,
    }));
    Ok(Executed { outcome, timing, resumed: state.resumed, notes })
}

/// What a forward pass of scoring sees, means over windows.
struct Seen {
    /// Input positions, frame included.
    positions: usize,
    /// Tokens of the encoder, frame included.
    tokens: usize,
    /// Targets.
    targets: usize,
}

fn seen(model: &Model, fitted: &Fitted, windows: &[ScoringWindow], span: usize, device: &Device) -> Seen {
    let (mut positions, mut tokens, mut targets) = (0, 0, 0);
    for (number, window) in windows.iter().enumerate() {
        let spans = plan::scoring(&window.bases, span, number % plan::PASSES);
        let layout = Cut::new(&*fitted.tokenizer, &window.bases, &spans).step(0);
        positions += layout.ids.len();
        targets += layout.targets.len();
        tokens += match route(model, fitted, &layout, device) {
            Route::Units(rows) => rows.first().map_or(0, Vec::len),
            Route::Same => layout.ids.len(),
        };
    }
    let mean = |sum: usize| (sum as f64 / windows.len().max(1) as f64).round() as usize;
    Seen { positions: mean(positions), tokens: mean(tokens), targets: mean(targets) }
}

/// Which token owns which positions of one row. Only a front end that learns its units has to be asked.
fn route(model: &Model, fitted: &Fitted, layout: &Layout, device: &Device) -> Route {
    if !fitted.frontend.learns_units() {
        return Route::Same;
    }
    let batch = Batch::new(std::slice::from_ref(layout), device);
    model.valid().states(batch.ids, &batch.lengths, None).route
}

/// Tokens of each length that the scored windows are cut into (learned units where the front end learns them), and the
/// number of encoder tokens.
fn lengths(model: &Model, fitted: &Fitted, windows: &[ScoringWindow], device: &Device) -> (Vec<u64>, usize) {
    let mut counts: Vec<u64> = Vec::new();
    let mut add = |length: usize| {
        if counts.len() < length {
            counts.resize(length, 0);
        }
        if length > 0 {
            counts[length - 1] += 1;
        }
    };
    let mut number = 0;
    for window in windows {
        for range in cut(model, fitted, &window.bases, device) {
            number += 1;
            add(range.len());
        }
    }
    (counts, number)
}

/// The cut of a sequence: spans of bases, from the tokenizer or, for a learned front end, from its route.
pub fn cut(model: &Model, fitted: &Fitted, bases: &[u8], device: &Device) -> Vec<std::ops::Range<usize>> {
    let mut tokens: Vec<Token> = Vec::new();
    fitted.tokenizer.encode(bases, &mut tokens);
    let ids = std::iter::once(CLS).chain(tokens.iter().map(|token| token.id)).chain(std::iter::once(SEP)).collect();
    let layout = Layout { ids, targets: Vec::new(), hidden: 0 };
    match route(model, fitted, &layout, device) {
        Route::Same => tokens.iter().map(|token| token.start as usize..token.end as usize).collect(),
        // Position 0 is [CLS], the last one [SEP]: they stand for no base.
        Route::Units(rows) => rows
            .first()
            .into_iter()
            .flatten()
            .filter(|unit| unit.start > 0 && unit.start <= bases.len())
            .map(|unit| unit.start - 1..unit.start - 1 + unit.length)
            .collect(),
    }
}

/// Peak resident memory of this process in MiB, where the system tells (Linux).
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).map_or(0.0, |kib| kib / 1024.0)
}
