//! `tokbench man`: the help of the program and of each command as manual pages.

use clap_mangen::Man;
use tokenize::Registry;

use crate::args;
use crate::failure::Failure;
use crate::folders;
use crate::stdout::{errln, out};

/// A manual page: its file name, and its text (roff).
struct Page {
    name: String,
    text: Vec<u8>,
}

pub(crate) fn run(tokenizers: &Registry, args: &args::Man) -> Result<u8, Failure> {
    let pages = pages(tokenizers);
    let Some(folder) = &args.output else {
        for page in pages {
            out!("{}", String::from_utf8_lossy(&page.text));
        }
        return Ok(0);
    };
    folders::make(folder)?;
    let number = pages.len();
    for page in pages {
        let path = folder.join(page.name);
        experiment::files::write(&path, &page.text).map_err(|error| Failure::file(&path, &error))?;
    }
    errln!("{number} pages in {}", folder.display());
    Ok(0)
}

/// The page of the program, then one for each command, in the order of the help.
fn pages(tokenizers: &Registry) -> Vec<Page> {
    // The command "help" only repeats what is in the pages.
    let mut program = args::command(tokenizers).disable_help_subcommand(true);
    program.build();
    let mut pages = Vec::new();
    add(program, &mut pages);
    pages
}

fn add(command: clap::Command, pages: &mut Vec<Page>) {
    let commands: Vec<clap::Command> =
        command.get_subcommands().filter(|inner| !inner.is_hide_set()).cloned().collect();
    let man = Man::new(command);
    let mut text = Vec::new();
    // Writing to memory cannot fail.
    let _ = man.render(&mut text);
    pages.push(Page { name: man.get_filename(), text });
    for command in commands {
        add(command, pages);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_help_and_flags() {
        fn count(command: &clap::Command) -> usize {
            1 + command.get_subcommands().map(count).sum::<usize>()
        }
        let registry = tokenize::registry::builtin();
        let pages = pages(&registry);
        assert_eq!(pages.len(), count(&args::command(&registry)));
        assert_eq!(pages[0].name, "tokbench.1");
        let page = |name: &str| {
            let page = pages.iter().find(|page| page.name == name).expect(name);
            String::from_utf8(page.text.clone()).expect("UTF-8")
        };
        let compare = page("tokbench-compare.1");
        assert!(compare.starts_with(".ie") && compare.contains("\n.TH tokbench-compare 1"), "{compare}");
        assert!(compare.contains("Compare tokenizers") && compare.contains("\\-\\-tokenizers"), "{compare}");
        assert!(page("tokbench-tokenizer-train.1").contains("\\-\\-vocab\\-size"));
    }
}
