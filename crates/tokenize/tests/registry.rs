//! The registry as a value: adding a family changes nothing else.

mod toy;

use tokenize::{Family, Reading, Recipe, Registry, Tokenizer, registry};

fn with_runs() -> Registry {
    registry::builtin().with(toy::RUNS)
}

#[test]
fn a_custom_family_is_part_of_the_registry() {
    let registry = with_runs();
    let recipe = registry.parse("Runs").unwrap();
    assert_eq!((recipe.name.as_str(), recipe.family, recipe.label.as_str()), ("runs", "runs", "runs"));
    assert_eq!((recipe.vocabulary, recipe.reading), (5 + 16, Reading::Tiling(None)));
    assert_eq!((recipe.tokens_per_base, recipe.tokens_per_span(12)), (0.75, 12));
    assert!(!recipe.learned_vocabulary && !recipe.is_exact() && recipe.controls.is_empty());
    assert!(registry.examples().any(|name| name == "runs"));
    assert_eq!(registry.families().last().unwrap().pattern, "runs");
    assert_eq!(registry.path_in("runs"), None);
    // Misspelled names, and the registry without it.
    assert_eq!(
        registry.parse("rums").unwrap_err().remedy().unwrap(),
        "did you mean \"runs\"? \"tokbench list\" shows all"
    );
    assert!(registry.parse("runs7").is_err() && registry::builtin().parse("runs").is_err());
    let tokenizer = recipe.fit(&mut std::iter::empty()).unwrap();
    let mut tokens = Vec::new();
    tokenizer.encode(b"AAAAACGG", &mut tokens);
    assert_eq!(tokens.iter().map(|token| token.end).collect::<Vec<_>>(), [4, 5, 6, 8]);
}

#[test]
fn the_family_added_last_has_priority() {
    fn codons(_: &tokenize::name::Name) -> Option<Result<Recipe, tokenize::Error>> {
        Some(Ok(Recipe::fixed(std::sync::Arc::new(tokenize::kmer::Kmer::new("codons".to_owned(), 3, 3)))))
    }
    let before = registry::builtin().families().len();
    // Same stem and pattern: replaces the family. Same stem only: added, with priority in look-ups.
    let base = registry::builtin().families()[0];
    let replaced = registry::builtin().with(Family { help: "codons", resolve: codons, ..base });
    assert_eq!((replaced.families().len(), replaced.families()[0].help), (before, "codons"));
    assert_eq!(replaced.parse("base").unwrap().name, "codons");
    let beside = registry::builtin().with(Family {
        stem: "kmer",
        pattern: "kmer<K>-codons",
        resolve: |name| name.words.first().filter(|(word, _)| word == "codons").and_then(|_| codons(name)),
        ..base
    });
    assert_eq!(beside.families().len(), before + 1);
    assert_eq!(beside.parse("kmer3-codons").unwrap().name, "codons");
    assert_eq!(beside.parse("kmer3-stride3").unwrap().name, "kmer3-nonoverlap");
}

#[test]
fn a_registry_can_be_cloned_and_sent() {
    fn anywhere<T: Clone + Send + Sync + std::fmt::Debug + 'static>(_: &T) {}
    let registry = with_runs();
    anywhere(&registry);
    let other = registry.clone();
    let names = std::thread::spawn(move || other.examples().count());
    assert_eq!(names.join().unwrap(), registry.examples().count());
}

/// Sizes and controls are fields of the recipe and need not be parsed from the name.
#[test]
fn recipes_contain_sizes_and_controls() {
    let registry = registry::builtin();
    let of = |name: &str| registry.parse(name).unwrap();
    let numbers = |name: &str| {
        let recipe = of(name);
        (recipe.vocabulary, recipe.tokens_per_base, recipe.tokens_per_span(12), recipe.frontend.nucleotide_layers())
    };
    assert_eq!(numbers("base"), (9, 1.0, 12, 0));
    assert_eq!(numbers("mxdna"), (9, 1.0, 12, 2));
    assert_eq!(numbers("unpooled"), (9, 1.0, 12, 2));
    assert_eq!(numbers("kmer6"), (5465, 1.0, 2, 0));
    assert_eq!(numbers("kmer6-nonoverlap"), (5465, 1.0 / 6.0, 2, 0));
    assert_eq!(numbers("kmer6-stride3"), (5465, 1.0 / 3.0, 2, 0));
    for name in ["bpe4096", "unigram4096", "wordpiece4096", "randomcut4096"] {
        assert_eq!(numbers(name), (4096, 0.21, 4, 0), "{name}");
        assert!(of(name).learned_vocabulary && !of(name).is_exact(), "{name}");
    }
    let controls = |name: &str| of(name).controls;
    assert_eq!(
        (controls("mxdna-max6"), controls("bpe512")),
        (
            ["mxdna-max6-pool-parameters", "mxdna-max6-pool-macs"].map(str::to_owned).to_vec(),
            vec!["randomcut512".to_owned()]
        )
    );
    for name in registry.examples() {
        let recipe = of(name);
        assert_eq!((&recipe.name, recipe.location.is_some()), (&recipe.label, false));
        assert!(recipe.name.starts_with(recipe.family), "{name}");
        assert!(
            recipe.controls.iter().all(|control| registry.parse(control).is_ok_and(|found| found.name == *control))
        );
        assert!(recipe.fingerprint().starts_with(&recipe.name), "{name}");
        if !recipe.learned_vocabulary {
            let tokenizer = recipe.fit(&mut std::iter::empty()).unwrap();
            assert_eq!((tokenizer.vocabulary().len(), tokenizer.reading()), (recipe.vocabulary, recipe.reading));
        }
    }
}

#[test]
fn a_file_is_read_once_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.json");
    let kmers = tokenize::kmer::named("kmer2-nonoverlap").unwrap();
    std::fs::write(&path, kmers.to_file().unwrap().to_json()).unwrap();
    let recipe = registry::builtin().parse(path.to_str().unwrap()).unwrap();
    assert!(recipe.name.starts_with("file:mine@"), "{}", recipe.name);
    assert_eq!(
        (recipe.label.as_str(), recipe.family, recipe.location.as_deref()),
        ("mine", "file", Some(path.as_path()))
    );
    assert_eq!(recipe.vocabulary, kmers.vocabulary().len());
    assert_eq!(registry::builtin().reading("file:gone@0123456789ab"), Some(Reading::Tiling(None)));
    assert_eq!(registry::builtin().reading("kmer6-nonoverlap"), Some(Reading::Tiling(Some(6))));
    assert_eq!(registry::builtin().reading("kmr6"), None);
    std::fs::remove_file(&path).unwrap();
    let mut tokens = Vec::new();
    recipe.fit(&mut std::iter::empty()).unwrap().encode(b"ACG", &mut tokens);
    assert_eq!(tokens.len(), 2);
}
