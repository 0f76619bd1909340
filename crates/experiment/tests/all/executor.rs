//! The scheduler with real child processes (a shell script in place of tokbench), and with the mock.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use experiment::record::Outcome;
use experiment::{Event, Executor, Found, Job, Local, Record, Scheduler, Store, Summary};
use mock::Mock;

use crate::common::jobs;

/// `$2` is the key, `$4` the store, `$6` the threads, `$7` the folder of records prepared by the test.
const WRITE_RECORD: &str = "mkdir -p $4/$2 && cp $7/$2.json $4/$2/record.json";

struct Bench {
    folder: tempfile::TempDir,
    store: Store,
    jobs: Vec<Job>,
}

impl Bench {
    fn new(jobs: Vec<Job>) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let prepared = Store::open(folder.path().join("prepared")).unwrap();
        for job in &jobs {
            prepared.put_record(&computed(job)).unwrap();
            let from = prepared.folder(&job.key).join("record.json");
            fs::copy(from, folder.path().join(format!("{}.json", job.key))).unwrap();
        }
        let store = Store::open(folder.path().join("store")).unwrap();
        Bench { folder, store, jobs }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn local(&self, script: &str, workers: usize) -> Local {
        let mut local = Local::new("sh", 5);
        local.leading_args = vec!["-c".to_owned(), script.to_owned(), "sh".to_owned()];
        local.extra_args = vec![self.folder.path().into()];
        local.workers = workers;
        local
    }

    fn run(&self, executor: &mut dyn Executor) -> (Summary, Vec<Event>) {
        self.run_as(&Scheduler::default(), executor)
    }

    /// Executes failed runs again.
    fn retry(&self, executor: &mut dyn Executor) -> (Summary, Vec<Event>) {
        self.run_as(&Scheduler { retry_failed: true, ..Scheduler::default() }, executor)
    }

    fn run_as(&self, scheduler: &Scheduler, executor: &mut dyn Executor) -> (Summary, Vec<Event>) {
        let mut events = Vec::new();
        let summary = scheduler.execute(&self.jobs, &self.store, executor, &mut |e| events.push(e)).unwrap();
        (summary, events)
    }
}

/// The record of a child: simulated, but not marked as such.
fn computed(job: &Job) -> Record {
    let mut record = mock::record(&job.run);
    record.provenance.version = "0.1.0".to_owned();
    record
}

fn failure(job: &Job, reason: &str) -> Record {
    Record { outcome: Outcome::Failed { reason: reason.to_owned() }, ..computed(job) }
}

fn pretraining() -> Vec<Job> {
    jobs().into_iter().filter(|job| job.after.is_empty()).collect()
}

#[test]
fn every_run_is_a_process_and_dependencies_come_first() {
    let bench = Bench::new(jobs());
    let script = format!("echo $2 $6 $RAYON_NUM_THREADS $OMP_NUM_THREADS $OMP_WAIT_POLICY >> $7/order; {WRITE_RECORD}");
    let (summary, events) = bench.run(&mut bench.local(&script, 2));
    assert!(summary.complete());
    assert_eq!((summary.done.len(), summary.skipped.len()), (8, 0));
    let order = fs::read_to_string(bench.path("order")).unwrap();
    let lines: Vec<&str> = order.lines().collect();
    assert_eq!(lines.len(), 8);
    // Five threads for two workers: two each.
    assert!(lines.iter().all(|l| l.ends_with(" 2 2 2 passive")), "{order}");
    let finished = |key| events.iter().position(|e| matches!(e, Event::Finished { key: k, .. } if k == key));
    let started = |key| events.iter().position(|e| matches!(e, Event::Started { key: k } if k == key));
    for job in &bench.jobs {
        assert!(job.after.iter().all(|parent| finished(parent) < started(&job.key)));
        assert_eq!(bench.store.run(&job.key).unwrap(), Found::Done(job.run.clone()));
        assert_eq!(bench.store.data(&job.key).unwrap(), Found::Done(job.data.clone()));
    }
    let (again, events) = bench.run(&mut bench.local("exit 1", 2));
    assert_eq!((again.skipped.len(), again.done.len()), (8, 0));
    assert!(events.iter().all(|e| matches!(e, Event::Skipped { .. })));
}

#[test]
fn workers_run_in_parallel() {
    let bench = Bench::new(pretraining());
    // Each waits for all four, so they end only if they run in parallel.
    let script = format!(
        "touch $7/here-$2; n=0; while [ $(ls $7 | grep -c here-) -lt 4 ]; do \
         n=$((n+1)); [ $n -gt 500 ] && exit 9; sleep 0.02; done; {WRITE_RECORD}"
    );
    let (summary, _) = bench.run(&mut bench.local(&script, 4));
    assert_eq!(summary.done.len(), 4, "{summary:?}");
}

/// Runs that are active together are spread over the devices.
#[test]
fn concurrent_runs_are_spread_over_devices() {
    let bench = Bench::new(pretraining());
    // Each waits for all four; `$8` is `--device`, `$9` its name.
    let script = format!(
        "touch $7/here-$2; n=0; while [ $(ls $7 | grep -c here-) -lt 4 ]; do \
         n=$((n+1)); [ $n -gt 500 ] && exit 9; sleep 0.02; done; echo $8 $9 >> $7/devices; {WRITE_RECORD}"
    );
    let mut local = bench.local(&script, 4);
    local.devices = vec!["gpu:0".to_owned(), "gpu:1".to_owned()];
    let (summary, _) = bench.run(&mut local);
    assert_eq!(summary.done.len(), 4, "{summary:?}");
    let devices = fs::read_to_string(bench.path("devices")).unwrap();
    let mut lines: Vec<&str> = devices.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["--device gpu:0", "--device gpu:0", "--device gpu:1", "--device gpu:1"]);
}

#[test]
fn one_worker_runs_sequentially() {
    let bench = Bench::new(pretraining());
    let script = format!("mkdir $7/alone || exit 9; sleep 0.05; {WRITE_RECORD}; rmdir $7/alone");
    let (summary, _) = bench.run(&mut bench.local(&script, 1));
    assert_eq!(summary.done.len(), 4, "{summary:?}");
}

#[test]
fn progress_and_other_lines() {
    let bench = Bench::new(pretraining()[..1].to_vec());
    let script = format!(
        "echo '{{\"event\":\"progress\",\"bases\":5,\"of\":10,\"stage\":\"train\"}}'; echo hello; \
         echo '{{\"event\":\"other\"}}'; echo quiet >&2; {WRITE_RECORD}"
    );
    let (_, events) = bench.run(&mut bench.local(&script, 1));
    let key = bench.jobs[0].key.clone();
    assert!(events.contains(&Event::Progress { key: key.clone(), stage: "train".to_owned(), done: 5, of: 10 }));
    assert!(events.contains(&Event::Log { key: key.clone(), line: "hello".to_owned() }));
    assert!(events.contains(&Event::Log { key: key.clone(), line: "{\"event\":\"other\"}".to_owned() }));
    let log = fs::read_to_string(bench.store.folder(&key).join("log.jsonl")).unwrap();
    assert!(log.contains("{\"stdout\":\"hello\"}\n") && log.contains("{\"stderr\":\"quiet\"}\n"), "{log}");
}

#[test]
fn dependents_of_a_failed_run_stay_pending() {
    let bench = Bench::new(jobs());
    let bad = bench.jobs[0].key.clone();
    let prepared = Store::open(bench.path("failed")).unwrap();
    prepared.put_record(&failure(&bench.jobs[0], "the loss is not a number")).unwrap();
    let script = format!(
        "if [ $2 = {bad} ] && [ ! -e $7/mended ]; then seq 30 >&2; echo 'error: diverged' >&2; \
         mkdir -p $4/$2; cp $7/failed/$2/record.json $4/$2/record.json; exit 1; fi; {WRITE_RECORD}"
    );
    let mut local = bench.local(&script, 2);
    let (summary, events) = bench.run(&mut local);
    assert_eq!(summary.failed, [(bad.clone(), "the loss is not a number".to_owned())]);
    assert_eq!((summary.done.len(), summary.pending.len()), (6, 1));
    assert!(summary.pending[0].1.starts_with("depends on run "), "{:?}", summary.pending);
    let Some(Event::Failed { stderr, .. }) = events.iter().find(|e| matches!(e, Event::Failed { .. })) else {
        panic!("{events:?}")
    };
    assert_eq!((stderr.len(), stderr[0].as_str(), stderr[19].as_str()), (20, "12", "error: diverged"));

    fs::write(bench.path("mended"), "").unwrap();
    let (summary, _) = bench.run(&mut local);
    assert_eq!(
        (summary.failed.len(), summary.done.len(), summary.skipped.len()),
        (1, 0, 6),
        "the failed record is kept"
    );
    let (summary, _) = bench.retry(&mut local);
    assert_eq!((summary.done.len(), summary.skipped.len()), (2, 6));
    assert!(summary.complete());
}

#[test]
fn runs_that_end_without_a_record_stay_pending() {
    let panic = "echo \"thread 'main' panicked at src/x.rs:1:2:\" >&2; echo 'out of range' >&2; \
                 echo 'note: run with `RUST_BACKTRACE=1`' >&2; exit 101";
    for (script, reason) in [
        (
            "seq 30 >&2; echo \"error: no $4/corpus\" >&2; echo 'help: look' >&2; exit 3",
            "exited with code 3: error: no <store>/corpus",
        ),
        (panic, "exited with code 101: out of range"),
        ("echo 'disk?' >&2; echo 'note: x' >&2; exit 1", "exited with code 1: disk?"),
        ("exit 1", "exited with code 1"),
        ("exit 0", "ended without a record"),
    ] {
        let bench = Bench::new(pretraining()[..1].to_vec());
        let key = bench.jobs[0].key.clone();
        let (summary, events) = bench.run(&mut bench.local(script, 1));
        assert_eq!(summary.pending, [(key.clone(), reason.to_owned())]);
        assert!(summary.failed.is_empty() && !summary.complete());
        assert!(events.contains(&Event::Pending { key: key.clone(), reason: reason.to_owned() }));
        assert_eq!(bench.store.record(&key).unwrap(), Found::Missing, "nothing is written");
        let (summary, _) = bench.run(&mut bench.local(WRITE_RECORD, 1));
        assert_eq!(summary.done, [key], "the next call retries");
    }
}

#[test]
fn an_earlier_failure_is_not_reported_again() {
    let bench = Bench::new(pretraining()[..1].to_vec());
    let earlier = failure(&bench.jobs[0], "the loss is not a number");
    bench.store.put_record(&earlier).unwrap();
    let (summary, _) = bench.retry(&mut bench.local("echo 'error: no file' >&2; exit 1", 1));
    assert_eq!((summary.failed.len(), summary.pending.len()), (0, 1));
    assert_eq!(bench.store.record(&earlier.key).unwrap(), Found::Done(earlier));
}

#[test]
fn runs_finished_by_another_process_are_skipped() {
    let bench = Bench::new(pretraining()[..3].to_vec());
    let [first, second, third] = [0, 1, 2].map(|i| bench.jobs[i].key.clone());
    // While the first runs, another process finishes the second; the third is finished while its own child fails.
    let script = format!(
        "[ $2 != {second} ] || exit 9; if [ $2 = {first} ]; then mkdir -p $4/{second}; \
         cp $7/{second}.json $4/{second}/record.json; fi; {WRITE_RECORD}; if [ $2 = {third} ]; then \
         echo 'it is finished' >&2; exit 1; fi"
    );
    let (summary, events) = bench.run(&mut bench.local(&script, 1));
    assert!(summary.complete(), "{summary:?}");
    assert_eq!((summary.done, summary.skipped), (vec![first, third], vec![second.clone()]));
    assert!(events.contains(&Event::Skipped { key: second.clone() }));
    assert!(!events.contains(&Event::Started { key: second }));
}

#[test]
fn simulated_records_are_recomputed() {
    let bench = Bench::new(jobs());
    assert!(bench.run(&mut Mock::default()).0.complete());
    // A run does not start from a simulated parent.
    let mut starts = bench.jobs.clone();
    starts.retain(|job| !job.after.is_empty());
    let scheduler = Scheduler::default();
    let summary = scheduler.execute(&starts, &bench.store, &mut bench.local(WRITE_RECORD, 2), &mut |_| {}).unwrap();
    assert_eq!((summary.done.len(), summary.pending.len()), (0, 4));
    assert!(summary.pending.iter().all(|(_, reason)| reason.ends_with("which has no record")), "{summary:?}");
    assert!(bench.run(&mut Mock::default()).0.complete());
    // As in the program: a run with a record is finished.
    let script = format!("[ ! -e $4/$2/record.json ] || exit 0; {WRITE_RECORD}");
    let (summary, events) = bench.run(&mut bench.local(&script, 2));
    assert_eq!((summary.done.len(), summary.skipped.len()), (8, 0), "{summary:?}");
    let text = "8 simulated records were renamed; their runs are computed".to_owned();
    assert!(events.contains(&Event::Warning { text }));
    assert!(!bench.store.records().unwrap().0.iter().any(Record::is_simulated));
    // Simulation does not replace computed records.
    assert_eq!(bench.retry(&mut Mock::default()).0.skipped.len(), 8);
}

#[test]
fn children_save_checkpoints_on_interrupt() {
    let bench = Bench::new(pretraining()[..2].to_vec());
    let script = "echo ready; cat > /dev/null; mkdir -p $4/$2/checkpoint; echo saved; exit 130";
    let stop = Arc::new(AtomicBool::new(false));
    let scheduler = Scheduler { stop: Arc::clone(&stop), ..Scheduler::default() };
    let began = Instant::now();
    let mut lines = Vec::new();
    let summary = scheduler
        .execute(&bench.jobs, &bench.store, &mut bench.local(script, 2), &mut |e| {
            if let Event::Log { line, .. } = e {
                lines.push(line);
                stop.store(lines.len() >= 2, Ordering::Relaxed);
            }
        })
        .unwrap();
    assert!(began.elapsed() < Duration::from_secs(9), "no child was killed");
    assert_eq!(lines, ["ready", "ready", "saved", "saved"]);
    assert!(summary.interrupted && summary.pending.iter().all(|(_, reason)| reason == "interrupted"));
    for job in &bench.jobs {
        assert!(bench.store.folder(&job.key).join("checkpoint").is_dir());
    }
}

#[test]
fn truncated_records_are_recomputed() {
    let bench = Bench::new(pretraining()[..1].to_vec());
    let key = bench.jobs[0].key.clone();
    let (summary, _) = bench.run(&mut bench.local(&format!("{WRITE_RECORD}; echo '{{\"bla' > $4/$2/record.json"), 1));
    assert_eq!(summary.pending.len(), 1);
    // A record that is truncated later is recomputed.
    let path = bench.store.folder(&key).join("record.json");
    fs::write(&path, "{").unwrap();
    let (summary, events) = bench.run(&mut bench.local(WRITE_RECORD, 1));
    assert_eq!(summary.done, [key]);
    assert!(matches!(&events[0], Event::SetAside { moved_to, .. } if moved_to.ends_with("record.json.corrupt-2")));
}

#[test]
fn a_killed_run_stays_pending_and_is_resumed() {
    let bench = Bench::new(jobs());
    let victim = bench.jobs[1].key.clone();
    let script = format!(
        "if [ $2 = {victim} ] && [ ! -e $4/$2/checkpoint ]; then mkdir -p $4/$2/checkpoint; kill -9 $$; fi; {WRITE_RECORD}"
    );
    let (summary, _) = bench.run(&mut bench.local(&script, 2));
    assert!(summary.failed.is_empty() && !summary.complete());
    assert_eq!(summary.pending.len(), 2, "the run and its dependent: {:?}", summary.pending);
    assert!(summary.pending.contains(&(victim.clone(), "killed by signal 9: probably out of memory".to_owned())));
    assert_eq!(bench.store.record(&victim).unwrap(), Found::Missing);
    let (summary, _) = bench.run(&mut bench.local(&script, 2));
    assert!(summary.complete());
    assert_eq!((summary.done.len(), summary.skipped.len()), (2, 6));
}

#[test]
fn out_of_memory_is_reported() {
    let bench = Bench::new(pretraining()[..1].to_vec());
    let last = |script: &str| bench.run(&mut bench.local(script, 1)).0.pending.remove(0).1;
    // The message of the allocator before it aborts; without it, the signal has another cause.
    let aborted = last("echo 'memory allocation of 2097152000 bytes failed' >&2; kill -6 $$");
    assert_eq!(aborted, "killed by signal 6: out of memory (memory allocation of 2097152000 bytes failed)");
    // Followed by a long backtrace.
    let traced = "echo 'memory allocation of 7 bytes failed' >&2; seq 99 >&2; kill -6 $$";
    assert_eq!(last(traced), "killed by signal 6: out of memory (memory allocation of 7 bytes failed)");
    assert_eq!(last("kill -6 $$"), "killed by signal 6");
    // As a shell or a container reports it.
    assert_eq!(last("exit 137"), "killed by signal 9: probably out of memory");
    assert_eq!(last("kill -15 $$"), "killed by signal 15");
}

#[test]
fn an_interrupt_stops_at_once_and_the_next_call_resumes() {
    let bench = Bench::new(pretraining());
    let first = bench.jobs[0].key.clone();
    let script = format!("[ $2 = {first} ] || exec sleep 60; {WRITE_RECORD}");
    let stop = Arc::new(AtomicBool::new(false));
    let scheduler = Scheduler { stop: Arc::clone(&stop), ..Scheduler::default() };
    let mut local = bench.local(&script, 2);
    local.grace = Duration::from_millis(300);
    let began = Instant::now();
    let mut events = Vec::new();
    let summary = scheduler
        .execute(&bench.jobs, &bench.store, &mut local, &mut |e| {
            if matches!(e, Event::Finished { .. }) {
                stop.store(true, Ordering::Relaxed);
            }
            events.push(e);
        })
        .unwrap();
    assert!(began.elapsed() < Duration::from_secs(20));
    assert!(summary.interrupted);
    assert_eq!(summary.done, [first]);
    assert_eq!(summary.pending.len(), 3);
    assert!(summary.pending.iter().all(|(_, reason)| reason == "interrupted"));
    let (summary, _) = bench.run(&mut bench.local(WRITE_RECORD, 2));
    assert_eq!((summary.done.len(), summary.skipped.len()), (3, 1));
}

#[test]
fn stdin_of_a_child_stays_open_while_the_parent_lives() {
    let bench = Bench::new(pretraining()[..1].to_vec());
    // `read` blocks on stdin, which stays open while the parent lives.
    let script = format!("(sleep 0.3; {WRITE_RECORD}; kill $$) & read line; echo gone > $7/gone");
    bench.run(&mut bench.local(&script, 1));
    assert!(!bench.path("gone").exists());
}

#[test]
fn a_missing_program_is_an_error() {
    let bench = Bench::new(pretraining());
    let mut local = Local::new("/no/such/tokbench", 1);
    let error = Scheduler::default().execute(&bench.jobs, &bench.store, &mut local, &mut |_| {}).unwrap_err();
    assert!(error.to_string().starts_with("cannot start /no/such/tokbench: "), "{error}");
    assert!(error.remedy().is_some());
}

#[test]
fn cyclic_dependencies_are_errors() {
    let mut jobs = pretraining();
    jobs.truncate(2);
    jobs[0].after = vec![jobs[1].key.clone()];
    jobs[1].after = vec![jobs[0].key.clone()];
    let bench = Bench::new(jobs);
    let mut local = bench.local(WRITE_RECORD, 2);
    let error = Scheduler::default().execute(&bench.jobs, &bench.store, &mut local, &mut |_| {}).unwrap_err();
    assert!(error.to_string().ends_with("depends on itself"), "{error}");
}

#[test]
fn duplicate_runs_are_executed_once() {
    let mut jobs = pretraining();
    jobs.extend(pretraining());
    let bench = Bench::new(jobs);
    let (summary, _) = bench.run(&mut bench.local(&format!("mkdir $7/$2 || exit 9; {WRITE_RECORD}"), 4));
    assert!(summary.complete());
    assert_eq!(summary.done.len(), 4);
}

#[test]
fn the_mock_is_deterministic_plausible_and_marked() {
    let (a, b) = (Bench::new(jobs()), Bench::new(jobs()));
    for bench in [&a, &b] {
        assert!(bench.run(&mut Mock::default()).0.complete());
    }
    let (records, damaged) = a.store.records().unwrap();
    assert_eq!((&records, &damaged), (&b.store.records().unwrap().0, &vec![]));
    assert!(records.iter().any(Record::is_simulated));
    for record in &records {
        match &record.outcome {
            Outcome::Pretrained(p) => {
                let bases: u64 = p.blocks.iter().map(|b| b.score.bases).sum();
                let bits: f64 = p.blocks.iter().map(experiment::record::BlockScore::total).sum();
                assert_eq!(bases, 16 * 252);
                assert!((1.8..2.05).contains(&(bits / bases as f64)));
            }
            Outcome::Finetuned(f) => assert!(f.mcc > 0.2 && f.mcc < 1.0 && !f.collapsed),
            Outcome::Failed { reason } => panic!("{reason}"),
        }
    }
}

#[test]
fn the_mock_fails_on_request() {
    let bench = Bench::new(jobs());
    let bad = bench.jobs[2].key.clone();
    let failing = bad.clone();
    let fault: mock::Fault = Box::new(move |job| (job.key == failing).then(|| "out of luck".to_owned()));
    let (summary, _) = bench.run(&mut Mock::failing(fault));
    assert_eq!(summary.failed, [(bad, "out of luck".to_owned())]);
    assert_eq!((summary.done.len(), summary.pending.len()), (6, 1));
    let (summary, _) = bench.retry(&mut Mock::default());
    assert_eq!((summary.done.len(), summary.skipped.len()), (2, 6));
}
