//! What is on the screen, at the two sizes that people use most, and how it adapts.

use std::path::Path;

use crate::sample::FAULT;
use crate::terminal::Terminal;

/// Compares a screen with the one that was committed.
#[expect(clippy::disallowed_methods, reason = "the variable says that the screens are written anew")]
fn golden(name: &str, screen: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden").join(format!("{name}.txt"));
    let screen: String = screen.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &screen).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(screen == committed, "{name} is another:\n{screen}\nwhere it was:\n{committed}");
}

/// Each key with what is to be seen after it, and how the screen is called.
const STEPS: [(&str, &str, &str); 9] = [
    ("", "7/7", "end"),
    ("\x1b[H", "1/7", "first"),
    ("jj", "3/7", "third"),
    ("i", "run 0 of 'Price': completed", "items"),
    ("m]", "4/7", "next-change"),
    ("d", "since the mark at event 3", "diff"),
    ("w/node_runs/1/status\r", "/node_runs/1/status = ", "watch"),
    ("/fifteen\r", "'fifteen' is in event 3", "search"),
    ("?", "any key closes this", "help"),
];

fn walk(columns: u16, lines: u16) {
    let mut terminal = Terminal::start(columns, lines, "shown", &[]);
    for (keys, seen, name) in STEPS {
        terminal.press(keys);
        golden(&format!("{name}-{columns}x{lines}"), &terminal.settles_on(seen));
    }
    terminal.press("x");
    terminal.until("the page of help is closed", |screen| !screen.contains("any key closes this"));
    terminal.press("q");
    let (is_well, _) = terminal.ends();
    assert!(is_well);
}

#[test]
fn an_execution_is_walked_through_at_80_by_24() {
    walk(80, 24);
}

#[test]
fn an_execution_is_walked_through_at_120_by_40() {
    walk(120, 40);
}

#[test]
fn it_adapts_to_the_terminal_and_says_where_that_is_too_small() {
    let mut terminal = Terminal::start(80, 24, "shown", &[]);
    terminal.shows("7/7");
    terminal.resize(30, 8);
    terminal.shows("too small");
    terminal.resize(120, 40);
    terminal.shows("01900000-0000-7000-8000-000000000001");
    terminal.press("q");
    assert!(terminal.ends().0);
}

#[test]
fn what_is_typed_wrongly_is_told_and_changes_nothing() {
    let mut terminal = Terminal::start(80, 24, "shown", &[]);
    terminal.shows("7/7");
    for (keys, told) in [
        ("g99\r", "there is no event '99': events go from 1 to 7"),
        ("wstatus\r", "begins with /"),
        ("/nobody says this\r", "is in none of 7 events"),
        (".", "nothing more comes"),
        ("]", "does not change any more in that direction"),
    ] {
        terminal.press(keys);
        terminal.shows(told);
        terminal.shows("7/7");
    }
    terminal.press("gp110\r");
    terminal.shows("3/7");
    terminal.press("\x03");
    assert!(terminal.ends().0, "Ctrl-C ends it as q does");
}

#[test]
fn no_colour_is_shown_where_nobody_wants_any() {
    let seen = |variables: &[(&str, &str)]| {
        let mut terminal = Terminal::start(80, 24, "shown", variables);
        terminal.shows("7/7");
        terminal.press("d");
        terminal.shows("since event 6");
        terminal.press("q");
        terminal.ends().1
    };
    // Colours of the foreground, however they are written.
    let has_colours =
        |bytes: &str| ["\x1b[38;5;", "\x1b[31m", "\x1b[32m", "\x1b[36m"].iter().any(|sign| bytes.contains(sign));
    assert!(has_colours(&seen(&[])));
    assert!(!has_colours(&seen(&[("NO_COLOR", "1")])));
}

#[test]
fn a_fault_gives_the_terminal_back_and_is_told_where_it_can_be_read() {
    let mut terminal = Terminal::start(80, 24, "breaks down", &[]);
    terminal.shows("7/7");
    terminal.press("\x1b[H");
    let (is_well, bytes) = terminal.ends();
    assert!(!is_well);
    let (_, after) = bytes.split_once("\x1b[?1049l").unwrap();
    assert!(after.contains(FAULT), "{bytes}");
}
