//! What was logged, so that a test can say that something is said once.

use std::{
    fmt::{Debug, Write as _},
    sync::{Mutex, Once},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static INSTALL: Once = Once::new();

struct Logbook;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

impl Subscriber for Logbook {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO && metadata.target().starts_with("holdfast")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        LINES.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Begins to keep what is logged, by every test of this process.
pub(crate) fn open() {
    INSTALL.call_once(|| tracing::subscriber::set_global_default(Logbook).unwrap());
}

/// The lines so far that hold all of these.
pub(crate) fn lines(parts: &[&str]) -> Vec<String> {
    let all = LINES.lock().unwrap();
    all.iter().filter(|line| parts.iter().all(|part| line.contains(part))).cloned().collect()
}
