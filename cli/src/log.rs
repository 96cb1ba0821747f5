//! The log on stderr: what is in it, and that it never stops the program.
//!
//! # Nothing waits for the log
//!
//! Lines go through a bounded queue to a thread that writes them. Where stderr is closed, or full, or nobody reads it, lines
//! are lost and counted, and nothing else happens.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    time::Duration,
};

use holdfast_committee::LogControl;
use holdfast_transport::configuration::LogFormat;
use tracing_subscriber::{
    EnvFilter, Layer as _, Registry, fmt::MakeWriter, layer::SubscriberExt as _, reload, util::SubscriberInitExt as _,
};

use crate::{
    output::{progress, stderr_has_colours},
    spans::{self, Spans},
};

/// The variable with the filter.
const VARIABLE: &str = "HOLDFAST_LOG";
/// Lines that may wait to be written.
const QUEUED_LINES: usize = 4096;
/// How long the end of the program waits for lines to be written.
const FLUSH_LIMIT: Duration = Duration::from_millis(500);
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Takes the last lines along when it is dropped, and lets none be written after that.
#[derive(Debug)]
pub(crate) struct Guard {
    sender: SyncSender<Message>,
    control: Option<Arc<Control>>,
    spans: Option<Spans>,
}

/// The filter, as it is changed while the program runs.
#[derive(Debug)]
struct Control {
    filter: reload::Handle<EnvFilter, Registry>,
    spans: Option<Arc<spans::Count>>,
}

enum Message {
    Line(Vec<u8>),
    /// No line is written after this one.
    End(SyncSender<()>),
}

/// Starts the log with the filter in `HOLDFAST_LOG`, or `default` where it is empty, absent or misspelt; and takes down spans, if
/// something sends them.
pub(crate) fn start(default: &str, format: LogFormat, spans: Option<Spans>) -> Guard {
    let (sender, receiver) = sync_channel(QUEUED_LINES);
    let lost = Arc::new(AtomicU64::new(0));
    let writer = Queue { sender: sender.clone(), lost: Arc::clone(&lost) };
    // Without its thread the queue fills up, and the program runs all the same.
    let _ = std::thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write_lines(&receiver, &lost, format, io::stderr()));
    let variable = std::env::var(VARIABLE).unwrap_or_default();
    let (filter, complaint) = filter(&variable, default);
    let (filter, handle) = reload::Layer::new(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).log_internal_errors(false);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(stderr_has_colours()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // What is logged and what is sent to a collector are apart.
    let traces = spans.as_ref().map(Spans::layer);
    let control = match tracing_subscriber::registry().with(lines.with_filter(filter)).with(traces).try_init() {
        Ok(()) => Some(Arc::new(Control { filter: handle, spans: spans.as_ref().map(Spans::count) })),
        Err(error) => {
            progress(format!("note: no log: {error}"));
            None
        }
    };
    if let Some(complaint) = complaint {
        let note = format!("{VARIABLE}: {complaint}; logging as {default:?}");
        match format {
            LogFormat::Text => progress(format!("note: {note}")),
            LogFormat::Json => tracing::warn!(note, "log.filter"),
        }
    }
    Guard { sender, control, spans }
}

impl Guard {
    /// What changes the filter.
    pub(crate) fn control(&self) -> Option<Arc<dyn LogControl>> {
        self.control.clone().map(|control| control as Arc<dyn LogControl>)
    }

    /// Sends the spans that wait, for as long as that may take, while the runtime runs.
    pub(crate) fn end_spans(&self) {
        if let Some(spans) = &self.spans {
            spans.stop();
        }
    }
}

impl LogControl for Control {
    fn filter(&self) -> String {
        self.filter.with_current(ToString::to_string).unwrap_or_default()
    }

    fn set_filter(&self, text: &str) -> Result<(), String> {
        if text.trim().is_empty() {
            return Err("a filter is a level, or parts of the program with levels".to_owned());
        }
        let (filter, complaint) = filter(text, "info");
        match complaint {
            Some(complaint) => Err(complaint),
            None => self.filter.reload(filter).map_err(|error| error.to_string()),
        }
    }

    fn spans_lost(&self) -> u64 {
        self.spans.as_ref().map_or(0, |count| count.lost())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let (done, flushed) = sync_channel(1);
        if self.sender.try_send(Message::End(done)).is_ok() {
            let _ = flushed.recv_timeout(FLUSH_LIMIT);
        }
    }
}

/// One line at a time into the queue.
#[derive(Clone, Debug)]
struct Queue {
    sender: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.sender.try_send(Message::Line(line.to_owned()))
        {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn write_lines(receiver: &Receiver<Message>, lost: &AtomicU64, format: LogFormat, mut stderr: impl Write) {
    while let Ok(message) = receiver.recv() {
        match message {
            Message::Line(line) => {
                if stderr.write_all(&line).is_err() {
                    lost.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                match lost.swap(0, Ordering::Relaxed) {
                    0 => {}
                    count => {
                        let _ = writeln!(stderr, "{}", told(count, format));
                    }
                }
            }
            Message::End(done) => {
                let _ = done.try_send(());
                return;
            }
        }
    }
}

/// That so many lines were lost, as a line.
fn told(count: u64, format: LogFormat) -> String {
    match format {
        LogFormat::Text => format!("{count} lines of this log were lost: it could not be written"),
        LogFormat::Json => {
            format!(r#"{{"level":"WARN","message":"log.lost","lines":{count},"target":"holdfast::log"}}"#)
        }
    }
}

/// The filter that a text stands for, or the default with what is wrong with the text. A bare word that is no level would be
/// taken for the name of a part of the program, and silence all others.
fn filter(text: &str, default: &str) -> (EnvFilter, Option<String>) {
    let text = text.trim();
    if text.is_empty() {
        return (EnvFilter::new(default), None);
    }
    for word in text.split(',').map(str::trim).filter(|word| !word.contains(['=', '['])) {
        let is_level = LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
        let is_ours = word.starts_with("holdfast") || word.contains("::");
        if !is_level && !is_ours && word.parse::<usize>().is_err() {
            let nearest =
                LEVELS.iter().min_by_key(|level| strsim::damerau_levenshtein(level, &word.to_ascii_lowercase()));
            let nearest = nearest.copied().unwrap_or_default();
            return (EnvFilter::new(default), Some(format!("{word:?} is no level; did you mean {nearest:?}?")));
        }
    }
    match EnvFilter::try_new(text) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(default), Some(format!("{text:?} is no filter: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_filter_silences_nothing_and_a_misspelt_one_is_named() {
        for text in ["", "  "] {
            assert_eq!((filter(text, "warn").0.to_string(), filter(text, "warn").1), ("warn".to_owned(), None));
        }
        for (text, says) in
            [("inof", "did you mean \"info\""), ("info,dbug", "\"dbug\""), ("holdfast_l1=lots", "no filter")]
        {
            let (used, complaint) = filter(text, "warn");
            assert_eq!(used.to_string(), "warn");
            assert!(complaint.as_deref().is_some_and(|complaint| complaint.contains(says)), "{complaint:?}");
        }
        for text in
            ["debug", "INFO", "info,holdfast_committee=debug", "off", "holdfast_client", "warn,hyper::proto=info"]
        {
            assert_eq!(filter(text, "warn").1, None, "{text}");
        }
    }

    #[test]
    fn what_was_lost_is_told_in_the_form_of_the_log() {
        assert!(told(7, LogFormat::Text).starts_with("7 lines"));
        let line: serde_json::Value = serde_json::from_str(&told(7, LogFormat::Json)).expect("JSON");
        assert_eq!((&line["lines"], &line["level"]), (&7.into(), &"WARN".into()));
    }

    #[test]
    fn what_is_logged_before_the_end_is_written_and_nothing_after_it() {
        let (sender, receiver) = sync_channel(QUEUED_LINES);
        let mut queue = Queue { sender: sender.clone(), lost: Arc::default() };
        let thread = std::thread::spawn(move || {
            let mut written = Vec::new();
            write_lines(&receiver, &AtomicU64::new(0), LogFormat::Text, &mut written);
            written
        });
        let lines: String = (0..1000).map(|number| format!("line {number}\n")).collect();
        for line in lines.lines() {
            queue.write_all(format!("{line}\n").as_bytes()).expect("never fails");
        }
        drop(Guard { sender, control: None, spans: None });
        // As a thread does that the end of the program has not reached yet.
        queue.write_all(b"too late\n").expect("never fails");
        drop(queue);
        assert_eq!(String::from_utf8(thread.join().expect("ends")).expect("UTF-8"), lines);
    }

    #[test]
    fn a_queue_that_nobody_empties_holds_nobody_up() {
        let (sender, receiver) = sync_channel(1);
        let mut queue = Queue { sender, lost: Arc::default() };
        for _ in 0..3 {
            assert_eq!(queue.write(b"line\n").expect("never fails"), 5);
        }
        assert_eq!(queue.lost.load(Ordering::Relaxed), 2);
        drop(receiver);
        assert_eq!(queue.write(b"line\n").expect("never fails"), 5);
    }
}
