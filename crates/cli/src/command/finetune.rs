//! `tokbench finetune`: a trained model on a labeled table.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use clap::ValueEnum;
use dataset::leaks::Overlap;
use dataset::targets::{self, Row, Target};
use dataset::{Metric, TargetKind};
use experiment::config::{Finetuning, Pooling};
use model::Watch;
use model::tune::{self, Data, LoraOptions, Options};
use pipeline::Builtin;

use super::fill_mask::open;
use crate::args::{self, LabelKind, PooledState, SelectionMetric};
use crate::command::tokenizer::standard::one_standard_input;
use crate::failure::{DATA, Failure, USAGE};
use crate::folders;
use crate::interrupt::Interrupt;
use crate::progress::Bar;
use crate::stdout::{errln, outln};

/// What an interrupted fine-tuning was asked for.
const REQUEST: &str = "request.json";
/// Fraction of the training table that is the validation or test split.
const TENTH: f64 = 0.1;

pub(crate) fn run(builtin: &Arc<Builtin>, args: &args::Finetune, interrupt: &Interrupt) -> Result<u8, Failure> {
    let folder = &args.output;
    if folder.join(tune::DESCRIPTION).exists() {
        let cause = format!("{} has a fine-tuned model already", folder.display());
        return Err(Failure::new(USAGE, cause, "name a new folder with --output"));
    }
    let kind = match args.labels {
        LabelKind::Class => TargetKind::Class,
        LabelKind::Labels => TargetKind::Labels,
        LabelKind::Numbers => TargetKind::Numbers,
        LabelKind::Bases => TargetKind::Bases,
        LabelKind::Contacts => TargetKind::Contacts,
    };
    without_effect(args, kind)?;
    let inputs: Vec<&Path> = tables(args);
    one_standard_input("", inputs.iter().copied())?;
    let data = read(args, kind)?;
    check(args, kind, &data)?;
    leaks(&data);
    let trained = open(builtin, &args.trained)?;
    let hidden = trained.config.encoder.hidden;
    if let Some(rank) = args.lora.filter(|rank| *rank > hidden) {
        let cause = format!("adapters of rank {rank} are no smaller than matrices of width {hidden}");
        return Err(Failure::new(USAGE, cause, "use a smaller --lora, or train all parameters"));
    }
    let rate = if trained.published { 3e-5 } else { Finetuning::default().learning_rate };
    let options = Options {
        labels: kind,
        settings: Finetuning {
            epochs: args.epochs,
            batch: args.batch,
            gradient_accumulation: args.gradient_accumulation,
            learning_rate: args.learning_rate.unwrap_or(rate),
            evaluations: args.evaluations,
            patience: args.patience.unwrap_or(0),
            pooling: match args.pooling {
                PooledState::Mean => Pooling::Mean,
                PooledState::Cls => Pooling::Cls,
            },
            ..Finetuning::default()
        },
        seed: args.seed,
        lora: args.lora.map(|rank| LoraOptions { rank, alpha: args.lora_alpha }),
        class_weights: args.class_weights,
        reverse_complement: args.reverse_complement,
        restarts: args.restarts,
        metric: match args.metric {
            None | Some(SelectionMetric::Mcc) => Metric::Mcc,
            Some(SelectionMetric::F1) => Metric::F1,
            Some(SelectionMetric::Accuracy) => Metric::Accuracy,
        },
    };
    folders::make(folder)?;
    request(folder, &trained.hash(), &options, &data)?;
    let mut bar = Bar::of("finetune");
    let _saving = interrupt.saving();
    let mut watch =
        Watch::new(|progress| bar.update(progress.stage, progress.done, progress.of), Arc::clone(interrupt.stop()));
    let tuned = tune::tune(&trained, &data, &options, folder, &mut watch);
    drop(watch);
    if let Err(model::Error::Diverged { .. }) = &tuned {
        // Other settings must be free to begin here.
        tune::clear(folder);
        let _ = std::fs::remove_file(folder.join(REQUEST));
    }
    let (model, report, notes) = tuned?;
    model.save(folder, &args.trained.model, &report)?;
    let _ = std::fs::remove_file(folder.join(REQUEST));
    for note in notes {
        errln!("note: {note}");
    }
    let [train, dev, test] = report.rows;
    outln!("rows: {train} training, {dev} validation, {test} test; {} outputs", data.names.len());
    outln!("{} parameters, {} of them trained", report.parameters, report.trained);
    outln!("validation: {}", line(&report.dev));
    if test > 0 {
        outln!("test: {}", line(&report.test));
    }
    if report.attempts.last().is_some_and(|attempt| attempt.collapsed) {
        errln!(
            "warning: it predicts the same for every validation row (collapsed); try --restarts, or another --learning-rate"
        );
    }
    outln!("written: {}", folder.display());
    Ok(0)
}

fn line(metrics: &BTreeMap<String, f64>) -> String {
    let text =
        |value: f64| if value.abs() < 0.01 && value != 0.0 { format!("{value:.3e}") } else { format!("{value:.4}") };
    metrics.iter().map(|(name, value)| format!("{name} {}", text(*value))).collect::<Vec<_>>().join(", ")
}

/// Refuses flags that would change nothing.
fn without_effect(args: &args::Finetune, kind: TargetKind) -> Result<(), Failure> {
    if args.gradient_accumulation > args.batch {
        let cause = format!("a batch of {} rows has no {} parts", args.batch, args.gradient_accumulation);
        return Err(Failure::new(USAGE, cause, "use a --gradient-accumulation of at most --batch"));
    }
    let refuse = |flag: &str| {
        let labels = args.labels.to_possible_value();
        let labels = labels.as_ref().map_or("", |value| value.get_name());
        Err(Failure::new(USAGE, format!("{flag} has no effect with --labels {labels}"), "omit it"))
    };
    if kind == TargetKind::Numbers && args.class_weights {
        refuse("--class-weights")
    } else if kind != TargetKind::Class && args.metric.is_some() {
        refuse("--metric")
    } else {
        Ok(())
    }
}

/// The tables.
fn tables(args: &args::Finetune) -> Vec<&Path> {
    [Some(&args.train), args.dev.as_ref(), args.test.as_ref()].into_iter().flatten().map(|path| &**path).collect()
}

/// Tells rows that are in two splits: metrics on them say little about new sequences.
fn leaks(data: &Data) {
    let seen: HashSet<&[u8]> = data.train.iter().map(|row| row.sequence.as_slice()).collect();
    for (name, rows) in [("validation", &data.dev), ("test", &data.test)] {
        let sequences = rows.iter().map(|row| row.sequence.as_slice());
        let Overlap { exact, reverse, rows } = Overlap::of(sequences, |sequence| seen.contains(sequence));
        if exact + reverse > 0 {
            errln!("note: {} of {rows} {name} rows are also in the training table, on either strand", exact + reverse);
        }
    }
}

/// The rows of the three splits.
fn read(args: &args::Finetune, kind: TargetKind) -> Result<Data, Failure> {
    let read = targets::read(&tables(args), kind)?;
    errln!("{}", read.counts);
    let mut tables = read.tables.into_iter();
    let train = tables.next().unwrap_or_default();
    let (train, dev, test) = match (&args.dev, &args.test) {
        (Some(_), _) => (train, tables.next().unwrap_or_default(), tables.next().unwrap_or_default()),
        (None, Some(_)) => {
            let [train, dev, _] = targets::split(train, TENTH, 0.0);
            (train, dev, tables.next().unwrap_or_default())
        }
        (None, None) => {
            let [train, dev, test] = targets::split(train, TENTH, TENTH);
            (train, dev, test)
        }
    };
    Ok(Data { train, dev, test, names: read.names })
}

/// Refuses data from which nothing can be learned.
fn check(args: &args::Finetune, kind: TargetKind, data: &Data) -> Result<(), Failure> {
    let place = args.train.display();
    let fail = |cause: String, remedy: &str| Err(Failure::new(DATA, format!("{place}: {cause}"), remedy));
    for (name, rows) in [("training", &data.train), ("validation", &data.dev)] {
        if rows.is_empty() {
            return fail(format!("the {name} split has no rows"), "add rows, or name a table with --dev");
        }
    }
    if kind == TargetKind::Numbers {
        return Ok(());
    }
    for (name, rows) in [("training", &data.train), ("validation", &data.dev), ("test", &data.test)] {
        let empty = rows.iter().filter(|row| !row.target.is_scored(row.sequence.len())).count();
        if !rows.is_empty() && empty == rows.len() {
            return fail(format!("no row of the {name} split has anything to predict"), "label some bases of its rows");
        }
        if empty > 0 {
            errln!("note: {empty} of {} {name} rows have nothing to predict", rows.len());
        }
    }
    let rows = data.train.len() + data.dev.len() + data.test.len();
    if kind == TargetKind::Class && 2 * data.names.len() > rows {
        let cause = format!("{} different labels in {rows} rows are no classes", data.names.len());
        return fail(cause, "use --labels numbers for numbers, --labels labels for several labels of a row");
    }
    let minimum = if matches!(kind, TargetKind::Labels | TargetKind::Contacts) { 1 } else { 2 };
    if data.names.len() < minimum {
        let cause = format!("{} different labels, and at least {minimum} are needed", data.names.len());
        return fail(cause, "see --labels in \"tokbench finetune --help\"");
    }
    let trained = |rows: &[Row]| {
        let mut found = vec![false; data.names.len()];
        for row in rows {
            match &row.target {
                Target::Class(class) => found[*class as usize] = true,
                Target::Bases(classes) => classes.iter().flatten().for_each(|class| found[*class as usize] = true),
                Target::Labels(labels) => found.iter_mut().zip(labels).for_each(|(found, label)| *found |= label),
                Target::Contacts(contacts) => found[0] |= !contacts.is_empty(),
                Target::Numbers(_) => {}
            }
        }
        found
    };
    match trained(&data.train).iter().position(|found| !found) {
        Some(missing) => fail(
            format!("label {:?} does not occur in the training split", data.names[missing]),
            "add rows with it, remove it, or split the tables yourself (--dev, --test)",
        ),
        None => Ok(()),
    }
}

/// Notes what was asked for; refuses a folder in which something else was begun.
fn request(folder: &Path, model: &str, options: &Options, data: &Data) -> Result<(), Failure> {
    let path = folder.join(REQUEST);
    let wanted = serde_json::json!({ "model": model, "options": options, "data": data.hash() });
    match std::fs::read(&path) {
        Ok(text) if serde_json::from_slice::<serde_json::Value>(&text).ok().as_ref() == Some(&wanted) => {
            errln!("resuming the fine-tuning in {}", folder.display());
            Ok(())
        }
        Ok(_) => Err(Failure::new(
            USAGE,
            format!("another fine-tuning was begun in {}", folder.display()),
            "repeat its command to resume it, or name a new folder with --output",
        )),
        Err(_) if folder.read_dir().is_ok_and(|mut entries| entries.next().is_some()) => {
            Err(Failure::new(USAGE, format!("{} is not empty", folder.display()), "name a new folder with --output"))
        }
        Err(_) => {
            let text = serde_json::to_string_pretty(&wanted).unwrap_or_default();
            experiment::files::write(&path, text).map_err(|error| Failure::file(&path, &error))
        }
    }
}
