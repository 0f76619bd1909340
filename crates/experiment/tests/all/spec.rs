//! Specs: defaults, round trip through TOML, and error messages.

use experiment::config::{EncoderConfig, Position};
use experiment::{EncoderChoice, Encoders, Spec};

use crate::common::{encoders, spec};

#[test]
fn defaults_and_shorthands() {
    let s = spec("tokenizers = ['base', 'kmer6']\nseeds = 7\nreference = 'kmer6'");
    assert_eq!(s.seeds, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!((s.reference(), s.comparisons()), ("kmer6", 1));
    assert_eq!(s.grid(), [1e-3]);
    assert_eq!(s.positions, [Position::EQUAL_REACH]);
    let s = spec("tokenizers = ['base']\nseeds = [5, 3]\nencoder = { from = 'small', layers = 5 }");
    assert_eq!(s.seeds, [5, 3]);
    let encoder = s.encoder(Position::ALIBI, &encoders()).unwrap();
    assert_eq!((encoder.hidden, encoder.layers, encoder.position), (128, 5, Position::ALIBI));
}

#[test]
fn toml_round_trip() {
    for more in [
        "tokenizers = ['base']",
        "tokenizers = ['base', 'bpe4096']\ntasks = ['a', 'b']\nlearning_rates = [1e-3, 3e-3]\ncontrols = true\n\
         positions = ['alibi', 'alibi-directed']\nreference = 'bpe4096'\nencoder = { from = 'base', layers = 2 }\n\
         [masking]\nspan = 24\n[training]\nwindow = 240",
    ] {
        let s = spec(more);
        let text = s.to_toml().unwrap();
        assert_eq!(Spec::from_toml(&text, "again", &encoders()).unwrap(), s, "{text}");
    }
}

#[track_caller]
fn fails(text: &str, cause: &str, remedy: &str) {
    let error = Spec::from_toml(text, "q.toml", &encoders()).unwrap_err();
    assert_eq!((error.to_string().as_str(), error.remedy().unwrap_or_default().as_str()), (cause, remedy));
}

#[test]
fn syntax_errors_name_key_and_line() {
    let known = "available: \"bases\", \"window\", \"batch\", \"gradient_accumulation\", \"learning_rate\", \"warmup\", \
                 \"beta1\", \"beta2\", \"epsilon\", \"weight_decay\", \"clip\"";
    fails(
        "corpus = 'x'\n\n[training]\nbatch = 4\nwindows = 252\n",
        "q.toml:5: training.windows: unknown field `windows`",
        &format!("did you mean \"window\"? {known}"),
    );
    fails(
        "corpus = 'x'\nseeds = 'many'",
        "q.toml:2: seeds: invalid type: string \"many\", expected a number of seeds, or a list of seeds",
        "",
    );
    fails("seeds = -1", "q.toml:1: seeds: invalid number of seeds: -1", "");
    fails("tokenizers = 3", "q.toml:1: tokenizers: invalid type: integer `3`, expected a sequence", "");
    fails(
        "positions = ['alibi', 'alibi_directed']",
        "q.toml:1: positions: unknown variant `alibi_directed`, expected `alibi` or `alibi-directed` (with -published, -steep or \
         -reachN, and -bases, behind it)",
        "did you mean \"alibi-directed\"? available: \"alibi\", \"alibi-directed\"",
    );
    fails("encoder = { layers = 3 }", "q.toml:1: encoder: missing field `from`", "");
}

#[test]
fn invalid_values_name_key_and_remedy() {
    let t = "corpus = 'x'\ntokenizers = ['base', 'kmer6']\n";
    let with = |more: &str| format!("{t}{more}");
    fails(
        "corpus = 'x'",
        "tokenizers: no tokenizers",
        "list some, e.g. tokenizers = [\"base\", \"kmer6\"]; \"tokbench list\" shows all",
    );
    fails(
        "tokenizers = ['base']",
        "corpus: no corpus",
        "set one, e.g. corpus = \"my.fa\"; \"tokbench list\" shows the built-in ones",
    );
    fails(&with("tasks = ['a', 'a']"), "tasks: duplicate value \"a\"", "list it once");
    fails(&with("seeds = [1, 2, 1]"), "seeds: duplicate value 1", "list it once");
    fails(&with("seeds = 0"), "q.toml:3: seeds: no seeds; set a number of seeds, e.g. seeds = 8", "");
    let planned = "use the number of seeds that was fixed first, or omit it";
    fails(&with("seeds = 7\nseeds_planned = 8"), "seeds_planned: 8 is not a number of the 7 seeds", planned);
    fails(&with("name = '../up'"), "name: \"../up\" cannot be part of a file name", "use letters, digits, '-' and '_'");
    fails(
        &with("[training]\nwindow = 250"),
        "training.window: 250 is not a multiple of masking.span = 12",
        "use 240 or 252",
    );
    fails(
        &with("[training]\nwindow = 12"),
        "training.window: 12 bases contain 1 cell of 12 bases; at least 2 are required",
        "use at least 24",
    );
    fails(
        &with("[training]\nlearning_rate = 0.0"),
        "training.learning_rate: must be > 0, got 0",
        "use a positive number",
    );
    fails(
        &with("[training]\nlearning_rate = nan"),
        "training.learning_rate: must be > 0, got NaN",
        "use a positive number",
    );
    fails(
        &with("[training]\nbases = 100"),
        "training.bases: 100 bases are fewer than one optimizer step (1008)",
        "use at least 1008",
    );
    fails(&with("[masking]\nshare = 1.5"), "masking.share: the mask ratio must be between 0 and 1, got 1.5", "use 0.3");
    fails(
        &with("[masking]\nshare = 0.6"),
        "masking.share: a mask ratio of 0.6 selects 13 of 21 cells, but at most 11 non-adjacent cells are possible",
        "use at most 0.52",
    );
    fails(
        &with("encoder = { from = 'tiny', heads = 5 }"),
        "encoder.heads: hidden = 64 is not divisible by 5 heads",
        "use one of 2, 4, 8, 16, 32",
    );
    fails(
        &with("encoder = { from = 'tiny', heads = 1 }"),
        "encoder.heads: directed ALiBi requires an even number of heads, got 1 (encoder \"tiny\")",
        "use an even number of heads, or positions = [\"alibi\"]",
    );
    let wide = "hidden = 64 with 64 heads gives a head dimension of 1; rotary position embedding requires an even one";
    let heads = with("encoder = { from = 'tiny', heads = 64 }");
    fails(&heads, &format!("encoder.heads: {wide}"), "use one of 2, 4, 8, 16, 32");
    fails(
        &with("encoder = { from = 'tiny', hidden = 7, heads = 1 }"),
        "encoder.heads: hidden = 7 with 1 heads gives a head dimension of 7; rotary position embedding requires an even one",
        "no number of heads is valid; set encoder.hidden to a multiple of 4",
    );
    fails(&with("[scoring]\ncurve_points = 0"), "scoring.curve_points: must be > 0, got 0", "use at least 1");
    fails(
        &with("[scoring]\ncurve_points = 41"),
        "scoring.curve_points: 41 is too large: each point halves the steps of the one after it",
        "use at most 40",
    );
    fails(&with("[finetuning]\nevaluations = 0"), "finetuning.evaluations: must be > 0, got 0", "use at least 1");
    fails(
        &with("[finetuning]\nwarmup = 1.0"),
        "finetuning.warmup: must be in [0, 1), got 1",
        "use a value >= 0 and < 1",
    );
    fails(
        &with("[scoring]\nbases = 251"),
        "scoring.bases: 251 bases are fewer than one window (252)",
        "use at least 252",
    );
}

#[test]
fn too_many_seeds_are_rejected_before_allocation() {
    let mut s = spec("tokenizers = ['base']");
    let error = s.set_seeds(u64::MAX).unwrap_err();
    assert_eq!(error.to_string(), "seeds: too many seeds: 18446744073709551615");
    assert_eq!(error.remedy().unwrap(), "use at most 10000");
    assert_eq!(s.set_seeds(0).unwrap_err().to_string(), "seeds: no seeds");
    assert_eq!(s.seeds, [0_u64; 0], "nothing changed");
    s.set_seeds(10_000).unwrap();
    s.validate(&encoders()).unwrap();
    s.seeds.push(10_001);
    assert_eq!(s.validate(&encoders()).unwrap_err().to_string(), "seeds: too many seeds: 10001");
    assert!(
        Spec::from_toml("seeds = 10001", "q.toml", &encoders())
            .unwrap_err()
            .to_string()
            .ends_with("too many seeds: 10001")
    );
}

#[test]
fn every_built_in_encoder_is_valid() {
    let encoders = encoders();
    for name in encoders.names() {
        let encoder = encoders.get(name).unwrap();
        assert_eq!(encoder.hidden % encoder.heads, 0, "{name}");
    }
    assert_eq!(*encoders.get("tiny").unwrap(), EncoderConfig::default());
    let base = encoders.get("base").unwrap();
    assert_eq!((base.hidden, base.layers, base.heads, base.intermediate), (768, 12, 12, 3072));
    assert_eq!((base.position, base.dropout, base.init_std), (Position::ALIBI, 0.1, 0.02));
    let error = Encoders::from_toml([("new", "hidden = 3\nlayer = 2")]).unwrap_err().to_string();
    assert!(error.starts_with("encoder: built-in \"new\": unknown field `layer`"), "{error}");
}

#[test]
fn unknown_encoders_suggest_the_most_similar() {
    let error = EncoderChoice::named("tinny").resolve(&encoders()).unwrap_err();
    assert_eq!(error.to_string(), "encoder: unknown encoder \"tinny\"");
    assert_eq!(error.remedy().unwrap(), "did you mean \"tiny\"? available: \"tiny\", \"small\", \"base\"");
}
