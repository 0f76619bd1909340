//! A component of the score is one list entry; records, comparison, table, CSV and numbers then include it.

use experiment::record::Outcome;
use protocol::score::{BIAS_ONLY, COMPONENTS, COUNT, Column, Component, Over, Role, Score};
use report::example::{Shape, records};
use report::{Comparison, Options};
use serde::de::DeserializeSeed;

const TOY: Component = Component {
    name: "toy_total",
    title: "toy total",
    role: Role::Beside,
    column: Some(Column { place: 9, heading: "toy" }),
    by_species: true,
    legend: "toy total",
};

/// A part of the total.
const TOY_PART: Component = Component {
    name: "toy_part",
    title: "toy part",
    role: Role::Part,
    column: None,
    by_species: false,
    legend: "toy part of the total",
};

/// The components with two more.
const LIST: &[Component] = {
    const NUMBER: usize = COMPONENTS.len();
    const EXTENDED: [Component; NUMBER + 2] = {
        let mut list = [TOY; NUMBER + 2];
        list[NUMBER + 1] = TOY_PART;
        let mut at = 0;
        while at < NUMBER {
            list[at] = COMPONENTS[at];
            at += 1;
        }
        list
    };
    &EXTENDED
};

/// A score over the longer list, with half a bit per base, and a quarter in the total.
fn with_toy(score: &Score) -> Score {
    let mut longer = Score::over(LIST);
    longer += score;
    longer.with(TOY, 0.5 * score.bases as f64).with(TOY_PART, 0.25 * score.bases as f64)
}

#[test]
fn a_new_component_is_one_entry() {
    let shape = Shape { seeds: 3, species: vec!["human".into(), "yeast".into()], ..Shape::default() };
    let mut all = records(&shape);
    for record in &mut all {
        if let Outcome::Pretrained(done) = &mut record.outcome {
            done.blocks.iter_mut().for_each(|block| block.score = with_toy(&block.score));
        }
    }
    // Serialized in a record and read back.
    let Outcome::Pretrained(done) = &all[0].outcome else { panic!("a score") };
    let json = serde_json::to_value(&all[0]).unwrap();
    let block = &json["outcome"]["blocks"][0];
    assert_eq!(block["toy_total"].as_f64(), Some(0.5 * done.blocks[0].score.bases as f64));
    let mut bare = block.clone();
    ["species", "block"].iter().for_each(|name| drop(bare.as_object_mut().unwrap().remove(*name)));
    assert_eq!(Over(LIST).deserialize(bare).unwrap(), done.blocks[0].score);

    let comparison = Comparison::new(all, Options { resamples: 50, ..Options::default() }).unwrap();
    let group = &comparison.groups[0];
    let bits = group.subjects[0].bits.as_ref().unwrap();
    assert_eq!((bits.score.get(TOY), bits.species[1].score.get(TOY)), (Some(0.5), Some(0.5)));
    let parts = report::figure::find("parts").unwrap().draw(&comparison).unwrap().unwrap();
    assert!(parts.csv.contains(",base,toy part,0.25") && parts.svg.contains("toy part of the total"), "{}", parts.csv);
    // In the table as the last column of the components.
    let table = report::table(&comparison, false);
    let mut lines = table.lines().skip_while(|line| !line.starts_with("components of the total"));
    let heading = lines.nth(1).unwrap();
    assert!(heading.ends_with("window    toy") && lines.next().unwrap().ends_with("  0.500"), "{table}");
    // In CSV and numbers, for all species together and for each.
    let csv = report::csv(&comparison);
    for scope in ["", "human", "yeast"] {
        assert!(csv.contains(&format!(",base,false,toy total,{scope},,0.5,,\n")), "{scope}: {csv}");
    }
    let numbers = serde_json::to_value(report::numbers(&comparison)).unwrap();
    let subject = &numbers["groups"][0]["subjects"][0]["bits"];
    assert_eq!((subject["toy_total"].as_f64(), subject["species"][0]["toy_total"].as_f64()), (Some(0.5), Some(0.5)));
    assert!(subject[BIAS_ONLY.name].is_f64() && subject["species"][0][COUNT.name].is_null());
}
