//! An executor that simulates records: a deterministic function of the run key. For tests of the whole program.
//!
//! The version of a simulated record is [`SIMULATED`], and every conclusion from one says so. Other executors do not count it as
//! finished, and it never replaces a computed record.

use experiment::executor::{Context, Ending, Executor, Message, Submission, Update};
use experiment::record::{
    BlockScore, Cost, CurvePoint, Finetuned, Metric, Outcome, Pretrained, Provenance, Record, SIMULATED, Timing,
};
use experiment::run::Work;
use experiment::{Job, Result, Run};
use protocol::score::{BIAS_ONLY, CONTENT, COUNT, LENGTH, PARALLEL, Score, ZERO, ZERO_COUNT};

/// Reason for a run to fail, `None` to succeed.
pub type Fault = Box<dyn Fn(&Job) -> Option<String>>;

/// The executor that simulates records.
#[derive(Default)]
pub struct Mock {
    fault: Option<Fault>,
    ended: Vec<Message>,
}

impl Mock {
    /// An executor in which `fault` makes runs fail.
    #[must_use]
    pub fn failing(fault: Fault) -> Mock {
        Mock { fault: Some(fault), ended: Vec::new() }
    }
}

impl Executor for Mock {
    fn capacity(&self) -> usize {
        1
    }

    fn submit(&mut self, job: &Job, context: &Context<'_>) -> Result<Submission> {
        let mut record = record(&job.run);
        if let (Outcome::Finetuned(result), Some(task)) = (&mut record.outcome, &job.data.task) {
            result.metric = task.metric;
        }
        if let Some(reason) = self.fault.as_ref().and_then(|fault| fault(job)) {
            record.outcome = Outcome::Failed { reason };
        }
        context.store.put_record(&record)?;
        self.ended.push(Message { key: job.key.clone(), update: Update::Ended(Ending::default()) });
        Ok(Submission::Accepted)
    }

    fn poll(&mut self) -> Result<Vec<Message>> {
        Ok(std::mem::take(&mut self.ended))
    }

    fn cancel(&mut self) -> Result<Vec<Message>> {
        self.poll()
    }

    fn simulates(&self) -> bool {
        true
    }
}

/// A simulated record of a run.
#[must_use]
pub fn record(run: &Run) -> Record {
    let key = run.key();
    let mut noise = Noise::of(key.as_str());
    let outcome = match &run.work {
        Work::Pretrain(p) => {
            let windows = (p.scoring.bases / p.training.window.max(1)).max(1) as u64;
            let base = 1.90 + 0.06 * Noise::of(&p.tokenizer).next();
            let reading = tokenize::registry::builtin().reading(&p.tokenizer);
            let variable = reading.is_some_and(|reading| reading.fixed().is_none());
            let outcome = pretrained(base, windows * p.training.window as u64, variable, p.training.bases, &mut noise);
            match outcome {
                Outcome::Pretrained(result) if p.is_trial() => Outcome::Pretrained(Box::new(result.trial())),
                outcome => outcome,
            }
        }
        Work::Finetune(f) => {
            let skill = 0.8 + 0.1 * Noise::of(&f.model.tokenizer).next();
            finetuned(if f.pretrained { skill } else { skill - 0.1 }, &f.task.hash, &mut noise)
        }
        Work::Control(control) => match (control.text(), run.task()) {
            (Some(text), _) => {
                let windows = (text.scoring.bases / text.window.max(1)).max(1) as u64;
                pretrained(1.95, windows * text.window as u64, false, 0, &mut noise)
            }
            (None, task) => finetuned(0.75, task.map_or("", |task| task.hash.as_str()), &mut noise),
        },
    };
    Record {
        key,
        run: run.clone(),
        outcome,
        timing: Timing { train_seconds: 1.0, score_seconds: 1.0, bases_per_second: 1e5, peak_mib: 100.0, threads: 1 },
        provenance: Provenance {
            version: SIMULATED.to_owned(),
            commit: SIMULATED.to_owned(),
            device: SIMULATED.to_owned(),
            ..Provenance::default()
        },
    }
}

fn pretrained(bits: f64, bases: u64, variable: bool, seen: u64, noise: &mut Noise) -> Outcome {
    const BLOCKS: u64 = 16;
    // The same blocks are easy and hard for all runs, as on a real genome.
    let mut genome = Noise::of("genome");
    let seed_effect = 0.01 * noise.signed();
    let blocks = (0..BLOCKS)
        .map(|i| {
            let n = bases / BLOCKS + u64::from(i < bases % BLOCKS);
            let per_base = bits + 0.03 * genome.signed() + seed_effect + 0.005 * noise.signed();
            let total = per_base * n as f64;
            let (count, length) = if variable { (0.1 * total, 0.15 * total) } else { (0.0, 0.0) };
            BlockScore {
                species: if i < BLOCKS / 2 { "mock one" } else { "mock two" }.to_owned(),
                held_out: false,
                block: (i % (BLOCKS / 2)) as u32,
                score: Score::of(n)
                    .with(COUNT, count)
                    .with(LENGTH, length)
                    .with(CONTENT, total - count - length)
                    .with(PARALLEL, total * 1.02)
                    .with(ZERO, 2.0 * n as f64)
                    .with(ZERO_COUNT, count)
                    .with(BIAS_ONLY, 1.98 * n as f64),
            }
        })
        .collect();
    let curve = (1..=6_u64)
        .map(|i| {
            let left = (-(i as f64) / 2.0).exp();
            CurvePoint {
                bases: seen * i / 6,
                bits: (bits + (2.0 - bits) * left) * 1008.0,
                scored: 1008,
                floor: None,
                loss: 1.3 + 0.1 * left,
            }
        })
        .collect();
    Outcome::Pretrained(Box::new(Pretrained {
        blocks,
        curve,
        cost: Cost {
            frontend_parameters: 1_000,
            encoder_parameters: 100_000,
            head_parameters: 1_000,
            bases_per_token: if variable { 4.8 } else { 1.0 },
            macs_per_base: 1e5,
            passes: if variable { 30.0 } else { 84.0 },
            steps: seen / 1008,
        },
        lengths: if variable { vec![10, 20, 40, 80, 160, 80] } else { vec![bases] },
        planned_bases: seen * 15 / 100,
        hidden_bases: seen * 14 / 100,
        collapsed: false,
        offsets: Vec::new(),
        regions: Vec::new(),
        prior_total: None,
        selected: None,
        unit_bases: None,
    }))
}

fn finetuned(skill: f64, task: &str, noise: &mut Noise) -> Outcome {
    const ROWS: usize = 200;
    let mut truth = Noise::of(task);
    let labels: Vec<u32> = (0..ROWS).map(|_| u32::from(truth.next() < 0.5)).collect();
    let predicted: Vec<u32> = labels.iter().map(|&l| if noise.next() < skill { l } else { 1 - l }).collect();
    let mut table = [[0.0_f64; 2]; 2];
    for (&l, &p) in labels.iter().zip(&predicted) {
        table[l as usize][p as usize] += 1.0;
    }
    let [[tn, fp], [fn_, tp]] = table;
    let ratio = |a: f64, b: f64| if b > 0.0 { a / b } else { 0.0 };
    let mcc = ratio(tp * tn - fp * fn_, ((tp + fp) * (tp + fn_) * (tn + fp) * (tn + fn_)).sqrt());
    let f1 = (ratio(2.0 * tp, 2.0 * tp + fp + fn_) + ratio(2.0 * tn, 2.0 * tn + fp + fn_)) / 2.0;
    Outcome::Finetuned(Box::new(Finetuned {
        classes: 2,
        names: Vec::new(),
        metric: Metric::default(),
        rows: 1_000,
        collapsed: predicted.iter().all(|p| *p == predicted[0]),
        labels,
        predicted,
        dev_losses: vec![0.6, 0.5, 0.45],
        best: 2,
        dev_mcc: mcc,
        mcc,
        f1,
        accuracy: (tp + tn) / ROWS as f64,
        parameters: 100_000,
    }))
}

/// Pseudorandom numbers from a text, the same on every machine.
struct Noise(blake3::OutputReader);

impl Noise {
    fn of(text: &str) -> Noise {
        let mut hasher = blake3::Hasher::new();
        hasher.update(text.as_bytes());
        Noise(hasher.finalize_xof())
    }

    /// Uniform in 0..1.
    fn next(&mut self) -> f64 {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
    }

    /// Uniform in -1..1.
    fn signed(&mut self) -> f64 {
        2.0 * self.next() - 1.0
    }
}
