//! Bits per masked base by region class, for species with a BED file.

use std::collections::BTreeMap;

use experiment::record::{Outcome, Record, RegionScore};
use serde::Serialize;
use statistics::bootstrap::{Blocks, blocks};

use super::pairing::estimate;
use super::{Estimate, Options};

/// Scores of one tokenizer on one region class of a species.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RegionBits {
    /// Name of the species.
    pub species: String,
    /// Name of the class.
    pub class: String,
    /// Masked bases of the class in the scored text.
    pub bases: u64,
    /// Number of genome blocks with masked bases of the class.
    pub blocks: usize,
    /// Total code length in sequential order, with an interval over seeds and blocks; of no width with a single block.
    pub total: Estimate,
}

/// Masked bases of each block, and the bits of each record.
type ClassBlocks = BTreeMap<u32, (u64, Vec<f64>)>;

/// The classes of a tokenizer.
pub(super) struct Regions {
    /// Their scores by species and class, in the order of the names; means over the records.
    pub(super) bits: Vec<RegionBits>,
    /// Classes that are not shown, since some records lack them or scored other bases of them.
    pub(super) incomplete: Vec<String>,
}

/// The scores by species and class.
pub(super) fn regions(records: &[&Record], options: &Options) -> Result<Regions, statistics::Error> {
    let mut found: BTreeMap<(&str, &str), ClassBlocks> = BTreeMap::new();
    for (number, record) in records.iter().enumerate() {
        let Outcome::Pretrained(done) = &record.outcome else { continue };
        for RegionScore { species, block, class, bases, bits } in &done.regions {
            let blocks = found.entry((species, class)).or_default();
            let (known, all) = blocks.entry(*block).or_insert_with(|| (*bases, vec![f64::NAN; records.len()]));
            if known == bases {
                all[number] = *bits;
            }
        }
    }
    let one = |((species, class), found): ((&str, &str), ClassBlocks)| {
        let bases: u64 = found.values().map(|(bases, _)| bases).sum();
        let of = |record: usize| found.values().map(|(_, bits)| bits[record]).collect::<Vec<f64>>();
        let bits: Vec<Vec<Vec<f64>>> = (0..records.len()).map(|record| vec![of(record)]).collect();
        let seeds: Vec<f64> = bits.iter().map(|bits| bits[0].iter().sum::<f64>() / bases as f64).collect();
        let total = if found.len() > 1 {
            let data =
                Blocks { bases: vec![found.values().map(|(bases, _)| *bases as f64).collect()], bits: vec![bits] };
            estimate(seeds, blocks(&data, options.resamples, options.seed)?.species(0, 0))
        } else {
            let mean = statistics::mean(&seeds);
            Estimate { mean, half_width: f64::NAN, low: f64::NAN, high: f64::NAN, seeds }
        };
        let (species, class, blocks) = (species.to_owned(), class.to_owned(), found.len());
        Ok(RegionBits { species, class, bases, blocks, total })
    };
    // What is not known at every seed is left out, and told.
    let mut incomplete = Vec::new();
    found.retain(|(species, class), blocks| {
        let complete = blocks.values().all(|(_, bits)| bits.iter().all(|bits| bits.is_finite()));
        if !complete {
            incomplete.push(format!("{class} of {species}"));
        }
        complete
    });
    Ok(Regions { bits: found.into_iter().map(one).collect::<Result<_, _>>()?, incomplete })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_summed_over_blocks_and_averaged_over_seeds() {
        let score = |block, class: &str, bases, bits| RegionScore {
            species: "yeast".into(),
            block,
            class: class.into(),
            bases,
            bits,
        };
        let shape = crate::example::Shape { seeds: 2, ..Default::default() };
        let mut records: Vec<Record> = crate::example::records(&shape);
        records.truncate(2);
        for (record, extra) in records.iter_mut().zip([0.0, 10.0]) {
            let Outcome::Pretrained(done) = &mut record.outcome else { panic!() };
            done.regions =
                vec![score(1, "exon", 100, 180.0 + extra), score(4, "exon", 300, 620.0), score(4, "other", 50, 100.0)];
        }
        let Regions { bits: found, incomplete } =
            regions(&records.iter().collect::<Vec<_>>(), &Options::default()).unwrap();
        assert!(incomplete.is_empty());
        let class = |at: usize| (found[at].class.as_str(), found[at].bases, found[at].blocks, found[at].total.mean);
        assert_eq!(class(0), ("exon", 400, 2, 2.0125));
        assert_eq!(class(1), ("other", 50, 1, 2.0));
        assert_eq!(found[0].total.seeds, [2.0, 2.025]);
        assert!(found[0].total.half_width > 0.0 && found[1].total.half_width.is_nan());
        // A record with other bases in a block is another text.
        let Outcome::Pretrained(done) = &mut records[1].outcome else { panic!() };
        done.regions[0].bases = 99;
        let found = regions(&records.iter().collect::<Vec<_>>(), &Options::default()).unwrap();
        assert_eq!((found.bits.len(), found.incomplete), (1, vec!["exon of yeast".to_owned()]));
    }
}
