//! Species held out of training are scored and reported apart: they change no total, no interval and no test.

use experiment::record::{Outcome, Record};
use report::example::{Shape, records};
use report::{Comparison, Options, csv, table};

/// Records on three species. The last is made worse by a bit per base, and held out or left out.
fn three(keep: bool) -> Vec<Record> {
    let shape = Shape { species: ["a", "b", "c"].map(String::from).to_vec(), ..Shape::default() };
    let mut records = records(&shape);
    for record in &mut records {
        let Outcome::Pretrained(done) = &mut record.outcome else { continue };
        done.blocks.retain(|block| keep || block.species != "c");
        for block in done.blocks.iter_mut().filter(|block| block.species == "c") {
            block.held_out = true;
            let bits = block.score.bases as f64;
            block.score.add(protocol::score::CONTENT, bits);
        }
    }
    records
}

#[test]
fn a_held_out_species_is_no_part_of_the_total() {
    let [with, without] = [true, false].map(|keep| Comparison::new(three(keep), Options::default()).unwrap());
    let (group, bare) = (&with.groups[0], &without.groups[0]);
    assert_eq!((&group.species, &group.held_out), (&bare.species, &vec!["c".to_owned()]));
    assert_eq!(group.tests, bare.tests);
    for (subject, bare) in group.subjects.iter().zip(&bare.subjects) {
        let (bits, bare) = (subject.bits.as_ref().unwrap(), bare.bits.as_ref().unwrap());
        assert_eq!((&bits.total, &bits.species, &bits.score), (&bare.total, &bare.species, &bare.score));
        let [apart] = &bits.held_out[..] else { panic!("{:?}", bits.held_out) };
        assert!(apart.species == "c" && apart.total.mean > bits.total.mean + 0.9, "{:?}", apart.total);
        assert!(apart.total.low < apart.total.mean && apart.total.mean < apart.total.high);
        assert!(bare.held_out.is_empty());
    }
    let text = table(&with, false);
    assert!(text.contains("c (held out of training)"), "{text}");
    let rows = csv(&with);
    assert!(rows.lines().any(|row| row.contains(",bits per base,c,")), "{rows}");
    assert!(serde_json::to_string(&three(false)[0]).is_ok_and(|json| !json.contains("held_out")));
}
