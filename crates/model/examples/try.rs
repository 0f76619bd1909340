//! try
use dataset::{Corpus, builtin};
use experiment::config::*;
use experiment::run::*;
use std::time::Instant;
use tokenize::{Fitted, registry};
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let name = a[1].clone();
    let bases: u64 = a[2].parse().unwrap();
    let seed: u64 = a[3].parse().unwrap();
    let corpus = Corpus::open(
        &builtin::corpus(a.get(4).map_or("order1", |x| x.as_str())).unwrap(),
        std::path::Path::new("../shared/data"),
    )
    .unwrap();
    println!("{corpus} entropy {:?}", corpus.source().map(|s| s.entropy()));
    let recipe = registry::parse(&name).unwrap();
    let pieces: Vec<&[u8]> = corpus.training_pieces().collect();
    let t = Instant::now();
    let fitted = Fitted::fit(&recipe, &pieces, 12).unwrap();
    println!("fit {:?}", t.elapsed());
    let hidden: usize = a.get(5).map_or(64, |x| x.parse().unwrap());
    let p = Pretrain {
        tokenizer: name,
        corpus: DataRef { name: "x".into(), hash: "".into() },
        encoder: Encoder { hidden, intermediate: hidden * 4, ..Encoder::default() },
        masking: Masking { share: 0.3, ..Masking::default() },
        training: Training { bases, ..Training::default() },
        scoring: Scoring::default(),
    };
    let run = Run { protocol: 1, device: "cpu".into(), dtype: "f32".into(), seed, work: Work::Pretrain(p) };
    let dir = std::env::temp_dir().join(format!("try{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let device = model::device::open("cpu").unwrap();
    let inputs = model::execute::Inputs {
        corpus: Some(&corpus),
        task: None,
        fitted: Some(&fitted),
        folder: &dir,
        parent: None,
        device: &device,
    };
    let e = model::execute::execute(&run, &inputs, &mut model::Watch::silent()).unwrap();
    if let experiment::record::Outcome::Pretrained(p) = &e.outcome {
        for c in &p.curve {
            println!("  {} {:.4} loss {:.4}", c.bases, c.bits / c.scored as f64, c.loss);
        }
        let s = |f: &dyn Fn(&experiment::record::BlockScore) -> f64| {
            p.blocks.iter().map(|b| f(b)).sum::<f64>() / p.blocks.iter().map(|b| b.bases as f64).sum::<f64>()
        };
        println!(
            "total {:.4} count {:.4} length {:.4} content {:.4} parallel {:.4} nopair {:.4} bias {:.4} floor {:.4} pfloor {:.4}",
            s(&|b| b.total()),
            s(&|b| b.count),
            s(&|b| b.length),
            s(&|b| b.content),
            s(&|b| b.parallel),
            s(&|b| b.no_pair_rule),
            s(&|b| b.bias_only),
            s(&|b| b.floor.unwrap_or(0.0)),
            s(&|b| b.parallel_floor.unwrap_or(0.0))
        );
        println!("{:?} lengths {:?}", p.cost, p.lengths);
    }
    println!("{:?}", e.timing);
}
