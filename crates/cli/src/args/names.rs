//! Lists of tokenizers on the command line.

use tokenize::families::exec;
use tokenize::families::file::PREFIX;

use crate::failure::{DATA, Failure};
use crate::workspace::file_of;

/// The names in a list. `a,b/t.json`, with or without the prefix `file:`, is one name if that file exists, and two otherwise.
pub(super) fn names(text: &str) -> Result<Vec<String>, Failure> {
    let parts: Vec<&str> = text.split(',').collect();
    let exists = |name: &str| {
        let path = file_of(name);
        path.exists() && !path.is_dir()
    };
    let mut names = Vec::new();
    let mut at = 0;
    while at < parts.len() {
        let end = (at + 2..=parts.len()).rev().find(|&end| exists(&parts[at..end].join(","))).unwrap_or(at + 1);
        let name = parts[at..end].join(",");
        // The next part may be the rest of a path with a comma.
        let continues_path = |next: &str| {
            exec::command_in(next).is_none() && !next.trim_start().starts_with(PREFIX) && next.contains(['/', '.'])
        };
        if exec::command_in(&name).is_none()
            && (name.trim_start().starts_with(PREFIX) || name.contains('/'))
            && !exists(&name)
            && let Some(next) = parts.get(end).filter(|next| continues_path(next))
        {
            let path = format!("{},{next}", name.trim_start().trim_start_matches(PREFIX));
            return Err(Failure::new(
                DATA,
                format!("{path}: no such file; a comma separates names, so this would be {name:?} and {next:?}"),
                "check the path, or give each tokenizer its own --tokenizers",
            ));
        }
        names.push(name);
        at = end;
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_separates_names_unless_a_file_has_it_in_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("a,b");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(inside.join("t,1.json"), "").unwrap();
        let file = format!("file:{}/t,1.json", inside.display());
        let found = |text: &str| names(text).unwrap();
        assert_eq!(found(&format!("base,{file},kmer6")), ["base".to_owned(), file, "kmer6".to_owned()]);
        let bare = format!("{}/t,1.json", inside.display());
        assert_eq!(found(&format!("{bare},kmer6")), [bare, "kmer6".to_owned()]);
        assert_eq!(found("base,kmer6"), ["base", "kmer6"]);
        assert_eq!(found("exec:./a.py -x,exec:./b.py,base"), ["exec:./a.py -x", "exec:./b.py", "base"]);
        assert_eq!(found("file:nowhere.json,base"), ["file:nowhere.json", "base"]);
        assert_eq!(found(""), [""]);
        let failure = names("file:no,where/t.json,base").unwrap_err();
        assert!(failure.message.starts_with("no,where/t.json: no such file; a comma separates names"), "{failure:?}");
        assert!(names("a/b,c/t.json").unwrap_err().message.starts_with("a/b,c/t.json: no such file"));
    }
}
