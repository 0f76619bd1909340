//! The structure of the workspace: crates in layers, no circles between the files of a crate, no long files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The crates, and those that each one stands on.
const ARROWS: [(&str, &[&str]); 13] = [
    ("dna", &[]),
    ("statistics", &[]),
    ("bpe", &["dna"]),
    ("dataset", &["dna", "statistics"]),
    ("tokenize", &["bpe"]),
    ("protocol", &["tokenize"]),
    ("experiment", &["dataset", "tokenize", "protocol"]),
    ("mock", &["experiment"]),
    ("model", &["experiment"]),
    ("report", &["experiment"]),
    ("pipeline", &["model", "report"]),
    ("cli", &["pipeline", "mock"]),
    // Nothing stands on the program.
    ("tokbench", &["cli"]),
];

/// Lines of a file at most.
const LONGEST: usize = 500;

type Module = Vec<String>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn crates() -> Vec<String> {
    names(&root().join("crates")).into_iter().filter(|name| manifest(name).is_file()).collect()
}

fn manifest(name: &str) -> PathBuf {
    root().join("crates").join(name).join("Cargo.toml")
}

/// The Rust files under a folder, by what their modules are called.
fn files(folder: &Path, module: &Module, found: &mut BTreeMap<Module, PathBuf>) {
    for name in names(folder) {
        let path = folder.join(&name);
        if path.is_dir() {
            files(&path, &[module.clone(), vec![name]].concat(), found);
        } else if let Some(stem) = name.strip_suffix(".rs") {
            let inner = if ["lib", "mod"].contains(&stem) { vec![] } else { vec![stem.to_owned()] };
            found.insert([module.clone(), inner].concat(), path);
        }
    }
}

/// Code as words and signs: without comments, texts and tests.
fn tokens(text: &str) -> Vec<String> {
    let mut rest: Vec<char> = text.chars().collect();
    rest.push(' ');
    let mut tokens: Vec<String> = Vec::new();
    let mut at = 0;
    while at < rest.len() - 1 {
        let c = rest[at];
        let word = |c: char| c.is_alphanumeric() || c == '_';
        if c == '/' && rest[at + 1] == '/' {
            while at < rest.len() && rest[at] != '\n' {
                at += 1;
            }
        } else if c == '/' && rest[at + 1] == '*' {
            let mut depth = 0;
            while at + 1 < rest.len() {
                match (rest[at], rest[at + 1]) {
                    ('/', '*') => (depth, at) = (depth + 1, at + 2),
                    ('*', '/') => (depth, at) = (depth - 1, at + 2),
                    _ => at += 1,
                }
                if depth == 0 {
                    break;
                }
            }
        } else if c == '"' {
            at += 1;
            while at < rest.len() && rest[at] != '"' {
                at += if rest[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
        } else if c == '\'' && (rest[at + 1] == '\\' || rest.get(at + 2) == Some(&'\'')) {
            // A letter, and no lifetime.
            at += if rest[at + 1] == '\\' { 3 } else { 2 };
            while rest[at] != '\'' {
                at += 1;
            }
            at += 1;
        } else if word(c) {
            let begin = at;
            while word(rest[at]) {
                at += 1;
            }
            let token: String = rest[begin..at].iter().collect();
            let hashes = rest[at..].iter().take_while(|c| **c == '#').count();
            if ["r", "br"].contains(&token.as_str()) && rest[at + hashes] == '"' {
                let end: String = format!("\"{}", "#".repeat(hashes));
                at += hashes + 1;
                while !rest[at..].iter().take(end.len()).eq(&end.chars().collect::<Vec<_>>()) {
                    at += 1;
                }
                at += end.len();
            } else {
                tokens.push(token);
            }
        } else if c == ':' && rest[at + 1] == ':' {
            tokens.push("::".to_owned());
            at += 2;
        } else {
            if !c.is_whitespace() {
                tokens.push(c.to_string());
            }
            at += 1;
        }
    }
    without_tests(&tokens)
}

/// Leaves out what stands behind `#[cfg(test)]`, up to its last brace or its semicolon.
fn without_tests(tokens: &[String]) -> Vec<String> {
    let marks = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut left = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if !tokens[at..].iter().take(marks.len()).eq(marks.iter()) {
            left.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let mut depth = 0;
        at += marks.len();
        while at < tokens.len() {
            depth += i32::from(tokens[at] == "{") - i32::from(tokens[at] == "}");
            at += 1;
            if depth == 0 && [";", "}"].contains(&tokens[at - 1].as_str()) {
                break;
            }
        }
    }
    left
}

/// Reads `a::{b, c::d as e}` from `at`: paths and the name that each gets. Gives the place behind it.
fn tree(tokens: &[String], mut at: usize, start: &Module, found: &mut Vec<(Module, String)>) -> usize {
    let mut path = start.clone();
    loop {
        let Some(token) = tokens.get(at) else { return at };
        if token == "{" {
            at += 1;
            while at < tokens.len() && tokens[at] != "}" {
                at = tree(tokens, at, &path, found);
                at += usize::from(tokens.get(at).is_some_and(|t| t == ","));
            }
            return at + 1;
        }
        if token != "*" && !token.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            return at + 1;
        }
        if token != "self" || path.is_empty() {
            path.push(token.clone());
        }
        at += 1;
        if tokens.get(at).is_some_and(|t| t == "::") {
            at += 1;
            // `Vec::<u8>::new`
            if tokens.get(at).is_some_and(|t| t == "<") {
                break;
            }
        } else {
            break;
        }
    }
    let renamed = tokens.get(at).is_some_and(|t| t == "as");
    let name = if renamed { tokens.get(at + 1) } else { path.last() };
    found.push((path.clone(), name.cloned().unwrap_or_default()));
    if renamed { at + 2 } else { at }
}

/// What one file refers to.
#[derive(Default)]
struct Refers {
    /// Paths in `use` and in code, from the root of the crate.
    paths: Vec<Module>,
    /// Names that it passes on with `pub use`, and what they stand for.
    exports: BTreeMap<String, Module>,
}

impl Refers {
    fn new(module: &Module, text: &str) -> Refers {
        let tokens = tokens(text);
        let is = |at: usize, what: &str| tokens.get(at).is_some_and(|t| t == what);
        let children: BTreeSet<&str> = (0..tokens.len())
            .filter(|&at| is(at, "mod") && is(at + 2, ";"))
            .map(|at| tokens[at + 1].as_str())
            .collect();
        let mut refers = Refers::default();
        let mut at = 0;
        while at < tokens.len() {
            let first = tokens[at].as_str();
            let starts = ["crate", "super", "self"].contains(&first) || children.contains(first);
            let inside = at > 0 && ["::", "."].contains(&tokens[at - 1].as_str());
            if !starts || inside || !is(at + 1, "::") {
                at += 1;
                continue;
            }
            let mut found = Vec::new();
            let end = tree(&tokens, at, &vec![], &mut found);
            let exported =
                is(at.wrapping_sub(1), "use") && (is(at.wrapping_sub(2), "pub") || is(at.wrapping_sub(2), ")"));
            for (path, name) in found {
                let Some(path) = absolute(module, &path) else { continue };
                let below = path.len() > module.len() && path.starts_with(module);
                if exported {
                    refers.exports.insert(name, path.clone());
                }
                // Parents pass on what their children have.
                if !(exported && below) {
                    refers.paths.push(path);
                }
            }
            at = end.max(at + 1);
        }
        refers
    }
}

/// A path from the root of the crate; `None` if it leads out of it.
fn absolute(module: &Module, path: &Module) -> Option<Module> {
    let mut base = module.clone();
    let mut rest = path.as_slice();
    match rest.first()?.as_str() {
        "crate" => (base, rest) = (vec![], &rest[1..]),
        "self" => rest = &rest[1..],
        _ => {
            while rest.first().is_some_and(|part| part == "super") {
                base.pop()?;
                rest = &rest[1..];
            }
        }
    }
    Some([base, rest.to_vec()].concat())
}

/// The file in which what a path names is written.
fn home(path: &Module, all: &BTreeMap<Module, Refers>, depth: usize) -> Module {
    let mut length = path.len();
    while !all.contains_key(&path[..length]) {
        length -= 1;
    }
    let module = path[..length].to_vec();
    match path.get(length).and_then(|name| all[&module].exports.get(name)) {
        Some(target) if depth < 8 => home(&[target.clone(), path[length + 1..].to_vec()].concat(), all, depth + 1),
        _ => module,
    }
}

/// Which files of a crate refer to which.
fn arrows(name: &str) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut paths = BTreeMap::new();
    files(&root().join("crates").join(name).join("src"), &vec![], &mut paths);
    let read =
        |(module, path): (&Module, &PathBuf)| (module.clone(), Refers::new(module, &fs::read_to_string(path).unwrap()));
    let all: BTreeMap<Module, Refers> = paths.iter().map(read).collect();
    let targets = |module: &Module, refers: &Refers| -> BTreeSet<Module> {
        let homes = refers.paths.iter().map(|path| home(path, &all, 0));
        homes.filter(|home| home != module).collect()
    };
    all.iter().map(|(module, refers)| (module.clone(), targets(module, refers))).collect()
}

/// Everything that can be reached, by one step or more.
fn closure<T: Clone + Ord>(arrows: &BTreeMap<T, BTreeSet<T>>) -> BTreeMap<T, BTreeSet<T>> {
    let reach = |start: &T| {
        let mut reached = BTreeSet::new();
        let mut next: Vec<T> = arrows[start].iter().cloned().collect();
        while let Some(one) = next.pop() {
            next.extend(arrows.get(&one).into_iter().flatten().filter(|two| !reached.contains(*two)).cloned());
            reached.insert(one);
        }
        reached
    };
    arrows.keys().map(|start| (start.clone(), reach(start))).collect()
}

fn shown(module: &Module) -> String {
    if module.is_empty() { "lib".to_owned() } else { module.join("/") }
}

/// Files that refer to each other, directly or by way of others.
fn circles(name: &str) -> Vec<String> {
    let direct = arrows(name);
    let reached = closure(&direct);
    let mut found = Vec::new();
    let mut seen: BTreeSet<Module> = BTreeSet::new();
    for (module, others) in &reached {
        if !others.contains(module) || !seen.insert(module.clone()) {
            continue;
        }
        let circle: BTreeSet<&Module> = others.iter().filter(|other| reached[*other].contains(module)).collect();
        seen.extend(circle.iter().map(|module| (*module).clone()));
        let inside = |from: &&Module| -> Vec<String> {
            direct[*from].iter().filter(|to| circle.contains(to)).map(shown).collect()
        };
        let lines = circle.iter().map(|from| format!("{} -> {}", shown(from), inside(from).join(", ")));
        found.push(format!("{name}: {}", lines.collect::<Vec<_>>().join("; ")));
    }
    found
}

#[test]
fn no_files_of_a_crate_refer_to_each_other_in_a_circle() {
    let all = crates();
    let found: Vec<String> = all.iter().flat_map(|name| circles(name)).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn no_file_is_long() {
    let mut long = Vec::new();
    for name in crates() {
        let mut paths = BTreeMap::new();
        files(&root().join("crates").join(&name).join("src"), &vec![], &mut paths);
        for path in paths.values() {
            let lines = fs::read_to_string(path).unwrap().lines().count();
            if lines > LONGEST {
                long.push(format!("{}: {lines} lines", path.display()));
            }
        }
    }
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

/// The crates of the workspace that a crate names among its dependencies; what only tests need does not count.
fn dependencies(manifest: &Path, all: &[String]) -> BTreeSet<String> {
    let text = fs::read_to_string(manifest).unwrap();
    let mut counts = false;
    let mut found = BTreeSet::new();
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            counts = section.trim_end_matches(']').ends_with("dependencies") && !section.contains("dev-dependencies");
        } else if counts && let Some(name) = line.split(['=', '.', ' ']).next() {
            found.extend(all.iter().find(|one| *one == name).cloned());
        }
    }
    found
}

#[test]
fn crates_stand_in_layers() {
    let all = crates();
    let mut real: BTreeMap<String, BTreeSet<String>> =
        all.iter().map(|name| (name.clone(), dependencies(&manifest(name), &all))).collect();
    real.insert("tokbench".to_owned(), dependencies(&root().join("Cargo.toml"), &all));
    let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let meant: BTreeMap<String, BTreeSet<String>> =
        ARROWS.iter().map(|(name, below)| ((*name).to_owned(), own(below))).collect();
    let (reached, allowed) = (closure(&real), closure(&meant));
    for (name, below) in &real {
        let known = allowed.get(name).unwrap_or_else(|| panic!("{name} has no place in ARROWS"));
        let wrong: Vec<&String> = below.iter().filter(|one| !known.contains(*one)).collect();
        assert!(wrong.is_empty(), "{name} may not depend on {wrong:?}");
    }
    // Once all of them are there, every arrow is one.
    if meant.keys().all(|name| real.contains_key(name)) {
        assert_eq!(reached, allowed);
    }
}

#[test]
fn references_are_found_in_every_spelling() {
    let text = r##"
        use crate::{a::One, b::{self, c::Two as Three}};
        pub use crate::d::Four;
        pub(crate) use child::Five;
        mod child;
        fn f(x: &'static str) -> char { super::g(); child::h::<u8>(); "crate::not"; r#"crate::not "x" "#; '"' }
        // crate::not
        #[cfg(test)]
        mod tests { use crate::not; fn g() { if true {} } }
        fn k() { crate::e::F::new(self::m(), std::crate_::x) }
    "##;
    let here = vec!["x".to_owned(), "y".to_owned()];
    let refers = Refers::new(&here, text);
    let found: Vec<String> = refers.paths.iter().map(|path| path.join("/")).collect();
    assert_eq!(found, ["a/One", "b", "b/c/Two", "d/Four", "x/g", "x/y/child/h", "e/F/new", "x/y/m"]);
    let exports: Vec<&str> = refers.exports.keys().map(String::as_str).collect();
    assert_eq!(exports, ["Five", "Four"]);
}
