//! A running program: requests and answers as lines, with a limit of time, and the end of what it wrote to its standard error.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::command::Command as Words;

/// The environment variable with the longest time for an answer, in seconds.
pub(super) const VARIABLE: &str = "TOKBENCH_EXEC_TIMEOUT";
/// Longest time for an answer, if the variable is not set.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Time in which a program that ends is waited for.
const GRACE: Duration = Duration::from_millis(500);
/// Longest line of an answer in bytes.
const LONGEST: u64 = 256 << 20;
/// Lines of standard error that are kept, and their longest in bytes.
const LINES: usize = 12;
const LINE: u64 = 400;

/// Running programs by process id.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Kills a program and what it started: its process group.
fn kill(id: u32) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    #[cfg(not(unix))]
    let _ = id;
}

/// Kills all running programs, for a process that ends without dropping what it has.
pub(super) fn kill_all() {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(kill);
}

/// The longest time for an answer.
fn limit() -> Result<Duration, String> {
    let Ok(text) = std::env::var(VARIABLE) else { return Ok(TIMEOUT) };
    let seconds = text.trim().parse::<u64>().ok().filter(|&seconds| seconds > 0);
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| format!("{VARIABLE} is {text:?}, expected a whole number of seconds above 0"))
}

/// A running program. It is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    requests: Sender<Vec<u8>>,
    answers: Receiver<std::io::Result<Vec<u8>>>,
    errors: Arc<Mutex<VecDeque<String>>>,
    limit: Duration,
}

impl Process {
    pub(super) fn start(words: &Words) -> Result<Process, String> {
        let limit = limit()?;
        let mut command = Command::new(words.program());
        command
            .current_dir(words.folder())
            .args(words.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // An interrupt from the terminal is for this program, which saves its work before it ends.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound if !words.folder().is_dir() => {
                format!("there is no folder {}", words.folder().display())
            }
            std::io::ErrorKind::NotFound => format!("there is no program {:?}", words.program()),
            _ => format!("{:?} cannot be started: {error}", words.program()),
        })?;
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).push(child.id());
        let (requests, wanted) = channel::<Vec<u8>>();
        let (found, answers) = sync_channel(1);
        let errors: Arc<Mutex<VecDeque<String>>> = Arc::default();
        if let (Some(mut stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        {
            // Threads of their own, because a program may stop reading or writing.
            thread::spawn(move || {
                wanted.into_iter().try_for_each(|line| stdin.write_all(&line).and_then(|()| stdin.flush()))
            });
            thread::spawn(move || {
                let mut stdout = BufReader::new(stdout);
                while let Some(line) = line(&mut stdout, LONGEST) {
                    if found.send(line).is_err() {
                        break;
                    }
                }
            });
            let kept = Arc::clone(&errors);
            thread::spawn(move || {
                let mut stderr = BufReader::new(stderr);
                while let Some(Ok(text)) = line(&mut stderr, LINE) {
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.push_back(String::from_utf8_lossy(&text).trim_end().to_owned());
                    if kept.len() > LINES {
                        kept.pop_front();
                    }
                }
            });
        }
        Ok(Process { child, requests, answers, errors, limit })
    }

    /// The answer to a request. After an error the program must not be asked again.
    pub(super) fn ask<T: DeserializeOwned>(&mut self, request: &Value) -> Result<T, String> {
        let mut line = request.to_string().into_bytes();
        line.push(b'\n');
        // If the program has ended, there is no answer either.
        let _ = self.requests.send(line);
        let reason = match self.answers.recv_timeout(self.limit) {
            Ok(Ok(line)) if line.len() as u64 >= LONGEST => {
                format!("its answer is longer than {} MiB: divide long sequences into records", LONGEST >> 20)
            }
            Ok(Ok(line)) => match serde_json::from_slice::<T>(&line) {
                Ok(answer) => return Ok(answer),
                Err(wrong) => match serde_json::from_slice::<Value>(&line) {
                    Ok(answer) => match answer.get("error").and_then(Value::as_str) {
                        None => format!("its answer to the request {} is wrong: {wrong}", request["request"]),
                        Some(error) => format!("it refuses: {error}"),
                    },
                    Err(error) => {
                        let text: String = String::from_utf8_lossy(&line).trim_end().chars().take(80).collect();
                        format!("its answer {text:?} is not JSON: {error}")
                    }
                },
            },
            Ok(Err(error)) => format!("its answer cannot be read: {error}"),
            Err(RecvTimeoutError::Timeout) => {
                let seconds = self.limit.as_secs();
                kill(self.child.id());
                format!("no answer in {seconds} seconds")
            }
            Err(RecvTimeoutError::Disconnected) => match self.ended() {
                Some(status) => format!("it ended without an answer ({status})"),
                None => "it closed its standard output without an answer".to_owned(),
            },
        };
        Err(self.with_stderr(reason))
    }

    /// The exit status, if it ends soon.
    fn ended(&mut self) -> Option<std::process::ExitStatus> {
        for _ in 0..GRACE.as_millis() / 10 {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// A reason, and what the program wrote last to its standard error.
    pub(super) fn with_stderr(&mut self, reason: String) -> String {
        // What is written may still be on its way.
        thread::sleep(Duration::from_millis(50));
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<&str> = errors.iter().map(String::as_str).filter(|line| !line.trim().is_empty()).collect();
        if lines.is_empty() { reason } else { format!("{reason}; it wrote to stderr: {}", lines.join(" | ")) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let id = self.child.id();
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| *other != id);
        kill(id);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The next line, at most `longest` bytes of it; `None` at the end.
fn line(input: &mut impl BufRead, longest: u64) -> Option<std::io::Result<Vec<u8>>> {
    let mut line = Vec::new();
    match input.take(longest).read_until(b'\n', &mut line) {
        Ok(0) => None,
        Ok(_) => Some(Ok(line)),
        Err(error) => Some(Err(error)),
    }
}
