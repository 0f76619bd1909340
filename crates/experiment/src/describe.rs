//! The table of `tokbench plan`: runs, estimated cost and statistical power, before anything is computed.

use std::fmt::{self, Write};

use statistics::power::{Spread, detectable_effect};
pub use statistics::text::{magnitude, rough_duration as duration, rough_p as p_value};

use crate::job::Job;
use crate::plan::Plan;
use crate::run::Work;

struct Row {
    kind: String,
    subject: String,
    place: String,
    runs: usize,
    passes: usize,
    macs: f64,
    seconds: f64,
    mib: f64,
}

impl Plan {
    /// The plan as a table with notes on cost and power.
    #[must_use]
    pub fn describe(&self) -> String {
        let rows = self.rows();
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = write_table(&mut out, &rows);
        let most = rows.iter().map(|r| r.mib).fold(0.0, f64::max);
        let _ = self.write_cost(&mut out, most);
        let _ = self.write_power(&mut out);
        out
    }

    /// One row for all runs that differ only in seed, learning rate or budget; those of deferred runs are marked.
    fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        for (at, job) in self.all_jobs().enumerate() {
            let mark = if at < self.jobs.len() { "" } else { "*" };
            let (kind, place) = (format!("{}{mark}", kind(job)), place(job));
            let subject = job.run.subject();
            let index = rows.iter().position(|r| r.kind == kind && r.subject == subject && r.place == place);
            let index = index.unwrap_or_else(|| {
                rows.push(Row { kind, subject, place, runs: 0, passes: 0, macs: 0.0, seconds: 0.0, mib: 0.0 });
                rows.len() - 1
            });
            let row = &mut rows[index];
            row.runs += 1;
            row.passes = row.passes.max(job.estimate.passes);
            row.macs += job.estimate.macs;
            row.seconds += job.estimate.seconds;
            row.mib = row.mib.max(job.estimate.mib);
        }
        rows
    }

    /// Total cost of all runs.
    fn write_cost(&self, out: &mut String, most: f64) -> fmt::Result {
        let source = if self.calibrated {
            "from measured runs on this device kind"
        } else {
            "default speed, no finished run yet"
        };
        writeln!(
            out,
            "\n{} runs, {} in sequence ({source}), up to {most:.0} MiB each",
            self.all_jobs().count(),
            duration(self.seconds())
        )?;
        if !self.deferred.is_empty() {
            let (runs, s) = (self.deferred.len(), plural(self.deferred.len()));
            writeln!(
                out,
                "* {runs} run{s} follow from others: the learning rate, the budget or the size is not known yet, and the estimate is rough"
            )?;
        }
        Ok(())
    }

    /// Statistical power of the planned seeds.
    fn write_power(&self, out: &mut String) -> fmt::Result {
        let (m, s) = (self.comparisons, self.seeds.len());
        if m > 0 {
            writeln!(
                out,
                "minimum attainable Holm-adjusted p-value: {} ({m} comparison{} with {}, {s} seed{})",
                p_value(self.smallest_p),
                plural(m),
                self.reference,
                plural(s)
            )?;
            let fewest = self.fewest_seeds.map_or_else(
                || "no number of seeds is sufficient for this number of comparisons".to_owned(),
                |fewest| format!("fewest seeds that can decide: {fewest}"),
            );
            writeln!(out, "{fewest}")?;
            if self.exploratory {
                writeln!(out, "exploratory: no verdict, whatever the differences are")?;
                return Ok(());
            }
            if self.smallest_p > statistics::ALPHA {
                writeln!(out, "underpowered: no difference can be significant with {s} seed{}", plural(s))?;
            }
        }
        let unit = Spread { seeds: 1.0, text: None };
        if let Some(effect) = detectable_effect(unit, s, m).filter(|_| m > 0) {
            let bits = self.detectable.map_or_else(
                || {
                    "; the error from the test text is not known before the first records, so this is a lower bound"
                        .to_owned()
                },
                |bits| format!(";\nwith the variation over seeds and text of earlier records, {bits:.3} bits per base"),
            );
            writeln!(
                out,
                "power 80 % (sign-flip test and interval, strictest Holm step): over seeds alone, a true difference of {effect:.2} standard\n\
                 deviations of the paired differences{bits}"
            )?;
        }
        Ok(())
    }
}

/// Column headings whose length is a minimum width.
const SUBJECT: &str = "tokenizer/control";
const PLACE: &str = "task, position";

fn write_table(out: &mut String, rows: &[Row]) -> fmt::Result {
    let subject = rows.iter().map(|r| r.subject.len()).max().unwrap_or(0).max(SUBJECT.len());
    let place = rows.iter().map(|r| r.place.len()).max().unwrap_or(0).max(PLACE.len());
    writeln!(
        out,
        "{:<9} {:<subject$} {:<place$} {:>5} {:>6} {:>9} {:>9} {:>9}",
        "kind", SUBJECT, PLACE, "runs", "passes", "MACs", "time", "memory"
    )?;
    for r in rows {
        writeln!(
            out,
            "{:<9} {:<subject$} {:<place$} {:>5} {:>6} {:>9.1e} {:>9} {:>9}",
            r.kind,
            r.subject,
            r.place,
            r.runs,
            if r.passes == 0 { "-".to_owned() } else { r.passes.to_string() },
            r.macs,
            duration(r.seconds),
            format!("{:.0} MiB", r.mib)
        )?;
    }
    if rows.iter().any(|r| r.passes > 0) {
        writeln!(out, "passes: maximum forward passes per scored window")?;
    }
    Ok(())
}

fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}

fn kind(job: &Job) -> &'static str {
    match job.run.work {
        Work::Pretrain(_) if job.run.is_trial() => "trial",
        Work::Pretrain(_) => "pretrain",
        Work::Finetune(_) => "finetune",
        Work::Control(_) => "control",
    }
}

fn place(job: &Job) -> String {
    let position = match &job.run.work {
        Work::Pretrain(p) => Some(p.encoder.position.name()),
        Work::Finetune(f) => Some(f.model.encoder.position.name()),
        Work::Control(_) => None,
    };
    let task = job.run.task().map(|t| t.name.as_str());
    task.map(str::to_owned).into_iter().chain(position).collect::<Vec<_>>().join(" ")
}
