//! What somebody else wrote, on its way to a terminal or a log.

/// Whether a character would steer a terminal, begin a line, hide, or turn the direction of what follows: control
/// characters, the marks of bidirectional text (UAX #9) and those of no width, among them the tags of plane 14.
///
/// Whoever shows text that came from outside replaces these.
#[must_use]
pub fn is_unfit(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_or_hides_text_is_unfit_and_letters_of_every_script_are_not() {
        for character in
            ['\0', '\n', '\u{1b}', '\u{7f}', '\u{9b}', '\u{202e}', '\u{2066}', '\u{200f}', '\u{feff}', '\u{61c}']
        {
            assert!(is_unfit(character), "{character:?}");
        }
        for character in "a é ß שלום مرحبا 你好 …—😀".chars() {
            assert!(!is_unfit(character), "{character:?}");
        }
    }
}
