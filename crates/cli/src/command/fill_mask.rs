//! `tokbench fill-mask`: tokens of [MASK], or the bases at masked positions.

use std::path::PathBuf;
use std::sync::Arc;

use dataset::text::excerpt;
use model::trained::{FilledBases, MaskedText, Trained};
use pipeline::Builtin;

use crate::args::{self, MaskUnit};
use crate::command::tokenizer::output::Output;
use crate::command::tokenizer::standard::one_standard_input;
use crate::command::vectors::csv_field;
use crate::failure::{DATA, Failure, USAGE};
use crate::folders;
use crate::stdout::errln;
use crate::workspace::workspace;

/// Spellings of a mask.
const MASKS: [&str; 2] = ["[MASK]", "<mask>"];

/// Sequences per batch.
const BATCH: usize = 64;

pub(crate) fn run(builtin: &Arc<Builtin>, args: &args::FillMask) -> Result<u8, Failure> {
    one_standard_input("", args.files.iter().map(PathBuf::as_path))?;
    folders::apart(&args.output, args.files.iter().map(PathBuf::as_path))?;
    if args.unit == MaskUnit::Tokens && !args.files.is_empty() {
        let remedy = "add --unit bases: the letters N of a file are masked bases; or give --sequence with [MASK]";
        return Err(Failure::new(USAGE, "files have masked bases, not masked tokens", remedy));
    }
    let trained = open(builtin, &args.trained)?;
    if !trained.has_head {
        let cause = format!("{} has no masked-language-model head", args.trained.model);
        return Err(Failure::new(DATA, cause, "use a checkpoint with cls.predictions.* or lm_head.* tensors"));
    }
    let mut output = Output::create(&args.output)?;
    match args.unit {
        MaskUnit::Tokens => tokens(&trained, args, &mut output)?,
        MaskUnit::Bases => bases(&trained, args, &mut output)?,
    }
    output.finish()?;
    Ok(0)
}

/// Opens the model of these flags.
pub(crate) fn open(builtin: &Arc<Builtin>, args: &args::TrainedModel) -> Result<Trained, Failure> {
    let workspace = workspace(builtin, args.data.as_deref(), &args.store);
    pipeline::load::trained(&workspace, &args.model, &args.device)
}

/// The stretches of a sequence between its masks, in the alphabet of the program.
fn parse(number: usize, text: &str) -> Result<MaskedText, Failure> {
    let unified = text.trim().replace(MASKS[1], MASKS[0]);
    let (mut stretches, mut from) = (Vec::new(), 0);
    for stretch in unified.split(MASKS[0]) {
        let mut bases = Vec::new();
        dna::policy::normalize(stretch.as_bytes(), &mut bases, &mut dna::Counts::default()).map_err(|wrong| {
            let letter = stretch[wrong.offset..].chars().next().unwrap_or_default();
            let place = from + wrong.offset + 1;
            let cause = format!("sequence {number}: unexpected {letter:?} at character {place} of {:?}", excerpt(text));
            Failure::new(USAGE, cause, "write A, C, G, T (or IUPAC letters) and [MASK]")
        })?;
        stretches.push(bases);
        from += stretch.len() + MASKS[0].len();
    }
    if stretches.len() == 1 {
        let cause = format!("sequence {number}: no mask in {:?}", excerpt(text));
        return Err(Failure::new(USAGE, cause, "write [MASK] where a token or a base is to be predicted"));
    }
    Ok(MaskedText { stretches })
}

fn tokens(trained: &Trained, args: &args::FillMask, output: &mut Output) -> Result<(), Failure> {
    let texts: Vec<MaskedText> =
        args.sequence.iter().enumerate().map(|(at, text)| parse(at + 1, text)).collect::<Result<_, _>>()?;
    let mut number = 0;
    for batch in texts.chunks(BATCH) {
        let found = trained.fill_tokens(batch, args.top_k).map_err(|error| {
            let failure = Failure::from(error);
            Failure { remedy: failure.remedy.or(Some("use --unit bases".to_owned())), kind: USAGE, ..failure }
        })?;
        if number == 0 {
            output.write(b"sequence,mask,start,rank,token,id,probability\n")?;
        }
        for masks in found {
            number += 1;
            for (mask, masked) in masks.iter().enumerate() {
                for (rank, (id, probability)) in masked.tokens.iter().enumerate() {
                    let token = spelled(trained, *id);
                    let line =
                        format!("{number},{},{},{},{token},{id},{probability:.6}\n", mask + 1, masked.start, rank + 1);
                    output.write(line.as_bytes())?;
                }
            }
        }
    }
    Ok(())
}

/// A token as text.
fn spelled(trained: &Trained, id: u32) -> String {
    match tokenize::vocabulary::SPECIAL_NAMES.get(id as usize) {
        Some(name) => (*name).to_owned(),
        None => {
            let bases = trained.fitted.tokenizer.vocabulary().bases(id).unwrap_or_default();
            csv_field(&String::from_utf8_lossy(bases))
        }
    }
}

/// A masked base without probabilities: its record, position and the reason.
struct Refused {
    place: String,
    reason: String,
}

fn bases(trained: &Trained, args: &args::FillMask, output: &mut Output) -> Result<(), Failure> {
    let mut begun = false;
    let mut fill = |name: &str, place: &str, sequence: &[u8], masked: &[usize]| -> Result<Vec<Refused>, Failure> {
        let FilledBases { filled, refused } = trained.fill_bases(sequence, masked, args.context)?;
        if !begun {
            output.write(b"sequence,position,A,C,G,T\n")?;
            begun = true;
        }
        for base in filled {
            let [a, c, g, t] = base.probabilities;
            let line = format!("{},{},{a:.6},{c:.6},{g:.6},{t:.6}\n", csv_field(name), base.position + 1);
            output.write(line.as_bytes())?;
        }
        let told = |(at, reason): (usize, String)| Refused { place: format!("{place}, base {}", at + 1), reason };
        Ok(refused.into_iter().map(told).collect())
    };
    for (at, text) in args.sequence.iter().enumerate() {
        let stretches = parse(at + 1, text)?.stretches;
        let (mut sequence, mut masked) = (Vec::new(), Vec::new());
        for (number, stretch) in stretches.iter().enumerate() {
            if number > 0 {
                masked.push(sequence.len());
                sequence.push(b'N');
            }
            sequence.extend_from_slice(stretch);
        }
        let number = (at + 1).to_string();
        // What was asked for by hand must be answered.
        if let Some(Refused { place, reason }) =
            fill(&number, &format!("sequence {number}"), &sequence, &masked)?.into_iter().next()
        {
            let remedy = "give more bases around the mask, all of them A, C, G or T, or mask fewer at a time";
            return Err(Failure::new(USAGE, format!("{place}: {reason}"), remedy));
        }
    }
    let (mut without, mut records, mut asked) = (0, 0, 0);
    let mut all: Vec<Refused> = Vec::new();
    for file in &args.files {
        for record in dataset::sequences::open(file)? {
            let record = record?;
            let masked: Vec<usize> =
                record.bases.iter().enumerate().filter(|(_, base)| **base == b'N').map(|(at, _)| at).collect();
            records += 1;
            asked += masked.len();
            without += usize::from(masked.is_empty());
            let place = format!("{}: record {:?}", file.display(), excerpt(&record.name));
            all.extend(fill(&record.name, &place, &record.bases, &masked)?);
        }
    }
    if without > 0 {
        errln!("note: {without} of {records} records have no N, and no row in the output");
    }
    if let Some(Refused { place, reason }) = all.first() {
        errln!("note: {} of {asked} masked bases have no row in the output; the first, {place}: {reason}", all.len());
    }
    Ok(())
}
