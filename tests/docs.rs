//! The documentation: links and anchors resolve, named files exist, commands have the flags they are shown with, and settings
//! are those of the program.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::dir::{TestDir, root};

/// A Markdown file.
struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    /// Reads a file; one that is not there is empty.
    fn read(path: PathBuf) -> Page {
        Page { text: std::fs::read_to_string(&path).unwrap_or_default(), path }
    }

    /// Its path from the root of the repository.
    fn name(&self) -> String {
        self.path.strip_prefix(root()).unwrap().to_string_lossy().into_owned()
    }

    /// Lines outside of code blocks.
    fn prose(&self) -> String {
        let mut inside = false;
        let mut out = String::new();
        for line in self.text.lines() {
            let fence = line.trim_start().starts_with("```");
            inside ^= fence;
            if !inside && !fence {
                out.push_str(line);
            }
            out.push('\n');
        }
        out
    }

    /// Code blocks of a language.
    fn blocks(&self, language: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut lines = self.text.lines();
        while let Some(line) = lines.next() {
            if let Some(named) = line.trim_start().strip_prefix("```") {
                let block: Vec<&str> =
                    lines.by_ref().take_while(|line| !line.trim_start().starts_with("```")).collect();
                if named.trim() == language {
                    found.push(block.join("\n"));
                }
            }
        }
        found
    }

    /// Anchors of its headings, as GitHub and mdBook make them.
    fn anchors(&self) -> BTreeSet<String> {
        let prose = self.prose();
        let headings = prose.lines().filter(|line| line.starts_with('#'));
        headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
    }

    /// Targets of its links and images.
    fn links(&self) -> Vec<String> {
        let prose = without_code(&self.prose());
        let mut found = Vec::new();
        for (at, _) in prose.match_indices("](") {
            let target = prose[at + 2..].split(')').next().unwrap_or_default();
            found.push(target.to_owned());
        }
        found
    }

    /// Text between backticks in its prose.
    fn code(&self) -> Vec<String> {
        self.prose().split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn without_code(text: &str) -> String {
    text.split('`').step_by(2).collect()
}

/// Files under a folder of the repository whose names end so.
fn files(folder: &Path, end: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() && !hidden && !path.ends_with("target") {
            files(&path, end, found);
        } else if path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
    found.sort();
}

/// The Markdown that people read: the root, the book, crates, tests.
fn pages() -> Vec<Page> {
    let mut paths = Vec::new();
    for folder in ["docs", "crates", "tests", "examples", "paper", ".github"] {
        files(&root().join(folder), ".md", &mut paths);
    }
    for name in ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md"] {
        paths.push(root().join(name));
    }
    let pages: Vec<Page> = paths.into_iter().map(Page::read).collect();
    assert!(pages.iter().all(|page| !page.text.is_empty()), "an empty page");
    assert!(pages.len() > 15, "{} pages", pages.len());
    pages
}

#[track_caller]
fn none(what: &str, faults: &BTreeSet<String>) {
    assert!(faults.is_empty(), "{what}:\n{}", faults.iter().map(|f| format!("  {f}")).collect::<Vec<_>>().join("\n"));
}

#[test]
fn links_and_anchors_resolve() {
    let pages = pages();
    let anchors: BTreeMap<PathBuf, BTreeSet<String>> =
        pages.iter().map(|page| (page.path.canonicalize().unwrap(), page.anchors())).collect();
    let mut faults = BTreeSet::new();
    let mut checked = 0;
    for page in &pages {
        for link in page.links() {
            if link.starts_with("http") || link.starts_with("mailto:") {
                continue;
            }
            checked += 1;
            let (path, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() { page.path.clone() } else { page.path.parent().unwrap().join(path) };
            let Ok(target) = target.canonicalize() else {
                faults.insert(format!("{}: {link}: no such file", page.name()));
                continue;
            };
            if !heading.is_empty() && !anchors.get(&target).is_some_and(|known| known.contains(heading)) {
                faults.insert(format!("{}: {link}: no such heading", page.name()));
            }
        }
    }
    assert!(checked > 50, "{checked} links");
    none("broken links", &faults);
}

/// Comments in code that point to the book: `docs/protocol.md#masking-plan`.
#[test]
fn code_points_to_headings_of_the_book() {
    let mut paths = Vec::new();
    for folder in ["crates", "tests", "examples"] {
        files(&root().join(folder), ".rs", &mut paths);
        files(&root().join(folder), ".toml", &mut paths);
    }
    let mut faults = BTreeSet::new();
    for path in paths.iter().filter(|path| !path.ends_with("tests/docs.rs")) {
        let text = std::fs::read_to_string(path).unwrap();
        for (at, _) in text.match_indices("docs/") {
            let end = |c: char| !(c.is_ascii_alphanumeric() || "./#_-".contains(c));
            let link = text[at..].split(end).next().unwrap().trim_end_matches('.');
            let (page, heading) = link.split_once('#').unwrap_or((link, ""));
            if !page.ends_with(".md") {
                continue;
            }
            let page = Page::read(root().join(page));
            if page.text.is_empty() || !heading.is_empty() && !page.anchors().contains(heading) {
                faults.insert(format!("{}: {link}", path.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    none("comments that point nowhere", &faults);
}

#[test]
fn named_files_exist() {
    let folders =
        ["crates/", "configs/", "docs/", "examples/", "experiments/", "figures/", "tests/", ".github/", ".ci/"];
    let mut faults = BTreeSet::new();
    let mut checked = 0;
    for page in pages() {
        for code in page.code() {
            let plain = code.chars().all(|c| c.is_ascii_alphanumeric() || "./_-".contains(c));
            // NAME stands for any name.
            if plain && folders.iter().any(|folder| code.starts_with(folder)) && !code.contains("NAME") {
                checked += 1;
                // A crate's own manual names files from its folder.
                let near = page.path.parent().unwrap().join(&code);
                if !root().join(&code).exists() && !near.exists() {
                    faults.insert(format!("{}: {code}", page.name()));
                }
            }
        }
    }
    assert!(checked > 50, "{checked} paths");
    none("files that are not there", &faults);
}

/// "`Plan` in `crates/experiment/src/plan.rs`": that file defines it.
#[test]
fn named_items_are_defined_where_the_pages_say() {
    let mut faults = BTreeSet::new();
    let mut checked = 0;
    for page in pages() {
        let prose = page.prose().split_whitespace().collect::<Vec<_>>().join(" ");
        let parts: Vec<&str> = prose.split('`').collect();
        for part in parts.windows(3).skip(1).step_by(2).filter(|part| part[1] == " in ") {
            let (item, file) = (part[0], part[2]);
            if !file.ends_with(".rs") || !item.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                continue;
            }
            checked += 1;
            let text = std::fs::read_to_string(root().join(file)).unwrap_or_default();
            let kinds = ["struct", "enum", "trait", "const", "static", "fn"];
            if !kinds.iter().any(|kind| defines(&text, &format!("{kind} {item}"))) {
                faults.insert(format!("{}: {item} in {file}", page.name()));
            }
        }
    }
    assert!(checked > 40, "{checked} items");
    none("items that are defined elsewhere", &faults);
}

/// Whether `text` has `definition`, and the name ends there.
fn defines(text: &str, definition: &str) -> bool {
    text.match_indices(definition).any(|(at, _)| {
        let next = text[at + definition.len()..].chars().next();
        next.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_')
    })
}

#[test]
fn every_page_is_in_the_summary_of_the_book() {
    let summary = std::fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let mut paths = Vec::new();
    files(&root().join("docs"), ".md", &mut paths);
    for path in paths {
        let name = path.strip_prefix(root().join("docs")).unwrap().to_string_lossy().into_owned();
        assert!(name == "SUMMARY.md" || summary.contains(&format!("({name})")), "{name} is not in the summary");
    }
}

#[test]
fn terms_of_the_glossary_are_in_order() {
    let text = std::fs::read_to_string(root().join("docs/glossary.md")).unwrap();
    let terms: Vec<String> = text.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_lowercase).collect();
    let mut sorted = terms.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(terms, sorted);
}

/// Flags that the help of a command names, with their short forms.
fn flags(
    dir: &TestDir,
    command: &[&str],
    known: &mut BTreeMap<String, Option<BTreeSet<String>>>,
) -> Option<BTreeSet<String>> {
    let name = command.join(" ");
    let ask = || {
        let output = dir.run(&[command, &["--help"]].concat());
        let words = output.out.split(|c: char| c.is_whitespace() || ",=[]".contains(c));
        (output.code == 0).then(|| words.filter(|word| word.starts_with('-')).map(str::to_owned).collect())
    };
    known.entry(name).or_insert_with(ask).clone()
}

/// Commands that a page shows: `$ tokbench ...` in a console, `tokbench ...` in a script.
fn commands(page: &Page) -> Vec<String> {
    let shown = page.blocks("console").into_iter().chain(page.blocks("sh")).collect::<Vec<_>>().join("\n");
    let lines = shown.lines().map(|line| line.trim_start_matches("$ ").split(" # ").next().unwrap_or_default().trim());
    let program = |line: &str| line.replace("cargo run --release -- ", "tokbench ");
    lines.map(program).filter(|line| line.starts_with("tokbench ")).collect()
}

#[test]
fn commands_have_the_flags_they_are_shown_with() {
    let dir = TestDir::new();
    let (mut known, mut faults, mut checked) = (BTreeMap::new(), BTreeSet::new(), 0);
    for page in pages() {
        for line in commands(&page) {
            checked += 1;
            let words: Vec<&str> = line.split_whitespace().skip(1).collect();
            let depth = if ["tokenizer", "model"].contains(words.first().unwrap_or(&"")) { 2 } else { 1 };
            let Some(flags) = flags(&dir, &words[..depth.min(words.len())], &mut known) else {
                faults.insert(format!("{}: {line}: no such command", page.name()));
                continue;
            };
            for word in words.iter().filter(|word| word.starts_with('-') && word.len() > 1) {
                if !flags.contains(*word) {
                    faults.insert(format!("{}: {line}: no flag {word}", page.name()));
                }
            }
        }
    }
    assert!(checked > 20, "{checked} commands");
    none("commands that the program does not have", &faults);
}

/// The program in the book is the one in `examples/`.
#[test]
fn the_comparison_from_rust_is_the_example() {
    let page = Page::read(root().join("docs/architecture.md"));
    let example = std::fs::read_to_string(root().join("examples/comparison.rs")).unwrap();
    let shown = page.blocks("rust");
    assert_eq!(shown.len(), 1);
    for line in shown[0].lines() {
        assert!(example.lines().any(|other| other.trim() == line.trim()), "{line} is not in the example");
    }
}

/// Every setting that is shown in full is one that the program reads.
#[test]
fn experiments_that_are_shown_can_be_read() {
    let encoders = tokbench::builtin(tokbench::registry::builtin()).unwrap().encoders;
    let mut checked = 0;
    for page in pages() {
        for block in page.blocks("toml").iter().filter(|block| block.contains("tokenizers = ")) {
            checked += 1;
            let spec = experiment::Spec::from_toml(block, &page.name(), &encoders);
            assert!(spec.is_ok(), "{}: {spec:?}", page.name());
        }
    }
    assert!(checked > 0);
}

#[test]
fn fixtures_are_small() {
    let mut paths = Vec::new();
    files(&root().join("tests/fixtures"), "", &mut paths);
    let bytes: u64 = paths.iter().map(|path| path.metadata().unwrap().len()).sum();
    assert!((1_000_000..3_500_000).contains(&bytes), "{bytes} bytes");
}
