//! Columns aligned by spaces: the first to the left, the others to the right.

/// Maximum line width in characters.
pub const WIDTH: usize = 110;

/// Spaces between columns.
const GAP: usize = 2;

/// A small table with a heading.
pub(crate) struct Grid {
    heading: String,
    columns: Vec<String>,
    rows: Vec<Vec<(String, bool)>>,
}

impl Grid {
    /// An empty table.
    pub(crate) fn new(heading: &str, columns: &[&str]) -> Grid {
        Grid {
            heading: heading.to_owned(),
            columns: columns.iter().map(|c| (*c).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; missing cells stay empty; cells marked in `emphasized` are bold.
    pub(crate) fn row(&mut self, cells: Vec<String>, emphasized: &[bool]) {
        let mut cells: Vec<(String, bool)> = cells
            .into_iter()
            .enumerate()
            .map(|(at, cell)| (cell, emphasized.get(at).copied().unwrap_or(false)))
            .collect();
        cells.resize(self.columns.len(), (String::new(), false));
        self.rows.push(cells);
    }

    fn widths(&self) -> Vec<usize> {
        let wide = |text: &str| text.chars().count();
        let column =
            |at: usize| self.rows.iter().map(|r| wide(&r[at].0)).max().unwrap_or(0).max(wide(&self.columns[at]));
        (0..self.columns.len()).map(column).collect()
    }

    /// The text, without a line break at its end.
    pub(crate) fn print(&self, color: bool) -> String {
        let widths = self.widths();
        let mut lines = vec![bold(&wrap(&self.heading, WIDTH, "  "), color)];
        let head: Vec<(String, bool)> = self.columns.iter().map(|c| (c.clone(), false)).collect();
        for row in std::iter::once(&head).chain(&self.rows) {
            let mut line = String::new();
            let mut pending = 0;
            for (at, (cell, emphasized)) in row.iter().enumerate() {
                let spaces = widths[at] - cell.chars().count();
                let before = if at == 0 { 0 } else { GAP + spaces };
                if !cell.is_empty() {
                    line.push_str(&" ".repeat(pending + before));
                    line.push_str(&bold(cell, color && *emphasized));
                    pending = if at == 0 { spaces } else { 0 };
                } else {
                    pending += before + if at == 0 { spaces } else { 0 };
                }
            }
            lines.push(line);
        }
        lines.join("\n")
    }
}

/// Splits a table that is too wide into several, each with the first column repeated.
pub(crate) fn chunked(heading: &str, corner: &str, headings: &[String], rows: &[(String, Vec<String>)]) -> Vec<Grid> {
    let wide = |text: &str| text.chars().count();
    let first = rows.iter().map(|(name, _)| wide(name)).max().unwrap_or(0).max(wide(corner));
    let width =
        |at: usize| rows.iter().map(|(_, cells)| wide(&cells[at])).max().unwrap_or(0).max(wide(&headings[at])) + GAP;
    let (mut grids, mut start) = (Vec::new(), 0);
    while start < headings.len() {
        let (mut end, mut used) = (start + 1, first + width(start));
        while end < headings.len() && used + width(end) <= WIDTH {
            used += width(end);
            end += 1;
        }
        let columns: Vec<&str> =
            std::iter::once(corner).chain(headings[start..end].iter().map(String::as_str)).collect();
        let mut grid = Grid::new(heading, &columns);
        for (name, cells) in rows {
            grid.row(std::iter::once(name).chain(&cells[start..end]).cloned().collect(), &[]);
        }
        grids.push(grid);
        start = end;
    }
    grids
}

/// The text in ANSI bold if `color` is set.
pub(crate) fn bold(text: &str, color: bool) -> String {
    if color { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Lines of at most `width` characters, broken at spaces; `indent` starts every line but the first.
pub(crate) fn wrap(text: &str, width: usize, indent: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, |l| l.chars().count());
        if line > 0 && line + 1 + word.chars().count() > width {
            lines.push(format!("{indent}{word}"));
        } else if let Some(last) = lines.last_mut() {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines.join("\n")
}
