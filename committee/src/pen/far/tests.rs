//! What is logged of a signer that has too much to do.

use std::{
    fmt::{Debug, Write as _},
    sync::{Arc, Mutex},
};

use holdfast_certificate::{Address, SecretKey};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use super::*;

/// What is logged in a thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{}={value:?} ", field.name()).expect("a string");
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string() + " ");
        event.record(&mut line);
        self.0.lock().expect("no panic").push(line.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn that_a_signer_has_too_much_to_do_is_logged_once_a_minute() {
    let settings = Settings {
        url: "http://127.0.0.1:1".into(),
        public_key: SecretKey::derive_master(&[7; 32]).expect("a key").public_key(),
        tls_pin: None,
        token_file: None,
        deadline: Duration::from_secs(2),
    };
    let far = Far::new(&settings, Domain { chain_id: 1, registry: Address::from([2; 20]) }).expect("good");
    far.well();
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), || {
        for _ in 0..100 {
            let error = far.failed(&Status::resource_exhausted("too much\u{1b}[2J to do"));
            assert!(matches!(error, Error::Away), "{error}");
        }
    });
    let lines = lines.0.lock().expect("no panic").clone();
    let [line] = &lines[..] else { panic!("expected one line, got {lines:?}") };
    assert!(line.starts_with("WARN") && line.contains("signer.busy") && line.contains("too much [2J to do"), "{line}");
    assert_eq!(far.trouble(), None, "it is well");
}
