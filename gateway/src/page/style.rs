//! How the page looks: a style sheet and a mark of its own, nothing from elsewhere.

/// The style sheet.
pub(super) const SHEET: &str = include_str!("status.css");
/// The mark, for the page's head and for the browser's tab.
pub(super) const MARK: &str = include_str!("status.svg");
