use std::{collections::HashSet, error::Error};

use super::Control;

#[test]
fn each_word_is_read_as_it_is_written() {
    let words = Control::ALL.map(|control| control.to_string());
    assert_eq!(words, ["start", "run", "stop", "restart", "reload", "upgrade", "status"]);
    assert_eq!(words.map(|word| word.parse::<Control>().expect("a word")), Control::ALL);
    assert_eq!(HashSet::from(Control::ALL).len(), Control::ALL.len());
    assert_eq!(format!("{:>6}|{:<6}|", Control::Run, Control::Stop), "   run|stop  |");
}

/// clap shows it after `invalid value 'strat' for '<CONTROL>': `.
#[test]
fn any_other_word_is_an_error_that_names_all_of_them() {
    for (word, in_words) in [("strat", "strat"), ("", ""), ("Start", "Start"), ("stop ", "stop "), ("a\nb", "a\\nb")] {
        let error: Box<dyn Error + Send + Sync> = word.parse::<Control>().expect_err("no word").into();
        let says =
            format!("unknown command `{in_words}`; expected one of start, run, stop, restart, reload, upgrade, status");
        assert_eq!(error.to_string(), says);
    }
}
