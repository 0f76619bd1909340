//! Executes a run and returns its outcome; the entry point of this crate.

use burn::tensor::Device;
use dataset::{MarkovChain, ScoringWindow, Split};
use experiment::Record;
use experiment::record::{BlockScore, Cost, CurvePoint, Outcome, Pretrained, RegionScore, Timing};
use experiment::run::{Control, Pretrain, Run, Work};
use protocol::Fitted;
use protocol::layout::SegmentedWindow;
use protocol::masking_plan::{self as plan, Span};
use protocol::score::{BIAS_ONLY, COMPOSITION, FLOOR, PARALLEL_FLOOR, Score};

use crate::checkpoint;
use crate::controls;
use crate::controls::text::{Predicted, composition, ranges};
use crate::error::Error;
use crate::finetune;
use crate::fit::FitResult;
use crate::inputs::Inputs;
use crate::network::Model;
use crate::predict::Predictor;
use crate::pretrain::{self, Trained};
use crate::score::{EVERY_PASS, Scorer, add_regions, block_of};
use crate::segmentation::{lengths, mean_pass_size, unit_bases};
use crate::watch::{Stopwatch, Watch};

/// A run collapsed if its last validation score is not below its first and its test score exceeds the context-free null by
/// more than this many bits per base.
const COLLAPSE_MARGIN: f64 = 0.1;

/// Outcome of a run, with timing, number of resumptions and notes for the user.
#[derive(Debug)]
pub struct Executed {
    /// The result; a diverged loss is reported as [`Outcome::Failed`].
    pub outcome: Outcome,
    /// Time (seconds) and peak memory (MiB).
    pub timing: Timing,
    /// Number of resumptions from a checkpoint.
    pub resumed: u32,
    /// Notes for the user, such as damaged checkpoints.
    pub notes: Vec<String>,
}

/// Executes a run. A diverged loss gives [`Outcome::Failed`]; every other failure is an error.
///
/// # Errors
/// If an input is missing or invalid, a file cannot be written, or the run is interrupted.
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
                (true, None) => {
                    return Err(Error::Missing("missing input: the folder of the pretrained model".to_owned()));
                }
                (false, _) => None,
            };
            finetune::finetune(run.seed, finetune, inputs, model, watch).map(Executed::from)
        }
        Work::Control(control @ (Control::Markov { .. } | Control::SelectedMarkov { .. })) => {
            controls::text::run(control, inputs, watch).map(Executed::from)
        }
        Work::Control(Control::KmerLogistic { max_k, finetuning, .. }) => {
            controls::logistic::run(run.seed, *max_k, finetuning.as_ref(), inputs, watch).map(Executed::from)
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
        // At least that of the trial whose model was taken over.
        executed.timing.peak_mib = peak_mib().max(executed.timing.peak_mib);
        executed
    })
}

impl From<Predicted> for Executed {
    fn from(predicted: Predicted) -> Executed {
        let Predicted { blocks, parameters, selected, seconds } = predicted;
        let pretrained = Pretrained {
            blocks,
            curve: Vec::new(),
            cost: Cost { frontend_parameters: parameters, bases_per_token: 1.0, ..Cost::default() },
            lengths: Vec::new(),
            planned_bases: 0,
            hidden_bases: 0,
            collapsed: false,
            offsets: Vec::new(),
            regions: Vec::new(),
            prior_total: None,
            selected,
            unit_bases: None,
        };
        let timing = Timing { score_seconds: seconds, ..Timing::default() };
        Executed { outcome: Outcome::Pretrained(Box::new(pretrained)), timing, resumed: 0, notes: Vec::new() }
    }
}

impl From<FitResult> for Executed {
    fn from(fit: FitResult) -> Executed {
        let FitResult { result, train_seconds, score_seconds, resumed, notes } = fit;
        let timing = Timing { train_seconds, score_seconds, ..Timing::default() };
        Executed { outcome: Outcome::Finetuned(Box::new(result)), timing, resumed, notes }
    }
}

fn pretraining(seed: u64, run: &Pretrain, inputs: &Inputs<'_>, watch: &mut Watch<'_>) -> Result<Executed, Error> {
    let (corpus, fitted) = (inputs.corpus()?, inputs.fitted()?);
    if let Some((_, Record { outcome: failed @ Outcome::Failed { .. }, timing, .. })) = inputs.trial {
        // The same training would fail again.
        return Ok(Executed { outcome: failed.clone(), timing: timing.clone(), resumed: 0, notes: Vec::new() });
    }
    let (taken, warning) = pretrain::take_over(run, fitted, inputs);
    let taken_mib = inputs.trial.filter(|_| taken.is_some()).map_or(0.0, |(_, record)| record.timing.peak_mib);
    let Trained { model, state, steps, mut notes } = match taken {
        Some(trained) => trained,
        None => pretrain::train(seed, run, corpus, fitted, inputs.device, inputs.folder, watch)?,
    };
    notes.extend(warning);
    let mut clock = Stopwatch::start();
    let windows = if run.is_trial() {
        Vec::new()
    } else {
        corpus.scoring_windows(Split::Test, run.training.window, run.scoring.bases)?
    };
    let mut scorer = Scorer::new(Predictor::new(&model, inputs.device), fitted, run.masking.span);
    let composition = composition(corpus, run.training.window, run.masking.span)?;
    let (mut blocks, mut regions): (Vec<BlockScore>, Vec<RegionScore>) = (Vec::new(), Vec::new());
    for (number, window) in windows.iter().enumerate() {
        if watch.stopped() {
            // Scoring has no checkpoints of its own: it restarts from the trained model.
            return Err(Error::Interrupted { step: steps, steps });
        }
        watch.report("score", number as u64, windows.len() as u64);
        let score = if window.held_out {
            scorer.window_apart(&window.bases, true)?
        } else {
            scorer.window(&window.bases, &EVERY_PASS, true)?
        };
        if let Some(classes) = corpus.classes_of(window) {
            add_regions(&mut regions, window, classes, scorer.bases());
        }
        let block = block_of(&mut blocks, window);
        *block += &score;
        for pass in EVERY_PASS {
            let spans = ranges(&window.bases, run.masking.span, pass);
            block.add(COMPOSITION, composition.sequential_bits(&window.bases, &spans));
        }
        if let Some(source) = corpus.source_of(&window.species) {
            add_floors(block, source, &window.bases, fitted, run.masking.span);
        }
    }
    watch.report("score", windows.len() as u64, windows.len() as u64);
    let scored = windows.len().max(1) as f64;
    // What describes the model does not depend on species held out of training.
    let windows: Vec<ScoringWindow> = windows.into_iter().filter(|window| !window.held_out).collect();
    let (lengths, tokens) = lengths(&model, fitted, &windows, inputs.device);
    let bases: u64 = windows.iter().map(|window| window.bases.len() as u64).sum();
    let cost = Cost {
        bases_per_token: bases as f64 / tokens.max(1) as f64,
        passes: scorer.passes() as f64 / scored,
        steps,
        ..cost(&model, fitted, &windows, run, inputs.device)
    };
    let windows = pretrain::last_windows(run, corpus)?;
    let unit_bases = unit_bases(&model, fitted, &windows, run.masking.span, inputs.device);
    checkpoint::save_weights(inputs.folder, &model)?;
    let timing = Timing {
        train_seconds: state.seconds,
        score_seconds: clock.lap(),
        bases_per_second: state.bases as f64 / state.seconds.max(1e-9),
        peak_mib: taken_mib,
        ..Timing::default()
    };
    let collapsed = collapsed(&blocks, &state.curve);
    let result = Pretrained {
        blocks,
        curve: state.curve,
        cost,
        lengths,
        planned_bases: state.planned,
        hidden_bases: state.masked,
        collapsed,
        offsets: scorer.offsets().to_vec(),
        regions,
        prior_total: fitted.prior.as_ref().map(|prior| prior.total()),
        selected: None,
        unit_bases,
    };
    let outcome = Outcome::Pretrained(Box::new(if run.is_trial() { result.trial() } else { result }));
    Ok(Executed { outcome, timing, resumed: state.resumed, notes })
}

/// Adds the exact entropy floors (sequential and parallel order) of a window whose source is known.
fn add_floors(block: &mut Score, source: &MarkovChain, bases: &[u8], fitted: &Fitted, span: usize) {
    for pass in EVERY_PASS {
        let spans = plan::scoring(bases, span, pass);
        let parts = SegmentedWindow::new(&*fitted.tokenizer, bases, &spans).target_ranges();
        let spans: Vec<_> = spans.iter().map(Span::range).collect();
        block.add(FLOOR, source.sequential_bits(bases, &spans));
        block.add(PARALLEL_FLOOR, source.parallel_bits(bases, &spans, &parts));
    }
}

/// Parameters, and multiply-accumulates of a mean forward pass on the scored windows.
fn cost(model: &Model, fitted: &Fitted, windows: &[ScoringWindow], run: &Pretrain, device: &Device) -> Cost {
    let (frontend, encoder, head) = model.parameters();
    let size = mean_pass_size(model, fitted, windows, run.masking.span, device);
    Cost {
        frontend_parameters: frontend as u64,
        encoder_parameters: encoder as u64,
        head_parameters: head as u64,
        macs_per_base: model.macs(size.positions, size.tokens, size.targets) as f64 / run.training.window as f64,
        ..Cost::default()
    }
}

/// Whether a run collapsed, by its test score and its validation curve.
fn collapsed(blocks: &[BlockScore], curve: &[CurvePoint]) -> bool {
    let sum = |bits: fn(&BlockScore) -> f64| blocks.iter().filter(|block| !block.held_out).map(bits).sum::<f64>();
    let baseline = sum(|block| block.score.bits(BIAS_ONLY));
    let worse = sum(BlockScore::total) > baseline + COLLAPSE_MARGIN * sum(|block| block.score.bases as f64);
    let improved = match (curve.first(), curve.last()) {
        (Some(first), Some(last)) if curve.len() > 1 => {
            last.bits * (first.scored as f64) < first.bits * last.scored as f64
        }
        _ => true,
    };
    worse && !improved
}

/// Peak resident memory of this process in MiB; 0 where unknown (known on Linux).
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).map_or(0.0, |kib| kib / 1024.0)
}
